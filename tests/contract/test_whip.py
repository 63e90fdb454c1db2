"""RFC 9725 (WHIP), section by section: set it beside. ``docs/conformance.md`` is made of the marks."""

from __future__ import annotations

import asyncio
import re
import socket

import pytest
from aiortc.sdp import SessionDescription

from tests.contract.conftest import OpenHouse
from tests.contract.house import FRAGMENT, SDP, House
from tests.contract.musts import must
from tests.contract.obs import OFFER, Obs
from tests.signaling.offers import CHROMIUM, DATA, FIREFOX, directed, only

DOCUMENT = "RFC 9725"

BROWSER = directed(CHROMIUM, "sendonly")

OFFERS = {
    "chromium": BROWSER,
    "firefox": directed(FIREFOX, "sendonly"),
    "obs": OFFER,
}

PATIENCE = 15
"""s for what comes over a network, on a busy machine."""


def fragment(ufrag: str = "9uB6", password: str = "bbgWfLT5MMuWhZ4ZJ2RaU9GA", candidates: str = "") -> str:
    """Of the browser's ICE session."""
    return (
        "a=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n"
        f"a=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\n{candidates}"
    )


# ---- 4.1 HTTP usage


@must("4.1", "GET and HEAD on endpoint and session: 2xx, without content")
async def test_get_has_no_content(house: House) -> None:
    location = (await house.enter("whip", "alice", BROWSER)).location
    for path in ("/whip/alice", location):
        for method in ("GET", "HEAD"):
            reply = await house.call(method, path)
            assert (reply.status, reply.text) == (200, "")


@must("4.1", "A refusal tells its reason as problem+json (RFC 9457)")
async def test_refusals_are_problems(house: House) -> None:
    (await house.offer("whip", "a.b", BROWSER)).refuses(400, "letters")
    (await house.call("PUT", "/whip/alice")).refuses(405, "method")


# ---- 4.2 Ingest session set-up


@must("4.2", "POST of an SDP offer: 201, an SDP answer, and the session's URL in Location")
@pytest.mark.parametrize("client", OFFERS)
async def test_an_offer_is_answered(house: House, client: str) -> None:
    reply = await house.enter("whip", "alice", OFFERS[client])
    assert reply.type == SDP
    assert [media.port for media in SessionDescription.parse(reply.text).media] == [9, 9]
    assert (await house.call("GET", reply.location)).status == 200


@must("4.2", "Any other content type than application/sdp: 415")
@pytest.mark.parametrize("headers", [{}, {"Content-Type": "text/plain"}, {"Content-Type": "application/json"}])
async def test_another_content_type_is_refused(house: House, headers: dict[str, str]) -> None:
    reply = await house.call("POST", "/whip/alice", BROWSER.encode(), headers)
    reply.refuses(415, SDP)


@must("4.2", "A malformed offer: 400")
@pytest.mark.parametrize("offer", ["", "hello", "v=0\r\n", BROWSER.replace("m=video 9", "m=video nine"), "v=0\r\n\x00"])
async def test_a_malformed_offer_is_refused(house: House, offer: str) -> None:
    (await house.offer("whip", "alice", offer)).refuses(400, "offer")
    assert list(house.streams.reports()) == []


@must("4.2", "The offer is sendonly, or sendrecv; the answer is recvonly")
@pytest.mark.parametrize("direction", ["sendonly", "sendrecv"])
@pytest.mark.parametrize("client", OFFERS)
async def test_the_answer_is_recvonly(house: House, client: str, direction: str) -> None:
    reply = await house.enter("whip", "alice", directed(OFFERS[client], direction))
    assert all("a=recvonly" in section for section in reply.sections)
    assert not any(line.startswith(("a=ssrc:", "a=msid:")) for section in reply.sections for line in section)


@must("4.2", "An offer must be neither recvonly nor inactive")
@pytest.mark.parametrize("direction", ["recvonly", "inactive"])
async def test_who_does_not_send_is_refused(house: House, direction: str) -> None:
    (await house.offer("whip", "alice", directed(BROWSER, direction))).refuses(422, "sendonly or sendrecv")


@must("4.2", "DELETE on the session: 200; the session is gone, its ICE and DTLS ended, and its name free")
async def test_delete_ends_the_session(house: House, obs: Obs) -> None:
    reply = await obs.publish(house, "alice")
    assert (await house.call("DELETE", reply.location)).status == 200
    async with asyncio.timeout(PATIENCE):
        await obs.ended()
    (await house.call("GET", reply.location)).refuses(404)
    assert (await house.call("DELETE", reply.location)).status == 200


@must("4.2", "A client that ends DTLS has ended the session")
async def test_dtls_teardown_ends_the_session(house: House, obs: Obs) -> None:
    reply = await obs.publish(house, "alice")
    await obs.close()
    await until_gone(house, reply.location)


@must("4.2", "Consent freshness (RFC 7675): a client that vanishes is ended")
async def test_a_client_that_vanishes_is_ended(open_house: OpenHouse, obs: Obs) -> None:
    house = await open_house({"silence_timeout": 0.5})
    reply = await obs.publish(house, "alice")
    await obs.vanish()
    await until_gone(house, reply.location)


@must("4.2", "OPTIONS on the endpoint: 200, with Accept-Post: application/sdp")
async def test_options_say_what_may_be_posted(house: House) -> None:
    location = (await house.enter("whip", "alice", BROWSER)).location
    for path in ("/whip/alice", location):
        reply = await house.call("OPTIONS", path)
        assert (reply.status, reply.headers["Accept-Post"]) == (200, SDP)


@must("4.2", "CORS (FETCH): a preflight is answered; a page of an allowed origin reads what the protocol tells in headers")
async def test_pages_of_allowed_origins_may_call(open_house: OpenHouse) -> None:
    origin = "https://studio.example"
    house = await open_house(origins=(origin,))
    location = (await house.enter("whip", "alice", BROWSER)).location
    for path, method in (("/whip/alice", "POST"), (location, "PATCH"), (location, "DELETE")):
        asked = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": "if-match"}
        reply = await house.call("OPTIONS", path, headers=asked)
        assert (reply.status, reply.headers["Access-Control-Allow-Origin"]) == (200, origin)
        assert method in reply.headers["Access-Control-Allow-Methods"].split(", ")
        allowed = set(reply.headers["Access-Control-Allow-Headers"].split(", "))
        assert {"Authorization", "Content-Type", "If-Match"} <= allowed
    reply = await house.call("POST", "/whip/bob", BROWSER, {"Content-Type": SDP, "Origin": origin})
    exposed = set(reply.headers["Access-Control-Expose-Headers"].split(", "))
    assert {"Location", "Link", "ETag", "Retry-After", "Accept-Post", "Accept-Patch"} <= exposed
    other = await house.call("POST", "/whip/carol", BROWSER, {"Content-Type": SDP, "Origin": "https://else.example"})
    assert "Access-Control-Allow-Origin" not in other.headers


# ---- 4.3.1 HTTP PATCH request usage


@must("4.3.1", "PATCH with another content type than application/trickle-ice-sdpfrag: 415")
async def test_a_patch_of_another_type_is_refused(house: House) -> None:
    reply = await house.enter("whip", "alice", BROWSER)
    headers = {"Content-Type": SDP, "If-Match": reply.headers["ETag"]}
    refusal = await house.call("PATCH", reply.location, fragment(), headers)
    refusal.refuses(415, FRAGMENT)
    assert refusal.headers["Accept-Patch"] == FRAGMENT


@must("4.3.1", "A malformed fragment: 400")
@pytest.mark.parametrize("broken", ["", "hello", fragment(ufrag=""), fragment(candidates="a=candidate:1 1 udp\r\n")])
async def test_a_malformed_fragment_is_refused(house: House, broken: str) -> None:
    reply = await house.enter("whip", "alice", BROWSER)
    (await house.trickle(reply.location, broken, reply.headers["ETag"])).refuses(400, "fragment")


@must("4.3.1", "Trickle without restarts: an ICE restart is answered 422")
async def test_a_restart_is_not_taken(house: House) -> None:
    reply = await house.enter("whip", "alice", BROWSER)
    (await house.trickle(reply.location, fragment("new1", "n" * 24), "*")).refuses(422, "restart")


@must("4.3.1", "The 201 has a strong ETag, of this ICE session and of no other")
async def test_the_ice_session_has_a_tag(house: House) -> None:
    tags = [(await house.enter("whip", name, BROWSER)).headers["ETag"] for name in ("alice", "bob", "bob")]
    assert all(re.fullmatch(r'"[^"]+"', tag) for tag in tags)
    assert len(set(tags)) == 3


@must("4.3.1", "An ETag that comes with a DELETE is ignored")
@pytest.mark.parametrize("if_match", ['"stale"', "*", "junk"])
async def test_delete_is_for_whatever_session_there_is(house: House, if_match: str) -> None:
    reply = await house.enter("whip", "alice", BROWSER)
    assert (await house.call("DELETE", reply.location, headers={"If-Match": if_match})).status == 200
    (await house.call("GET", reply.location)).refuses(404)


@must("4.3.1", "PATCH without If-Match: 428")
async def test_a_patch_needs_a_tag(house: House) -> None:
    reply = await house.enter("whip", "alice", BROWSER)
    (await house.trickle(reply.location, fragment(), None)).refuses(428, "If-Match")


@must("4.3.1", "PATCH with an ETag that is not the session's: 412")
@pytest.mark.parametrize("if_match", ['"stale"', "*", "junk", "W/{}"])
async def test_a_patch_needs_the_right_tag(house: House, if_match: str) -> None:
    reply = await house.enter("whip", "alice", BROWSER)
    (await house.trickle(reply.location, fragment(), if_match.format(reply.headers["ETag"]))).refuses(412, "ETag")


# ---- 4.3.2 Trickle ICE


@must("4.3.2", "An offer may have no candidates at all: the client's address is learned from its checks")
async def test_a_client_without_candidates_connects(house: House, obs: Obs) -> None:
    await obs.publish(house, "alice")
    await until_live(house, "alice")


@must("4.3.2", "The answer has all of the server's candidates, and says so")
async def test_the_answer_is_complete(house: House) -> None:
    first = (await house.enter("whip", "alice", BROWSER)).sections[0]
    assert any(line.startswith("a=candidate:") for line in first)
    assert "a=end-of-candidates" in first


@must("4.3.2", "PATCH with candidates: 204, no body, no ETag; and the candidates are tried")
async def test_late_candidates_are_tried(house: House) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as late:
        late.bind(("127.0.0.1", 0))
        late.setblocking(False)
        reply = await house.enter("whip", "alice", BROWSER)
        candidate = f"a=candidate:1 1 udp 2122260223 127.0.0.1 {late.getsockname()[1]} typ host\r\n"
        patched = await house.trickle(reply.location, fragment(candidates=candidate), reply.headers["ETag"])
        assert (patched.status, patched.text) == (204, "")
        assert "ETag" not in patched.headers
        async with asyncio.timeout(PATIENCE):
            check = await asyncio.get_running_loop().sock_recv(late, 2048)
        # A STUN binding request with the client's name first (RFC 8445 section 7.2.2).
        assert check[:2] == b"\x00\x01"
        assert b"9uB6:" in check


@must("4.3.2", "Candidates of unknown transports, and names that cannot be resolved, are passed over silently")
async def test_useless_candidates_are_passed_over(house: House) -> None:
    reply = await house.enter("whip", "alice", BROWSER)
    useless = (
        "a=candidate:1 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active\r\n"
        "a=candidate:2 1 udp 1 f00f.local 9 typ host\r\na=candidate:3 2 udp 1 192.0.2.1 9 typ host\r\na=end-of-candidates\r\n"
    )
    assert (await house.trickle(reply.location, fragment(candidates=useless), reply.headers["ETag"])).status == 204


# ---- 4.3.3 ICE restarts


@must("4.3.3", "A restart that cannot be had leaves the session as it is")
async def test_a_refused_restart_ends_nothing(house: House, obs: Obs) -> None:
    reply = await obs.publish(house, "alice")
    (await house.trickle(reply.location, fragment("new1", "n" * 24), "*")).refuses(422)
    assert (await house.call("GET", reply.location)).status == 200
    await until_live(house, "alice")


# ---- 4.4 WebRTC constraints


@must("4.4.1", "All is bundled on one transport, with RTP and RTCP on one port and only there")
@pytest.mark.parametrize("client", OFFERS)
async def test_all_is_bundled(house: House, client: str) -> None:
    reply = await house.enter("whip", "alice", OFFERS[client])
    assert "a=group:BUNDLE 0 1\r\n" in reply.text
    credentials = set()
    for section in reply.sections:
        assert {"a=rtcp-mux", "a=rtcp-mux-only"} <= set(section)
        credentials.add(tuple(line for line in section if line.startswith(("a=ice-", "a=fingerprint"))))
    assert len(credentials) == 1


@must("4.4.1", "An offer that is not bundled, or not multiplexed, is refused")
async def test_what_is_not_bundled_is_refused(house: House) -> None:
    (await house.offer("whip", "alice", BROWSER.replace("a=group:BUNDLE 0 1\r\n", ""))).refuses(422, "BUNDLE")
    (await house.offer("whip", "alice", BROWSER.replace("a=rtcp-mux\r\n", ""))).refuses(422, "rtcp-mux")


@must("4.4.2", "One track of any kind is enough: sound alone, video alone, or both")
@pytest.mark.parametrize("kind", ["audio", "video"])
@pytest.mark.parametrize("client", ["chromium", "obs"])
async def test_one_track_is_enough(house: House, client: str, kind: str) -> None:
    reply = await house.enter("whip", "alice", only(OFFERS[client], kind))
    assert [section[0].split()[0] for section in reply.sections] == [f"m={kind}"]


@must("4.4.2", "More than one track of a kind, or more than one MediaStream: refused with 422")
async def test_one_stream_with_one_track_of_each_is_all(house: House) -> None:
    doubled = BROWSER + ("m=" + BROWSER.split("m=")[2]).replace("a=mid:1", "a=mid:2")
    (await house.offer("whip", "alice", doubled)).refuses(422, "at most one video")
    parted = BROWSER.replace("a=msid:9b7d video", "a=msid:other video")
    (await house.offer("whip", "alice", parted)).refuses(422, "MediaStream")


@must("4.4.3", "No partially successful answer: what cannot be taken whole is refused with 422")
@pytest.mark.parametrize("change", ["sound", "video", "data"])
async def test_half_an_offer_is_never_taken(house: House, change: str) -> None:
    offer = {
        "sound": BROWSER.replace("opus", "speex"),
        "video": BROWSER.replace("H264", "H265").replace("VP8", "VP7"),
        "data": BROWSER + DATA,
    }[change]
    (await house.offer("whip", "alice", offer)).refuses(422)
    assert list(house.streams.reports()) == []


@must("4.4.4", "The offer's setup may be actpass, or active for a client that can only open the handshake")
async def test_either_side_may_open_the_handshake(house: House) -> None:
    for name, offered, answered in (("a", "actpass", "active"), ("b", "active", "passive")):
        reply = await house.enter("whip", name, BROWSER.replace("a=setup:actpass", f"a=setup:{offered}"))
        assert all(f"a=setup:{answered}" in section for section in reply.sections)


# ---- 4.5 to 4.8


@must("4.5", "Never a redirect with 301 or 302")
async def test_nothing_is_redirected(house: House) -> None:
    for path in ("/whip/alice", "/whip/alice/", "/whip//alice", "/whip/alice/sessions/"):
        assert (await house.call("POST", path, BROWSER, {"Content-Type": SDP})).status in (201, 404, 405)


@must("4.5", "Overload: 503 with Retry-After")
async def test_a_full_server_says_when_to_come_again(open_house: OpenHouse) -> None:
    house = await open_house({"max_streams": 1})
    await house.enter("whip", "alice", BROWSER)
    reply = await house.offer("whip", "bob", BROWSER)
    reply.refuses(503, "as many streams")
    assert int(reply.headers["Retry-After"]) > 0


@must("4.6", "STUN and TURN servers of the configuration in Link headers of the 201, and not on a preflight")
async def test_ice_servers_are_told(open_house: OpenHouse) -> None:
    links = ('<stun:stun.example.net>; rel="ice-server"', '<turn:turn.example.net>; rel="ice-server"; username="u"')
    house = await open_house(ice_links=links)
    assert (await house.enter("whip", "alice", BROWSER)).headers.getall("Link") == list(links)
    assert "Link" not in (await house.call("OPTIONS", "/whip/alice")).headers


@must("4.7.1", "Bearer tokens (RFC 6750) on endpoint and session; never asked for on a preflight")
async def test_bearer_tokens(open_house: OpenHouse) -> None:
    house = await open_house(key="sesame")
    for token in (None, "wrong"):
        refusal = await house.offer("whip", "alice", BROWSER, token)
        refusal.refuses(401, "Bearer")
        assert refusal.headers["WWW-Authenticate"].startswith("Bearer")
    location = (await house.enter("whip", "alice", BROWSER, "sesame")).location
    for method in ("GET", "PATCH", "DELETE"):
        (await house.call(method, location)).refuses(401, "Bearer")
    for path in ("/whip/alice", location):
        assert (await house.call("OPTIONS", path, headers={"Access-Control-Request-Method": "POST"})).status == 200
    assert (await house.call("DELETE", location, headers={"Authorization": "Bearer sesame"})).status == 200


@must("4.7.1", "The token is the stream's key: with it a client takes its stream over, without it nobody does")
async def test_who_has_the_key_takes_over(house: House, obs: Obs) -> None:
    await obs.publish(house, "alice", "key")
    await until_live(house, "alice")
    reply = await house.offer("whip", "alice", BROWSER, "another")
    reply.refuses(409, "publisher")
    assert "Retry-After" not in reply.headers
    (await house.offer("whip", "alice", BROWSER)).refuses(409)
    second = Obs()
    await second.publish(house, "alice", "key")
    try:
        async with asyncio.timeout(PATIENCE):
            await obs.ended()
        assert house.streams.report("alice").state == "live"
    finally:
        await second.close()


@must("4.8", "Simulcast is not supported (it may be): refused in words")
async def test_simulcast_is_refused(house: House) -> None:
    offer = BROWSER.replace("a=rid:hi send", "a=rid:hi send\r\na=simulcast:send hi")
    (await house.offer("whip", "alice", offer)).refuses(422, "simulcast")


# ---- 5 Security considerations


@must("5", "Session URLs cannot be guessed")
async def test_session_urls_cannot_be_guessed(house: House) -> None:
    ids = [(await house.enter("whip", "alice", BROWSER)).location.rpartition("/")[2] for _ in range(3)]
    # 24 bytes of the system's randomness, as base64.
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{32}", each) for each in ids)
    assert len(set(ids)) == 3


@must("5", "POST, PATCH and DELETE are limited in rate, each by itself")
async def test_each_method_is_limited(open_house: OpenHouse) -> None:
    house = await open_house(burst=2)
    reply = await house.enter("whip", "alice", BROWSER)
    await house.offer("whip", "alice", "")
    for _ in range(2):
        assert (await house.trickle(reply.location, fragment(), reply.headers["ETag"])).status == 204
    for refusal in (
        await house.offer("whip", "alice", BROWSER),
        await house.trickle(reply.location, fragment(), reply.headers["ETag"]),
    ):
        refusal.refuses(429, "wait")
        assert int(refusal.headers["Retry-After"]) > 0
    for status in (200, 200, 429):
        assert (await house.call("DELETE", reply.location)).status == status


@must("5", "Oversized bodies, and more candidates than a machine has, are refused; the session goes on")
async def test_floods_are_refused(house: House) -> None:
    (await house.offer("whip", "alice", BROWSER + "a=x\r\n" * 20_000)).refuses(413)
    many = "".join(f"a=candidate:{n} 1 udp {n} 192.0.2.1 {1000 + n} typ host\r\n" for n in range(10_000))
    (await house.offer("whip", "alice", BROWSER + many)).refuses(413)
    reply = await house.enter("whip", "alice", BROWSER)
    (await house.trickle(reply.location, fragment(candidates=many), reply.headers["ETag"])).refuses(413)
    fewer = "".join(many.splitlines(keepends=True)[:100])
    (await house.trickle(reply.location, fragment(candidates=fewer), reply.headers["ETag"])).refuses(422, "64")
    assert (await house.call("GET", reply.location)).status == 200


@must("5", "A session whose client never comes is given up")
async def test_who_never_comes_is_given_up(open_house: OpenHouse, obs: Obs) -> None:
    house = await open_house({"connect_timeout": 0.2})
    reply = await obs.enter(house, "alice")
    await until_gone(house, reply.location)
    assert list(house.streams.reports()) == []


async def until_gone(house: House, location: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await house.call("GET", location)).status != 404:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)


async def until_live(house: House, name: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while house.streams.report(name).state != "live":  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)
