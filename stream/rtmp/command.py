"""Commands (section 7.2): what publishers call, and what they are answered."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from stream.rtmp import amf0
from stream.rtmp.errors import RtmpError

STREAM = 1
"""The id of the one message stream that a connection gets."""

_CAN_DECODE = 1
"""Of a FourCC, in Enhanced RTMP's maps."""

_MULTITRACK, _MOD_EX, _NANOSECONDS = 2, 4, 8
"""What Enhanced RTMP's capsEx says that we understand."""

VIDEO_FOURCC = ("avc1", "hvc1", "av01", "vp09", "vp08")
AUDIO_FOURCC = ("mp4a", "Opus")


class Command(NamedTuple):
    """A call."""

    name: str
    transaction: float
    """What the answer must carry; 0 where none is wanted."""
    arguments: list[amf0.Value]
    """The first is the command object, mostly None."""

    def text(self, index: int) -> str:
        """An argument that must be text. Raises RtmpError."""
        value = self.arguments[index] if index < len(self.arguments) else None
        if not isinstance(value, str):
            raise RtmpError(f"{self.name} lacks text as its argument {index}")
        return value


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """What somebody wants to publish."""

    app: str
    """The path without the last part: "live" in rtmp://host/live/name?token=t."""
    name: str
    """The last part."""
    query: str = field(repr=False)
    """What follows its question mark, verbatim: "token=t"; it may be secret."""
    address: str = ""
    """Where it comes from."""
    secure: bool = False
    """Over TLS."""

    def __str__(self) -> str:
        """Without the query."""
        return f"{self.app}/{self.name}"


def parse(payload: bytes | bytearray) -> Command:
    """Raises RtmpError."""
    values = amf0.decode(payload)
    name = values[0] if values else None
    if not isinstance(name, str):
        raise RtmpError("a command without a name")
    transaction = values[1] if len(values) > 1 else 0.0
    if not isinstance(transaction, float) or not math.isfinite(transaction):
        raise RtmpError(f"command {name[:32]!r} has no number for its answer")
    return Command(name, transaction, values[2:])


def connected(transaction: float) -> bytes:
    """To connect: yes, and what we take (Enhanced RTMP v2, "Enhancing NetConnection connect Command")."""
    properties: dict[str, amf0.Sendable] = {
        "fmsVer": "FMS/3,5,7,7009",
        "capabilities": 31.0,
        "mode": 1.0,
        "fourCcList": [*VIDEO_FOURCC, *AUDIO_FOURCC],
        "videoFourCcInfoMap": dict.fromkeys(VIDEO_FOURCC, _CAN_DECODE),
        "audioFourCcInfoMap": dict.fromkeys(AUDIO_FOURCC, _CAN_DECODE),
        "capsEx": _MULTITRACK | _MOD_EX | _NANOSECONDS,
    }
    information = _information("status", "NetConnection.Connect.Success", "connected") | {"objectEncoding": 0.0}
    return amf0.encode("_result", transaction, properties, information)


def result(transaction: float, value: amf0.Sendable = None) -> bytes:
    return amf0.encode("_result", transaction, None, value)


def error(transaction: float, code: str, description: str) -> bytes:
    return amf0.encode("_error", transaction, None, _information("error", code, description))


def status(code: str, description: str, level: str = "status") -> bytes:
    return amf0.encode("onStatus", 0.0, None, _information(level, code, description))


def _information(level: str, code: str, description: str) -> dict[str, amf0.Sendable]:
    return {"level": level, "code": code, "description": description}
