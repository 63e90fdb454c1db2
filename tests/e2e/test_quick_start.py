"""What the README tells a newcomer to type is true of the server."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

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
    commands = curls()
    assert len(commands) >= 3
    for words in commands:
        method, url, body, headers = "GET", "", None, {}
        words = list(words)
        while words:
            match words.pop(0):
                case "-X":
                    method = words.pop(0)
                case "-H":
                    name, _, value = words.pop(0).partition(": ")
                    headers[name] = value
                case "-d":
                    body = words.pop(0)
                case address:
                    assert address.startswith(ADDRESS), f"this test does not know {address!r}"
                    url = server.url + address.removeprefix(ADDRESS)
        async with session.request(method, url, data=body, headers=headers) as response:
            assert response.status == 200, f"{method} {url}: {await response.text()}"
            answer = await response.json()
        if body is not None:
            wanted = json.loads(body)["chain"]
            assert [step["transform"] for step in answer["chain"]] == [step["transform"] for step in wanted]
            for step, asked in zip(answer["chain"], wanted, strict=True):
                assert step["settings"].items() >= asked["settings"].items()


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
    assert set(re.findall(r"^\| `(\w+)`", told[1], re.MULTILINE)) == there


def test_every_picture_and_document_of_the_readme_is_there() -> None:
    root = Path(__file__).parents[2]
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in target]
    assert targets
    assert [target for target in targets if not (root / target).exists()] == []
