from __future__ import annotations

import logging

import aiohttp
import aiohttp.web as aiohttp_web
import pytest
from aiohttp.test_utils import TestClient, TestServer

from tests.web.conftest import House, Open
from tests.web.fakes import assert_problem
from web.app import make_runner

KEY = "open sesame, ä"
BEARER = {"Authorization": f"Bearer {KEY}"}
SDP = {"Content-Type": "application/sdp"}

CLOSED = [
    ("GET", "/api/streams"),
    ("GET", "/api/streams/alice"),
    ("GET", "/api/streams/alice/chain"),
    ("PUT", "/api/streams/alice/chain"),
    ("GET", "/api/transforms"),
    ("GET", "/metrics"),
    ("POST", "/loop/alice"),
    ("DELETE", "/loop/alice/sessions/s3cret-session"),
    ("GET", "/loop/alice"),
    ("HEAD", "/whep/alice"),
    ("POST", "/whip/alice"),
    ("POST", "/whep/alice"),
    ("GET", "/whip/alice/sessions/s3cret-session"),
    ("PATCH", "/whip/alice/sessions/s3cret-session"),
    ("DELETE", "/whip/alice/sessions/s3cret-session"),
    ("DELETE", "/whep/alice/sessions/s3cret-session"),
    ("GET", "/nowhere"),
    ("GET", "/static%2F..%2Fapi/streams"),
]


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/static/main.js"])
async def test_open_without_the_key(open_client: Open, path: str) -> None:
    client = await open_client(key=KEY)
    assert (await client.get(path)).status == 200


@pytest.mark.parametrize(("method", "path"), CLOSED)
async def test_closed_without_the_key(open_client: Open, house: House, method: str, path: str) -> None:
    client = await open_client(key=KEY)
    url = client.make_url("").with_path(path, encoded=True)
    async with aiohttp.ClientSession() as session, session.request(method, url) as response:
        if method == "HEAD":
            assert response.status == 401
        else:
            await assert_problem(response, 401, "Authorization: Bearer")
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert house.sessions.ended == []


async def test_open_files_lead_nowhere_else(open_client: Open) -> None:
    client = await open_client(key=KEY)
    url = client.make_url("").with_path("/static/../api/streams", encoded=True)
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        await assert_problem(response, 404)


@pytest.mark.parametrize(
    "sent", ["", "Bearer", "Bearer ", "Bearer wrong", f"Basic {KEY}", KEY, "Bearer open sesame, ", "Bearer open sesame, ö"]
)
async def test_another_key(open_client: Open, sent: str) -> None:
    client = await open_client(key=KEY)
    await assert_problem(await client.get("/api/streams", headers={"Authorization": sent}), 401)


async def test_the_key(open_client: Open, house: House) -> None:
    client = await open_client(key=KEY)
    assert (await client.get("/api/streams", headers=BEARER)).status == 200
    assert (await client.post("/loop/alice", data="v=0", headers=SDP | BEARER)).status == 201
    assert (await client.delete("/loop/alice/sessions/s3cret-session", headers=BEARER)).status == 200
    assert house.sessions.ended == ["s3cret-session"]
    await assert_problem(await client.get("/nowhere", headers=BEARER), 404)


async def test_refusal_can_be_read_by_another_origin(open_client: Open) -> None:
    client = await open_client(key=KEY, origins=["https://studio.example"])
    response = await client.get("/api/streams", headers={"Origin": "https://studio.example"})
    await assert_problem(response, 401)
    assert response.headers["Access-Control-Allow-Origin"] == "https://studio.example"


async def test_log_holds_no_secrets(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "aiohttp.access")
    runner = make_runner(house.app(key=KEY))
    await runner.setup()
    try:
        site = aiohttp_web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with aiohttp.ClientSession() as session:
            async with session.delete(f"{url}/loop/alice/sessions/s3cret-session?token=hidden", headers=BEARER) as response:
                assert response.status == 200
            async with session.get(f"{url}/api/streams/al%0Aice?token=hidden", headers=BEARER) as response:
                assert response.status == 400
    finally:
        await runner.cleanup()
    lines = [record.getMessage() for record in caplog.records if record.name == "aiohttp.access"]
    assert len(lines) == 2
    assert "DELETE /loop/alice/sessions/... -> 200" in lines[0]
    assert "GET /api/streams/al%0Aice -> 400" in lines[1]
    for secret in ("s3cret", "hidden", KEY, "sesame"):
        assert secret not in caplog.text


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8080", "localhost.evil.example", "[evil]:80", "a:b:c"])
async def test_an_open_server_is_nobody_elses_origin(open_client: Open, host: str) -> None:
    client = await open_client()
    await assert_problem(await client.get("/api/streams", headers={"Host": host}), 421, "localhost")
    await assert_problem(await client.post("/whep/alice", data="v=0", headers=SDP | {"Host": host}), 421, "trusted_proxies")


@pytest.mark.parametrize(
    "host", ["localhost:8080", "LOCALHOST", "doppel.localhost", "127.0.0.1:1", "[::1]:80", "192.0.2.1", "localhost."]
)
async def test_an_open_server_answers_to_its_own_names(open_client: Open, host: str) -> None:
    client = await open_client()
    assert (await client.get("/api/streams", headers={"Host": host})).status == 200


async def test_a_name_is_no_matter_with_a_key_or_behind_a_proxy(open_client: Open, house: House) -> None:
    client = await open_client(key=KEY)
    assert (await client.get("/api/streams", headers=BEARER | {"Host": "doppel.example"})).status == 200
    async with TestClient(TestServer(house.app(trusted_proxies=["127.0.0.1"]))) as behind:
        assert (await behind.get("/api/streams", headers={"Host": "doppel.example"})).status == 200
