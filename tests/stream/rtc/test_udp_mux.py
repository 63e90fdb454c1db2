"""The port that all peers share: whose a datagram is, and what becomes of those that are nobody's."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from stream.limits import KNOWN_ADDRESSES
from stream.rtc.udp_mux import ATTRIBUTES, REASONS, Seat, UdpMux, _Socket, local_ufrag

HERE, THERE = ("192.0.2.1", 1000), ("192.0.2.2", 2000)
MEDIA = b"\x80media"


@dataclass
class End:
    """A peer that notes what it gets."""

    ufrag: str
    checks: list[tuple[bytes, Any]] = field(default_factory=list)
    media: list[bytes] = field(default_factory=list)
    lost: int = 0
    seat: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.seat = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost += 1

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self.checks.append((data, addr))

    def error_received(self, exc: Exception) -> None:
        raise AssertionError(exc)

    def media_received(self, data: bytes) -> None:
        self.media.append(data)


class Sink(asyncio.DatagramTransport):
    """In place of a real socket."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[Any, Any]] = []

    def sendto(self, data: Any, addr: Any = None) -> None:
        self.sent.append((data, addr))


class Shared:
    """One socket of a mux, without a network."""

    def __init__(self) -> None:
        self.dropped: Counter[str] = Counter()
        self.socket = _Socket(lambda reason: self.dropped.update([reason]))
        self.socket.connection_made(Sink())

    def join(self, ufrag: str) -> End:
        end = End(ufrag)
        end.connection_made(Seat(self.socket, end))
        return end

    def gets(self, data: bytes, addr: Any = HERE) -> None:
        self.socket.datagram_received(data, addr)

    @property
    def kept(self) -> int:
        """Entries of all tables."""
        return len(self.socket.ends) + len(self.socket.seats) + len(self.socket.transactions)


@pytest.fixture
def shared() -> Shared:
    return Shared()


def check(username: str, method: stun.Method = stun.Method.BINDING, kind: stun.Class = stun.Class.REQUEST) -> bytes:
    message = stun.Message(message_method=method, message_class=kind)
    message.attributes["PRIORITY"] = 1
    message.attributes["USERNAME"] = username
    message.add_message_integrity(b"password")
    return bytes(message)


def answer(transaction: bytes) -> bytes:
    message = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.RESPONSE, transaction_id=transaction)
    message.attributes["XOR-MAPPED-ADDRESS"] = HERE
    return bytes(message)


async def test_a_check_goes_to_whom_it_names_and_media_to_whose_address_it_comes_from(shared: Shared) -> None:
    one, other = shared.join("one1"), shared.join("other")
    asked = check("other:them")
    shared.gets(asked, THERE)
    assert (one.checks, other.checks) == ([], [(asked, THERE)])
    shared.gets(MEDIA, THERE)
    assert shared.dropped == {"unknown_address": 1}, "a check that was not looked at yet proves nothing"
    other.seat.claim(THERE)
    shared.gets(MEDIA, THERE)
    assert (one.media, other.media) == ([], [MEDIA])


async def test_addresses_of_ipv6_have_four_parts(shared: Shared) -> None:
    end = shared.join("six6")
    end.seat.claim(("2001:db8::1", 1000))
    shared.gets(MEDIA, ("2001:db8::1", 1000, 0, 0))
    assert end.media == [MEDIA]


async def test_answers_find_who_asked(shared: Shared) -> None:
    end = shared.join("one1")
    transaction = os.urandom(12)
    end.seat.expect(transaction)
    shared.gets(answer(transaction))
    assert end.checks == [(answer(transaction), HERE)]
    end.seat.forget(transaction)
    shared.gets(answer(transaction))
    assert len(end.checks) == 1
    assert shared.dropped == {"unasked": 1}


async def test_a_peer_that_moves_is_heard_from_its_new_address_and_its_old(shared: Shared) -> None:
    end = shared.join("one1")
    for address in (HERE, THERE):
        shared.gets(check("one1:them"), address)
        end.seat.claim(address)
        shared.gets(MEDIA, address)
    shared.gets(MEDIA, HERE)
    assert end.media == [MEDIA] * 3


async def test_nobody_takes_anothers_address_but_by_answering_from_it(shared: Shared) -> None:
    victim, thief = shared.join("one1"), shared.join("two2")
    victim.seat.claim(HERE)
    thief.seat.claim(HERE)
    shared.gets(MEDIA)
    assert (victim.media, thief.media) == ([MEDIA], [])
    # It is there, and the other one no longer: a port that a NAT, or a browser, uses again.
    thief.seat.claim(HERE, answered=True)
    shared.gets(MEDIA)
    assert (victim.media, thief.media) == ([MEDIA], [MEDIA])
    victim.seat.close()
    shared.gets(MEDIA)
    assert len(thief.media) == 2, "whoever lost an address does not take it along"


async def test_a_peer_has_so_many_addresses_and_loses_the_one_proven_longest_ago(shared: Shared) -> None:
    end = shared.join("one1")
    addresses = [("192.0.2.1", port) for port in range(1, KNOWN_ADDRESSES + 2)]
    for address in addresses[:-1]:
        end.seat.claim(address)
    end.seat.claim(addresses[0], answered=True)
    end.seat.claim(addresses[-1])
    assert set(shared.socket.seats) == {*addresses} - {addresses[1]}


async def test_nothing_stays_of_a_peer_that_left(shared: Shared) -> None:
    end = shared.join("one1")
    transaction = os.urandom(12)
    end.seat.claim(HERE)
    end.seat.expect(transaction)
    end.seat.sendto(b"before", HERE)
    end.seat.close()
    end.seat.close()
    end.seat.forget(transaction)
    end.seat.claim(HERE)
    end.seat.sendto(b"after", HERE)
    assert end.seat.is_closing()
    assert shared.kept == 0
    assert isinstance(shared.socket.transport, Sink)
    assert shared.socket.transport.sent == [(b"before", HERE)]
    await asyncio.sleep(0)
    assert end.lost == 1
    for data in (MEDIA, check("one1:them"), answer(transaction)):
        shared.gets(data)
    assert (end.media, end.checks) == ([], [])
    assert shared.dropped == {"unknown_address": 1, "unknown_peer": 1, "unasked": 1}


async def test_a_flood_is_counted_and_nothing_is_kept_of_it(shared: Shared) -> None:
    end = shared.join("one1")
    end.seat.claim(HERE)
    kept = shared.kept
    floods = {
        "unknown_address": MEDIA,
        "unknown_peer": check("nobody:them"),
        "unasked": answer(os.urandom(12)),
        "malformed": b"\0\1\0\0" + bytes(16),
    }
    assert set(floods) == set(REASONS)
    for number in range(1000):
        for flood in floods.values():
            shared.gets(flood, (f"198.51.100.{number % 250}", 1024 + number))
    assert shared.dropped == dict.fromkeys(floods, 1000)
    assert shared.kept == kept
    assert (end.checks, end.media) == ([], [])


@given(st.binary(max_size=64) | st.binary(max_size=64).map(lambda rest: check("one1:them")[:20] + rest))
def test_junk_is_dropped_or_handed_on_and_never_raises(data: bytes) -> None:
    shared = Shared()
    end = End("one1")
    seat = Seat(shared.socket, end)
    seat.claim(HERE)
    kept = shared.kept
    shared.gets(data, HERE)
    shared.gets(data, THERE)
    assert shared.kept == kept
    assert sum(shared.dropped.values()) + len(end.checks) + len(end.media) == 2


@pytest.mark.parametrize(
    ("message", "ufrag"),
    [
        (check("mine:theirs"), b"mine"),
        (check(f"{'m' * 256}:{'t' * 256}"), b"m" * 256),
        (check("nocolon"), None),
        (check(":theirs"), b""),
        (check("mine:theirs")[:-1], None),
        (check("mine:theirs") + b"\0", None),
        (b"\0\1\0\4" + bytes(16) + b"\0\6\xff\xff", None),
        (b"\0\1\0\0" + bytes(16), None),
    ],
    ids=["ours", "long", "no colon", "empty", "cut short", "too long", "false length", "no attribute"],
)
def test_the_ufrag_of_a_check(message: bytes, ufrag: bytes | None) -> None:
    assert local_ufrag(message) == ufrag


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_over_the_network(address: str) -> None:
    dropped: Counter[str] = Counter()
    mux = UdpMux(0, lambda reason: dropped.update([reason]))
    await mux.start([address], all_of_them=True)
    ends = [End("one1"), End("two2")]
    for end in ends:
        await mux.open(address, end)
    sockname = ends[0].seat.get_extra_info("sockname")[:2]
    assert ends[1].seat.get_extra_info("sockname")[:2] == sockname
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind((address, 0))
        client.sendto(check("two2:them"), sockname)
        async with asyncio.timeout(5):
            while not ends[1].checks:  # noqa: ASYNC110 - the socket tells nobody else
                await asyncio.sleep(0.001)
        ends[1].seat.claim(client.getsockname()[:2])
        client.sendto(MEDIA, sockname)
        async with asyncio.timeout(5):
            while not ends[1].media:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        client.setblocking(False)
        ends[0].seat.sendto(b"back", client.getsockname()[:2])
        assert await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 100), 5) == b"back"
    for end in ends:
        end.seat.close()
    mux.close()
    await asyncio.sleep(0)
    assert ends[0].checks == []
    assert dropped == {}


@pytest.fixture
async def taken() -> AsyncIterator[int]:
    """A UDP port that somebody else has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        yield other.getsockname()[1]


async def test_a_port_that_is_taken_is_told(taken: int) -> None:
    with pytest.raises(OSError, match=f"UDP port {taken} of 127.0.0.1 cannot be had.*another udp_port"):
        await UdpMux(taken).start(["127.0.0.1"], all_of_them=True)
    with pytest.raises(OSError, match="cannot be had"):
        await UdpMux(taken).start(["127.0.0.1"], all_of_them=False)


async def test_an_address_that_is_not_there_is_passed_over_where_it_was_not_asked_for() -> None:
    mux = UdpMux(0)
    await mux.start(["192.0.2.1", "127.0.0.1"], all_of_them=False)
    with pytest.raises(OSError):
        await mux.open("192.0.2.1", End("one1"))
    end = End("two2")
    await mux.open("127.0.0.1", end)
    end.seat.close()
    mux.close()
    await asyncio.sleep(0)
    with pytest.raises(OSError, match=r"192\.0\.2\.1"):
        await mux.start(["192.0.2.1"], all_of_them=True)


def test_a_check_of_nothing_but_attributes_is_given_up() -> None:
    def check(before: int) -> bytes:
        body = b"\x80\x22\x00\x00" * before + b"\x00\x06\x00\x04a:b\x00"
        return b"\x00\x01" + len(body).to_bytes(2) + b"\x21\x12\xa4\x42" + bytes(12) + body

    assert local_ufrag(check(ATTRIBUTES - 1)) == b"a"
    assert local_ufrag(check(ATTRIBUTES)) is None
