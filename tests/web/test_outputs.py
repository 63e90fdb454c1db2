from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import aiohttp.web as aiohttp_web
import pytest
from aiohttp.test_utils import TestClient, TestServer

from stream.errors import UnknownStream
from stream.outputs import OutputRefused, PushWanted, RecordingWanted, UnknownOutput
from stream.report import OutputReport
from tests.web.fakes import assert_problem
from web.boundary import boundary
from web.outputs import MAX_DOCUMENT, OutputRoutes

Client = TestClient[aiohttp_web.Request, aiohttp_web.Application]

PATH = "/api/streams/alice/outputs"
JSON = {"Content-Type": "application/json"}
SECRET = "s3cret-key"
URL = f"rtmps://live.example/app/{SECRET}"


@dataclass
class FakeOutputs:
    """Those of one stream, "alice"."""

    there: dict[str, OutputReport] = field(default_factory=dict)
    wanted: list[RecordingWanted | PushWanted] = field(default_factory=list)
    error: Exception | None = None

    async def add(self, wanted: RecordingWanted | PushWanted) -> OutputReport:
        if self.error is not None:
            raise self.error
        self.wanted.append(wanted)
        kind = "recording" if isinstance(wanted, RecordingWanted) else "rtmp"
        report = OutputReport(f"id{len(self.there)}", kind, "waiting", "target", "because")
        self.there[report.id] = report
        return report

    async def end(self, id: str) -> None:
        if self.there.pop(id, None) is None:
            raise UnknownOutput(f"there is no output {id!r}")

    def reports(self) -> Sequence[OutputReport]:
        return [*self.there.values()]


@pytest.fixture
def outputs() -> FakeOutputs:
    return FakeOutputs()


@pytest.fixture
async def client(outputs: FakeOutputs) -> AsyncIterator[Client]:
    def outputs_of(stream: str) -> FakeOutputs:
        if stream != "alice":
            raise UnknownStream(f"there is no stream {stream!r}")
        return outputs

    app = aiohttp_web.Application(middlewares=[boundary])
    app.add_routes(OutputRoutes(outputs_of).routes())
    async with TestClient(TestServer(app)) as client:
        yield client


async def test_a_recording_begins_is_listed_and_ends(client: Client, outputs: FakeOutputs) -> None:
    response = await client.post(PATH, json={"kind": "recording"})
    shown = {"id": "id0", "kind": "recording", "state": "waiting", "target": "target", "reason": "because", "dropped": 0}
    assert response.status == 201
    assert response.headers["Location"] == f"{PATH}/id0"
    assert response.headers["Cache-Control"] == "no-store"
    assert await response.json() == shown
    assert outputs.wanted == [RecordingWanted()]
    assert await (await client.get(PATH)).json() == [shown]
    response = await client.delete(f"{PATH}/id0")
    assert response.status == 200
    assert await response.json() == {}
    assert await (await client.get(PATH)).json() == []
    await assert_problem(await client.delete(f"{PATH}/id0"), 404, "id0")


async def test_a_push_begins(client: Client, outputs: FakeOutputs) -> None:
    response = await client.post(PATH, json={"kind": "rtmp", "url": URL})
    assert response.status == 201
    assert outputs.wanted == [PushWanted(URL)]
    assert SECRET not in await response.text()


async def test_a_refusal_says_why(client: Client, outputs: FakeOutputs) -> None:
    outputs.error = OutputRefused("recording is off: start the server with --recordings-dir DIR")
    await assert_problem(await client.post(PATH, json={"kind": "recording"}), 422, "--recordings-dir")


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_unknown_streams(client: Client, method: str) -> None:
    path = "/api/streams/nobody/outputs" + ("/id0" if method == "DELETE" else "")
    await assert_problem(await client.request(method, path, json={"kind": "recording"}), 404, "nobody")
    await assert_problem(await client.request(method, path.replace("nobody", "a.b"), json={"kind": "recording"}), 400, "1 to 64")


@pytest.mark.parametrize(
    ("document", "status", "word"),
    [
        (b"", 400, "not JSON"),
        (b"{", 400, "not JSON"),
        (b"\xff", 400, "not JSON"),
        (b"[" * 9000, 400, "not JSON"),
        (b"[]", 422, "recording"),
        (b"{}", 422, "recording"),
        (b'{"kind": null}', 422, "of that kind"),
        (b'{"kind": "hls"}', 422, "of that kind"),
        (b'{"kind": "recording", "path": "/etc/s3cret-key"}', 422, "more than is known"),
        (b'{"kind": "rtmp", "url": "rtmp://s3cret-key", "s3cret-key": 1}', 422, "more than is known"),
        (b'{"kind": "rtmp"}', 422, "url"),
        (b'{"kind": "rtmp", "url": ""}', 422, "url"),
        (b'{"kind": "rtmp", "url": ["s3cret-key"]}', 422, "url"),
        (json.dumps({"kind": "rtmp", "url": "rtmp://s3cret-key" + "x" * 4096}).encode(), 422, "4096"),
    ],
)
async def test_what_is_no_output(client: Client, outputs: FakeOutputs, document: bytes, status: int, word: str) -> None:
    response = await client.post(PATH, data=document, headers=JSON)
    await assert_problem(response, status, word)
    assert SECRET not in await response.text()
    assert outputs.wanted == []


async def test_another_type_or_too_much(client: Client) -> None:
    await assert_problem(await client.post(PATH, data="recording"), 415, "application/json")
    await assert_problem(await client.post(PATH, data=b" " * (MAX_DOCUMENT + 1), headers=JSON), 413, "16 KB")
