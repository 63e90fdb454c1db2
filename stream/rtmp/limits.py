"""Every bound of RTMP ingest, with its unit and its reason. What an operator may want to change is in ``RtmpLimits``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RtmpLimits:
    """Times in s, from the connection's beginning unless said otherwise."""

    handshake_timeout: float = 5.0
    """Until the peer has sent its 3073 bytes: two round trips on the worst line. The same for TLS, before it."""
    publish_timeout: float = 10.0
    """Until it has said what it wants to publish: four more round trips, and a person has no part in them."""
    decision_timeout: float = 5.0
    """That looking up a key may take; OBS waits 30 s for the answer."""
    idle_timeout: float = 15.0
    """Without one whole message of media after which a publisher is gone: OBS sends 30 a second even of a black picture."""
    linger: float = 1.0
    """That a peer gets, from the refusal, to read why: closing on unread input would reset the connection, and lose the words."""
    max_pending: int = 64
    """Connections that don't publish (yet), at once; for one more the oldest goes, so that holding them open shuts nobody out."""


MIN_CHUNK_SIZE = 128
"""bytes that a peer's chunks may have at least: the protocol's own default and advised minimum; 1 would cost a header a byte."""

MAX_CHUNK_SIZE = 0xFFFFFF
"""bytes: no message is longer, so neither is any chunk; more than that says the same (section 5.4.1)."""

SENT_CHUNK_SIZE = 65_536
"""bytes of the chunks we send. ffmpeg sends chunks of the size that it is sent, and larger ones cost less to read."""

CHUNK_STREAMS = 32
"""Chunk streams of one connection; OBS uses 3, ffmpeg 5."""

MEDIA_BYTES = 8 << 20
"""bytes of one message of media: a keyframe of 4K at the highest quality is under 4 MB."""

COMMAND_BYTES = 64 << 10
"""bytes of any other message, and of all before publish is allowed; a connect with a long token is under 8 KB."""

PARTIAL_BYTES = 12 << 20
"""bytes of messages that are not complete, over all chunk streams: the largest one, and half as much interleaved."""

BYTES_BEFORE_PUBLISH = 256 << 10
"""bytes read of somebody who has not been let in yet; OBS and ffmpeg need under 2 KB."""

COMMANDS_BEFORE_PUBLISH = 32
"""Commands of somebody who has not been let in yet; a publisher needs 5."""

AMF_DEPTH = 8
"""Objects within objects; a publisher's have 2."""

AMF_VALUES = 512
"""Values in one message: connect and onMetaData have 30 at most, and to read 512 takes under 1 ms."""

NAME_LENGTH = 4096
"""Characters of an app or of a stream's name with its token: what HTTP servers allow a URL."""

WINDOW = 2_500_000
"""bytes after which each end acknowledges, as every server asks: 3 s at 6 Mb/s."""

AGGREGATE_MESSAGES = 256
"""Messages in an aggregate one: 4 s of a picture and two of sound at 30 fps."""

TRACKS = 16
"""Tracks in one multitrack message: OBS has 6 of sound."""

MODIFIERS = 8
"""ModEx parts before a message's type; one is defined so far."""

NAL_UNITS = 1024
"""NAL units of one picture: a slice for each row of macroblocks of 8K is 270, with SEI."""

CONFIGURATION_BYTES = 16 << 10
"""bytes of a sequence header: parameter sets are under 200, and go out again with each keyframe."""

WORK = 64
"""Messages of media handled before the event loop may do something else: well under 2 ms, and 1 s of a stream that caught up."""

COMMAND_WORK = 32
"""What handling a command counts for, in messages of media: two of the longest take 2 ms, since AMF is read value by value."""

WRITE_BYTES = 64 << 10
"""bytes that may wait for a peer to read them: all that we ever send it is 2 KB, unless it asks without listening."""

MAX_TIME = 1 << 40
"""ms: 35 years. Time stamps that jump forwards further than that would leave what FFmpeg counts in."""
