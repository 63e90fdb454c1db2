"""ICE, DTLS and SRTP of one peer: the only module that uses what aiortc and aioice do not promise to keep.

What is private there, and relied on here (``tests/stream/rtc/test_upstream.py`` fails when it moves):

- ``aioice.Connection``: ``get_component_candidates`` and ``data_received`` and ``check_incoming`` are overridden,
  ``_nominated``, ``_queue`` and ``_protocols`` are read, and the protocols' ``datagram_received`` is wrapped.
- ``pylibsrtp.Session``: ``_srtp``, and the functions of libsrtp in ``pylibsrtp._binding``. Its own methods take a packet
  into a buffer and copy it out again; a third of a packet's cost is saved where it is encrypted in the buffer that is sent.
- ``aiortc.RTCDtlsTransport``: needs of its ICE transport only ``role``, ``_recv`` and ``_send``; has ``_tx_srtp`` and
  ``_rx_srtp`` once connected, and ``_set_role``.

Media goes round aiortc's pump: a datagram is decrypted and handed on in the callback that received it, and sent in the
call that made it or in the flush at that one's end, with no queue and no task in between.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import aioice
import pylibsrtp
from aioice import stun
from aiortc import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport, RTCIceServer
from aiortc.rtcicetransport import connection_kwargs
from pylibsrtp._binding import ffi, lib  # type: ignore[import-not-found]  # compiled, without stubs

from stream.limits import DTLS_QUEUE, KNOWN_ADDRESSES
from stream.rtc.datagrams import LARGEST, Batch, Way
from stream.rtc.parameters import Candidate, LocalTransport, RemoteTransport
from stream.rtc.rtp import is_rtcp
from transforms.complaint import Complaint

logger = logging.getLogger(__name__)


class TransportError(Exception):
    """The peer could not be reached, or is not who its offer said."""


class _Ice(aioice.Connection):
    """Offers the addresses it is told to, and hands media on without queueing it."""

    def __init__(
        self, addresses: Sequence[str], on_media: Callable[[bytes], None], clock: Callable[[], int], **servers: Any
    ) -> None:
        super().__init__(ice_controlling=False, components=1, **servers)
        self._addresses = list(addresses)
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
        # aioice leaves 127.0.0.1 out of what it finds, and takes no list.
        wanted = self._addresses or [*addresses, "127.0.0.1"]
        candidates = await super().get_component_candidates(component, wanted, timeout)
        for protocol in self._protocols:
            protocol.datagram_received = self._guarded(protocol.datagram_received)  # type: ignore[method-assign, assignment]
        return candidates

    def _guarded(self, receive: Callable[[bytes | str, tuple[Any, ...]], None]) -> Callable[[Any, Any], None]:
        def datagram_received(data: Any, addr: Any) -> None:
            # RFC 7983: 0-3 is STUN. aioice would try to read all else as such too.
            if data and data[0] > 3:
                if self._knows(addr[:2]):
                    self.data_received(data, 1)
                return
            try:
                receive(data, addr)
            except Exception as error:  # aioice lets some malformed STUN raise; anybody can send it, and as often as they like
                self._complaint("a datagram could not be taken: %s: %s", type(error).__name__, error)

        return datagram_received

    def _knows(self, addr: tuple[str, int]) -> bool:
        # An ICE-lite peer sends no checks: it is known by having answered ours.
        return addr in self._known or any(pair.remote_addr == addr for pair in self._nominated.values())

    def data_received(self, data: bytes, component: int) -> None:
        # RFC 7983: 128-191 is RTP and RTCP, 20-63 is DTLS, and the rest is nothing of ours.
        if data and 127 < data[0] < 192:
            self._on_media(data)
        elif data and 19 < data[0] < 64 and self._queue.qsize() < DTLS_QUEUE:
            super().data_received(data, component)

    def check_incoming(self, message: stun.Message, addr: tuple[str, int], protocol: Any) -> None:
        # Only a request that authenticated comes here.
        self.heard = self._clock()
        if len(self._known) < KNOWN_ADDRESSES:
            self._known.add(addr)
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


class _IceAdapter:
    """What RTCDtlsTransport asks of its ICE transport."""

    def __init__(self, connection: _Ice) -> None:
        self.role = "controlled"
        self._recv = connection.recv
        self._send = connection.send


TRAILER = 144
"""Bytes that libsrtp may add to a packet (its SRTP_MAX_TRAILER_LEN)."""


class _Encryption:
    """SRTP of what is sent, in the buffer that it is sent from."""

    def __init__(self, session: pylibsrtp.Session, buffer: bytearray) -> None:
        self._session = session
        self._buffer = buffer
        self._memory = ffi.from_buffer("char[]", buffer)
        self._length = ffi.new("int *")
        self.trailer = 0
        """Bytes that a packet becomes longer by: known, and always the same, from the first on."""

    def __call__(self, packet: bytes, begin: int) -> int:
        """Writes an RTP packet to the buffer, encrypted; its length. Raises pylibsrtp.Error."""
        size = len(packet)
        if size > LARGEST - TRAILER:
            # Sound that is passed on may have any length, and libsrtp does not know where the buffer ends.
            raise pylibsrtp.Error("a packet is longer than any link takes")
        self._buffer[begin : begin + size] = packet
        length = self._length
        length[0] = size
        if lib.srtp_protect(self._session._srtp[0], self._memory + begin, length) != lib.srtp_err_status_ok:
            raise pylibsrtp.Error("a packet could not be encrypted")
        encrypted: int = length[0]
        self.trailer = encrypted - size
        return encrypted


class _Decryption:
    """SRTP of what is received."""

    def __init__(self, session: pylibsrtp.Session) -> None:
        self._session = session
        self._memory = ffi.new("char[]", LARGEST)
        self._buffer = ffi.buffer(self._memory)
        self._length = ffi.new("int *")

    def __call__(self, data: bytes) -> bytes:
        """The RTP packet in a datagram. Raises pylibsrtp.Error."""
        size = len(data)
        if size > LARGEST:
            raise pylibsrtp.Error("a datagram is longer than any packet")
        self._buffer[0:size] = data
        length = self._length
        length[0] = size
        if lib.srtp_unprotect(self._session._srtp[0], self._memory, length) != lib.srtp_err_status_ok:
            raise pylibsrtp.Error("a packet could not be decrypted")
        packet: bytes = self._buffer[0 : length[0]]
        return packet


class Transport:
    """One peer's transport: everything bundled on it, RTP and RTCP multiplexed."""

    def __init__(
        self,
        *,
        addresses: Sequence[str],
        ice_servers: Sequence[RTCIceServer],
        certificate: RTCCertificate,
        on_rtp: Callable[[bytes], None],
        on_rtcp: Callable[[bytes], None],
        on_closed: Callable[[], None],
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._on_rtp = on_rtp
        self._on_rtcp = on_rtcp
        self._certificate = certificate
        self._clock = clock
        self._complaint = Complaint(logger, clock)
        self._ice = _Ice(addresses, self._media, clock, **connection_kwargs(list(ice_servers)))
        self._dtls = RTCDtlsTransport(_IceAdapter(self._ice), [certificate])  # type: ignore[arg-type]
        self._on_closed = on_closed
        self._rx: pylibsrtp.Session | None = None
        self._tx: pylibsrtp.Session | None = None
        self._batch = Batch(self._ice.send_batch)
        self._encrypt: _Encryption | None = None
        self._decrypt: _Decryption | None = None
        self.refused = 0
        """Datagrams that did not authenticate, or came before the keys."""
        self.received = 0
        self.sent = 0
        """RTP and RTCP packets."""

    @property
    def heard(self) -> int:
        """When the peer was last heard, monotonic ns."""
        return self._ice.heard

    async def gather(self) -> LocalTransport:
        """Binds the sockets. Raises TransportError when no address can be had."""
        await self._ice.gather_candidates()
        if not self._ice.local_candidates:
            raise TransportError("none of the configured ICE addresses can be bound; check --ice-address")
        return LocalTransport(
            self._ice.local_username,
            self._ice.local_password,
            [candidate.to_sdp() for candidate in self._ice.local_candidates],
            [(f.algorithm, f.value) for f in self._certificate.getFingerprints()],
        )

    async def connect(self, remote: RemoteTransport) -> None:
        """ICE, then DTLS; the caller bounds the time. Raises TransportError."""
        self._ice.remote_is_lite = remote.lite
        self._ice.remote_username = remote.ufrag
        self._ice.remote_password = remote.password
        for candidate in remote.candidates:
            await self._ice.add_remote_candidate(_candidate(candidate))
        # End-of-candidates is not told to aioice, which would give up at once on a client that names none and
        # only sends checks, as OBS does.
        try:
            await self._ice.connect()
        except ConnectionError as error:
            raise TransportError("no ICE connectivity check of the peer's came through") from error
        self._dtls._set_role("client" if remote.dtls_client else "server")
        await self._dtls.start(
            RTCDtlsParameters([RTCDtlsFingerprint(algorithm, value) for algorithm, value in remote.fingerprints])
        )
        if self._dtls.state != "connected":
            raise TransportError("the DTLS handshake failed: wrong certificate fingerprint, or no common SRTP profile")
        self._rx, self._tx = self._dtls._rx_srtp, self._dtls._tx_srtp
        self._encrypt, self._decrypt = _Encryption(self._tx, self._batch.buffer), _Decryption(self._rx)
        self._dtls.on("statechange", self._state_changed)

    async def add_candidates(self, candidates: Sequence[Candidate]) -> None:
        """Takes addresses of the peer's that it learned of after its offer."""
        for candidate in candidates:
            await self._ice.add_remote_candidate(_candidate(candidate))

    def send_rtp(self, packet: bytes) -> None:
        """Encrypts a packet; it leaves with ``flush`` at the latest. Silently nothing before the keys and after the end.

        Raises pylibsrtp.Error for one of over LARGEST - TRAILER bytes.
        """
        encrypt, batch = self._encrypt, self._batch
        if encrypt is not None:
            begin = batch.place(len(packet) + encrypt.trailer)
            batch.placed(encrypt(packet, begin))
            self.sent += 1

    def flush(self) -> None:
        """Sends what ``send_rtp`` was given."""
        self._batch.flush()

    def send_rtcp(self, packet: bytes) -> None:
        """Encrypts and sends at once, as ``send_rtp`` does not."""
        if self._tx is not None:
            self._ice.send_now(self._tx.protect_rtcp(packet))
            self.sent += 1

    async def close(self) -> None:
        self._dtls.remove_all_listeners()
        self._lose_keys()
        self._ice.let_go()
        try:
            await self._dtls.stop()
        finally:
            await self._ice.close()

    def _media(self, data: bytes) -> None:
        if self._rx is None or self._decrypt is None:
            self.refused += 1
            return
        try:
            if is_rtcp(data):
                self._on_rtcp(self._rx.unprotect_rtcp(data))
            else:
                self._on_rtp(self._decrypt(data))
        except pylibsrtp.Error:
            # Replayed, forged or damaged (RFC 3711 section 3.3): counted, and nobody is told.
            self.refused += 1
            return
        except Exception as error:  # one packet that was not foreseen must not end up in the event loop, once for each
            self.refused += 1
            self._complaint("a packet could not be handled", error=error)
            return
        self.received += 1
        self._ice.heard = self._clock()

    def _lose_keys(self) -> None:
        self._batch.flush()
        self._rx = self._tx = self._encrypt = self._decrypt = None

    def _state_changed(self) -> None:
        if self._dtls.state in ("closed", "failed"):
            self._lose_keys()
            asyncio.get_running_loop().call_soon(self._on_closed)


def _candidate(candidate: Candidate) -> aioice.Candidate:
    return aioice.Candidate(
        foundation=candidate.foundation,
        component=candidate.component,
        transport="udp",
        priority=candidate.priority,
        host=candidate.address,
        port=candidate.port,
        type=candidate.type,
    )
