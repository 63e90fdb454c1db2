"""What the README tells a newcomer to type is true of the server."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest

from tests.e2e.server import Server
from tests.loopback import LoopClient, only_loopback

README = (Path(__file__).parents[2] / "README.md").read_text()

ADDRESS = "http://127.0.0.1:8080"
"""Where the README's server is."""

STREAM = "anna"
"""The README's stream."""


def curls() -> list[list[str]]:
    """Every curl command of the README, its words."""
    blocks = re.findall(r"^```sh\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("curl ")]


class Command(NamedTuple):
    method: str
    path: str
    body: str | None
    headers: dict[str, str]


def read(words: Sequence[str]) -> Command:
    """What a curl command asks for."""
    method, path, body, headers = "GET", "", None, {}
    left = list(words)
    while left:
        match left.pop(0):
            case "-X":
                method = left.pop(0)
            case "-H":
                name, _, value = left.pop(0).partition(": ")
                headers[name] = value
            case "-d":
                body = left.pop(0)
            case address:
                assert address.startswith(ADDRESS), f"this test does not know {address!r}"
                path = address.removeprefix(ADDRESS)
    return Command(method, path, body, headers)


def calls() -> Iterator[tuple[str, str]]:
    """Method and path of every row of the README's table of the API that can be asked with GET."""
    for cell in re.findall(r"^\| (`GET .*?) \|", README, re.MULTILINE):
        for path in re.findall(r"`(?:GET )?(/[^`]*)`", cell):
            yield "GET", path.replace("{stream}", STREAM)


@pytest.fixture
async def session(server: Server, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[aiohttp.ClientSession]:
    """With the README's stream running."""
    only_loopback(monkeypatch)
    async with aiohttp.ClientSession() as session, LoopClient(session, server.url, STREAM) as client:
        await client.connect()
        await client.frames(2)
        yield session


async def test_every_curl_command_works(server: Server, session: aiohttp.ClientSession) -> None:
    commands = [command for command in map(read, curls()) if f"/{STREAM}" in command.path]
    assert len(commands) >= 3
    for method, path, body, headers in commands:
        url = server.url + path
        async with session.request(method, url, data=body, headers=headers) as response:
            assert response.status == 200, f"{method} {url}: {await response.text()}"
            answer = await response.json()
        if body is not None:
            wanted = json.loads(body)["chain"]
            assert [step["transform"] for step in answer["chain"]] == [step["transform"] for step in wanted]
            for step, asked in zip(answer["chain"], wanted, strict=True):
                assert step["settings"].items() >= asked["settings"].items()


@pytest.fixture
def broadcaster(tmp_path: Path) -> Iterator[Server]:
    """A server that may record, and read ``a.mp4``."""
    clip = ["ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i", "testsrc=d=1:s=160x120", "-pix_fmt", "yuv420p"]
    subprocess.run([*clip, tmp_path / "a.mp4"], check=True, timeout=30)
    folders = ["--recordings-dir", str(tmp_path), "--media-dir", str(tmp_path), "--rtmp-port", "0"]
    server = Server(tmp_path / "log", folders)
    yield server
    server.stop()
    assert list(tmp_path.glob("me-*.mp4"))


async def test_the_commands_of_broadcasting_work(broadcaster: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    only_loopback(monkeypatch)
    others = [command for command in map(read, curls()) if f"/{STREAM}" not in command.path]
    assert len(others) >= 2
    async with aiohttp.ClientSession() as session, LoopClient(session, broadcaster.url, "me") as client:
        await client.connect()
        await client.frames(2)
        for method, path, body, headers in others:
            async with session.request(method, broadcaster.url + path, data=body, headers=headers) as response:
                assert response.status == 201, f"{method} {path}: {await response.text()}"
        await client.frames(60)


async def test_every_address_of_the_table_answers(server: Server, session: aiohttp.ClientSession) -> None:
    found = list(calls())
    assert len(found) >= 7
    for method, path in found:
        async with session.request(method, server.url + path) as response:
            assert response.status == 200, f"{method} {path}: {await response.text()}"


async def test_the_page_is_served_with_what_it_needs(server: Server) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{server.url}/") as response:
            assert response.status == 200
            assert response.content_type == "text/html"
            page = await response.text()
        needed = re.findall(r'(?:src|href)="(/[^"]+)"', page)
        assert needed
        for path in needed:
            async with session.get(server.url + path) as response:
                assert response.status == 200, path


async def test_every_transform_of_the_readme_is_there(server: Server) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{server.url}/api/transforms") as response:
        there = {transform["transform"] for transform in await response.json()}
    told = re.search(r"^\| transform \|.*?\n\|[-|]+\n(.*?)\n\n", README, re.DOTALL | re.MULTILINE)
    assert told is not None
    cells = re.findall(r"^\| (.*?) \|", told[1], re.MULTILINE)
    assert {name for cell in cells for name in re.findall(r"`(\w+)`", cell)} == there


def test_every_picture_and_document_of_the_readme_is_there() -> None:
    root = Path(__file__).parents[2]
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in target]
    assert targets
    assert [target for target in targets if not (root / target).exists()] == []
