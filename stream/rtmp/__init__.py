"""RTMP(S), in and out: our own end of the protocol, from the socket to whole messages and their pictures and sound.

Adobe's RTMP specification 1.0, its AMF0 specification, FLV (Video File Format Specification 10.1, annex E) and Enhanced RTMP v2.

    server -> connection -> session -> handshake, chunk_reader, command (amf0), chunk_writer
                               |
                              sink (stream.ingest.rtmp) -> video, audio (tag, configuration)

    stream.egress.rtmp -> push_connection -> push_session -> handshake, chunk_reader, command (amf0), chunk_writer
            |
            +-> multiplexer (tag_writer), target, backoff

``session``, ``push_session`` and everything below them do no input or output: bytes go in, bytes and messages come out.
"""
