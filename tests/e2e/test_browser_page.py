"""The page in Chromium: it shows what comes back, and what it is told takes effect while it plays."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import av.video
import numpy as np
import pytest
from playwright.sync_api import expect

from tests.e2e.browser import BY_ID, WEBCAM, Visit, get, until
from tests.e2e.conftest import ARTIFACTS

BARE = "/?chain="
"""The page with an empty chain."""

MOST_TABS = 60
"""Presses until the keyboard has been all around the page."""


@pytest.fixture
def video_file(tmp_path: Path) -> Path:
    """Two seconds of a grey that gets lighter, 320x240."""
    path = tmp_path / "grey.webm"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx", rate=30)
        assert isinstance(stream, av.video.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number in range(60):
            picture = av.VideoFrame.from_ndarray(np.full((360, 320), 60 + 2 * number, np.uint8), "yuv420p")
            picture.pts, picture.time_base = number, Fraction(1, 30)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def test_the_returned_video_plays_with_figures_that_make_sense(visit: Visit) -> None:
    visit.open(BARE).live()
    visit.plays_on("before", "after", frames=20)
    visit.wait_size("after", WEBCAM)
    assert visit.size("before") == WEBCAM
    assert visit.text("state").strip() == "Live"
    assert f"{WEBCAM[0]} \N{MULTIPLICATION SIGN} {WEBCAM[1]}" in visit.text("picture")
    until(lambda: visit.number("fps-out") > 0, "frames come back")
    assert 1 <= visit.number("fps-in") <= 62
    assert 1 <= visit.number("fps-out") <= 62
    assert 0 < visit.number("turnaround") < 5_000
    assert 0 < visit.number("latency-total") < 5_000
    assert visit.number("drops") >= 0
    expect(visit.page.get_by_test_id("notice")).to_be_hidden()


def test_the_server_reports_what_the_page_sends(visit: Visit) -> None:
    visit.open(BARE).live()
    visit.wait_size("after", WEBCAM)

    def steady() -> bool:
        report = get(f"{visit.url}/api/streams/{visit.stream}")
        sizes = [(report["publisher"]["width"], report["publisher"]["height"]), (report["width_out"], report["height_out"])]
        return sizes == [WEBCAM, WEBCAM] and report["fps_in"] > 0 and report["fps_out"] > 0

    until(steady, "the server has the webcam's size both ways")
    report = get(f"{visit.url}/api/streams/{visit.stream}")
    assert report["state"] == "live"
    assert report["publisher"]["codec"] == report["codec_out"] == "H264"
    assert report["latency_ms"]["total"]["p50"] > 0


def test_the_address_names_the_stream(visit: Visit) -> None:
    visit.open("/?chain=&stream=anna").live()
    assert visit.stream == "anna"
    assert get(f"{visit.url}/api/streams/anna")["state"] == "live"


def test_the_chain_changes_live(visit: Visit) -> None:
    visit.open(BARE).live()
    items = visit.page.get_by_test_id("chain-item")

    visit.add("background")
    visit.wait_chain("background")
    visit.plays_on("after")
    visit.add("anonymize")
    visit.wait_chain("background", "anonymize")
    visit.plays_on("after")

    items.nth(1).get_by_test_id("up").click()
    visit.wait_chain("anonymize", "background")
    visit.plays_on("after")

    before = visit.chain()[0]["settings"]["strength"]
    slider = items.nth(0).locator("[data-setting=strength] input[type=range]")
    slider.focus()
    visit.page.keyboard.press("End")
    most = float(slider.get_attribute("max") or "nan")
    assert before != most
    until(lambda: visit.chain()[0]["settings"]["strength"] == most, "the slider's value is on the server")
    visit.plays_on("after")

    items.nth(0).get_by_test_id("remove").click()
    visit.wait_chain("background")
    items.nth(0).get_by_test_id("remove").click()
    visit.wait_chain()
    expect(visit.page.get_by_test_id("chain-empty")).to_be_visible()
    visit.plays_on("after")
    assert len(visit.offers) == 1, "it connected again"


def test_each_transform_tells_what_it_costs(visit: Visit) -> None:
    visit.open("/?chain=anonymize").live()
    cost = visit.page.get_by_test_id("cost")
    expect(cost).to_contain_text(" ms", timeout=20_000)
    until(lambda: float(cost.inner_text().split()[0]) > 0, "a transform takes time")


def test_another_resolution_keeps_the_connection(visit: Visit) -> None:
    visit.open(BARE).live()
    visit.wait_size("after", WEBCAM)
    visit.page.get_by_test_id("resolution").select_option("640x360")
    visit.wait_size("before", (640, 360))
    visit.wait_size("after", (640, 360))
    visit.plays_on("before", "after")
    assert len(visit.offers) == 1, "it connected again"


def test_a_browser_without_h264_uses_vp8_and_says_so(visit: Visit) -> None:
    visit.page.add_init_script("""
      for (const kind of [RTCRtpSender, RTCRtpReceiver]) {
        const all = kind.getCapabilities.bind(kind);
        kind.getCapabilities = (media) => {
          const { codecs, ...rest } = all(media);
          return { ...rest, codecs: codecs.filter(({ mimeType }) => mimeType.toLowerCase() !== "video/h264") };
        };
      }
    """)
    visit.open(BARE).live()
    visit.plays_on("after", frames=20)
    report = get(f"{visit.url}/api/streams/{visit.stream}")
    assert report["publisher"]["codec"] == report["codec_out"] == "VP8"
    expect(visit.page.get_by_test_id("notice")).to_contain_text("VP8")


def test_it_works_by_keyboard_alone(visit: Visit) -> None:
    visit.open(BARE).live()
    _tab_to(visit, "add-transform")
    visit.page.keyboard.press("B")  # as every list of choices: the first one with that letter
    _tab_to(visit, "add-button")
    visit.page.keyboard.press("Enter")
    visit.wait_chain("background")
    _tab_to(visit, "remove")
    visit.page.keyboard.press("Enter")
    visit.wait_chain()
    assert visit.page.evaluate("document.activeElement !== document.body"), "the focus was lost with what was removed"


def _tab_to(visit: Visit, testid: str) -> None:
    for _ in range(MOST_TABS):
        visit.page.keyboard.press("Tab")
        if visit.page.evaluate("document.activeElement?.dataset.testid") == testid:
            return
    raise AssertionError(f"{MOST_TABS} times Tab does not lead to {testid}")


def test_a_video_file_serves_as_camera(visit: Visit, video_file: Path) -> None:
    visit.open(BARE).live()
    visit.page.get_by_test_id("file").set_input_files(video_file)
    visit.wait_size("before", (320, 240))
    visit.wait_size("after", (320, 240))
    visit.plays_on("before", "after")
    assert len(visit.offers) == 1, "it connected again"


def test_it_looks_as_it_should_anywhere(visit: Visit) -> None:
    """The pictures are for people; what can be told by a program is that nothing is cut off at the side."""
    visit.open("/?chain=anonymize,background").live()
    visit.number("turnaround")
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    for name, size, scheme in (
        ("desktop-dark", (1440, 900), "dark"),
        ("desktop-light", (1440, 900), "light"),
        ("phone-dark", (390, 844), "dark"),
        ("phone-light", (390, 844), "light"),
    ):
        visit.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        visit.page.set_viewport_size({"width": size[0], "height": size[1]})
        visit.plays_on("after", frames=3)
        visit.page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=True)
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= size[0], name
        shown = visit.page.evaluate(f"{BY_ID}('after').getBoundingClientRect().width")
        assert shown >= size[0] / 3, f"{name}: the picture is {shown} px wide"
