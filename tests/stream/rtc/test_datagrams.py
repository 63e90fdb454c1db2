from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.rtc import datagrams
from stream.rtc.datagrams import CAPACITY, GATHERED, LARGEST, Batch, Way

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux cuts")


def fill(batch: Batch, data: bytes) -> None:
    begin = batch.place(len(data))
    batch.buffer[begin : begin + len(data)] = data
    batch.placed(len(data))


@given(st.lists(st.one_of(st.integers(1, LARGEST), st.sampled_from([1000, 1200])), max_size=100))
def test_everything_leaves_in_order_and_as_the_kernel_can_cut_it(sizes: list[int]) -> None:
    calls: list[tuple[bytes, int]] = []
    batch = Batch(lambda data, size: calls.append((bytes(data), size)))
    given = [bytes((index & 0xFF,)) * size for index, size in enumerate(sizes)]
    for data in given:
        fill(batch, data)
    batch.flush()
    assert [data[begin : begin + size] for data, size in calls for begin in range(0, len(data), size)] == given
    assert all(-(-len(data) // size) <= GATHERED and len(data) <= CAPACITY < 1 << 16 for data, size in calls)
    batch.flush()
    assert sum(len(data) for data, _ in calls) == sum(sizes)


def test_a_picture_is_one_call_and_what_is_larger_begins_the_next() -> None:
    calls: list[tuple[int, int]] = []
    batch = Batch(lambda data, size: calls.append((len(data), size)))
    for size in (1200, 1200, 1200, 1100, 1200, 1201, 5):
        fill(batch, bytes(size))
    assert calls == [(4700, 1200), (1200, 1200)]
    batch.flush()
    assert calls[2:] == [(1206, 1201)]


class Receiver:
    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.address: tuple[str, int] = self.socket.getsockname()

    def datagrams(self) -> list[bytes]:
        came: list[bytes] = []
        while True:
            try:
                came.append(self.socket.recv(1 << 16))
            except BlockingIOError:
                return came


@dataclass
class Recorded:
    """A transport that only notes what it is given; ``socket`` is what it says to send through."""

    socket: Any = None
    sent: list[bytes] = field(default_factory=list)

    def get_extra_info(self, name: str) -> Any:
        assert name == "socket"
        return self.socket

    def sendto(self, data: bytes, address: tuple[str, int]) -> None:
        assert address == ("127.0.0.1", 9)
        self.sent.append(data)

    def way(self) -> Way:
        return Way(cast(asyncio.DatagramTransport, self), ("127.0.0.1", 9))


@pytest.fixture
async def transport() -> AsyncIterator[asyncio.DatagramTransport]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))
    yield transport
    transport.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.socket.close()


PICTURE = os.urandom(2500)
CUT = [PICTURE[:1200], PICTURE[1200:2400], PICTURE[2400:]]


@linux
async def test_the_kernel_cuts(transport: asyncio.DatagramTransport, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    way = Way(transport, receiver.address)
    assert way.cuts
    monkeypatch.setattr(transport, "sendto", None)
    way.send(memoryview(PICTURE), 1200)
    assert receiver.datagrams() == CUT
    way.close()
    way.close()
    assert not transport.is_closing()


async def test_where_the_kernel_will_not_cut_they_go_one_by_one_and_it_is_not_asked_again(
    transport: asyncio.DatagramTransport, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datagrams, "UDP_SEGMENT", 0x7FFF)  # an option that no kernel has
    way = Way(transport, receiver.address)
    for _ in range(2):
        way.send(memoryview(PICTURE), 1200)
        assert receiver.datagrams() == CUT
        assert not way.cuts


@linux
async def test_what_a_full_socket_cannot_take_is_left_to_the_transport(transport: asyncio.DatagramTransport) -> None:
    recorded = Recorded(transport.get_extra_info("socket"))
    way = recorded.way()
    assert way._socket is not None
    own: socket.socket = way._socket

    class Full:
        def sendmsg(self, *_: object) -> int:
            raise BlockingIOError

        close = own.close

    way._socket = cast(socket.socket, Full())
    way.send(memoryview(PICTURE), 1200)
    assert recorded.sent == CUT
    assert way.cuts
    way.close()


async def test_a_relayed_way_has_no_socket_and_a_single_datagram_needs_none(transport: asyncio.DatagramTransport) -> None:
    relayed = Recorded()
    way = relayed.way()
    assert not way.cuts
    way.send(memoryview(PICTURE), 1200)
    assert relayed.sent == CUT
    single = Recorded(transport.get_extra_info("socket"))
    way = single.way()
    way.send(memoryview(PICTURE)[:1200], 1200)
    assert single.sent == CUT[:1]
    way.close()


async def test_a_socket_that_is_closed_already_is_not_taken_over(transport: asyncio.DatagramTransport) -> None:
    closed = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    closed.close()
    way = Recorded(closed).way()
    assert not way.cuts
