"""What anybody can send is no reason to fill the log."""

from __future__ import annotations

import asyncio
import logging

import aiohttp.web as aiohttp_web
import pytest
from aiohttp.http_exceptions import BadHttpMessage

from tests.web.conftest import House
from web.app import make_runner
from web.malformed import RequestLogger

SENT = [b"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET / HTTP/1.1\r\nAuthorization: Bearer s3cret\x00word\r\n\r\n"]


async def test_a_storm_of_them_is_a_line_without_what_was_sent(house: House, caplog: pytest.LogCaptureFixture) -> None:
    runner = make_runner(house.app())
    await runner.setup()
    await aiohttp_web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    try:
        for sent in SENT * 10:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            assert (await reader.read()).startswith(b"HTTP/1.0 400")
            writer.close()
    finally:
        await runner.cleanup()
    lines = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert 1 <= len(lines) < 10  # one for each second that this took
    assert not any(record.exc_info for record in lines)
    assert "s3cret" not in caplog.text


def test_a_fault_of_ours_is_told_in_full(caplog: pytest.LogCaptureFixture) -> None:
    now = 0
    tell = RequestLogger(lambda: now).exception
    tell("Error handling request from %s", "192.0.2.1", exc_info=RuntimeError("a fault"))
    for _ in range(3):
        tell("Error handling request from %s", "192.0.2.1", exc_info=BadHttpMessage("no"))
    now = 2_000_000_000
    tell("Error handling request from %s", "192.0.2.1", exc_info=BadHttpMessage("no"))
    fault, first, last = caplog.records
    assert fault.exc_info
    assert first.getMessage() == "a request could not be read: BadHttpMessage, from 192.0.2.1"
    assert "2 more" in last.getMessage()
