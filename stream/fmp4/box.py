"""Boxes, which all of MP4 is made of (ISO/IEC 14496-12 section 4.2)."""

from __future__ import annotations


def box(kind: bytes, *parts: bytes) -> bytes:
    """``kind`` has four letters; no box here reaches 4 GB."""
    content = b"".join(parts)
    return (8 + len(content)).to_bytes(4) + kind + content


def full_box(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    """A box with a version and flags (24 bits)."""
    return box(kind, bytes((version,)), flags.to_bytes(3), *parts)
