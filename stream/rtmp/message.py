"""RTMP messages: their types, those that control the connection, and several in one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from stream.rtmp.errors import RtmpError
from stream.rtmp.limits import AGGREGATE_MESSAGES

SET_CHUNK_SIZE, ABORT, ACKNOWLEDGEMENT, USER_CONTROL, WINDOW_SIZE, PEER_BANDWIDTH = 1, 2, 3, 4, 5, 6
AUDIO, VIDEO = 8, 9
DATA_AMF3, COMMAND_AMF3, DATA, COMMAND = 15, 17, 18, 20
AGGREGATE = 22

MEDIA = frozenset((AUDIO, VIDEO, AGGREGATE))

STREAM_BEGIN, PING, PONG = 0, 6, 7
"""Events of USER_CONTROL (section 7.1.7)."""

DYNAMIC = 2
"""The limit type of PEER_BANDWIDTH that asks for least."""


class Message(NamedTuple):
    """One whole message. Its payload is the receiver's, to change as it likes."""

    kind: int
    timestamp: int
    """ms, modulo 2**32."""
    stream: int
    """0: the connection itself."""
    payload: bytearray


def parts(aggregate: Message) -> Iterator[Message]:
    """The messages within an aggregate one (section 7.1.6), on its clock. Raises RtmpError."""
    payload = aggregate.payload
    position, offset, count = 0, None, 0
    while position < len(payload):
        size = int.from_bytes(payload[position + 1 : position + 4])
        begin = position + 11
        count += 1
        if begin + size + 4 > len(payload):
            raise RtmpError("a message within an aggregate one is cut off")
        if count > AGGREGATE_MESSAGES:
            raise RtmpError(f"more than {AGGREGATE_MESSAGES} messages in an aggregate one")
        kind = payload[position]
        if kind not in (AUDIO, VIDEO, DATA):
            raise RtmpError(f"a message of type {kind} within an aggregate one")
        time = int.from_bytes(payload[position + 4 : position + 7]) | payload[position + 7] << 24
        if offset is None:
            offset = aggregate.timestamp - time
        yield Message(kind, (time + offset) & 0xFFFFFFFF, aggregate.stream, payload[begin : begin + size])
        position = begin + size + 4
