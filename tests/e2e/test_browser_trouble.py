"""What the page says and does when something is missing, full or gone."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, expect

from tests.e2e.browser import DEADLINE, FLAGS, SERVER_GONE, executable, get, until
from tests.e2e.conftest import Visitor
from tests.e2e.server import Server


def streams(server: Server) -> list[str]:
    return [report["stream"] for report in get(f"{server.url}/api/streams")]


def test_a_reload_leaves_nothing_behind(visitor: Visitor, server: Server) -> None:
    visit = visitor().open().live()
    assert streams(server) == [visit.stream]
    visit.page.reload()
    visit.live()
    first, second = visit.offers
    assert first != second
    until(lambda: streams(server) == [second], "only the new stream is there")
    visit.page.close()
    until(lambda: streams(server) == [], "a closed page's stream has ended")


def test_stop_ends_the_stream_and_start_begins_another(visitor: Visitor, server: Server) -> None:
    visit = visitor().open().live()
    visit.page.get_by_test_id("stop").click()
    visit.wait_state("idle")
    until(lambda: streams(server) == [], "the stream has ended")
    visit.page.get_by_test_id("start").click()
    visit.live()
    assert streams(server) == [visit.stream]


def test_a_refused_camera_is_told_in_words(visitor: Visitor) -> None:
    visit = visitor(camera=False).open()
    visit.page.get_by_test_id("start").click()
    expect(visit.page.get_by_test_id("notice")).to_contain_text("camera is blocked", timeout=DEADLINE * 1000)
    expect(visit.page.get_by_test_id("again")).to_be_visible()
    assert visit.offers == []
    # Allowed after all: the button is enough.
    visit.page.context.grant_permissions(["camera"])
    visit.page.get_by_test_id("again").click()
    visit.live()
    expect(visit.page.get_by_test_id("notice")).to_be_hidden()


@pytest.fixture
def browser_without_camera(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=executable(), args=[*FLAGS])
    yield browser
    browser.close()


def test_no_camera_is_told_in_words(visitor: Visitor, browser_without_camera: Browser) -> None:
    visit = visitor(using=browser_without_camera).open()
    expect(visit.page.get_by_test_id("notice")).to_contain_text("No camera was found", timeout=DEADLINE * 1000)
    expect(visit.page.get_by_test_id("start-file")).to_be_visible()
    assert visit.offers == []


@pytest.fixture
def small_server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "log", ["--max-streams", "1", "--silence-timeout", "2"])
    yield server
    server.kill()


def test_a_full_server_is_told_in_words_until_there_is_room(small_server: Server, visitor: Visitor) -> None:
    first = visitor(small_server.url).open().live()
    second = visitor(small_server.url)
    second.forgiven.append("503")
    second.open().wait_state("waiting")
    notice = second.page.get_by_test_id("notice")
    expect(notice).to_contain_text(re.compile(r"as many streams as it may \(1\).*Trying again in \d+ s"))
    first.page.get_by_test_id("stop").click()
    second.live()
    expect(notice).to_be_hidden()


def test_a_server_that_was_gone_is_found_again(visitor: Visitor, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    server = Server(tmp_path / "first.log", ["--port", port])
    try:
        visit = visitor(server.url)
        visit.forgiven += [SERVER_GONE, "net::ERR_", "status of 404"]
        visit.open().live()
        server.kill()
        visit.wait_state("waiting")
        expect(visit.page.get_by_test_id("notice")).to_contain_text(re.compile(r"\. Trying again in \d+ s"))
        server = Server(tmp_path / "second.log", ["--port", port])
        visit.live()
        expect(visit.page.get_by_test_id("notice")).to_be_hidden()
        assert streams(server) == [visit.stream]
        assert get(f"{server.url}/api/streams/{visit.stream}/chain")["chain"], "its chain came with it"
    finally:
        server.kill()
