"""A running server for each test module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.server import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Gives up on peers sooner than the defaults say, so that tests need not wait for that."""
    folder: Path = tmp_path_factory.mktemp("server")
    server = Server(folder / "log", ["--connect-timeout", "3", "--silence-timeout", "2"])
    try:
        yield server
    finally:
        server.kill()
