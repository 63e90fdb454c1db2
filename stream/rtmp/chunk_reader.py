"""Chunks to messages (section 5.3)."""

from __future__ import annotations

from stream.rtmp.errors import RtmpError
from stream.rtmp.limits import CHUNK_STREAMS, COMMAND_BYTES, MAX_CHUNK_SIZE, MIN_CHUNK_SIZE, PARTIAL_BYTES
from stream.rtmp.message import ABORT, MEDIA, SET_CHUNK_SIZE, Message

DEFAULT_CHUNK_SIZE = 128

_HEADER = (11, 7, 3, 0)
"""bytes of the message header, by format."""

_EXTENDED = 0xFFFFFF
"""In the time stamp's field: the real one follows, in 32 bits."""


class _ChunkStream:
    """What a header leaves out is as in the one before."""

    __slots__ = ("absolute", "delta", "extended", "field", "kind", "length", "payload", "stream", "timestamp")

    def __init__(self) -> None:
        self.timestamp = self.delta = self.field = 0
        self.length = self.kind = self.stream = 0
        self.extended = False
        self.absolute = False
        """Whether the last header had a time rather than a difference (format 0)."""
        self.payload = bytearray()
        """Of the message that is coming in. Empty between two: every chunk but that of an empty message has a byte."""


class ChunkReader:
    """Takes bytes as they come and gives whole messages. Each byte of payload is copied once, into its message."""

    def __init__(self) -> None:
        self.max_media = COMMAND_BYTES
        """bytes of a message of media."""
        self.consumed = 0
        """bytes, in all, that were looked at."""
        self._chunk_size = DEFAULT_CHUNK_SIZE
        self._streams: dict[int, _ChunkStream] = {}
        self._data = b""
        self._view = memoryview(b"")
        self._position = 0
        self._current: _ChunkStream | None = None
        """Whose chunk is being read, and how much of it is still to come:"""
        self._left = 0
        self._partial = 0

    def feed(self, data: bytes) -> None:
        """More bytes. Less than a chunk's header is ever left over from before, where ``read`` was called until None."""
        self._data = self._data[self._position :] + data if self._position < len(self._data) else data
        self._view = memoryview(self._data)
        self._position = 0

    @property
    def partial(self) -> int:
        """bytes held of messages that are not complete."""
        return self._partial

    def read(self) -> Message | None:
        """The next message; None where more bytes are needed. Raises RtmpError, after which the reader is of no more use.

        The two that change how chunks are read, Set Chunk Size and Abort, are followed here and not given out.
        """
        data, view, begin = self._data, self._view, self._position
        position, end = begin, len(data)
        streams = self._streams
        message = None
        while message is None:
            stream = self._current
            if stream is None:
                if position == end:
                    break
                first = data[position]
                # The next chunk of the message at hand: nearly all, where chunks are small.
                if first > 0xC1 and (stream := streams.get(first & 0x3F)) is not None and stream.payload and not stream.extended:
                    position += 1
                else:
                    after = self._header(data, position, end)
                    if after < 0:
                        break
                    position = after
                    stream = self._current
                    assert stream is not None
                left = stream.length - len(stream.payload)
                self._left = left if left < self._chunk_size else self._chunk_size
                self._current = stream
            take = self._left if self._left <= end - position else end - position
            if take:
                stream.payload += view[position : position + take]
                position += take
                self._left -= take
                self._partial += take
                if self._partial > PARTIAL_BYTES:
                    raise RtmpError(f"more than {PARTIAL_BYTES} bytes of messages that are not complete")
            if self._left:
                break
            self._current = None
            if len(stream.payload) == stream.length:
                message = self._complete(stream)
        self._position = position
        self.consumed += position - begin
        return message

    def _complete(self, stream: _ChunkStream) -> Message | None:
        payload, stream.payload = stream.payload, bytearray()
        self._partial -= len(payload)
        if stream.kind not in (SET_CHUNK_SIZE, ABORT):
            return Message(stream.kind, stream.timestamp, stream.stream, payload)
        if len(payload) < 4:
            raise RtmpError("a message that controls chunks is cut off")
        value = int.from_bytes(payload[:4])
        if stream.kind == SET_CHUNK_SIZE:
            if not MIN_CHUNK_SIZE <= value < 1 << 31:
                raise RtmpError(f"a chunk size of {value} bytes; at least {MIN_CHUNK_SIZE} are asked for")
            self._chunk_size = min(value, MAX_CHUNK_SIZE)
        elif value in self._streams:
            aborted = self._streams[value]
            self._partial -= len(aborted.payload)
            aborted.payload = bytearray()
        return None

    def _header(self, data: bytes, position: int, end: int) -> int:
        """Reads a chunk's header into ``_current``. Returns where it ends; -1 where it is not all there yet."""
        kind, number = data[position] >> 6, data[position] & 0x3F
        begin = position + (1 if number > 1 else 2 + number)
        after = begin + _HEADER[kind]
        if after > end:
            return -1
        if number < 2:
            number = 64 + data[position + 1] + (data[position + 2] << 8 if number else 0)
        known = self._streams.get(number)
        stream = known or _ChunkStream()
        if known is None:
            # Format 1 lacks only the message stream: librtmp begins so where it is 0.
            if kind > 1:
                raise RtmpError(f"chunk stream {number} begins with format {kind}, which leaves out what it never said")
            if len(self._streams) == CHUNK_STREAMS:
                raise RtmpError(f"more than {CHUNK_STREAMS} chunk streams")
        continued = bool(stream.payload)
        if continued and kind != 3:
            raise RtmpError(f"a message begins on chunk stream {number} before the one before has ended")
        field = int.from_bytes(data[begin : begin + 3]) if kind < 3 else stream.field
        extended = field == _EXTENDED if kind < 3 else stream.extended
        if extended:
            if after + 4 > end:
                return -1
            value = int.from_bytes(data[after : after + 4])
            # Every chunk of the message should repeat it, and there are encoders that don't.
            if not continued or value == field:
                after += 4
            if not continued:
                field = value
        self._streams[number] = self._current = stream
        if continued:
            return after
        if kind < 2:
            stream.length = int.from_bytes(data[begin + 3 : begin + 6])
            stream.kind = data[begin + 6]
        if kind == 0:
            stream.stream = int.from_bytes(data[begin + 7 : begin + 11], "little")
        largest = self.max_media if stream.kind in MEDIA else COMMAND_BYTES
        if stream.length > largest:
            raise RtmpError(f"a message of type {stream.kind} with {stream.length} bytes; {largest} are allowed")
        if kind < 3:
            stream.absolute = kind == 0
            stream.extended = extended
        if kind < 3 or extended:
            stream.delta = stream.field = field
        # Format 3 repeats the difference; after format 0 that is its time stamp (section 5.3.1.2.4), unless that was extended:
        # then it is the time, again in full.
        if kind == 0 or (stream.absolute and extended):
            stream.timestamp = field
        else:
            stream.timestamp = (stream.timestamp + stream.delta) & 0xFFFFFFFF
        return after
