"""The relay's sockets, and SDP that leads to them."""

from __future__ import annotations

import asyncio
import socket

import pytest

from bench.line import candidates
from bench.line import thread as relay_thread
from bench.line.relay import Relay
from bench.line.script import Impairment, Script, steady

TIMEOUT = 5.0

SDP = "\r\n".join(
    [
        "v=0",
        "m=video 9 UDP/TLS/RTP/SAVPF 96",
        "a=candidate:1 1 udp 2113937151 0a1b.local 5000 typ host generation 0",
        "a=candidate:2 1 tcp 2113937151 127.0.0.1 9 typ host tcptype active",
        "a=candidate:3 1 udp 2113937151 ::1 5001 typ host",
        "a=candidate:4 1 udp 2113937151 10.0.0.5 5002 typ host generation 0 network-cost 999",
        "a=candidate:5 1 UDP 2113937150 127.0.0.1 5003 typ host generation 0",
        "a=candidate:6 1 udp 1 1.2.3.4 5004 typ srflx raddr 0.0.0.0 rport 0",
        "a=ice-ufrag:x",
        "m=audio 9 UDP/TLS/RTP/SAVPF 97",
        "a=mid:1",
        "",
    ]
)


class Peer(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.received: asyncio.Queue[tuple[bytes, tuple[str, int]]] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.received.put_nowait((data, addr))

    async def next(self) -> tuple[bytes, tuple[str, int]]:
        async with asyncio.timeout(TIMEOUT):
            return await self.received.get()


async def peer() -> tuple[asyncio.DatagramTransport, Peer]:
    return await asyncio.get_running_loop().create_datagram_endpoint(Peer, local_addr=("127.0.0.1", 0))


def sdp(port: int) -> str:
    return f"v=0\r\nm=video 9 X 96\r\na=candidate:1 1 udp 7 127.0.0.1 {port} typ host\r\n"


def port(transport: asyncio.DatagramTransport) -> int:
    return int(transport.get_extra_info("sockname")[1])


def test_finds_the_address_on_loopback() -> None:
    assert candidates.address(SDP) == ("127.0.0.1", 5003)
    assert candidates.address(SDP.replace("127.0.0.1 5003", "10.0.0.6 5003")) == ("10.0.0.5", 5002)
    assert candidates.address("v=0\r\n") is None


def test_leaves_no_way_past_the_relay() -> None:
    written = candidates.through(SDP, ("127.0.0.1", 7000))
    assert [line for line in written.split("\r\n") if "candidate" in line] == [
        "a=candidate:4 1 udp 2113937151 127.0.0.1 7000 typ host"
    ]
    assert [line for line in written.split("\r\n") if "candidate" not in line] == [
        line for line in SDP.split("\r\n") if "candidate" not in line
    ]


async def test_passes_both_ways_and_each_way_by_its_own_script() -> None:
    down = Script(drops=((0.0, 1),))
    client, at_client = await peer()
    server, at_server = await peer()
    async with await Relay.open(steady(Impairment(duplicate=1.0)), down) as relay:
        assert candidates.address(relay.offer(sdp(port(client)))) == relay.server_side
        assert candidates.address(relay.answer(sdp(port(server)))) == relay.client_side
        server.sendto(b"dropped", relay.server_side)
        server.sendto(b"first", relay.server_side)
        assert await at_client.next() == (b"first", relay.client_side)
        client.sendto(b"twice", relay.client_side)
        assert await at_server.next() == (b"twice", relay.server_side)
        assert await at_server.next() == (b"twice", relay.server_side)
        assert relay.up.began == relay.down.began, "both directions have one zero"
        assert relay.down.counts.dropped_by_script == 1
    client.close()
    server.close()


async def test_learns_who_the_client_is_and_refuses_strangers_at_the_servers_end() -> None:
    client, at_client = await peer()
    server, at_server = await peer()
    stranger, _ = await peer()
    async with await Relay.open() as relay:
        client.sendto(b"too early", relay.client_side)
        relay.connect(("127.0.0.1", port(server)))
        client.sendto(b"hello", relay.client_side)
        data, _ = await at_server.next()
        if data == b"too early":  # it lay in the socket until the server was known
            data, _ = await at_server.next()
        assert data == b"hello"
        stranger.sendto(b"forged", relay.server_side)
        server.sendto(b"true", relay.server_side)
        assert (await at_client.next())[0] == b"true"
        assert relay.refused >= 1
    for transport in (client, server, stranger):
        transport.close()


async def test_what_is_delayed_keeps_its_order() -> None:
    client, _ = await peer()
    server, at_server = await peer()
    async with await Relay.open(steady(Impairment(delay=5, jitter=10, rate=5_000_000))) as relay:
        relay.connect(("127.0.0.1", port(server)))
        sent = [number.to_bytes(2) + bytes(500) for number in range(100)]
        for data in sent:
            client.sendto(data, relay.client_side)
        assert [(await at_server.next())[0] for _ in sent] == sent
    client.close()
    server.close()


async def test_an_answer_without_an_address_is_refused() -> None:
    async with await Relay.open() as relay:
        with pytest.raises(ValueError, match="no IPv4 host candidate"):
            relay.answer("v=0\r\nm=video 9 X 96\r\n")


def test_a_relay_in_a_thread() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
        relay_thread.running() as relay,
    ):
        for end in (client, server):
            end.bind(("127.0.0.1", 0))
            end.settimeout(TIMEOUT)
        relay.offer(sdp(client.getsockname()[1]))
        near = candidates.address(relay.answer(sdp(server.getsockname()[1])))
        assert near
        relay.drop_next(up=1)
        client.sendto(b"dropped", near)
        client.sendto(b"passed", near)
        assert server.recvfrom(100)[0] == b"passed"
        up, down = relay.counts
        assert (up.dropped_by_script, up.delivered, down.taken) == (1, 1, 0)
