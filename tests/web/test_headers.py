from __future__ import annotations

import re
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

from tests.web.conftest import Client, House, Open
from web.pages import STATIC

ORIGIN = "https://studio.example"
ASK = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}


@pytest.mark.parametrize("path", ["/", "/static/main.js", "/api/streams", "/nowhere", "/static/nowhere.js"])
async def test_security_headers_on_everything(client: Client, path: str) -> None:
    headers = (await client.get(path)).headers
    policy = dict(part.strip().partition(" ")[::2] for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert not any("unsafe" in value or "http" in value for value in policy.values())
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "camera=(self)" in headers["Permissions-Policy"]
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "Strict-Transport-Security" not in headers


async def test_https_for_good_where_it_is_wanted(house: House) -> None:
    async with TestClient(TestServer(house.app(hsts=31_536_000))) as client:
        assert (await client.get("/")).headers["Strict-Transport-Security"] == "max-age=31536000"


@pytest.mark.parametrize("page", sorted(STATIC.glob("*.html")), ids=lambda page: page.name)
def test_pages_have_nothing_that_the_policy_forbids(page: Path) -> None:
    html = page.read_text()
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", html, re.IGNORECASE)
    assert all(address.startswith("/") for address in re.findall(r'(?:src|href)="([^"#]+)"', html))


async def test_each_answer_that_was_decided_on_has_an_id(client: Client) -> None:
    ids = [(await client.get("/api/streams")).headers["X-Request-Id"] for _ in range(2)]
    assert len({*ids}) == 2


async def test_no_other_origin_by_default(client: Client) -> None:
    for response in (
        await client.options("/loop/alice", headers=ASK),
        await client.get("/api/streams", headers={"Origin": ORIGIN}),
    ):
        assert not [name for name in response.headers if name.startswith("Access-Control")]


@pytest.mark.parametrize("path", ["/loop/alice", "/whip/alice", "/whep/alice/sessions/x", "/api/streams/alice/chain", "/nowhere"])
async def test_preflight(open_client: Open, house: House, path: str) -> None:
    client = await open_client(key="key", origins=[ORIGIN])
    response = await client.options(path, headers=ASK)
    assert response.status == 200
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert {"POST", "PUT", "PATCH", "DELETE"} <= set(response.headers["Access-Control-Allow-Methods"].split(", "))
    assert {"Authorization", "Content-Type", "If-Match"} <= set(response.headers["Access-Control-Allow-Headers"].split(", "))
    assert response.headers["Vary"] == "Origin"
    assert house.sessions.connected == []


async def test_preflight_from_elsewhere(open_client: Open) -> None:
    client = await open_client(origins=[ORIGIN])
    response = await client.options("/loop/alice", headers=ASK | {"Origin": "https://else.example"})
    assert "Access-Control-Allow-Origin" not in response.headers
    assert response.headers["Vary"] == "Origin"


async def test_call_from_an_allowed_origin(open_client: Open) -> None:
    client = await open_client(origins=[ORIGIN])
    response = await client.post("/loop/alice", data="v=0", headers={"Origin": ORIGIN, "Content-Type": "application/sdp"})
    assert response.status == 201
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    exposed = set(response.headers["Access-Control-Expose-Headers"].split(", "))
    assert exposed == {"Location", "Link", "ETag", "Retry-After", "Accept-Post", "Accept-Patch", "X-Request-Id"}


async def test_any_origin(open_client: Open) -> None:
    client = await open_client(origins=["*"])
    response = await client.get("/api/streams", headers={"Origin": ORIGIN})
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Access-Control-Allow-Credentials" not in response.headers
