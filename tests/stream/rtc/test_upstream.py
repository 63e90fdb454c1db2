"""What ``stream.rtc.ice`` and ``stream.rtc.transport`` rely on elsewhere without a promise: this fails when it moves."""

from __future__ import annotations

import ast
import asyncio
import inspect
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import aioice
import aioice.ice
import pylibsrtp
import pytest
from aioice import stun
from aiortc import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport, RTCIceServer
from aiortc.rtcicetransport import connection_kwargs
from aiortc.rtp import RtcpPacket
from pylibsrtp import Policy, Session

from stream.rtc import datagrams, rtp, transport

ROOT = Path(__file__).parents[3]
OURS = [path for package in ("doppel", "stream", "signaling", "transforms", "web") for path in (ROOT / package).rglob("*.py")]
PRIVATE = ("aioice", "aiortc.rtcdtlstransport", "aiortc.rtcicetransport", "aiortc.rtcrtpsender", "aiortc.rtcpeerconnection")
BEHIND = [ROOT / "stream" / "rtc" / name for name in ("ice.py", "transport.py")]
FOREIGN = ("aioice", "aiortc", "av", "pylibsrtp")


def parameters(function: object) -> list[str]:
    assert callable(function)
    return list(inspect.signature(function).parameters)


def test_what_is_overridden_has_the_same_shape() -> None:
    assert parameters(aioice.Connection.get_component_candidates) == ["self", "component", "addresses", "timeout"]
    assert parameters(aioice.Connection.data_received) == ["self", "data", "component"]
    assert parameters(aioice.Connection.check_incoming) == ["self", "message", "addr", "protocol"]
    assert parameters(aioice.ice.StunProtocol.datagram_received) == ["self", "data", "addr"]
    assert parameters(aioice.ice.StunProtocol.request) == ["self", "request", "addr", "integrity_key", "retransmissions"]
    assert parameters(aioice.ice.server_reflexive_candidate) == ["protocol", "stun_server"]
    assert parameters(aioice.ice.get_host_addresses) == ["use_ipv4", "use_ipv6"]
    assert inspect.iscoroutinefunction(aioice.Connection.get_component_candidates)


async def test_a_connection_has_what_is_read_of_it() -> None:
    connection = aioice.Connection(ice_controlling=False, components=1)
    assert connection._nominated == {}
    assert connection._protocols == []
    assert connection._queue.qsize() == 0
    await connection.close()


def test_servers_are_told_in_this_way() -> None:
    assert connection_kwargs([]) == {}
    assert connection_kwargs([RTCIceServer("stun:192.0.2.1:3478")]) == {"stun_server": ("192.0.2.1", 3478)}


async def test_datagrams_that_are_no_stun_are_handed_over_and_those_that_are_authenticate_first() -> None:
    came: list[bytes] = []
    checked: list[object] = []

    class Own(aioice.Connection):
        async def get_component_candidates(
            self,
            component: int,
            addresses: list[str],
            timeout: int = 5,  # noqa: ASYNC109
        ) -> list[aioice.Candidate]:
            return await super().get_component_candidates(component, ["127.0.0.1"], timeout)

        def data_received(self, data: bytes, component: int) -> None:
            came.append(data)

        def check_incoming(self, message: stun.Message, addr: tuple[str, int], protocol: aioice.ice.StunProtocol) -> None:
            checked.append(message)

    connection = Own(ice_controlling=False, components=1)
    await connection.gather_candidates()
    (protocol,) = connection._protocols
    assert callable(protocol.transport.sendto)
    protocol.datagram_received(b"\x80data", ("127.0.0.1", 9))
    assert came == [b"\x80data"]
    request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    request.attributes["USERNAME"] = f"{connection.local_username}:them"
    request.attributes["PRIORITY"] = 1
    sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sink.bind(("127.0.0.1", 0))
    protocol.datagram_received(bytes(request), sink.getsockname())
    connection.remote_username, connection.remote_password = "them", "password"
    connection._early_checks_done = True
    request.add_message_integrity(connection.local_password.encode())
    protocol.datagram_received(bytes(request), sink.getsockname())
    sink.close()
    assert len(checked) == 1
    await connection.close()


async def test_dtls_needs_of_its_transport_only_these_and_has_its_keys_when_connected() -> None:
    lines: tuple[asyncio.Queue[bytes], asyncio.Queue[bytes]] = (asyncio.Queue(), asyncio.Queue())
    certificates = [RTCCertificate.generateCertificate() for _ in range(2)]

    def end(own: int) -> RTCDtlsTransport:
        async def send(data: bytes) -> None:
            lines[1 - own].put_nowait(data)

        transport = SimpleNamespace(role="controlled", _recv=lines[own].get, _send=send)
        return RTCDtlsTransport(transport, [certificates[own]])  # type: ignore[arg-type]

    ends = [end(0), end(1)]
    ends[0]._set_role("client")
    ends[1]._set_role("server")
    keys: list[object] = [key for each in ends for key in (each._rx_srtp, each._tx_srtp)]
    assert keys == [None] * 4
    told = [
        RTCDtlsParameters([RTCDtlsFingerprint(f.algorithm, f.value) for f in certificate.getFingerprints()])
        for certificate in certificates
    ]
    await asyncio.gather(ends[0].start(told[1]), ends[1].start(told[0]))
    assert [each.state for each in ends] == ["connected", "connected"]
    packet = b"\x80\x60\0\1" + bytes(8) + b"payload"
    assert ends[1]._rx_srtp.unprotect(ends[0]._tx_srtp.protect(packet)) == packet
    closed = asyncio.Event()
    ends[1].on("statechange", closed.set)
    await ends[0].stop()
    await asyncio.wait_for(closed.wait(), 5)
    assert ends[1].state == "closed"
    await ends[1].stop()


@pytest.mark.parametrize("profile", [Policy.SRTP_PROFILE_AES128_CM_SHA1_80, Policy.SRTP_PROFILE_AEAD_AES_128_GCM])
def test_libsrtp_can_be_called_past_pylibsrtp_and_does_the_same(profile: int) -> None:
    def session(ssrc_type: int) -> Session:
        return Session(Policy(key=bytes(range(30)), ssrc_type=ssrc_type, srtp_profile=profile))

    packets = [b"\x80\x60" + number.to_bytes(2) + bytes(8) + b"payload" * number for number in range(3)]
    theirs = session(Policy.SSRC_ANY_OUTBOUND)
    encrypted = [theirs.protect(packet) for packet in packets]
    buffer = bytearray(2000)
    encrypt = transport._Encryption(session(Policy.SSRC_ANY_OUTBOUND), buffer)
    decrypt = transport._Decryption(session(Policy.SSRC_ANY_INBOUND))
    for packet, expected in zip(packets, encrypted, strict=True):
        assert encrypt(packet, 100) == len(expected)
        assert buffer[100 : 100 + len(expected)] == expected
        assert encrypt.trailer == len(expected) - len(packet)
        assert decrypt(expected) == packet
        with pytest.raises(pylibsrtp.Error):
            decrypt(expected)
    with pytest.raises(pylibsrtp.Error):
        decrypt(bytes(datagrams.LARGEST + 1))
    with pytest.raises(pylibsrtp.Error):
        encrypt(b"no RTP", 0)


def test_a_packet_that_could_run_over_the_end_of_the_buffer_is_refused_before_it_is_written() -> None:
    session = Session(Policy(key=bytes(30), ssrc_type=Policy.SSRC_ANY_OUTBOUND))
    buffer = bytearray(datagrams.LARGEST)
    encrypt = transport._Encryption(session, buffer)
    longest = datagrams.LARGEST - transport.TRAILER
    with pytest.raises(pylibsrtp.Error, match="longer"):
        encrypt(rtp.header(96, False, 1, 0, 1) + bytes(longest), 0)
    assert not any(buffer)
    assert encrypt(rtp.header(96, False, 1, 0, 1) + bytes(longest - 12), 0) > longest


def test_rtcp_is_read_or_refused_with_a_value_error() -> None:
    with pytest.raises(ValueError, match="RTCP"):
        RtcpPacket.parse(b"\x80\xc8\0\x09abc")


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """(module, name) of each import; the name is empty for ``import module``."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_ice_and_the_transport_reach_behind_the_counter(path: Path) -> None:
    relied_on = [
        (module, name)
        for module, name in imports(path)
        if module.startswith(PRIVATE)
        or name == "RTCDtlsTransport"
        or (module.split(".")[0] in FOREIGN and (name.startswith("_") or "._" in module))
    ]
    assert not relied_on or path in BEHIND, relied_on


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(ROOT)))
def test_nobody_uses_private_names_of_objects_that_are_not_their_own(path: Path) -> None:
    """Of ``self`` and of our own objects yes; of whatever else is at hand only these two may."""
    if path in BEHIND or not any(m.split(".")[0] in FOREIGN for m, _ in imports(path)):
        return
    strangers = [
        ast.unparse(node)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
        # Documented, whatever its name looks like.
        and ast.unparse(node) != "os._exit"
    ]
    assert strangers == []
