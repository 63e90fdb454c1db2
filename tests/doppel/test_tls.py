"""The certificate, and that it may be renewed while the server runs."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import aiohttp.web as aiohttp_web
import pytest

from doppel.config import ConfigError
from doppel.tls import Certificate
from tests.certificate import self_signed
from tests.web.conftest import House
from web.app import make_runner


def files(folder: Path) -> tuple[Path, Path]:
    """A new pair, in the place of the one that was there."""
    for name, data in zip(("chain.pem", "key.pem"), self_signed(), strict=True):
        (folder / "new").write_bytes(data)
        (folder / "new").replace(folder / name)
    return folder / "chain.pem", folder / "key.pem"


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return Certificate(*files(tmp_path))


@pytest.fixture
async def port(certificate: Certificate) -> AsyncIterator[int]:
    runner = make_runner(House().app(), encrypted=True)
    await runner.setup()
    await aiohttp_web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificate.context).start()
    yield int(runner.addresses[0][1])
    await runner.cleanup()


async def shown(port: int, name: str | None = "localhost") -> str:
    """The certificate that a client gets to see."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
    seen = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await writer.wait_closed()
    return ssl.DER_cert_to_PEM_cert(seen).strip()


async def test_https(port: int, tmp_path: Path) -> None:
    trusting = ssl.create_default_context(cafile=str(tmp_path / "chain.pem"))
    async with aiohttp.ClientSession() as session:
        url = f"https://localhost:{port}/healthz"
        async with session.get(url, ssl=trusting) as response:
            assert response.status == 200


@pytest.mark.parametrize("name", ["localhost", ""])
async def test_a_renewed_one_is_shown_to_who_comes_then(certificate: Certificate, port: int, tmp_path: Path, name: str) -> None:
    assert not certificate.reload()
    chain, _ = files(tmp_path)
    assert await shown(port, name) != chain.read_text().strip()
    assert certificate.reload()
    assert await shown(port, name) == chain.read_text().strip()


def test_a_key_that_was_made_readable_is_read_again(
    certificate: Certificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(chain: Path, key: Path) -> None:
        raise PermissionError(13, "Permission denied")

    _, key = files(tmp_path)
    # Root, who may run this, can read everything.
    with monkeypatch.context() as patch:
        patch.setattr(ssl.SSLContext, "load_cert_chain", lambda context, chain, key: closed(chain, key))
        assert not certificate.reload()
    assert not certificate.reload()
    before = key.stat()
    while key.stat().st_ctime_ns == before.st_ctime_ns:  # the kernel's clock ticks every few ms
        key.chmod(0o400)
    assert key.stat().st_mtime_ns == before.st_mtime_ns
    assert certificate.reload()


async def test_half_a_pair_changes_nothing(
    certificate: Certificate, port: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = await shown(port)
    (tmp_path / "chain.pem").write_bytes(self_signed()[0])
    with caplog.at_level(logging.ERROR):
        assert not certificate.reload()
        assert not certificate.reload()
    assert len(caplog.records) == 1
    assert "stays as it is" in caplog.text
    assert await shown(port) == before
    (tmp_path / "key.pem").unlink()
    assert not certificate.reload()
    assert await shown(port) == before


def test_one_that_is_none_is_told_of(tmp_path: Path) -> None:
    broken, missing = tmp_path / "certificate.pem", tmp_path / "key.pem"
    broken.write_text("no certificate")
    with pytest.raises(ConfigError, match="PEM"):
        Certificate(broken, missing)
    missing.write_text("no key")
    with pytest.raises(ConfigError, match="PEM"):
        Certificate(broken, missing)


def test_no_old_tls(certificate: Certificate) -> None:
    assert certificate.context.minimum_version == ssl.TLSVersion.TLSv1_2
