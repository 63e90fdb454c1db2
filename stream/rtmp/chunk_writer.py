"""Messages to chunks (section 5.3)."""

from __future__ import annotations

from stream.rtmp.chunk_reader import DEFAULT_CHUNK_SIZE
from stream.rtmp.message import SET_CHUNK_SIZE

CONTROL, COMMANDS, STATUS = 2, 3, 5
"""Chunk streams that we send on: the first is given by the protocol, the others are what servers use."""


class ChunkWriter:
    """Every message begins with a full header (format 0): 12 bytes, and no state to lose."""

    def __init__(self) -> None:
        self._chunk_size = DEFAULT_CHUNK_SIZE

    def message(self, chunk_stream: int, kind: int, payload: bytes, stream: int = 0, timestamp: int = 0) -> bytes:
        """One message on chunk stream 2-63. ``timestamp`` in ms, modulo 2**32."""
        extended = timestamp.to_bytes(4) if timestamp >= 0xFFFFFF else b""
        field = min(timestamp, 0xFFFFFF).to_bytes(3)
        header = (
            bytes((chunk_stream,)) + field + len(payload).to_bytes(3) + bytes((kind,)) + stream.to_bytes(4, "little") + extended
        )
        size = self._chunk_size
        if len(payload) <= size:
            return header + payload
        pieces = [header, payload[:size]]
        again = bytes((0xC0 | chunk_stream,)) + extended
        for begin in range(size, len(payload), size):
            pieces += (again, payload[begin : begin + size])
        return b"".join(pieces)

    def set_chunk_size(self, size: int) -> bytes:
        """The message that says so; what is written afterwards keeps to it."""
        message = self.message(CONTROL, SET_CHUNK_SIZE, size.to_bytes(4))
        self._chunk_size = size
        return message
