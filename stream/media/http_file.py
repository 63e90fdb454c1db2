"""What is at an HTTP URL, as a file that FFmpeg can read.

FFmpeg's own HTTP would follow a redirect, or a playlist, to any host; it has no way to ask whether it may. So the requests are
made here, each URL is checked before it is asked for, and certificates are verified against the system's authorities.
"""

from __future__ import annotations

import base64
import http.client
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import Message
from typing import IO
from urllib.parse import SplitResult, unquote, urljoin

from stream.media.limits import IO_TIMEOUT, REDIRECTS, SKIPPED_BYTES
from stream.media.source import SourceRefused, check_url

_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)", re.IGNORECASE)


class HttpError(Exception):
    """The message is a sentence without credentials."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    max_redirections = REDIRECTS
    max_repeats = 2

    def __init__(self, hosts: tuple[str, ...]) -> None:
        self._hosts = hosts

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        _check(urljoin(req.full_url, newurl), self._hosts)
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


class HttpFiles:
    """Opens URLs on the hosts that are allowed, and no others."""

    def __init__(self, hosts: tuple[str, ...]) -> None:
        self._hosts = hosts
        self._opener = urllib.request.OpenerDirector()
        # Not build_opener(), which adds file:, ftp: and data:, and the proxies of the environment.
        for handler in (
            urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(context=ssl.create_default_context()),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPErrorProcessor(),
            _Redirects(hosts),
        ):
            self._opener.add_handler(handler)

    def open(self, url: str, *_: object) -> HttpFile:
        """What PyAV's ``io_open`` calls for a source, and for whatever its playlist names. Raises SourceRefused or HttpError."""
        parts = _check(url, self._hosts)
        return HttpFile(lambda position: self._request(parts, position))

    def _request(self, parts: SplitResult, position: int) -> http.client.HTTPResponse:
        host = parts.netloc.rpartition("@")[2]
        url = parts._replace(netloc=host).geturl()
        request = urllib.request.Request(url, headers={"Range": f"bytes={position}-", "User-Agent": "doppel"})  # noqa: S310
        if parts.username is not None:
            credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            # Unredirected: another host does not get them.
            request.add_unredirected_header("Authorization", "Basic " + base64.b64encode(credentials.encode()).decode())
        try:
            response = self._opener.open(request, timeout=IO_TIMEOUT)
        except urllib.error.HTTPError as error:
            error.close()
            raise HttpError(f"{host} answers {error.code} {http.client.responses.get(error.code, '')}".rstrip()) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise HttpError(f"{host} cannot be reached or does not speak HTTP: {_words(error)}") from None
        assert isinstance(response, http.client.HTTPResponse)
        return response


def _check(url: str, hosts: tuple[str, ...]) -> SplitResult:
    parts = check_url(url, hosts)
    if parts.scheme not in ("http", "https"):
        raise SourceRefused(f"what is fetched by HTTP may name more of it, and nothing of the scheme {parts.scheme!r}")
    return parts


def _words(error: Exception) -> str:
    """Of an error, without the URL that it may hold."""
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, TimeoutError):
        return f"no answer within {IO_TIMEOUT:.0f} s"
    return (reason.strerror if isinstance(reason, OSError) else None) or type(reason).__name__


class HttpFile:
    """A response's body; where the server knows ranges, one can seek in it."""

    def __init__(self, request: Callable[[int], http.client.HTTPResponse]) -> None:
        self._request = request
        self._position = 0
        self._response = request(0)
        headers = self._response.headers
        content_range = _RANGE.fullmatch(headers.get("Content-Range", ""))
        self._ranges = self._response.status == 206 and content_range is not None and content_range[1] == "0"
        length = headers.get("Content-Length", "")
        # A live stream may be a "range" without an end, too.
        self._size = int(length) if length.isdecimal() and len(length) < 18 else None

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes; none at the end. Raises HttpError."""
        if self._size is not None and self._position >= self._size:
            return b""
        data = self._read(size)
        if data is None and self.seekable():
            # A server hangs up on who does not read for a while, as it happens to a film that plays in real time.
            self._ask(self._position)
            data = self._read(size)
        if data is None:
            raise HttpError("the server closed the connection in the middle")
        self._position += len(data)
        return data

    def _read(self, size: int) -> bytes | None:
        """None where it breaks off. Raises HttpError where nothing comes."""
        try:
            data = self._response.read1(size)
        except TimeoutError as error:
            raise HttpError(f"the source broke off: {_words(error)}") from None
        except (OSError, http.client.HTTPException):
            return None
        return None if not data and self._size is not None and self._position < self._size else data

    def _ask(self, position: int) -> None:
        self._response.close()
        self._response = self._request(position)
        found = _RANGE.fullmatch(self._response.headers.get("Content-Range", ""))
        if self._response.status != 206 or found is None or int(found[1]) != position:
            raise HttpError("the server does not send the range that it was asked for")

    def seekable(self) -> bool:
        return self._ranges and self._size is not None

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        """Raises HttpError."""
        target = offset + (0, self._position, self._size or 0)[whence]
        if target < 0:
            raise HttpError("the source seeks before its beginning")
        if self._size is not None and target >= self._size:
            # There is nothing to ask for.
            self._position = target = self._size
        elif not 0 <= target - self._position <= SKIPPED_BYTES:
            self._ask(target)
            self._position = target
        while self._position < target and self.read(target - self._position):
            pass
        return self._position

    def close(self) -> None:
        self._response.close()
