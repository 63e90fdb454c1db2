"""A server's HTTP side, the same for WHIP (RFC 9725), WHEP and the loop: an offer in, an answer out, and a session to end."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType

import aiohttp
from yarl import URL

from doppel.client.errors import ClientError, Refused

Step = str | Mapping[str, object]
"""A transform's key, or ``{"transform": key, "settings": {...}}``."""

REQUEST_TIMEOUT = 20.0
"""s: a server may load a model before it answers."""

CLOSE_TIMEOUT = 5.0
"""s for saying goodbye; the server notices by itself otherwise."""

MAX_ANSWER = 256 * 1024
"""bytes: an SDP answer has 4 KB."""

SDP = "application/sdp"


@dataclass(frozen=True, slots=True)
class Answer:
    sdp: str
    session: URL
    """Where the session is ended."""


class Endpoint:
    """One address that takes offers. A context: leaving it closes the HTTP connections."""

    def __init__(self, server: str, kind: str, stream: str, token: str | None, chain: Sequence[Step] | None) -> None:
        """``kind``: "whip", "whep" or "loop". Raises ClientError for an address that is none."""
        try:
            base = URL(server)
        except (TypeError, ValueError) as error:
            raise ClientError(f"{server!r} is no address; write one such as http://127.0.0.1:8080") from error
        if base.scheme not in ("http", "https") or not base.host:
            raise ClientError(f"{server!r} is no address; write one such as http://127.0.0.1:8080")
        self.url = base / kind / stream
        if chain is not None:
            self.url = self.url.with_query(chain=json.dumps([_document(step) for step in chain]))
        self._authorization: dict[str, str] = {}
        if token:
            self.authorize(token)
        self._http: aiohttp.ClientSession | None = None

    def authorize(self, token: str) -> None:
        """Sends this with each call from now on."""
        self._authorization = {"Authorization": f"Bearer {token}"}

    async def __aenter__(self) -> Endpoint:
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._http is not None:
            await self._http.close()

    async def offer(self, sdp: str) -> Answer:
        """Raises Refused, aiohttp.ClientError, TimeoutError, and ClientError for an answer that is none."""
        assert self._http is not None
        headers = {"Content-Type": SDP, "Accept": SDP, **self._authorization}
        async with self._http.post(self.url, data=sdp, headers=headers) as response:
            body = await _read(response.content)
            if response.status != 201:
                raise _refusal(response, body)
            location = response.headers.get("Location")
            if not location or response.content_type != SDP:
                raise ClientError(f"{self.url} is no WebRTC endpoint: its answer lacks {'an SDP' if location else 'a Location'}")
            session = response.url.join(URL(location))
            if session.origin() != response.url.origin():
                raise ClientError(f"{self.url} names a session on another server, which is not given the token")
            return Answer(body.decode(errors="replace"), session)

    async def gone(self, answer: Answer) -> bool:
        """Whether the server says that it no longer knows the session: it was restarted, say. No answer says nothing."""
        assert self._http is not None
        try:
            async with self._http.get(answer.session, headers=self._authorization) as response:
                return response.status in (404, 410)
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def end(self, answer: Answer) -> None:
        """Ends the session, if the server can be reached."""
        assert self._http is not None
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT), self._http.delete(answer.session, headers=self._authorization):
                pass


def _document(step: Step) -> Mapping[str, object]:
    return {"transform": step} if isinstance(step, str) else step


async def _read(content: aiohttp.StreamReader) -> bytes:
    """Raises ClientError for a body that no server of ours sends."""
    body = bytearray()
    async for piece in content.iter_any():
        body += piece
        if len(body) > MAX_ANSWER:
            raise ClientError(f"the answer is longer than {MAX_ANSWER} bytes; is this a doppel server?")
    return bytes(body)


def _refusal(response: aiohttp.ClientResponse, body: bytes) -> Refused:
    detail = f"{response.url.with_query(None)} answered {response.status} {response.reason}"
    if response.content_type == "application/problem+json":
        with contextlib.suppress(ValueError, AttributeError):
            detail = str(json.loads(body).get("detail") or detail)
    try:
        retry_after = max(0.0, float(response.headers["Retry-After"]))
    except (KeyError, ValueError):
        retry_after = None
    return Refused(response.status, detail, retry_after)
