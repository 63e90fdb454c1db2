"""Asks the configured auth webhook, over HTTP."""

from __future__ import annotations

import aiohttp

from signaling.auth.webhook import AT_ONCE, MAX_ANSWER, TIMEOUT


class WebhookClient:
    """Lives on the event loop; keeps its connections."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._http: aiohttp.ClientSession | None = None

    async def post(self, document: bytes) -> tuple[int, bytes]:
        """Status and body, of MAX_ANSWER + 1 bytes at most. Raises OSError or TimeoutError."""
        if self._http is None:
            self._http = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=TIMEOUT),
                connector=aiohttp.TCPConnector(limit=AT_ONCE),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        try:
            # A redirect would take the token somewhere else.
            async with self._http.post(self._url, data=document, headers=headers, allow_redirects=False) as response:
                body = bytearray()
                async for piece in response.content.iter_chunked(MAX_ANSWER):
                    body += piece
                    if len(body) > MAX_ANSWER:
                        break
                return response.status, bytes(body[: MAX_ANSWER + 1])
        except aiohttp.ClientError as error:
            raise OSError(str(error)) from error

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()
