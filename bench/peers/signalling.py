"""Offers by HTTP, for peers whose own signalling is a page's: the calls that doppel answers, on the standard library alone."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LOOPBACK = "127.0.0.1"
MAX_OFFER = 65_536
"""Bytes."""

Answer = tuple[str, Callable[[], None]]
"""The SDP, and what hangs up."""


def server(port: int, connect: Callable[[str], Answer]) -> ThreadingHTTPServer:
    """Not yet serving. ``connect`` makes an answer of an offer in any thread, and raises ValueError or TimeoutError."""
    sessions: dict[str, Callable[[], None]] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._reply(200)

        def do_POST(self) -> None:
            offer = self.rfile.read(min(MAX_OFFER, int(self.headers["Content-Length"]))).decode()
            try:
                answer, close = connect(offer)
            except (ValueError, TimeoutError) as error:
                self._reply(500, str(error))
                return
            session = uuid.uuid4().hex
            sessions[session] = close
            self._reply(201, answer, f"/sessions/{session}")

        def do_DELETE(self) -> None:
            close = sessions.pop(self.path.rpartition("/")[2], None)
            if close:
                close()
            self._reply(200)

        def log_message(self, *arguments: Any) -> None:
            """Nothing: the bench shows a peer's output only when the peer fails."""

        def _reply(self, status: int, text: str = "", location: str = "") -> None:
            data = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/sdp")
            self.send_header("Content-Length", str(len(data)))
            if location:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(data)

    return ThreadingHTTPServer((LOOPBACK, port), Handler)
