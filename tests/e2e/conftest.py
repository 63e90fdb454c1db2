"""A running server and a browser for each test module, and a page for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from tests.e2e.browser import FLAGS, Visit, context_of, executable, webcam_file, webcam_flags
from tests.e2e.server import Server
from tests.footage import clip

ARTIFACTS = Path(__file__).parents[2] / "artifacts" / "browser"

SHOWN = 90
"""Frames that the fake webcam repeats, 3 s: a talking face that turns a little."""

Visitor = Callable[..., Visit]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Gives up on peers sooner than the defaults say, so that tests need not wait for that."""
    folder: Path = tmp_path_factory.mktemp("server")
    server = Server(folder / "log", ["--connect-timeout", "8", "--silence-timeout", "3"])
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="session")
def webcam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real face, as a file for the fake webcam."""
    return webcam_file(clip("talkingface"), tmp_path_factory.mktemp("webcam") / "face.mjpeg", SHOWN)


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Of a module, not of the session: the modules of coroutines need the thread's event loop for themselves."""
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def browser(playwright: Playwright, webcam: Path) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=executable(), args=[*FLAGS, *webcam_flags(webcam)])
    yield browser
    browser.close()


@pytest.fixture
def visitor(browser: Browser, server: Server, request: pytest.FixtureRequest) -> Iterator[Visitor]:
    """Makes visits, each with a profile of its own. What they complain of fails the test, and a picture of each is kept."""
    visits: list[Visit] = []

    def visit(url: str = server.url, *, camera: bool = True, using: Browser = browser) -> Visit:
        visits.append(Visit(context_of(using, camera=camera), url))
        return visits[-1]

    yield visit
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    for number, made in enumerate(visits):
        if not made.page.is_closed():
            made.page.screenshot(path=ARTIFACTS / f"{request.node.name}-{number}.png")
        made.page.context.close()
    complaints = [complaint for made in visits for complaint in made.complaints]
    assert not complaints, complaints


@pytest.fixture
def visit(visitor: Visitor) -> Visit:
    """One visit to the module's server."""
    return visitor()
