"""Every door, tried without, with a wrong, an expired, a foreign and a too narrow token: refused alike, and audited."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any
from unittest import mock

import pytest
from prometheus_client import CollectorRegistry

from signaling.auth.authority import Authority
from signaling.auth.need import SCOPES, Need, Scope
from signaling.rtmp import RtmpDoor
from stream.rtmp.server import RtmpServer
from tests.contract.conftest import OpenHouse
from tests.contract.house import SDP, House, Reply
from tests.keys import patient, ring, sign, token_key
from tests.signaling.offers import CHROMIUM, directed
from tests.stream.rtmp.publisher import Publisher
from web import needs
from web.app import make_app

KEY = token_key("first", "EdDSA")
STREAM = "alice"

PUBLISHED = directed(CHROMIUM, "sendonly")


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    """As it is declared."""

    @property
    def address(self) -> str:
        return self.path.format(stream=STREAM, session="s", output="1", path="main.js")

    @property
    def need(self) -> Need | None:
        return needs.need(self.method, self.path)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def routes() -> Iterator[Route]:
    """All of the application's, found in its router."""
    app = make_app(
        sessions=mock.Mock(),
        streams=mock.Mock(),
        sources=mock.Mock(),
        models=mock.Mock(),
        ready=mock.Mock(),
        system=mock.Mock(),
        metrics=CollectorRegistry(),
    )
    for route in app.router.routes():
        assert route.resource is not None
        yield Route(route.method, route.resource.canonical)


ROUTES = list(routes())
CLOSED = [route for route in ROUTES if route.need is not None]


def scope(need: Need) -> Scope:
    """One that is enough."""
    return min(need.scopes)


def narrow(need: Need) -> list[Scope]:
    """All that are not."""
    return [each for each in SCOPES if each not in need.scopes | {"admin"}]


def tokens(need: Need) -> dict[str, str | None]:
    """What is refused, by what is wrong with it."""
    enough = [scope(need)]
    found = {
        "without": None,
        "wrong": "0123456789abcdef0123456789abcdef",
        "signed by another": sign(token_key("first", "EdDSA"), enough, ["*"]),
        "signed with another algorithm": sign(token_key("first", "HS256"), enough, ["*"]),
        "expired": sign(KEY, enough, ["*"], iat=int(time.time()) - 7200, exp=int(time.time()) - 3600),
        "too narrow": sign(KEY, narrow(need), ["*"]),
    }
    if need.about == "stream":
        found |= {
            "for another stream": sign(KEY, [*SCOPES], ["bob", "alice-*", "*-alice", "alic"]),
            "for no stream": sign(KEY, [*SCOPES], []),
        }
    elif need.about == "all":
        found["not for all"] = sign(KEY, [*SCOPES], ["alice", "a*"])
    else:
        found["for no stream"] = sign(KEY, [*SCOPES], [])
    return found


@pytest.fixture
def authority() -> Authority:
    return patient(ring(KEY))


@pytest.fixture
async def house(open_house: OpenHouse, authority: Authority) -> House:
    return await open_house(authority=authority)


async def call(house: House, method: str, path: str, token: str | None) -> Reply:
    headers = {"Content-Type": SDP} if method == "POST" else {}
    return await house.call(method, path, None, headers | ({} if token is None else {"Authorization": f"Bearer {token}"}))


def same(reply: Reply) -> tuple[Any, ...]:
    """All of a reply that could tell somebody something."""
    own = ("date", "x-request-id")
    return reply.status, reply.text, sorted((name, value) for name, value in reply.headers.items() if name.lower() not in own)


def audited(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(record.getMessage()) for record in caplog.records if record.name == "doppel.audit"]


# ---- HTTP, WHIP and WHEP


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_each_route_says_what_it_asks_for(route: Route) -> None:
    head = "GET" if route.method == "HEAD" else route.method
    declared = route.path in needs.PUBLIC or (head, route.path) in needs.NEEDS or route.method == "OPTIONS"
    assert declared, f"{route} is not in web/needs.py, and so asks for an admin"


def test_and_none_that_is_not_there() -> None:
    assert {route.method for route in ROUTES} <= {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
    assert set(needs.NEEDS) <= {(route.method, route.path) for route in ROUTES}


@pytest.mark.parametrize("route", CLOSED, ids=str)
async def test_every_route_refuses_alike(house: House, caplog: pytest.LogCaptureFixture, route: Route) -> None:
    caplog.set_level(logging.INFO)
    need = route.need
    assert need is not None
    refused = {what: await call(house, route.method, route.address, token) for what, token in tokens(need).items()}
    first = refused["without"]
    assert first.status == 401
    assert first.headers["WWW-Authenticate"] == 'Bearer realm="doppel"'
    if route.method != "HEAD":
        first.refuses(401, "#token=")
    for what, reply in refused.items():
        assert same(reply) == same(first), what
    lines = audited(caplog)
    assert [line["allowed"] for line in lines] == [False] * len(lines)
    assert {line["call"] for line in lines} == {str(route)}
    assert {line["stream"] for line in lines} == {STREAM if "{stream}" in route.path else None}
    assert {reply.headers["X-Request-Id"] for reply in refused.values()} >= {line["request"] for line in lines}
    reasons = {line["reason"] for line in lines}
    assert {"none was sent", "the signature is wrong", "it has expired", "the scopes are too narrow"} <= reasons
    for token in tokens(need).values():
        assert token is None or token not in caplog.text


@pytest.mark.parametrize("route", CLOSED, ids=str)
async def test_every_route_takes_a_token_that_is_just_enough(house: House, route: Route) -> None:
    need = route.need
    assert need is not None
    for each in sorted(need.scopes):
        token = sign(KEY, [each], ["*"] if need.about == "all" else [STREAM])
        assert (await call(house, route.method, route.address, token)).status != 401, each


@pytest.mark.parametrize("route", [route for route in ROUTES if route.need is None], ids=str)
async def test_what_is_public_asks_for_nothing(house: House, route: Route) -> None:
    assert (await call(house, route.method, route.address, None)).status < 400


async def test_what_is_not_there_is_told_only_to_those_with_some_right(house: House) -> None:
    assert (await call(house, "GET", "/nowhere", None)).status == 401
    assert (await call(house, "GET", "/nowhere", sign(KEY, ["watch"], ["bob"]))).status == 404


async def test_only_streams_of_ones_own_are_listed(house: House) -> None:
    house.goes_live("alice")
    house.goes_live("team-a")
    for patterns, listed in ((["team-*"], ["team-a"]), (["*"], ["alice", "team-a"]), (["bob"], [])):
        reply = await call(house, "GET", "/api/streams", sign(KEY, ["watch"], patterns))
        assert sorted(stream["stream"] for stream in json.loads(reply.text)) == listed


async def test_a_session_is_its_owners(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    entered = await house.enter("whip", "alice", PUBLISHED, sign(KEY, ["publish"], ["*"], sub="anna"))
    other = sign(KEY, ["publish"], ["*"], sub="bob")
    refusal = await call(house, "DELETE", "/whip/alice/sessions/x", None)
    for method in ("GET", "PATCH", "DELETE"):
        assert same(await call(house, method, entered.location, other)) == same(refusal)
    assert audited(caplog)[-1]["reason"] == "it is somebody else's session"
    # Nor is it reached by the address of another stream.
    elsewhere = entered.location.replace("alice", "bob")
    assert (await call(house, "DELETE", elsewhere, sign(KEY, ["publish"], ["bob"], sub="anna"))).status == 401
    assert entered.location.rpartition("/")[2] in house.sessions
    renewed = sign(KEY, ["publish"], ["alice"], sub="anna", jti="2")
    assert (await call(house, "DELETE", entered.location, renewed)).status == 200
    assert entered.location.rpartition("/")[2] not in house.sessions


async def test_a_renewed_token_takes_its_stream_over(house: House) -> None:
    await house.enter("whip", "alice", PUBLISHED, sign(KEY, sub="anna"))
    await house.enter("whip", "alice", PUBLISHED, sign(KEY, sub="anna", jti="2"))
    (await house.offer("whip", "alice", PUBLISHED, sign(KEY, sub="bob"))).refuses(409)
    await house.enter("whip", "alice", PUBLISHED, sign(KEY, ["admin"], sub="desk"))
    await house.enter("whip", "alice", PUBLISHED, sign(KEY, sub="anna"))


async def test_who_is_connected_stays_when_the_token_ends_and_calls_no_more(house: House) -> None:
    authority = house.authority
    assert authority is not None
    assert authority.ring is not None
    token = sign(KEY, ["publish"], [STREAM])
    session = (await house.enter("whip", STREAM, PUBLISHED, token)).location
    authority.ring.keys = ring(token_key("next")).keys
    assert (await call(house, "DELETE", session, token)).status == 401
    assert session.rpartition("/")[2] in house.sessions


async def test_who_tries_words_waits(open_house: OpenHouse) -> None:
    house = await open_house(authority=Authority(ring(KEY)))
    replies = [await call(house, "GET", "/api/streams", f"word-{number}") for number in range(40)]
    assert [reply.status for reply in replies][:30] == [401] * 30
    replies[-1].refuses(429, "wait")
    assert int(replies[-1].headers["Retry-After"]) >= 1


# ---- RTMP


@dataclass
class Rtmp:
    port: int
    publishers: list[Publisher]

    async def publish(self, key: str) -> dict[str, Any]:
        self.publishers.append(await Publisher.open(self.port))
        return await self.publishers[-1].publish(key)


@pytest.fixture
async def rtmp(house: House, authority: Authority) -> AsyncIterator[Rtmp]:
    server = RtmpServer(RtmpDoor(house.streams, lambda text: [], authority).on_publish)
    door = Rtmp(await server.listen("127.0.0.1", 0), [])
    yield door
    for publisher in door.publishers:
        await publisher.close()
    await server.close()


async def test_rtmp_refuses_alike(rtmp: Rtmp, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    need = needs.NEEDS["POST", "/whip/{stream}"]
    refused = {}
    for what, token in tokens(need).items():
        refused[what] = await rtmp.publish(STREAM + ("" if token is None else f"?token={token}"))
    assert refused["without"]["level"] == "error"
    assert "?token=TOKEN" in refused["without"]["description"]
    for what, status in refused.items():
        assert status == refused["without"], what
    assert {line["call"] for line in audited(caplog)} == {"RTMP publish"}
    assert {line["client"] for line in audited(caplog)} == {"127.0.0.1"}
    for token in tokens(need).values():
        assert token is None or token not in caplog.text
    assert (await rtmp.publish(f"{STREAM}?token={sign(KEY, ['publish'], [STREAM])}"))["code"] == "NetStream.Publish.Start"


async def test_one_publisher_by_rtmp_and_by_whip(house: House, rtmp: Rtmp) -> None:
    await house.enter("whip", STREAM, PUBLISHED, sign(KEY, sub="anna"))
    assert (await rtmp.publish(f"{STREAM}?token={sign(KEY, sub='anna')}"))["code"] == "NetStream.Publish.Start"
    assert (await rtmp.publish(f"{STREAM}?token={sign(KEY, sub='bob')}"))["level"] == "error"
