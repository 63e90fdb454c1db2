"""One peer's transport: DTLS and SRTP, over the ICE of ``stream.rtc.ice``.

What aiortc and pylibsrtp do not promise to keep, and is relied on here (``tests/stream/rtc/test_upstream.py`` fails when it
moves):

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
from collections.abc import Callable, Iterable, Sequence

import pylibsrtp
from aiortc import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport, RTCIceServer
from pylibsrtp._binding import ffi, lib  # type: ignore[import-not-found]  # compiled, without stubs

from stream.rtc.datagrams import LARGEST, Batch
from stream.rtc.ice import Ice, remote_candidate
from stream.rtc.parameters import Candidate, LocalTransport, RemoteTransport
from stream.rtc.ports import NoPort, Ports
from stream.rtc.rtp import is_rtcp
from transforms.complaint import Complaint

logger = logging.getLogger(__name__)


class TransportError(Exception):
    """The peer could not be reached, or is not who its offer said."""


class _IceAdapter:
    """What RTCDtlsTransport asks of its ICE transport."""

    def __init__(self, connection: Ice) -> None:
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
        ice_servers: Iterable[RTCIceServer],
        ports: Ports,
        announced: Sequence[str],
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
        self._ice = Ice(addresses, ports, announced, ice_servers, self._media, clock)
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
        try:
            await self._ice.gather_candidates()
        except NoPort as error:
            raise TransportError(str(error)) from error
        candidates = self._ice.told()
        if not candidates:
            raise TransportError("none of the configured ICE addresses can be bound; check --ice-address and --announce-address")
        return LocalTransport(
            self._ice.local_username,
            self._ice.local_password,
            [candidate.to_sdp() for candidate in candidates],
            [(f.algorithm, f.value) for f in self._certificate.getFingerprints()],
        )

    async def connect(self, remote: RemoteTransport) -> None:
        """ICE, then DTLS; the caller bounds the time. Raises TransportError."""
        self._ice.remote_is_lite = remote.lite
        self._ice.remote_username = remote.ufrag
        self._ice.remote_password = remote.password
        for candidate in remote.candidates:
            await self._ice.add_remote_candidate(remote_candidate(candidate))
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
            await self._ice.add_remote_candidate(remote_candidate(candidate))

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
