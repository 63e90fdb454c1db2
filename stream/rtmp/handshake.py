"""The handshake (section 5.2), in its simple form: no publisher in use checks a digest."""

from __future__ import annotations

import os

from stream.rtmp.errors import RtmpError

VERSION = 3

SIZE = 1536
"""bytes of C1, C2, S1 and S2: a time, a zero or a second time, and 1528 bytes of noise."""


class Handshake:
    """The server's side; ``ClientHandshake`` is the other."""

    def __init__(self, noise: bytes = b"") -> None:
        """``noise`` are the 1528 bytes of S1; random ones where there are none."""
        self._noise = noise or os.urandom(SIZE - 8)
        self._received = bytearray()
        self._answered = False
        self.rest: bytes | None = None
        """What came after the handshake; None until it is done."""

    def receive(self, data: bytes) -> bytes:
        """Takes bytes, returns those to answer. Raises RtmpError, with the first byte of anything else than RTMP."""
        received = self._received
        received += data
        if received and received[0] != VERSION:
            raise RtmpError(f"not RTMP: it begins with the byte {received[0]:#04x} rather than version {VERSION}")
        answer = b""
        if not self._answered and len(received) > SIZE:
            self._answered = True
            answer = bytes((VERSION,)) + bytes(8) + self._noise + bytes(received[1 : 1 + SIZE])
        if len(received) > 2 * SIZE:
            # C2 should be S1 again; some encoders send noise, and nothing hangs on it.
            self.rest = bytes(received[1 + 2 * SIZE :])
            received.clear()
        return answer


class ClientHandshake:
    """The side of who publishes."""

    def __init__(self, noise: bytes = b"") -> None:
        """``noise`` are the 1528 bytes of C1; random ones where there are none."""
        self.hello = bytes((VERSION,)) + bytes(8) + (noise or os.urandom(SIZE - 8))
        """What to begin with. The zeros say that its noise has no digest in it."""
        self._received = bytearray()
        self._answered = False
        self.rest: bytes | None = None
        """What came after the handshake; None until it is done."""

    def receive(self, data: bytes) -> bytes:
        """Takes bytes, returns those to answer. Raises RtmpError, with the first byte of anything else than RTMP."""
        received = self._received
        received += data
        if received and received[0] != VERSION:
            raise RtmpError(f"not an RTMP server: it begins with the byte {received[0]:#04x} rather than version {VERSION}")
        answer = b""
        if not self._answered and len(received) > SIZE:
            self._answered = True
            answer = bytes(received[1 : 1 + SIZE])
        if len(received) > 2 * SIZE:
            # S2 should be C1 again; some servers send noise, and nothing hangs on it.
            self.rest = bytes(received[1 + 2 * SIZE :])
            received.clear()
        return answer
