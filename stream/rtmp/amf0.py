"""AMF0 (Adobe, "Action Message Format AMF 0"): the values in RTMP's commands.

| AMF0 | Python |
|---|---|
| number, date (ms since 1970) | float |
| boolean | bool |
| string, long string, XML | str |
| object, typed object, ECMA array | dict, in its order |
| strict array | list |
| null, undefined, unsupported, reference | None |
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Union

from stream.rtmp.errors import RtmpError
from stream.rtmp.limits import AMF_DEPTH, AMF_VALUES

Value = Union[None, bool, float, str, "list[Value]", "dict[str, Value]"]
Sendable = Union[None, bool, float, str, "Sequence[Sendable]", "Mapping[str, Sendable]"]

(_NUMBER, _BOOLEAN, _STRING, _OBJECT, _MOVIE_CLIP, _NULL, _UNDEFINED, _REFERENCE, _ECMA_ARRAY, _OBJECT_END, _STRICT_ARRAY) = (
    range(11)
)
(_DATE, _LONG_STRING, _UNSUPPORTED, _RECORDSET, _XML, _TYPED_OBJECT) = range(11, 17)


class AmfError(RtmpError):
    """Not AMF0, or more of it than any publisher sends."""


def decode(data: bytes | bytearray) -> list[Value]:
    """All values of a message. Raises AmfError."""
    reader = _Reader(data)
    values = []
    while reader.position < len(data):
        values.append(reader.value(0))
    return values


class _Reader:
    def __init__(self, data: bytes | bytearray) -> None:
        self._data = data
        self._count = 0
        self.position = 0

    def value(self, depth: int) -> Value:
        self._count += 1
        if self._count > AMF_VALUES:
            raise AmfError(f"an AMF0 message has more than {AMF_VALUES} values")
        marker = self._number(1)
        if marker == _NUMBER:
            return self._double()
        if marker == _BOOLEAN:
            return self._number(1) != 0
        if marker == _STRING:
            return self._text(2)
        if marker in (_LONG_STRING, _XML):
            return self._text(4)
        if marker in (_NULL, _UNDEFINED, _UNSUPPORTED):
            return None
        if marker == _REFERENCE:
            self._take(2)
            return None
        if marker == _DATE:
            date = self._double()
            self._take(2)  # a time zone, which is always 0
            return date
        if depth == AMF_DEPTH:
            raise AmfError(f"AMF0 objects are nested more than {AMF_DEPTH} deep")
        if marker == _TYPED_OBJECT:
            self._text(2)
        if marker == _ECMA_ARRAY:
            self._take(4)  # a count, which nobody keeps to; the end marker does
        if marker in (_OBJECT, _TYPED_OBJECT, _ECMA_ARRAY):
            return self._properties(depth + 1)
        if marker == _STRICT_ARRAY:
            return [self.value(depth + 1) for _ in range(self._number(4))]
        raise AmfError(f"AMF0 has no marker {marker} that a publisher may send")

    def _properties(self, depth: int) -> dict[str, Value]:
        properties: dict[str, Value] = {}
        # Some encoders leave the last end marker out.
        while self.position < len(self._data):
            name = self._text(2)
            if not name and self.position < len(self._data) and self._data[self.position] == _OBJECT_END:
                self.position += 1
                break
            properties[name] = self.value(depth)
        return properties

    def _take(self, size: int) -> bytes | bytearray:
        begin = self.position
        self.position = begin + size
        if self.position > len(self._data):
            raise AmfError("an AMF0 value is cut off")
        return self._data[begin : self.position]

    def _number(self, size: int) -> int:
        return int.from_bytes(self._take(size))

    def _double(self) -> float:
        return float(struct.unpack(">d", self._take(8))[0])

    def _text(self, size: int) -> str:
        return self._take(self._number(size)).decode(errors="replace")


def encode(*values: Sendable) -> bytes:
    """Values one after the other. Raises ValueError for text over 65,535 bytes, which nothing here is."""
    return b"".join(_encoded(value) for value in values)


def _encoded(value: Sendable) -> bytes:
    if value is None:
        return bytes((_NULL,))
    if isinstance(value, bool):
        return bytes((_BOOLEAN, value))
    if isinstance(value, int | float):
        return bytes((_NUMBER,)) + struct.pack(">d", value)
    if isinstance(value, str):
        return bytes((_STRING,)) + _name(value)
    if isinstance(value, Mapping):
        properties = b"".join(_name(name) + _encoded(item) for name, item in value.items())
        return bytes((_OBJECT,)) + properties + bytes((0, 0, _OBJECT_END))
    return bytes((_STRICT_ARRAY,)) + len(value).to_bytes(4) + b"".join(_encoded(item) for item in value)


def _name(text: str) -> bytes:
    data = text.encode(errors="replace")
    if len(data) > 0xFFFF:
        raise ValueError("text for AMF0 is longer than 65,535 bytes")
    return len(data).to_bytes(2) + data
