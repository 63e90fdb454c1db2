"""``doppel health``, as a container asks it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from pydantic import SecretStr

from doppel.cli import main
from doppel.config import Config
from doppel.health import url_of


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        status, body = self.server.answer  # type: ignore[attr-defined]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    with HTTPServer(("127.0.0.1", 0), Handler) as made:
        made.asked, made.answer = [], (200, b"{}")  # type: ignore[attr-defined]
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def test_one_that_is_ready(server: HTTPServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["health", "--port", str(server.server_port)]) == 0
    assert capsys.readouterr().out == "ready\n"
    assert server.asked == ["/readyz"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"detail": "Models are loading."}', "Models are loading."),
        (b"oops", "status 503"),
        (b"[]", "status 503"),
    ],
)
def test_one_that_is_not(server: HTTPServer, body: bytes, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    server.answer = (503, body)  # type: ignore[attr-defined]
    assert main(["health", "--port", str(server.server_port)]) == 1
    assert told in capsys.readouterr().err


def test_one_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["health", "--port", "1"]) == 1
    assert "is `doppel serve` running" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("fd00::1", "http://[fd00::1]:80"),
        ("localhost", "http://localhost:80"),
    ],
)
def test_where_it_is(host: str, url: str) -> None:
    assert url_of(Config(host=host, port=80, access_key=SecretStr("a-key-of-this-test-alone"))) == url
