from __future__ import annotations

import pytest

from tests.web.conftest import Client, House, Open

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
    assert exposed == {"Location", "Link", "ETag", "Retry-After", "Accept-Post", "Accept-Patch"}


async def test_any_origin(open_client: Open) -> None:
    client = await open_client(origins=["*"])
    response = await client.get("/api/streams", headers={"Origin": ORIGIN})
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Access-Control-Allow-Credentials" not in response.headers
