"""draft-ietf-wish-whep-03 (WHEP), section by section: set it beside. What is as in WHIP is shown for WHEP's URLs too."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
from aiortc.sdp import SessionDescription

from tests.contract.conftest import OpenHouse
from tests.contract.house import FRAGMENT, SDP, House, Kind, Reply
from tests.contract.musts import must
from tests.contract.obs import Obs
from tests.contract.test_whip import PATIENCE, fragment, until_gone, until_live
from tests.signaling.offers import CHROMIUM, DATA, FIREFOX, directed, only
from tests.stream.client import Client

DOCUMENT = "draft-ietf-wish-whep-03"

BROWSER = directed(CHROMIUM, "recvonly")

OFFERS = {"chromium": BROWSER, "firefox": directed(FIREFOX, "recvonly")}


@pytest.fixture
async def live(house: House) -> House:
    """A house whose stream "alice" has a picture."""
    house.goes_live("alice")
    return house


@pytest.fixture
async def viewer() -> AsyncIterator[Client]:
    client = Client(role="watch", sound=True)
    yield client
    await client.close()


async def join(client: Client, house: House, kind: Kind) -> Reply:
    """Offers, and takes the answer."""
    await client.connection.setLocalDescription(await client.connection.createOffer())
    reply = await house.enter(kind, "alice", client.connection.localDescription.sdp)
    client.answer = reply.text
    await client.accept()
    return reply


# ---- 4.1 HTTP usage


@must("4.1", "GET on endpoint and session: 2xx, without content; HEAD: 200")
async def test_get_has_no_content(live: House) -> None:
    location = (await live.enter("whep", "alice", BROWSER)).location
    for path in ("/whep/alice", location):
        for method in ("GET", "HEAD"):
            reply = await live.call(method, path)
            assert (reply.status, reply.text) == (200, "")


@must("4.1", "A refusal tells its reason as problem+json (RFC 9457)")
async def test_refusals_are_problems(house: House) -> None:
    (await house.offer("whep", "a.b", BROWSER)).refuses(400, "letters")
    (await house.call("PUT", "/whep/alice")).refuses(405, "method")


# ---- 4.2 Playback session set-up


@must("4.2.1", "An offer is accepted: 201, an SDP answer, and the session's URL in Location")
@pytest.mark.parametrize("client", OFFERS)
async def test_an_offer_is_answered(live: House, client: str) -> None:
    reply = await live.enter("whep", "alice", OFFERS[client])
    assert reply.type == SDP
    assert [media.port for media in SessionDescription.parse(reply.text).media] == [9, 9]
    assert (await live.call("GET", reply.location)).status == 200


@must("4.2.2", "A counter-offer (406) may be sent, and never is: what cannot be answered is refused in words")
async def test_no_counter_offer(live: House) -> None:
    (await live.offer("whep", "alice", BROWSER.replace("H264", "H265").replace("VP8", "VP7"))).refuses(422, "H264 or VP8")


@must("4.2.4", "Any other content type than application/sdp, or malformed SDP: 4xx")
async def test_what_is_no_offer_is_refused(live: House) -> None:
    (await live.call("POST", "/whep/alice", BROWSER.encode(), {"Content-Type": "text/plain"})).refuses(415, SDP)
    (await live.call("POST", "/whep/alice", BROWSER.encode())).refuses(415, SDP)
    for offer in ("", "hello", BROWSER.replace("m=video 9", "m=video nine")):
        (await live.offer("whep", "alice", offer)).refuses(400, "offer")


@must("4.2.5", "The offer is recvonly, or sendrecv; the answer is sendonly")
@pytest.mark.parametrize("direction", ["recvonly", "sendrecv"])
@pytest.mark.parametrize("client", OFFERS)
async def test_the_answer_is_sendonly(live: House, client: str, direction: str) -> None:
    reply = await live.enter("whep", "alice", directed(OFFERS[client], direction))
    assert all("a=sendonly" in section for section in reply.sections)


@must("4.2.5", "An offer must be neither sendonly nor inactive")
@pytest.mark.parametrize("direction", ["sendonly", "inactive"])
async def test_who_does_not_receive_is_refused(live: House, direction: str) -> None:
    (await live.offer("whep", "alice", directed(BROWSER, direction))).refuses(422, "recvonly or sendrecv")


@must("4.2", "A stream that is not live: 409, with Retry-After in seconds")
async def test_a_stream_that_is_not_live(house: House, obs: Obs) -> None:
    for begin in (False, True):
        if begin:
            # Somebody is about to publish, and has sent nothing yet.
            await obs.enter(house, "alice")
        reply = await house.offer("whep", "alice", BROWSER)
        reply.refuses(409, "not live")
        assert 0 < int(reply.headers["Retry-After"]) < 60


@must("4.2", "Once set up, pictures come: from a publisher that answers no keyframe request, too")
async def test_a_viewer_sees(house: House, obs: Obs, viewer: Client) -> None:
    await obs.publish(house, "alice")
    await until_live(house, "alice")
    await join(viewer, house, "whep")
    await viewer.more(5)
    assert (viewer.pictures[-1].width, viewer.pictures[-1].height) == (64, 48)


@must("4.2", "What is published arrives, be it pictures, sound or both")
@pytest.mark.parametrize(("pictures", "sound"), [(True, False), (False, True), (True, True)])
async def test_what_is_published_arrives(house: House, pictures: bool, sound: bool) -> None:
    publisher = Client(role="publish", pictures=pictures, sound=sound)
    viewer = Client(role="watch", pictures=pictures, sound=sound)
    try:
        await join(publisher, house, "whip")
        await until_live(house, "alice")
        await join(viewer, house, "whep")
        await viewer.until(lambda: len(viewer.pictures) >= 3 * pictures and len(viewer.sounds) >= 10 * sound)
    finally:
        await viewer.close()
        await publisher.close()


@must("4.2", "Consent freshness (RFC 7675): a player that vanishes is ended")
async def test_a_viewer_that_vanishes_is_ended(open_house: OpenHouse, viewer: Client) -> None:
    house = await open_house({"silence_timeout": 0.5})
    house.goes_live("alice")
    reply = await join(viewer, house, "whep")
    await until_connected(house)
    await viewer.vanish()
    await until_gone(house, reply.location)


# ---- 4.3 Playback session termination


@must("4.3", "DELETE on the session: 200; the session is gone, its ICE and DTLS ended, and the stream goes on")
async def test_delete_ends_the_session(live: House, viewer: Client) -> None:
    reply = await join(viewer, live, "whep")
    await until_connected(live)
    assert (await live.call("DELETE", reply.location)).status == 200
    async with asyncio.timeout(PATIENCE):
        while viewer.dtls.state != "closed":  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)
    (await live.call("GET", reply.location)).refuses(404)
    assert live.streams.report("alice").state == "live"
    assert live.streams.report("alice").viewers == 0


@must("4.3", "OPTIONS on the endpoint: 200, with Accept-Post: application/sdp")
async def test_options_say_what_may_be_posted(live: House) -> None:
    location = (await live.enter("whep", "alice", BROWSER)).location
    for path in ("/whep/alice", location):
        reply = await live.call("OPTIONS", path)
        assert (reply.status, reply.headers["Accept-Post"]) == (200, SDP)


@must("4.3", "CORS (FETCH): a page of an allowed origin may watch, and reads when to come again")
async def test_pages_of_allowed_origins_may_call(open_house: OpenHouse) -> None:
    origin = "https://studio.example"
    house = await open_house(origins=(origin,), key="sesame")
    reply = await house.call("OPTIONS", "/whep/alice", headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
    assert (reply.status, reply.headers["Access-Control-Allow-Origin"]) == (200, origin)
    headers = {"Content-Type": SDP, "Origin": origin, "Authorization": "Bearer sesame"}
    reply = await house.call("POST", "/whep/alice", BROWSER, headers)
    reply.refuses(409)
    assert reply.headers["Access-Control-Allow-Origin"] == origin
    assert {"Location", "ETag", "Retry-After"} <= set(reply.headers["Access-Control-Expose-Headers"].split(", "))


# ---- 4.4 ICE support


@must("4.4.1", "PATCH with another content type, or a malformed fragment: 4xx")
async def test_what_is_no_fragment_is_refused(live: House) -> None:
    reply = await live.enter("whep", "alice", BROWSER)
    tag = reply.headers["ETag"]
    (await live.call("PATCH", reply.location, fragment(), {"Content-Type": SDP, "If-Match": tag})).refuses(415, FRAGMENT)
    (await live.trickle(reply.location, "hello", tag)).refuses(400, "fragment")


@must("4.4.1", "Trickle without restarts: an ICE restart is answered 422")
async def test_a_restart_is_not_taken(live: House) -> None:
    reply = await live.enter("whep", "alice", BROWSER)
    (await live.trickle(reply.location, fragment("new1", "n" * 24), "*")).refuses(422, "restart")
    assert (await live.call("GET", reply.location)).status == 200


@must("4.4.1", "The 201 has a strong ETag, of this ICE session and of no other; with a DELETE it is ignored")
async def test_the_ice_session_has_a_tag(live: House) -> None:
    replies = [await live.enter("whep", "alice", BROWSER) for _ in range(3)]
    tags = {reply.headers["ETag"] for reply in replies}
    assert all(re.fullmatch(r'"[^"]+"', tag) for tag in tags)
    assert len(tags) == 3
    assert (await live.call("DELETE", replies[0].location, headers={"If-Match": replies[1].headers["ETag"]})).status == 200
    (await live.call("GET", replies[0].location)).refuses(404)


@must("4.4.1", "PATCH without If-Match: 428; with another ETag: 412")
async def test_a_patch_needs_the_right_tag(live: House) -> None:
    reply = await live.enter("whep", "alice", BROWSER)
    (await live.trickle(reply.location, fragment(), None)).refuses(428, "If-Match")
    (await live.trickle(reply.location, fragment(), '"stale"')).refuses(412, "ETag")


@must("4.4.2", "The answer has all of the server's candidates; a PATCH with the player's: 204, no body, no ETag")
async def test_trickle(live: House) -> None:
    reply = await live.enter("whep", "alice", BROWSER)
    first = reply.sections[0]
    assert any(line.startswith("a=candidate:") for line in first)
    assert "a=end-of-candidates" in first
    candidates = (
        "a=candidate:1 1 udp 1 127.0.0.1 4000 typ host\r\na=candidate:2 1 udp 1 f00f.local 9 typ host\r\na=end-of-candidates\r\n"
    )
    patched = await live.trickle(reply.location, fragment(candidates=candidates), reply.headers["ETag"])
    assert (patched.status, patched.text, "ETag" in patched.headers) == (204, "", False)


# ---- 4.5 WebRTC constraints


@must("4.5.1", "All is bundled on one transport, with RTP and RTCP on one port and only there")
@pytest.mark.parametrize("client", OFFERS)
async def test_all_is_bundled(live: House, client: str) -> None:
    reply = await live.enter("whep", "alice", OFFERS[client])
    assert "a=group:BUNDLE 0 1\r\n" in reply.text
    assert all({"a=rtcp-mux", "a=rtcp-mux-only"} <= set(section) for section in reply.sections)


@must("4.5.2", "One MediaStream: every section of the answer has an msid with the same value")
@pytest.mark.parametrize("client", OFFERS)
async def test_the_answer_is_of_one_stream(live: House, client: str) -> None:
    reply = await live.enter("whep", "alice", OFFERS[client])
    streams = [re.findall(r"a=msid:(\S+) \S+", "\n".join(section)) for section in reply.sections]
    assert streams == [["doppel"], ["doppel"]]


@must("4.5.2", "At least one track, and not two of a kind: sound alone, video alone, or both")
async def test_one_track_is_enough_and_two_of_a_kind_too_many(live: House) -> None:
    for kind in ("audio", "video"):
        reply = await live.enter("whep", "alice", only(BROWSER, kind))
        assert [section[0].split()[0] for section in reply.sections] == [f"m={kind}"]
    doubled = BROWSER + ("m=" + BROWSER.split("m=")[2]).replace("a=mid:1", "a=mid:2")
    (await live.offer("whep", "alice", doubled)).refuses(422, "at most one video")


@must("4.5", "What a player offers beside it is declined in its place")
async def test_what_is_not_sent_is_declined(live: House) -> None:
    reply = await live.enter("whep", "alice", BROWSER.replace("opus", "speex") + DATA)
    assert [section[0].split()[1] for section in reply.sections] == ["0", "9", "0"]


# ---- 4.6 to 4.8


@must("4.6", "Never a redirect with 301 or 302")
async def test_nothing_is_redirected(live: House) -> None:
    for path in ("/whep/alice", "/whep/alice/", "/whep//alice"):
        assert (await live.call("POST", path, BROWSER, {"Content-Type": SDP})).status in (201, 404, 405)


@must("4.6", "Overload: 503 with Retry-After")
async def test_a_full_stream_says_when_to_come_again(open_house: OpenHouse) -> None:
    house = await open_house({"max_viewers": 1})
    house.goes_live("alice")
    await house.enter("whep", "alice", BROWSER)
    reply = await house.offer("whep", "alice", BROWSER)
    reply.refuses(503, "as many viewers")
    assert int(reply.headers["Retry-After"]) > 0


@must("4.7", "STUN and TURN servers of the configuration in Link headers of the 201")
async def test_ice_servers_are_told(open_house: OpenHouse) -> None:
    links = ('<stun:stun.example.net>; rel="ice-server"', '<turn:turn.example.net>; rel="ice-server"; username="u"')
    house = await open_house(ice_links=links)
    house.goes_live("alice")
    assert (await house.enter("whep", "alice", BROWSER)).headers.getall("Link") == list(links)


@must("4.8.1", "Bearer tokens (RFC 6750) on endpoint and session; never asked for on a preflight")
async def test_bearer_tokens(open_house: OpenHouse) -> None:
    house = await open_house(key="sesame")
    house.goes_live("alice")
    (await house.offer("whep", "alice", BROWSER, "wrong")).refuses(401, "Bearer")
    location = (await house.enter("whep", "alice", BROWSER, "sesame")).location
    for method in ("GET", "PATCH", "DELETE"):
        (await house.call(method, location)).refuses(401, "Bearer")
    for path in ("/whep/alice", location):
        assert (await house.call("OPTIONS", path, headers={"Access-Control-Request-Method": "POST"})).status == 200
    assert (await house.call("DELETE", location, headers={"Authorization": "Bearer sesame"})).status == 200


# ---- 5 Security considerations


@must("5", "Session URLs cannot be guessed; POST, PATCH and DELETE are limited in rate")
async def test_sessions_are_guarded(open_house: OpenHouse) -> None:
    house = await open_house(burst=1)
    house.goes_live("alice")
    reply = await house.enter("whep", "alice", BROWSER)
    assert re.fullmatch(r"/whep/alice/sessions/[A-Za-z0-9_-]{32}", reply.location)
    assert (await house.trickle(reply.location, fragment(), reply.headers["ETag"])).status == 204
    for refusal in (
        await house.offer("whep", "alice", BROWSER),
        await house.trickle(reply.location, fragment(), reply.headers["ETag"]),
    ):
        refusal.refuses(429, "wait")
        assert int(refusal.headers["Retry-After"]) > 0
    assert (await house.call("DELETE", reply.location)).status == 200
    assert (await house.call("DELETE", reply.location)).status == 429


async def until_connected(house: House) -> None:
    """Until a viewer's line is there."""
    async with asyncio.timeout(PATIENCE):
        while house.streams.report("alice").viewers == 0:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)
