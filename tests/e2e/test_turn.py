"""Through coturn: with credentials that do not last, and where there is no other way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aioice import stun, turn
from aiortc import RTCConfiguration, RTCIceServer, RTCIceTransportPolicy, RTCSessionDescription
from playwright.sync_api import Browser, Playwright

from signaling.turn import TurnSecret
from tests.e2e.browser import FLAGS, Visit, context_of, executable, webcam_flags
from tests.e2e.conftest import Visitor
from tests.e2e.coturn import SECRET, Coturn
from tests.e2e.server import Server
from tests.e2e.test_browser_watch import plays, publish
from tests.loopback import LoopClient, Stripes, only_loopback
from tests.namespaces import Forward, Namespace, reaches, star

RELAY_ONLY = """
const Direct = RTCPeerConnection;
window.RTCPeerConnection = class extends Direct {
  constructor(configuration) {
    super({ ...configuration, iceTransportPolicy: "relay" });
    window.newest = this;
  }
};
"""

WATCHED = """
const Plain = RTCPeerConnection;
window.RTCPeerConnection = class extends Plain {
  constructor(configuration) {
    super(configuration);
    window.newest = this;
  }
};
"""

UNLINKED = """
const { get } = Headers.prototype;
Headers.prototype.get = function (name) { return name.toLowerCase() === "link" ? null : get.call(this, name); };
"""
"""For a client that does not read of TURN servers."""

PAIR = """
async () => {
  const stats = await newest.getStats();
  const transport = [...stats.values()].find((each) => each.type === "transport");
  const pair = stats.get(transport.selectedCandidatePairId);
  return [stats.get(pair.localCandidateId).candidateType, stats.get(pair.remoteCandidateId).candidateType];
}
"""
"""Types of the candidates, ours and the server's, that the newest connection uses."""


@pytest.fixture(scope="module")
def coturn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coturn]:
    coturn = Coturn(tmp_path_factory.mktemp("coturn"))
    yield coturn
    coturn.kill()


@pytest.fixture
def start(coturn: Coturn, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers that tell of coturn, with more lines of configuration."""
    servers: list[Server] = []

    def start(*lines: str) -> Server:
        servers.append(Server(tmp_path / "log", coturn.configuration(tmp_path, *lines)))
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


async def allocate(coturn: Coturn, secret: TurnSecret) -> None:
    """Raises stun.TransactionFailed."""
    username, password = secret.credentials()
    closed = asyncio.Event()

    class Relayed(asyncio.DatagramProtocol):
        def connection_lost(self, exc: Exception | None) -> None:
            closed.set()

    transport, _ = await turn.create_turn_endpoint(Relayed, (coturn.address, coturn.port), username, password)
    transport.close()
    await asyncio.wait_for(closed.wait(), 5)


async def test_coturn_takes_our_credentials_until_they_expire(coturn: Coturn) -> None:
    await allocate(coturn, TurnSecret(SECRET, ttl=60))
    for refused in (
        TurnSecret(SECRET, ttl=60, clock=lambda: time.time() - 61),
        TurnSecret("another secret", ttl=60),
    ):
        with pytest.raises(stun.TransactionFailed, match="401"):
            await allocate(coturn, refused)


def server_in(link: str) -> RTCIceServer:
    """Of a Link header, as a WHIP client reads it."""
    url, *parameters = [part.strip() for part in link.split(";")]
    told = {name: value.strip('"') for name, _, value in (parameter.partition("=") for parameter in parameters)}
    assert told["rel"] == "ice-server"
    assert told["credential-type"] == "password"
    return RTCIceServer(url.strip("<>"), told["username"], told["credential"])


async def test_a_client_comes_through_the_relay_that_the_answer_names(
    coturn: Coturn, start: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    only_loopback(monkeypatch)
    server = start("turn_ttl = 3600")
    async with aiohttp.ClientSession() as session:
        async with LoopClient(session, server.url, "first") as client:
            await client.offer_only()
            (link,) = client.links
        told = server_in(link)
        assert told.urls == coturn.url
        assert 3500 < int(str(told.username).partition(":")[0]) - time.time() <= 3600
        before = coturn.allocations
        configuration = RTCConfiguration(iceServers=[told], iceTransportPolicy=RTCIceTransportPolicy.RELAY)
        async with LoopClient(session, server.url, "relayed", Stripes(160, 120), configuration) as client:
            answer = await client.offer_only()
            # The server itself asks no TURN server unless it is told to.
            assert "typ relay" not in answer
            await client.peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
            await client.frames(10)
        assert coturn.allocations > before


def test_chromium_comes_through_the_relay_alone(coturn: Coturn, start: Callable[..., Server], visitor: Visitor) -> None:
    visit = visitor(start("udp_port = 0").url)
    visit.page.add_init_script(RELAY_ONLY)
    visit.open().live()
    assert visit.page.evaluate(PAIR)[0] == "relay"
    assert len(visit.offers) == 2, "the first answer names the relay, and the second offer has it"


@pytest.fixture
def chromium(playwright: Playwright, webcam: Path, tmp_path: Path) -> Iterator[Callable[[Namespace], Browser]]:
    """Starts browsers in namespaces. Loopback is no way to anybody there, and not offered, as anywhere else."""
    browsers: list[Browser] = []

    def launch(inside: Namespace) -> Browser:
        # A zygote that starts in a namespace, beside another, was seen to spin at a priority above all else.
        flags = [*(flag for flag in FLAGS if flag != "--allow-loopback-in-peer-connection"), "--no-zygote"]
        program = inside.wrapped(executable(), tmp_path / inside.name)
        browsers.append(playwright.chromium.launch(executable_path=str(program), args=[*flags, *webcam_flags(webcam)]))
        return browsers[-1]

    yield launch
    for browser in browsers:
        browser.close()


def connected(visit: Visit, what: str, show: Callable[[Visit], Any]) -> float:
    """s until ``show`` is done, printed."""
    began = time.monotonic()
    show(visit)
    took = time.monotonic() - began
    print(f"{what}: {took:.2f} s")
    return took


def test_two_who_have_no_way_to_the_server_meet_through_coturn(
    chromium: Callable[[Namespace], Browser], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """A publisher, a viewer and the server, each in a network of its own; HTTP comes by a proxy, and media by coturn."""
    with star("server", "publisher", "viewer") as (middle, home, one, other):
        for client in (one, other):
            assert reaches(client, middle)
            assert reaches(middle, home)
            assert not reaches(client, home)
            assert not reaches(home, client)
        coturn = Coturn(tmp_path, middle.address, middle)
        server = forward = None
        try:
            lines = coturn.configuration(tmp_path, "udp_port = 50000")
            server = Server(tmp_path / "log", [*lines, "--ice-address", home.address], home.inside)
            forward = Forward(int(server.url.rpartition(":")[2]), home, one, other)
            publisher, viewer = (Visit(context_of(chromium(where)), server.url) for where in (one, other))
            for visit in (publisher, viewer):
                visit.page.add_init_script(WATCHED)
            record_property("publisher_s", connected(publisher, "publisher", lambda visit: publish(visit, "far")))
            viewer.open("/watch/far")
            record_property("viewer_s", connected(viewer, "viewer", lambda visit: visit.wait_state("live")))
            plays(viewer, frames=20)
            for visit in (publisher, viewer):
                assert visit.page.evaluate(PAIR)[0] == "relay"
                visit.page.context.close()
                assert visit.complaints == []
        finally:
            if forward is not None:
                forward.close()
            if server is not None:
                server.kill()
            coturn.kill()


def test_a_server_that_nothing_comes_in_to_is_met_at_its_own_relay(
    chromium: Callable[[Namespace], Browser], tmp_path: Path
) -> None:
    """The client knows no TURN server, and the server's own address leads nowhere."""
    with star("server", "client") as (middle, home, away):
        coturn = Coturn(tmp_path, middle.address, middle)
        server = forward = None
        try:
            lines = coturn.configuration(tmp_path, "turn_for_server = true")
            server = Server(tmp_path / "log", [*lines, "--ice-address", home.address], home.inside)
            forward = Forward(int(server.url.rpartition(":")[2]), home, away)
            visit = Visit(context_of(chromium(away)), server.url)
            visit.page.add_init_script(WATCHED)
            visit.page.add_init_script(UNLINKED)
            connected(visit, "loop", lambda visit: visit.open().live())
            assert visit.page.evaluate(PAIR) == ["host", "relay"]
            visit.page.context.close()
        finally:
            if forward is not None:
                forward.close()
            if server is not None:
                server.kill()
            coturn.kill()
