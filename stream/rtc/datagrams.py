"""Datagrams that leave together: one system call for a picture's packets, where the kernel can cut (Linux, UDP_SEGMENT)."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Callable
from struct import pack

UDP_SEGMENT = 103
"""From linux/udp.h, since Linux 4.18: the size of the datagrams that the kernel is to cut what it is given into."""

LARGEST = 2048
"""Bytes of a datagram with everything, at most: more than any link that media goes over carries in one piece."""

GATHERED = 32
"""Datagrams that leave in one call: half of what any kernel that cuts takes, and with LARGEST at the end under 64 kB."""

CAPACITY = GATHERED * 1400 + LARGEST
"""Bytes of a batch: GATHERED video packets, and one of any size behind them."""


class Batch:
    """A buffer that is filled with datagrams of one size, as the kernel cuts them: only the last may be shorter.

    The owner asks for a ``place``, writes there, and says with ``placed`` how much it was. What does not fit to those
    before it makes them leave first. ``send`` is called with the datagrams and their size.
    """

    def __init__(self, send: Callable[[memoryview, int], None]) -> None:
        self._send = send
        self.buffer = bytearray(CAPACITY)
        self._view = memoryview(self.buffer)
        self._end = 0
        self._count = 0
        self._size = 0
        self._complete = False

    def place(self, size: int) -> int:
        """Where in the buffer a datagram of ``size`` bytes, up to LARGEST, is to be written."""
        if self._end and (self._complete or size > self._size or self._count == GATHERED or self._end > CAPACITY - LARGEST):
            self.flush()
        return self._end

    def placed(self, size: int) -> None:
        """A datagram was written to the last ``place``."""
        if not self._end:
            self._size = size
        elif size < self._size:
            self._complete = True
        self._end += size
        self._count += 1

    def flush(self) -> None:
        """Lets go of what is there."""
        if self._end:
            data = self._view[: self._end]
            self._end = self._count = 0
            self._complete = False
            self._send(data, self._size)


class Way:
    """From one socket to one address. What cannot be cut by the kernel goes out one by one."""

    def __init__(self, transport: asyncio.DatagramTransport, address: tuple[str, int]) -> None:
        self._transport = transport
        self._address = address
        self._socket = _duplicate(transport)

    @property
    def cuts(self) -> bool:
        """Whether the kernel is asked to."""
        return self._socket is not None

    def send(self, data: memoryview, size: int) -> None:
        """Sends ``data`` as datagrams of ``size`` bytes, the last with what is left."""
        if len(data) > size and self._socket is not None:
            try:
                cut = (socket.IPPROTO_UDP, UDP_SEGMENT, pack("@H", size))
                self._socket.sendmsg((data,), (cut,), socket.MSG_DONTWAIT, self._address)
                return
            except BlockingIOError:
                # The transport keeps what the socket cannot take now.
                pass
            except OSError:
                # An old kernel, a device without checksums (EIO), a narrow path (EMSGSIZE): no use in trying each time.
                self.close()
        for begin in range(0, len(data), size):
            self._transport.sendto(bytes(data[begin : begin + size]), self._address)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _duplicate(transport: asyncio.DatagramTransport) -> socket.socket | None:
    """The transport's socket under a descriptor of our own, which stays ours when the transport closes; None if there is none.

    asyncio's transports give away no ``sendmsg``, and TURN's have no socket that media could go over as it is.
    """
    shared = transport.get_extra_info("socket")
    if sys.platform != "linux" or shared is None or shared.type != socket.SOCK_DGRAM:
        return None
    try:
        return socket.socket(shared.family, shared.type, shared.proto, fileno=os.dup(shared.fileno()))
    except OSError:
        return None
