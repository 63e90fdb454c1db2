from __future__ import annotations

import http.client
import io
from email.message import Message

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.media.http_file import HttpError, HttpFile, HttpFiles
from stream.media.limits import SKIPPED_BYTES
from stream.media.source import SourceForbidden, SourceRefused

BODY = bytes(range(256)) * 1024


class Response(io.BytesIO):
    """What a server sends from a position on, before it hangs up."""

    def __init__(self, position: int, sent: int, *, ranges: bool = True, length: bool = True) -> None:
        super().__init__(BODY[position : position + sent])
        self.status = 206 if ranges else 200
        self.headers = Message()
        if ranges:
            self.headers["Content-Range"] = f"bytes {position}-{len(BODY) - 1}/{len(BODY)}"
        if length:
            self.headers["Content-Length"] = str(len(BODY) - position)


class Server:
    def __init__(self, sent: int = len(BODY), *, ranges: bool = True, length: bool = True) -> None:
        self.asked: list[int] = []
        self._sent, self._ranges, self._length = sent, ranges, length

    def __call__(self, position: int) -> http.client.HTTPResponse:
        self.asked.append(position)
        return Response(position, self._sent, ranges=self._ranges, length=self._length)  # type: ignore[return-value]


def rest(file: HttpFile) -> bytes:
    return b"".join(iter(lambda: file.read(10_000), b""))


def test_it_is_read_to_its_end() -> None:
    for server in (Server(), Server(ranges=False), Server(ranges=False, length=False)):
        assert rest(HttpFile(server)) == BODY
        assert server.asked == [0]


def test_it_is_asked_for_again_where_the_server_hangs_up() -> None:
    server = Server(100_000)
    assert rest(HttpFile(server)) == BODY
    assert server.asked == [0, 100_000, 200_000]


@pytest.mark.parametrize("server", [Server(100_000, ranges=False), Server(0)])
def test_but_not_where_that_does_not_help(server: Server) -> None:
    with pytest.raises(HttpError, match="in the middle"):
        rest(HttpFile(server))


def test_a_server_that_sends_another_range_is_refused() -> None:
    file = HttpFile(lambda _: Server()(0))
    with pytest.raises(HttpError, match="range"):
        file.seek(200_000)


@given(st.lists(st.tuples(st.integers(0, len(BODY) + 10), st.integers(1, 5_000)), max_size=8))
def test_seeking_is_as_in_a_file(steps: list[tuple[int, int]]) -> None:
    file, real = HttpFile(Server()), io.BytesIO(BODY)
    for position, size in steps:
        assert file.seek(position) == min(position, len(BODY))
        real.seek(position)
        assert file.read(size) == real.read(size)
        assert file.tell() == min(real.tell(), len(BODY))


def test_a_little_ahead_is_read_not_asked_for() -> None:
    server = Server()
    file = HttpFile(server)
    file.seek(SKIPPED_BYTES)
    file.seek(2 * SKIPPED_BYTES, 0)
    assert server.asked == [0]
    file.seek(-10, 2)
    file.seek(5, 1)
    assert file.read(10) == BODY[-5:]


def test_without_ranges_there_is_no_seeking() -> None:
    assert HttpFile(Server()).seekable()
    assert not HttpFile(Server(ranges=False)).seekable()


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://a.example/", "rtsp://a.example/", "data:,x", "http://b.example/", "crypto+http://a.example/"],
)
def test_nothing_but_http_of_allowed_hosts_is_opened(url: str) -> None:
    with pytest.raises(SourceForbidden if "b.example" in url else SourceRefused):
        HttpFiles(("a.example",)).open(url)
