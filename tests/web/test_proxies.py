"""Whose address counts, and that nobody can choose it."""

from __future__ import annotations

import aiohttp.web as aiohttp_web
import pytest
from aiohttp.test_utils import TestClient, TestServer

from signaling.rate import RateLimit
from tests.web.conftest import House
from web.proxies import HOPS, behind, client

PROXIES = ["127.0.0.1", "10.0.0.0/8", "fd00::/8"]


async def asked(proxies: list[str], *headers: str) -> str:
    async def answer(request: aiohttp_web.Request) -> aiohttp_web.Response:
        return aiohttp_web.Response(text=client(request))

    app = aiohttp_web.Application(middlewares=[behind(proxies)])
    app.router.add_get("/", answer)
    async with TestClient(TestServer(app)) as made:
        response = await made.get("/", headers=[("X-Forwarded-For", header) for header in headers])
        return await response.text()


@pytest.mark.parametrize(
    ("headers", "who"),
    [
        ([], "127.0.0.1"),
        (["192.0.2.7"], "192.0.2.7"),
        (["198.51.100.1, 192.0.2.7"], "192.0.2.7"),
        (["198.51.100.1", "192.0.2.7"], "192.0.2.7"),
        (["192.0.2.7, 10.1.2.3"], "192.0.2.7"),
        (["192.0.2.7, 10.1.2.3,10.9.9.9 "], "192.0.2.7"),
        (["192.0.2.7, ::ffff:10.1.2.3"], "192.0.2.7"),
        (["2001:db8::1, fd00::1"], "2001:db8::1"),
        (["10.1.2.3"], "10.1.2.3"),
        (["192.0.2.7, nonsense"], "127.0.0.1"),
        (["192.0.2.7, nonsense, 10.1.2.3"], "10.1.2.3"),
        (["192.0.2.7:1234"], "127.0.0.1"),
        ([""], "127.0.0.1"),
        (["192.0.2.7" + ", 10.0.0.1" * HOPS], "10.0.0.1"),
    ],
)
async def test_the_nearest_that_is_no_proxy_of_ours(headers: list[str], who: str) -> None:
    assert await asked(PROXIES, *headers) == who


@pytest.mark.parametrize("proxies", [[], ["10.0.0.0/8"]])
async def test_from_anybody_else_the_header_is_nothing(proxies: list[str]) -> None:
    assert await asked(proxies, "192.0.2.7") == "127.0.0.1"


async def test_limits_and_the_log_go_by_it(house: House) -> None:
    app = house.app(trusted_proxies=["127.0.0.1"], make_rate_limit=lambda: RateLimit(1, clock=lambda: 0.0))
    async with TestClient(TestServer(app)) as made:
        sdp = {"Content-Type": "application/sdp"}
        statuses = []
        for who in ("192.0.2.1", "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"):
            response = await made.post("/whep/alice", data="v=0", headers=sdp | {"X-Forwarded-For": who})
            statuses.append(response.status)
    assert statuses == [201, 429, 201, 201, 429]
