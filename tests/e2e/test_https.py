"""HTTPS and RTMPS of one certificate, which is renewed under way."""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.certificate import self_signed
from tests.e2e.server import Server

RELOAD = 15
"""s until a renewed certificate is shown, on a busy machine; the server looks every 2."""


def renew(folder: Path) -> tuple[Path, Path]:
    for name, data in zip(("chain.pem", "key.pem"), self_signed(), strict=True):
        (folder / name).write_bytes(data)
    return folder / "chain.pem", folder / "key.pem"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    chain, key = map(str, renew(tmp_path))
    options = ["--https", "--hsts", "60", "--no-rtmp", "--rtmps-port", "0", "--tls-certificate", chain, "--tls-key", key]
    made = Server(tmp_path / "log", options)
    yield made
    made.kill()


async def shown(port: int) -> str:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    seen = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return ssl.DER_cert_to_PEM_cert(seen).strip()


async def test_a_renewed_certificate_needs_no_restart(server: Server, tmp_path: Path) -> None:
    assert server.url.startswith("https://127.0.0.1:")
    url = server.url.replace("127.0.0.1", "localhost")
    trusting = ssl.create_default_context(cafile=str(tmp_path / "chain.pem"))
    async with aiohttp.ClientSession() as session, session.get(f"{url}/readyz", ssl=trusting) as response:
        assert response.status == 200
        assert response.headers["Strict-Transport-Security"] == "max-age=60"
    ports = [int(server.url.rpartition(":")[2]), int(re.findall(r"RTMPS publishers may come to port (\d+)", server.log)[0])]
    before = (tmp_path / "chain.pem").read_text().strip()
    assert [await shown(port) for port in ports] == [before] * 2
    chain, _ = renew(tmp_path)
    end = time.monotonic() + RELOAD
    while await shown(ports[0]) == before:
        assert time.monotonic() < end
        await asyncio.sleep(0.2)
    assert [await shown(port) for port in ports] == [chain.read_text().strip()] * 2
    server.stop()
