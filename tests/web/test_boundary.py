from __future__ import annotations

import asyncio
import logging

import pytest

from tests.web.conftest import Client, House
from tests.web.fakes import assert_problem


@pytest.mark.parametrize("path", ["/nowhere", "/static/nowhere.js", "/static/../app.py", "/static/", "/loop/", "/loop/a/b"])
async def test_nothing_there(client: Client, path: str) -> None:
    response = await client.get(path)
    await assert_problem(response, 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/loop/alice", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("POST", "/loop/alice/sessions/x", {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH"}),
        ("DELETE", "/api/streams/alice/chain", {"GET", "HEAD", "PUT"}),
        ("POST", "/", {"GET", "HEAD"}),
    ],
)
async def test_method_that_is_not_taken(client: Client, method: str, path: str, allowed: set[str]) -> None:
    response = await client.request(method, path)
    await assert_problem(response, 405, "Allow header")
    assert set(response.headers["Allow"].split(",")) == allowed


async def test_own_mistake_is_logged_and_not_told(client: Client, house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "web")
    house.sessions.error = RuntimeError("password in /etc/secret")
    response = await client.post("/loop/alice", data="v=0", headers={"Content-Type": "application/sdp"})
    assert "password" not in await response.text()
    await assert_problem(response, 500, "log")
    assert "RuntimeError: password" in caplog.text
    assert "Traceback" in caplog.text


async def raw(client: Client, request: bytes) -> bytes:
    """What comes back until the server closes, or the head of it."""
    reader, writer = await asyncio.open_connection(client.host, client.port)
    try:
        writer.write(request)
        return await reader.readuntil(b"\r\n\r\n")
    finally:
        writer.close()
        await writer.wait_closed()


HEAD = b"POST /loop/alice HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sdp\r\n"


async def test_body_that_never_comes(client: Client, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.body.TIMEOUT", 0.0)
    answer = await raw(client, HEAD + b"Content-Length: 10\r\n\r\nv=0")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in answer
    assert house.sessions.connected == []


async def test_body_framed_wrongly(client: Client, house: House) -> None:
    answer = await raw(client, HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nv=0")
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
    assert house.sessions.connected == []
