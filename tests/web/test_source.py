from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import aiohttp.web as aiohttp_web
import pytest
from aiohttp.test_utils import TestClient, TestServer

from signaling.auth.authority import Authority
from signaling.auth.principal import Principal
from signaling.errors import Conflict
from stream.errors import UnknownStream
from stream.media.limits import URL_LENGTH
from stream.media.source import SourceForbidden, SourceRefused
from tests.web.conftest import Client
from tests.web.fakes import TintSettings, assert_problem
from transforms.chain import Step
from web.access import require
from web.boundary import boundary
from web.source import SourceRoutes
from web.streams import MAX_CHAIN

URL = "rtsp://user:secret@camera.example/live"
PATH = "/api/streams/alice/source"


@dataclass
class FakeSources:
    started: list[tuple[str, str, bool, Sequence[Step] | None]] = field(default_factory=list)
    publishers: list[str | None] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    error: Exception | None = None

    async def start_source(self, stream: str, url: str, loop: bool, steps: Sequence[Step] | None, publisher: Principal) -> bool:
        if self.error is not None:
            raise self.error
        self.publishers.append(publisher.identity)
        self.started.append((stream, url, loop, steps))
        return len(self.started) == 1

    async def end_source(self, stream: str) -> None:
        if self.error is not None:
            raise self.error
        self.ended.append(stream)


@pytest.fixture
def sources() -> FakeSources:
    return FakeSources()


@pytest.fixture
async def client(sources: FakeSources) -> AsyncIterator[Client]:
    app = aiohttp_web.Application(middlewares=[boundary, require(Authority())])
    app.add_routes(SourceRoutes(sources).routes())
    async with TestClient(TestServer(app)) as made:
        yield made


async def test_a_source_is_set_and_set_again(client: Client, sources: FakeSources) -> None:
    response = await client.put(PATH, json={"url": URL})
    assert response.status == 201
    assert response.headers["Location"] == "/api/streams/alice"
    assert response.headers["Cache-Control"] == "no-store"
    assert await response.json() == {"stream": "alice", "loop": False}
    response = await client.put(PATH, json={"url": "film.mp4", "loop": True, "chain": [{"transform": "tint"}]})
    assert response.status == 200
    assert sources.started == [("alice", URL, False, None), ("alice", "film.mp4", True, [Step("tint", TintSettings())])]


async def test_an_empty_chain_is_one(client: Client, sources: FakeSources) -> None:
    await client.put(PATH, json={"url": URL, "chain": []})
    assert sources.started == [("alice", URL, False, [])]


async def test_a_source_is_ended(client: Client, sources: FakeSources) -> None:
    assert (await client.delete(PATH)).status == 200
    assert sources.ended == ["alice"]


@pytest.mark.parametrize(
    ("sent", "status", "word"),
    [
        (b"", 400, "not JSON"),
        (b"\xff", 400, "not JSON"),
        (b"[" * 100_000, 400, "not JSON"),
        (b"[]", 422, "object"),
        (b"{}", 422, "url"),
        (b'{"url": ""}', 422, "url"),
        (b'{"url": 3}', 422, "url"),
        (json.dumps({"url": "x" * (URL_LENGTH + 1)}).encode(), 422, "url"),
        (b'{"url": "a", "loop": 1}', 422, "loop"),
        (b'{"url": "a", "more": 1}', 422, "more"),
        (b'{"url": "a", "chain": {}}', 422, "chain"),
        (b'{"url": "a", "chain": [{"transform": 3}]}', 422, "transform"),
        (b'{"url": "a", "chain": [{"transform": "nothing"}]}', 422, "nothing"),
    ],
)
async def test_what_is_no_source(client: Client, sources: FakeSources, sent: bytes, status: int, word: str) -> None:
    response = await client.put(PATH, data=sent, headers={"Content-Type": "application/json"})
    await assert_problem(response, status, word)
    assert not sources.started


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (SourceForbidden("the host is not among those that the setting pull_hosts allows"), 403),
        (SourceRefused("the URL cannot be read"), 422),
        (Conflict("the name is in use"), 409),
    ],
)
async def test_refusals_are_problems(client: Client, sources: FakeSources, error: Exception, status: int) -> None:
    sources.error = error
    await assert_problem(await client.put(PATH, json={"url": URL}), status, str(error)[4:])


async def test_a_url_is_never_repeated(client: Client) -> None:
    response = await client.put(PATH, json={"url": URL, "more": URL})
    assert "secret" not in await response.text()


async def test_no_source_of_a_stream_that_is_not_there(client: Client, sources: FakeSources) -> None:
    sources.error = UnknownStream("there is no stream 'alice'")
    await assert_problem(await client.delete(PATH), 404, "alice")


async def test_names_types_and_sizes_are_checked(client: Client, sources: FakeSources) -> None:
    await assert_problem(await client.put("/api/streams/a.b/source", json={"url": URL}), 400, "1 to 64")
    await assert_problem(await client.delete("/api/streams/a.b/source"), 400, "1 to 64")
    await assert_problem(await client.put(PATH, data="url"), 415, "application/json")
    large = io.BytesIO(b" " * (MAX_CHAIN + 1))
    await assert_problem(await client.put(PATH, data=large, headers={"Content-Type": "application/json"}), 413, "4096 KB")
    assert not sources.started
