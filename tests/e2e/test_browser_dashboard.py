"""The operator's page in Chromium: a stream that ffmpeg sends and another client watches is seen, changed, recorded and ended."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aioice.ice
import pytest
from playwright.sync_api import Locator, expect

from doppel.client import watch
from tests.e2e.browser import DEADLINE, Visit, until
from tests.e2e.conftest import Visitor
from tests.e2e.server import Server
from tests.footage import clip
from tests.stream.rtmp.ffmpeg import FFMPEG

KEY = "sesame-open-0123456789"

WAIT = DEADLINE * 1000
"""ms."""

SIZE, FPS = "480:270", 12

DRAWN = """
(strip) => {
  const wanted = getComputedStyle(strip).getPropertyValue("--stage-chain");
  const canvas = Object.assign(document.createElement("canvas"), { width: strip.width, height: strip.height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(strip, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let at = 0; at < data.length; at += 4) {
    count += `#${[...data.slice(at, at + 3)].map((code) => code.toString(16).padStart(2, "0")).join("")}` === wanted;
  }
  return count;
}
"""
"""How many pixels of a strip have the chain's colour."""


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recordings")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, recordings: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    (folder / "key").write_text(KEY)
    arguments = ["--access-key-file", str(folder / "key"), "--rtmp-port", "0", "--recordings-dir", str(recordings)]
    server = Server(folder / "log", arguments)
    try:
        yield server
    finally:
        assert KEY not in server.log
        server.kill()


@contextmanager
def published(server: Server, stream: str, chain: str) -> Iterator[None]:
    """A real face, by RTMP."""
    port = re.search(r"\bRTMP publishers may come to port (\d+)", server.log)
    assert port is not None, server.log
    command = [FFMPEG, "-loglevel", "error", "-threads", "1", "-re", "-stream_loop", "-1", "-i", str(clip("talkingface")), "-an"]
    command += ["-vf", f"scale={SIZE},fps={FPS}", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-bf", "0"]
    command += ["-g", str(FPS), "-f", "flv", f"rtmp://127.0.0.1:{port[1]}/live/{stream}?token={KEY}&chain={chain}"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def watched(server: Server, stream: str) -> Iterator[None]:
    """By doppel's own client, on a loop of its own."""
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    async def view() -> None:
        async with watch(server.url, stream, key=KEY):
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(view(),))
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


@pytest.fixture
def tile(server: Server, visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Visit, Locator]]:
    """The dashboard, with a stream ``anna`` whose faces are hidden."""
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"])
    visit = visitor(camera=False)
    visit.page.add_init_script(
        "addEventListener('securitypolicyviolation', (event) => console.error('CSP', event.violatedDirective, event.blockedURI));"
    )
    visit.open(f"/dashboard#token={KEY}")
    visit.wait_state("live")
    with published(server, "anna", "anonymize"), watched(server, "anna"):
        tile = visit.page.get_by_test_id("tile")
        expect(tile).to_have_attribute("data-stream", "anna", timeout=WAIT)
        expect(tile.locator(".state")).to_have_text("Live", timeout=WAIT)
        yield visit, tile


def press(tile: Locator, name: str) -> None:
    tile.get_by_role("button", name=name, exact=True).click()


def fact(tile: Locator, name: str) -> str:
    return tile.locator(".facts div", has_text=re.compile(f"^{name}")).locator("dd").inner_text()


def test_a_stream_is_seen(tile: tuple[Visit, Locator]) -> None:
    visit, anna = tile
    picture = anna.locator("img")
    expect(picture).to_be_visible(timeout=WAIT)
    until(lambda: bool(picture.evaluate("(image) => image.complete && image.naturalWidth === 320")), "its picture is there")
    until(lambda: anna.locator("canvas").evaluate(DRAWN) >= 10, "the strip shows the chain's time")
    until(lambda: fact(anna, "Viewers") == "1" and fact(anna, "Out") != "0 fps", "its viewer gets frames")
    assert fact(anna, "Publisher") == "RTMP"
    assert fact(anna, "Picture") == "480\N{MULTIPLICATION SIGN}270"
    expect(anna.locator(".words").first).to_have_text(re.compile(r"^anonymize [\d.]+ ms$"), timeout=WAIT)
    models = visit.page.get_by_test_id("models")
    expect(models).to_contain_text(re.compile(r"Face detector\s*[\d.]+ %"), timeout=WAIT)
    expect(visit.page.get_by_test_id("devices")).to_contain_text(re.compile(r"CPU[\d.]+ of \d+ cores"))
    assert visit.number("streams") == 1
    assert visit.number("viewers") == 1
    assert 0 < visit.number("latency") < 5_000
    expect(visit.page.get_by_test_id("notice")).to_be_hidden()
    expect(visit.page.get_by_test_id("empty")).to_be_hidden()
    link = anna.get_by_role("link", name="anna")
    assert link.get_attribute("href") == f"/watch/anna#token={KEY}"


def test_its_chain_is_changed(tile: tuple[Visit, Locator]) -> None:
    visit, anna = tile
    press(anna, "Chain…")
    text = anna.get_by_role("textbox")
    expect(text).to_have_value(re.compile("anonymize"))
    shown: list[dict[str, Any]] = json.loads(text.input_value())
    assert shown[0]["settings"]["style"] == "pixelate"
    text.fill("[{")
    press(anna, "Apply")
    expect(anna.get_by_role("alert")).to_contain_text("That is no JSON")
    visit.forgiven.append("status of 422")
    text.fill('[{"transform": "anonymise"}]')
    press(anna, "Apply")
    expect(anna.get_by_role("alert")).to_contain_text("anonymise")
    expect(text).to_be_visible()
    text.fill('[{"transform": "grade", "settings": {"look": "noir"}}]')
    press(anna, "Apply")
    expect(text).to_be_hidden(timeout=WAIT)
    expect(anna.get_by_role("alert")).to_be_hidden()
    expect(anna.locator(".words").first).to_have_text(re.compile(r"^grade [\d.]+ ms$"), timeout=WAIT)
    press(anna, "Chain…")
    expect(text).to_have_value(re.compile("noir"))
    press(anna, "Cancel")
    expect(text).to_be_hidden()


def test_it_is_recorded(tile: tuple[Visit, Locator], recordings: Path) -> None:
    _, anna = tile
    press(anna, "Record")
    expect(anna.get_by_role("button", name="Stop recording")).to_be_visible(timeout=WAIT)
    expect(anna).to_have_class(re.compile("recorded"))
    until(lambda: any(path.stat().st_size > 10_000 for path in recordings.glob("anna-*.mp4")), "the recording grows")
    press(anna, "Stop recording")
    expect(anna.get_by_role("button", name="Record", exact=True)).to_be_visible(timeout=WAIT)
    probe = ["-v", "error", "-i", str(next(recordings.glob("anna-*.mp4"))), "-f", "null", "-"]
    assert subprocess.run([FFMPEG, *probe], capture_output=True, timeout=DEADLINE, check=True).stderr == b""


def test_it_is_ended_by_the_second_press(tile: tuple[Visit, Locator]) -> None:
    visit, anna = tile
    visit.forgiven.append("status of 404")  # what was asked while it ended
    press(anna, "End")
    expect(anna.get_by_role("button", name="End for everybody?")).to_be_visible()
    expect(anna).to_be_visible()
    press(anna, "End for everybody?")
    expect(anna).to_have_count(0, timeout=WAIT)
    expect(visit.page.get_by_test_id("empty")).to_be_visible()
    assert visit.number("streams") == 0


@pytest.mark.parametrize("token", ["", "#token=wrong-horse-0123456789"])
def test_without_a_token_it_says_what_it_needs(visit: Visit, token: str) -> None:
    visit.forgiven.append("status of 401")
    visit.open(f"/dashboard{token}")
    visit.wait_state("failed")
    expect(visit.page.get_by_test_id("notice")).to_contain_text("#token=")
    expect(visit.page.get_by_test_id("tile")).to_have_count(0)


def test_the_reference_shows_every_call(visit: Visit) -> None:
    """Without a token, and without asking anybody else."""
    visit.open("/docs")
    expect(visit.page.locator("#version")).not_to_be_empty()
    paths = visit.page.evaluate("async () => (await (await fetch('/openapi.json')).json()).paths")
    wanted = {call["operationId"] for methods in paths.values() for method, call in methods.items() if method != "options"}
    assert len(wanted) >= 25
    calls = visit.page.get_by_test_id("calls").locator("section")
    shown = {calls.nth(number).get_attribute("id") for number in range(calls.count())}
    assert shown == wanted
    for text in calls.all_inner_texts():
        assert "undefined" not in text
        assert "[object" not in text
    shape = calls.and_(visit.page.locator("#put_api_streams_stream_chain")).locator("details").first
    shape.locator("summary").click()
    expect(shape.locator("pre")).to_contain_text('"transform"')
