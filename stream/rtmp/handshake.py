"""The handshake (section 5.2), in its simple form: no publisher in use checks a digest."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod

from stream.rtmp.errors import RtmpError

VERSION = 3

SIZE = 1536
"""bytes of C1, C2, S1 and S2: a time, a zero or a second time, and 1528 bytes of noise."""


class _Half(ABC):
    """What both sides do with what they are sent: a version, 1536 bytes to be sent back, and 1536 that come back."""

    peer = ""
    """What it is to be, for the sentence where it is not."""

    def __init__(self, noise: bytes = b"") -> None:
        """``noise`` are the 1528 bytes of our first message; random ones where there are none."""
        # The zeros say that its noise has no digest in it.
        self.hello = bytes((VERSION,)) + bytes(8) + (noise or os.urandom(SIZE - 8))
        """The first message."""
        self._received = bytearray()
        self._answered = False
        self.rest: bytes | None = None
        """What came after the handshake; None until it is done."""

    def receive(self, data: bytes) -> bytes:
        """Takes bytes, returns those to answer. Raises RtmpError, with the first byte of anything else than RTMP."""
        received = self._received
        received += data
        if received and received[0] != VERSION:
            raise RtmpError(f"not {self.peer}: it begins with the byte {received[0]:#04x} rather than version {VERSION}")
        answer = b""
        if not self._answered and len(received) > SIZE:
            self._answered = True
            answer = self._answer(bytes(received[1 : 1 + SIZE]))
        if len(received) > 2 * SIZE:
            # The second half should be our own again; some software sends noise, and nothing hangs on it.
            self.rest = bytes(received[1 + 2 * SIZE :])
            received.clear()
        return answer

    @abstractmethod
    def _answer(self, first: bytes) -> bytes:
        """What to send when the first half is there."""


class Handshake(_Half):
    """The server's side."""

    peer = "RTMP"

    def _answer(self, first: bytes) -> bytes:
        return self.hello + first


class ClientHandshake(_Half):
    """The side of who publishes, which begins with ``hello``."""

    peer = "an RTMP server"

    def _answer(self, first: bytes) -> bytes:
        return first
