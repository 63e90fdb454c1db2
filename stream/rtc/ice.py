"""ICE of one peer: the only module that uses what aioice does not promise to keep.

What is private there, and relied on here (``tests/stream/rtc/test_upstream.py`` fails when it moves):

- ``aioice.Connection``: ``get_component_candidates`` and ``data_received`` and ``check_incoming`` are overridden,
  ``_nominated`` and ``_queue`` are read, and ``_protocols`` is added to, as host candidates are gathered here.
- ``aioice.ice``: ``StunProtocol``, of which ``datagram_received`` and ``request`` are overridden and ``local_candidate`` is
  set (that of a relayed candidate has its ``datagram_received`` wrapped), ``get_host_addresses`` and
  ``server_reflexive_candidate``; ``aioice.candidate``'s two functions.
- ``aiortc.rtcicetransport.connection_kwargs``.
"""

from __future__ import annotations

import asyncio
import copy
import ipaddress
import logging
import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import aioice
from aioice import stun
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import StunProtocol, get_host_addresses, server_reflexive_candidate
from aiortc import RTCIceServer
from aiortc.rtcicetransport import connection_kwargs

from stream.limits import DTLS_QUEUE, KNOWN_ADDRESSES
from stream.rtc.datagrams import Way
from stream.rtc.parameters import Candidate
from stream.rtc.ports import Address, NoPort, Ports
from stream.rtc.udp_mux import Seat
from transforms.complaint import Complaint

logger = logging.getLogger(__name__)

UFRAG_BYTES = 8
"""Of randomness in our ICE username fragment, which is to be unique among all peers, and nobody's to guess."""

SERVER_WAIT = 2
"""s for the answer of a STUN or TURN server, while the peer waits for ours: one that is there needs three round trips."""

LOOPBACK = "127.0.0.1"


def host_addresses() -> list[str]:
    """Of every interface, loopback's too, which aioice leaves out of what it finds."""
    return [*get_host_addresses(use_ipv4=True, use_ipv6=True), LOOPBACK]


async def probe(server: RTCIceServer, patience: float) -> str | None:
    """The address and port that a STUN or TURN server gives us, or None where it gives none, within ``patience`` s.

    Raises OSError or TimeoutError where it cannot be reached, ValueError where it is none.
    """
    connection = aioice.Connection(ice_controlling=True, **connection_kwargs([server]))
    try:
        async with asyncio.timeout(patience):
            await connection.gather_candidates()
        given = [each for each in connection.local_candidates if each.type in ("relay", "srflx")]
        return f"{given[0].host}:{given[0].port}" if given else None
    except stun.TransactionError as error:
        raise ConnectionError(str(error)) from error
    finally:
        await connection.close()


class _Host(StunProtocol):
    """A peer's end of a UDP socket, its own or one that it shares."""

    def __init__(self, connection: Ice) -> None:
        super().__init__(connection)
        self.ufrag = connection.local_username
        self.media_received = connection.media_received
        self._ice = connection

    def datagram_received(self, data: Any, addr: Any) -> None:
        # RFC 7983: 0-3 is STUN. aioice would try to read all else as such too.
        if data and data[0] > 3:
            if self._ice.knows(addr[:2]):
                self.media_received(data)
        else:
            self._ice.stun_received(super().datagram_received, data, addr)

    async def request(
        self,
        request: stun.Message,
        addr: Address,
        integrity_key: bytes | None = None,
        retransmissions: int | None = None,
    ) -> tuple[stun.Message, Address]:
        seat = self.transport
        if not isinstance(seat, Seat):
            return await super().request(request, addr, integrity_key, retransmissions)
        seat.expect(request.transaction_id)
        try:
            response, source = await super().request(request, addr, integrity_key, retransmissions)
        finally:
            seat.forget(request.transaction_id)
        if integrity_key is not None:
            seat.claim(source, answered=True)
        return response, source


class Ice(aioice.Connection):
    """Offers the addresses it is told to, and hands media on without queueing it."""

    def __init__(
        self,
        addresses: Sequence[str],
        ports: Ports,
        announced: Sequence[str],
        servers: Iterable[RTCIceServer],
        on_media: Callable[[bytes], None],
        clock: Callable[[], int],
    ) -> None:
        super().__init__(
            ice_controlling=False,
            components=1,
            local_username=secrets.token_hex(UFRAG_BYTES),
            **connection_kwargs(list(servers)),
        )
        self._addresses = list(addresses)
        self._ports = ports
        self._announced = announced
        self._on_media = on_media
        self._clock = clock
        self._complaint = Complaint(logger, clock)
        self._known: set[tuple[str, int]] = set()
        """Addresses that passed a connectivity check. Others are not listened to: their forged alert would end the handshake."""
        self._pair: object = None
        self._way: Way | None = None
        """How the pair's socket is sent through."""
        self.heard = clock()
        """When the peer last proved that it is there, ns: what strangers send to the port does not count."""

    async def get_component_candidates(self, component: int, addresses: list[str], timeout: int = 5) -> list[aioice.Candidate]:  # noqa: ASYNC109
        """Raises NoPort where that is why there is none."""
        hosts = await self._gather_hosts(component)
        # Without addresses of its own, aioice only asks the TURN server.
        relaying = super().get_component_candidates(component, [], SERVER_WAIT)
        reflexive = [self._gather_reflexive(host) for host in hosts if is_ipv4(host.local_candidate.host)]
        relayed, found = await asyncio.gather(relaying, asyncio.gather(*reflexive))
        if self.turn_server is not None and not relayed:
            logger.warning("the TURN server %s:%d gave no address; check it, its secret and its clock", *self.turn_server)
        for protocol in self._protocols:
            if not isinstance(protocol, _Host):
                protocol.datagram_received = self._guarded(protocol.datagram_received)  # type: ignore[method-assign, assignment]
        return [*(host.local_candidate for host in hosts), *(candidate for candidate in found if candidate), *relayed]

    def told(self) -> list[aioice.Candidate]:
        """The local candidates as the peer is to be told of them."""
        return announce(self.local_candidates, self._announced)

    async def _gather_hosts(self, component: int) -> list[_Host]:
        """As aioice does it, which takes no list of addresses, leaves 127.0.0.1 out, and knows no ports but free ones."""
        refusal: NoPort | None = None
        for address in self._addresses or host_addresses():
            host = _Host(self)
            try:
                await self._ports.open(address, host)
            except OSError as error:
                logger.info("no ICE candidate on %s: %s", address, error)
                continue
            except NoPort as error:
                refusal = error
                continue
            bound, port = host.transport.get_extra_info("sockname")[:2]
            host.local_candidate = aioice.Candidate(
                foundation=candidate_foundation("host", "udp", bound),
                component=component,
                transport="udp",
                priority=candidate_priority(component, "host"),
                host=bound,
                port=port,
                type="host",
            )
            self._protocols.append(host)
        hosts = [protocol for protocol in self._protocols if isinstance(protocol, _Host)]
        if refusal is not None and not hosts:
            raise refusal
        return hosts

    async def _gather_reflexive(self, host: _Host) -> aioice.Candidate | None:
        """What a STUN server, if there is one, sees of that socket."""
        if self.stun_server is None:
            return None
        try:
            async with asyncio.timeout(SERVER_WAIT):
                candidate, _ = await server_reflexive_candidate(host, self.stun_server)
        except (TimeoutError, OSError, stun.TransactionError) as error:
            logger.info("no answer from the STUN server %s: %s", self.stun_server[0], error)
            return None
        return candidate

    def _guarded(self, receive: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
        """What a ``_Host`` does, for a relayed candidate's protocol, which aioice makes."""

        def datagram_received(data: Any, addr: Any) -> None:
            if data and data[0] > 3:
                if self.knows(addr[:2]):
                    self.media_received(data)
            else:
                self.stun_received(receive, data, addr)

        return datagram_received

    def stun_received(self, receive: Callable[[Any, Any], None], data: Any, addr: Any) -> None:
        try:
            receive(data, addr)
        except Exception as error:  # aioice lets some malformed STUN raise; anybody can send it, and as often as they like
            self._complaint("a datagram could not be taken: %s: %s", type(error).__name__, error)

    def knows(self, addr: Address) -> bool:
        # An ICE-lite peer sends no checks: it is known by having answered ours.
        return addr in self._known or any(pair.remote_addr == addr for pair in self._nominated.values())

    def media_received(self, data: bytes) -> None:
        """A datagram that is not empty and no STUN, from an address that is known."""
        # RFC 7983: 128-191 is RTP and RTCP, 20-63 is DTLS, and the rest is nothing of ours.
        if 127 < data[0] < 192:
            self._on_media(data)
        elif 19 < data[0] < 64 and self._queue.qsize() < DTLS_QUEUE:
            super().data_received(data, 1)

    def data_received(self, data: bytes, component: int) -> None:
        # What aioice takes for data is malformed STUN: all else does not come to it.
        pass

    def check_incoming(self, message: stun.Message, addr: tuple[str, int], protocol: Any) -> None:
        # Only a request that authenticated comes here.
        self.heard = self._clock()
        if len(self._known) < KNOWN_ADDRESSES:
            self._known.add(addr)
        if isinstance(protocol.transport, Seat):
            protocol.transport.claim(addr)
        super().check_incoming(message, addr, protocol)

    def send_now(self, data: bytes) -> None:
        pair = self._nominated.get(1)
        if pair is not None:
            pair.protocol.transport.sendto(data, pair.remote_addr)

    def send_batch(self, data: memoryview, size: int) -> None:
        """Sends ``data`` as datagrams of ``size`` bytes, the last with what is left."""
        pair = self._nominated.get(1)
        if pair is None:
            return
        if pair is not self._pair or self._way is None:
            self.let_go()
            self._pair, self._way = pair, Way(pair.protocol.transport, pair.remote_addr)
        self._way.send(data, size)

    def let_go(self) -> None:
        """Frees the socket that ``send_batch`` opened."""
        if self._way is not None:
            self._way.close()
        self._pair = self._way = None


def announce(candidates: Sequence[aioice.Candidate], announced: Sequence[str]) -> list[aioice.Candidate]:
    """The candidates as a peer is told of them: a NAT's outer addresses, if there are any, in place of the host's own.

    The host's sockets keep their ports, as a NAT that leads to them must. No local address is left in what is told, unless
    it was announced too; loopback's, which no NAT leads to, stands for one only where there is nothing else.
    """
    if not announced:
        return list(candidates)
    told: dict[tuple[str, str, int], aioice.Candidate] = {}
    hosts = [c for c in candidates if c.type == "host"]
    inner = [c for c in hosts if not ipaddress.ip_address(c.host).is_loopback] or hosts
    for candidate in candidates:
        if candidate.type == "host" and candidate not in inner:
            continue
        outer = [a for a in announced if is_ipv4(a) == is_ipv4(candidate.host)] if candidate.type == "host" else [candidate.host]
        for address in outer:
            changed = copy.copy(candidate)
            changed.host = address
            if changed.related_address is not None:
                # RFC 8839 section 5.1: what must not be told.
                changed.related_address, changed.related_port = ("0.0.0.0" if is_ipv4(address) else "::"), 9
            told.setdefault((changed.type, address, changed.port), changed)
    return list(told.values())


def is_ipv4(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).version == 4


def remote_candidate(candidate: Candidate) -> aioice.Candidate:
    """As aioice takes it."""
    return aioice.Candidate(
        foundation=candidate.foundation,
        component=candidate.component,
        transport="udp",
        priority=candidate.priority,
        host=candidate.address,
        port=candidate.port,
        type=candidate.type,
    )
