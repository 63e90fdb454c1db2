"""One UDP port for everybody, and one behind an announced address."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiortc import RTCSessionDescription

from tests.e2e.server import Server
from tests.loopback import LoopClient, Stripes, only_loopback

PEERS = 20
PICTURES = 5
"""That each of them must see of its own."""

CANDIDATE = re.compile(r"^a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ (\w+)", re.MULTILINE | re.IGNORECASE)


@pytest.fixture(autouse=True)
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    only_loopback(monkeypatch)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(*arguments: str) -> Server:
        servers.append(Server(tmp_path / f"log-{len(servers)}", arguments))
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


async def connect(client: LoopClient) -> list[tuple[str, ...]]:
    """Address, port and type of each candidate that the answer names."""
    answer = await client.offer_only()
    await client.peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    return CANDIDATE.findall(answer)


def udp_port() -> int:
    """One that was free a moment ago."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


async def test_twenty_peers_at_once_through_one_port(start: Callable[..., Server]) -> None:
    port = udp_port()
    server = start("--udp-port", str(port), "--max-streams", str(PEERS))
    told: list[tuple[str, ...]] = []

    async def visit(number: int, session: aiohttp.ClientSession) -> None:
        async with LoopClient(session, server.url, f"peer-{number}", Stripes(160, 120)) as client:
            told.extend(await connect(client))
            assert len(await client.frames(PICTURES)) == PICTURES
            async with asyncio.timeout(30):
                await everybody.wait()
            await client.frames(1)
            await client.delete()

    everybody = asyncio.Barrier(PEERS)
    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(visit(number, session) for number in range(PEERS)))
        assert told == [("127.0.0.1", str(port), "host")] * PEERS
    assert await asyncio.to_thread(server.stop) == 0


async def test_strangers_are_counted_and_disturb_nobody(start: Callable[..., Server]) -> None:
    port = udp_port()
    server = start("--udp-port", str(port))
    async with aiohttp.ClientSession() as session, LoopClient(session, server.url, "calm") as client:
        await client.connect()
        await client.frames(3)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for _ in range(50):
                stranger.sendto(b"\x80 no peer's media", ("127.0.0.1", port))
                stranger.sendto(b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12), ("127.0.0.1", port))
        await client.frames(10)
        for reason in ("unknown_address", "malformed"):
            name = f'doppel_dropped_datagrams_total{{reason="{reason}"}}'
            assert await asyncio.to_thread(server.metric, name) == 50


class Nat(asyncio.DatagramProtocol):
    """Leads a port of an outer address to the same one of 127.0.0.1, each client by a socket of its own."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._inner: dict[Any, asyncio.Task[asyncio.DatagramTransport]] = {}
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if addr not in self._inner:
            self._inner[addr] = asyncio.create_task(self._open(addr))
        self._inner[addr].add_done_callback(lambda opened: opened.result().sendto(data))

    async def close(self) -> None:
        self.transport.close()
        for opened in self._inner.values():
            (await opened).close()

    async def _open(self, client: Any) -> asyncio.DatagramTransport:
        nat = self

        class Back(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, addr: Any) -> None:
                nat.transport.sendto(data, client)

        made, _ = await asyncio.get_running_loop().create_datagram_endpoint(Back, remote_addr=("127.0.0.1", self._port))
        return made


async def test_peers_come_by_the_announced_address(start: Callable[..., Server]) -> None:
    port = udp_port()
    server = start("--udp-port", str(port), "--announce-address", "127.0.0.2")
    _, nat = await asyncio.get_running_loop().create_datagram_endpoint(lambda: Nat(port), local_addr=("127.0.0.2", port))
    async with aiohttp.ClientSession() as session, LoopClient(session, server.url, "outside") as client:
        assert await connect(client) == [("127.0.0.2", str(port), "host")]
        await client.frames(PICTURES)
    await nat.close()


async def test_where_every_port_of_the_range_is_taken_the_next_is_refused_until_one_is_free(start: Callable[..., Server]) -> None:
    first = udp_port()
    server = start("--udp-ports", f"{first}-{first}")
    async with aiohttp.ClientSession() as session:
        async with LoopClient(session, server.url, "first") as client:
            assert [port for _, port, _ in await connect(client)] == [str(first)]
            await client.frames(1)
            async with LoopClient(session, server.url, "second") as other:
                await other.peer.setLocalDescription(await other.peer.createOffer())
                offer = other.peer.localDescription.sdp
                headers = {"Content-Type": "application/sdp"}
                async with session.post(f"{server.url}/loop/second", data=offer, headers=headers) as response:
                    told = await response.json()
                    assert response.status == 503
                    assert "Retry-After" in response.headers
                    assert f"All UDP ports from {first} to {first} are taken" in told["detail"]
            await client.delete()
        async with LoopClient(session, server.url, "third") as client:
            await client.connect()
            await client.frames(1)
