"""ICE of two of our peers: over one port, through a NAT that changes its mind, past a STUN server, and what of it is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, cast

import aioice
import pytest
from aioice import stun
from aiortc import RTCCertificate, RTCIceServer

from stream.rtc.ice import Ice, announce, host_addresses
from stream.rtc.ports import FreePorts, PortRange, Ports
from stream.rtc.transport import Transport, TransportError
from stream.rtc.udp_mux import UdpMux
from tests.stream.rtc.test_ports import free_range

LOOPBACK = "127.0.0.1"
PATIENCE = 10.0
"""s."""
MEDIA = b"\x80media"


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110 - sockets tell nobody else
            await asyncio.sleep(0.005)


class Agent:
    """One side, and the media that came to it."""

    def __init__(
        self, ports: Ports, address: str = LOOPBACK, *, controlling: bool = False, servers: Sequence[RTCIceServer] = ()
    ) -> None:
        self.media: list[bytes] = []
        self.ice = Ice([address], ports, (), servers, self.media.append, time.monotonic_ns)
        self.ice.ice_controlling = controlling

    async def meet(self, other: Agent, candidates: Sequence[aioice.Candidate] | None = None) -> None:
        """Takes the other's description."""
        self.ice.remote_username, self.ice.remote_password = other.ice.local_username, other.ice.local_password
        for candidate in other.ice.local_candidates if candidates is None else candidates:
            await self.ice.add_remote_candidate(candidate)

    @property
    def peer(self) -> tuple[str, int] | None:
        """Where it sends to."""
        pair = self.ice._nominated.get(1)
        return pair.remote_addr if pair else None


class Nat:
    """Leads one client to one server, whom it shows an address of its own; ``rebind`` gives it another."""

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._client: Any = None
        self._outer: asyncio.DatagramTransport
        self._inner: asyncio.DatagramTransport

    async def open(self) -> None:
        self._inner = await self._socket(self._out)
        await self.rebind()

    async def rebind(self) -> None:
        before = getattr(self, "_outer", None)
        self._outer = await self._socket(self._back)
        if before is not None:
            before.close()

    @property
    def inner(self) -> tuple[str, int]:
        """Where the client sends to."""
        return cast(tuple[str, int], self._inner.get_extra_info("sockname"))

    @property
    def outer(self) -> tuple[str, int]:
        """Where the server sees it."""
        return cast(tuple[str, int], self._outer.get_extra_info("sockname"))

    def close(self) -> None:
        self._inner.close()
        self._outer.close()

    def _out(self, data: bytes, addr: Any) -> None:
        self._client = addr
        self._outer.sendto(data, self._server)

    def _back(self, data: bytes, addr: Any) -> None:
        if self._client is not None:
            self._inner.sendto(data, self._client)

    async def _socket(self, received: Callable[[bytes, Any], None]) -> asyncio.DatagramTransport:
        class Leading(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, addr: Any) -> None:
                received(data, addr)

        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Leading, local_addr=(LOOPBACK, 0))
        return transport


@pytest.fixture
async def mux() -> AsyncIterator[UdpMux]:
    mux = UdpMux(0)
    yield mux
    mux.close()
    await asyncio.sleep(0)


def candidate(address: tuple[str, int], kind: str = "host") -> aioice.Candidate:
    return aioice.Candidate("1", 1, "udp", 1000, address[0], address[1], kind)


@pytest.mark.parametrize("address", [LOOPBACK, "::1"])
async def test_two_pairs_over_one_port_hear_their_own_alone(mux: UdpMux, address: str) -> None:
    servers = [Agent(mux, address), Agent(mux, address)]
    clients = [Agent(FreePorts(), address, controlling=True) for _ in servers]
    agents = [*servers, *clients]
    await asyncio.gather(*(agent.ice.gather_candidates() for agent in agents))
    assert len({each.ice.local_candidates[0].port for each in servers}) == 1
    for server, client in zip(servers, clients, strict=True):
        # As OBS does: the server is not told where the client is.
        await server.meet(client, [])
        await client.meet(server)
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(agent.ice.connect() for agent in agents))
    for number, (server, client) in enumerate(zip(servers, clients, strict=True)):
        client.ice.send_now(MEDIA + bytes([number]))
        server.ice.send_now(MEDIA + bytes([100 + number]))
    await until(lambda: all(agent.media for agent in agents))
    assert [agent.media for agent in agents] == [[MEDIA + bytes([number])] for number in (0, 1, 100, 101)]
    await asyncio.gather(*(agent.ice.close() for agent in agents))
    (shared,) = mux._sockets.values()
    assert (shared.ends, shared.seats, shared.transactions) == ({}, {}, {})


async def test_a_client_whose_nat_gives_it_another_address_goes_on(mux: UdpMux) -> None:
    server, client = Agent(mux), Agent(FreePorts(), controlling=True)
    await asyncio.gather(server.ice.gather_candidates(), client.ice.gather_candidates())
    (told,) = server.ice.local_candidates
    nat = Nat((told.host, told.port))
    await nat.open()
    await server.meet(client, [])
    await client.meet(server, [candidate(nat.inner)])
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(server.ice.connect(), client.ice.connect())
    first = nat.outer
    assert server.peer == first
    await nat.rebind()
    client.ice.send_now(MEDIA)
    # Browsers nominate the pair in use with every check (libwebrtc's semi-aggressive nomination).
    pair = client.ice._nominated[1]
    request = client.ice.build_request(pair, nominate=True)
    await pair.protocol.request(request, pair.remote_addr, integrity_key=server.ice.local_password.encode())
    await until(lambda: server.peer == nat.outer)
    assert server.media == [], "what came before the check was a stranger's"
    client.ice.send_now(MEDIA)
    server.ice.send_now(MEDIA)
    await until(lambda: bool(server.media and client.media))
    nat.close()
    await asyncio.gather(server.ice.close(), client.ice.close())


async def test_each_peer_on_a_port_learns_its_own_reflexive_address(mux: UdpMux) -> None:
    class StunServer(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: Any) -> None:
            request = stun.parse_message(data)
            answer = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, transaction_id=request.transaction_id)
            answer.attributes["XOR-MAPPED-ADDRESS"] = ("198.51.100.9", addr[1])
            self.transport.sendto(bytes(answer), addr)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(StunServer, local_addr=(LOOPBACK, 0))
    servers = [RTCIceServer(f"stun:{LOOPBACK}:{transport.get_extra_info('sockname')[1]}")]
    agents = [Agent(mux, servers=servers) for _ in range(3)]
    await asyncio.gather(*(agent.ice.gather_candidates() for agent in agents))
    for agent in agents:
        host, reflexive = agent.ice.local_candidates
        assert (reflexive.type, reflexive.host, reflexive.port) == ("srflx", "198.51.100.9", host.port)
    await asyncio.gather(*(agent.ice.close() for agent in agents))
    transport.close()


async def test_a_stun_server_that_is_silent_costs_nothing_but_the_wait(mux: UdpMux, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.rtc.ice.SERVER_WAIT", 0.01)
    agent = Agent(mux, servers=[RTCIceServer(f"stun:{LOOPBACK}:9"), RTCIceServer(f"turn:{LOOPBACK}:9", "user", "word")])
    await agent.ice.gather_candidates()
    assert [each.type for each in agent.ice.local_candidates] == ["host"]
    await agent.ice.close()


async def test_where_no_port_is_left_the_peer_is_told_so() -> None:
    def transport() -> Transport:
        nothing: Any = lambda *_: None  # noqa: E731 - nobody listens
        return Transport(
            addresses=[LOOPBACK],
            ice_servers=(),
            ports=ports,
            announced=(),
            certificate=RTCCertificate.generateCertificate(),
            on_rtp=nothing,
            on_rtcp=nothing,
            on_closed=nothing,
        )

    first = free_range(1)
    ports = PortRange(first, first)
    one, other = transport(), transport()
    await one.gather()
    with pytest.raises(TransportError, match=f"all UDP ports from {first} to {first} are taken; try again later"):
        await other.gather()
    await asyncio.gather(one.close(), other.close())


def told(candidates: Sequence[aioice.Candidate], announced: Sequence[str]) -> list[tuple[str, int]]:
    return [(each.host, each.port) for each in announce(candidates, announced)]


def test_without_an_announced_address_everything_is_told_as_it_is() -> None:
    candidates = [candidate(("192.0.2.1", 1)), candidate(("127.0.0.1", 2)), candidate(("2001:db8::1", 3))]
    assert announce(candidates, ()) == candidates


def test_an_announced_address_stands_for_the_local_ones_of_its_family() -> None:
    candidates = [candidate(("172.17.0.2", 50)), candidate(("127.0.0.1", 50)), candidate(("fd00::2", 50))]
    assert told(candidates, ["203.0.113.7"]) == [("203.0.113.7", 50)]
    assert told(candidates, ["203.0.113.7", "2001:db8::7"]) == [("203.0.113.7", 50), ("2001:db8::7", 50)]
    assert candidates[0].host == "172.17.0.2", "aioice goes on with what it bound"


def test_an_address_is_told_once_for_each_port_that_leads_to_it() -> None:
    assert told([candidate(("10.0.0.1", 50)), candidate(("10.0.1.1", 50))], ["203.0.113.7"]) == [("203.0.113.7", 50)]
    several = [candidate(("10.0.0.1", 50)), candidate(("10.0.1.1", 51))]
    assert told(several, ["203.0.113.7"]) == [("203.0.113.7", 50), ("203.0.113.7", 51)]
    assert told(several[:1], ["203.0.113.7", "10.0.0.1"]) == [("203.0.113.7", 50), ("10.0.0.1", 50)]


def test_loopback_is_announced_where_nothing_else_is_bound() -> None:
    assert told([candidate(("127.0.0.1", 50))], ["127.0.0.2"]) == [("127.0.0.2", 50)]


def test_no_local_address_is_told_beside_a_relayed_one() -> None:
    relayed = candidate(("203.0.113.9", 4000), "relay")
    relayed.related_address, relayed.related_port = "10.0.0.1", 3000
    (changed,) = announce([relayed], ["203.0.113.7"])
    assert changed.to_sdp() == "1 1 udp 1000 203.0.113.9 4000 typ relay raddr 0.0.0.0 rport 9"
    assert relayed.related_address == "10.0.0.1"


def test_loopback_is_among_the_addresses() -> None:
    assert LOOPBACK in host_addresses()
