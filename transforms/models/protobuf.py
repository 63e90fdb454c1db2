"""Protocol Buffers' wire format, as far as one has to know it to read a file without its schema's code."""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
"""Wire types."""

_LONGEST = 10
"""Bytes of a 64-bit number, 7 bits each."""


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Each field's number, with its value as a number or, where it has a length, its bytes.

    Raises ValueError where the message is cut short or malformed.
    """
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield tag >> 3, value
            continue
        if kind == _BYTES:
            length, at = _varint(message, at)
        elif kind in (_FIXED32, _FIXED64):
            length = 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(f"there is no wire type {kind}")
        if length > len(message) - at:
            raise ValueError("a field is longer than its message")
        yield tag >> 3, message[at : at + length]
        at += length


def numbers(value: int | memoryview) -> Iterator[int]:
    """Of a repeated number, which comes one by one or packed."""
    if isinstance(value, int):
        yield value
        return
    at = 0
    while at < len(value):
        number, at = _varint(value, at)
        yield number


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for place in range(_LONGEST):
        if at + place >= len(message):
            raise ValueError("a number is cut short")
        byte = message[at + place]
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at + place + 1
    raise ValueError("a number is longer than 64 bits")
