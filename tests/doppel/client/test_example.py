"""The example that users read first, run as it stands there, with a server of its own."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from tests.doppel.client.server import StandIn
from tests.loopback import TIMEOUT

ROOT = Path(__file__).parents[3]
EXAMPLE = re.compile(r"```python\n((?:(?!```).)*?doppel\.client.*?)```", re.DOTALL)
SERVER = '"http://127.0.0.1:8080"'


def example(document: str) -> str:
    found = EXAMPLE.search((ROOT / document).read_text())
    assert found, f"{document} has no example of doppel.client"
    return found[1]


async def test_the_example_prints_a_picture(stand_in: StandIn, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = example("docs/client.md")
    assert SERVER in code
    async with asyncio.timeout(TIMEOUT):
        await asyncio.to_thread(exec, code.replace(SERVER, repr(address)), {})
    assert re.fullmatch(r"320x240, mean \d+\n", capsys.readouterr().out)
    assert stand_in.offers[0].path == "/whep/me"
    assert stand_in.deleted == ["1"]


def test_the_readme_shows_the_same() -> None:
    readme = (ROOT / "README.md").read_text()
    if "doppel.client" in readme:
        assert example("README.md") == example("docs/client.md")
