"""RTMP's part of the server: its ports, its certificate, and what it says where one cannot be had."""

from __future__ import annotations

import logging
import socket
from typing import Any
from unittest import mock

import pytest

from doppel.config import Config
from doppel.server import _listen
from signaling import chain_document
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
        await _listen(server(), config, None)
    (told,) = [record.getMessage() for record in caplog.records]
    assert str(taken) in told
    assert "--rtmp-port" in told


async def test_one_that_was_asked_for_may_not(taken: int) -> None:
    with pytest.raises(OSError, match="in use"):
        await _listen(server(), Config(rtmp_port=taken), None)


async def test_it_can_be_switched_off(taken: int) -> None:
    rtmp = server()
    await _listen(rtmp, Config(rtmp=False, rtmp_port=taken), None)
    assert rtmp._servers == []


@pytest.mark.parametrize("options", [{"rtmps_port": 1936}, {"https": True}, {"tls_certificate": "a.pem"}, {"tls_key": "a.pem"}])
def test_tls_needs_all_its_parts(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="certificate"):
        Config(**options)


def test_a_chain_is_read_as_over_http_and_refused_in_words() -> None:
    assert chain_document.parse_query("") == []
    with pytest.raises(BadRequest):
        chain_document.parse_query("[")
    with pytest.raises(TransformError):
        chain_document.parse_query("no_such_transform")
