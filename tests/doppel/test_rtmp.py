"""RTMP's part of the server: its ports, its certificate, and what it says where one cannot be had."""

from __future__ import annotations

import logging
import socket
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from doppel.config import Config, ConfigError
from doppel.server import _listen, _parse_chain
from signaling.errors import BadRequest
from stream.rtmp.server import RtmpServer
from transforms.errors import TransformError


@pytest.fixture
def taken() -> Any:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def server() -> RtmpServer:
    return RtmpServer(mock.AsyncMock())


async def test_the_default_port_may_be_taken(
    taken: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    config = Config()
    object.__setattr__(config, "rtmp_port", taken)
    with caplog.at_level(logging.WARNING):
        await _listen(server(), config)
    (told,) = [record.getMessage() for record in caplog.records]
    assert str(taken) in told
    assert "--rtmp-port" in told


async def test_one_that_was_asked_for_may_not(taken: int) -> None:
    with pytest.raises(OSError, match="in use"):
        await _listen(server(), Config(rtmp_port=taken))


async def test_it_can_be_switched_off(taken: int) -> None:
    rtmp = server()
    await _listen(rtmp, Config(rtmp=False, rtmp_port=taken))
    assert rtmp._servers == []


async def test_a_certificate_that_is_none_is_told_of(tmp_path: Path) -> None:
    broken, missing = tmp_path / "certificate.pem", tmp_path / "key.pem"
    broken.write_text("no certificate")
    config = Config(rtmp=False, rtmps_port=0, tls_certificate=broken, tls_key=missing)
    with pytest.raises(ConfigError, match="PEM"):
        await _listen(server(), config)
    missing.write_text("no key")
    with pytest.raises(ConfigError, match="PEM"):
        await _listen(server(), config)


@pytest.mark.parametrize("options", [{"rtmps_port": 1936}, {"tls_certificate": "a.pem"}, {"tls_key": "a.pem"}])
def test_tls_needs_all_its_parts(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="certificate"):
        Config(**options)


def test_a_chain_is_read_as_over_http_and_refused_in_words() -> None:
    assert _parse_chain("") == []
    with pytest.raises(BadRequest):
        _parse_chain("[")
    with pytest.raises(TransformError):
        _parse_chain("no_such_transform")
