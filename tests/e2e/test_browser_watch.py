"""The viewer's page in Chromium: it plays what is published, and waits for what is not."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import pytest
from playwright.sync_api import expect

from signaling.auth.key import generate
from signaling.auth.keyring import KeyRing
from tests.e2e.browser import BY_ID, DEADLINE, SERVER_GONE, WEBCAM, Visit, get, until
from tests.e2e.conftest import ARTIFACTS, Visitor
from tests.e2e.server import Server
from tests.keys import sign

PUBLISH = """
async ({ stream, width, height }) => {
  const { publish } = await import("/static/doppel.js");
  const source = await navigator.mediaDevices.getUserMedia({ video: { width, height }, audio: true });
  window.publisher = publish({ source, stream, chain: [] });
}
"""

NOT_LIVE = "status of 409"
"""What the console says of a stream that is waited for."""

SILENT_AT_FIRST = """
let touched = false;
document.addEventListener("keydown", () => (touched = true), true);
const play = HTMLMediaElement.prototype.play;
HTMLMediaElement.prototype.play = function () {
  if (this.muted || touched) return play.call(this);
  return Promise.reject(new DOMException("nobody has touched this page", "NotAllowedError"));
};
"""
"""What browsers do for people; one that is driven lets everything sound."""

HEARD = f"""
() => {{
  const [track] = {BY_ID}("video").srcObject.getAudioTracks();
  return track.readyState === "live" && !track.muted;
}}
"""


def publish(visit: Visit, stream: str) -> Visit:
    """Fake webcam and microphone, and waits until they are sent."""
    visit.open_empty()
    visit.page.evaluate(PUBLISH, {"stream": stream, "width": WEBCAM[0], "height": WEBCAM[1]})
    visit.page.wait_for_function("() => publisher.state.state === 'live'")
    return visit


def plays(viewer: Visit, frames: int = 10) -> Visit:
    viewer.wait_state("live")
    viewer.plays_on("video", frames=frames)
    return viewer


def test_what_is_published_is_seen_and_heard(visitor: Visitor) -> None:
    publish(visitor(), "seen")
    viewer = visitor(camera=False).open("/watch/seen")
    plays(viewer, frames=30)
    viewer.wait_size("video", WEBCAM)
    viewer.page.wait_for_function(HEARD)
    assert viewer.text("state").strip() == "Live"
    assert viewer.text("name") == "seen"
    expect(viewer.page.get_by_test_id("summary")).to_contain_text(re.compile(r"\d ms behind"), timeout=DEADLINE * 1000)
    viewer.page.get_by_test_id("summary").click()
    assert 0 < viewer.number("latency") < 5_000
    assert 1 <= viewer.number("fps") <= 62
    assert viewer.number("lost") >= 0
    expect(viewer.page.get_by_test_id("notice")).to_be_hidden()
    until(lambda: get(f"{viewer.url}/api/streams/seen")["viewers"] == 1, "the server counts its viewer")


def test_the_sound_is_one_press_away(visitor: Visitor) -> None:
    """Where the browser lets nothing sound before it was touched, it plays without; the button is there for keyboards too."""
    publish(visitor(), "heard")
    viewer = visitor(camera=False)
    viewer.page.add_init_script(SILENT_AT_FIRST)
    plays(viewer.open("/watch/heard"))
    muted = f"() => {BY_ID}('video').muted"
    viewer.page.wait_for_function(muted)
    button = viewer.page.get_by_test_id("sound")
    expect(button).to_be_visible(timeout=DEADLINE * 1000)
    expect(button).to_have_text("Unmute")
    button.focus()
    viewer.page.keyboard.press("Enter")
    expect(button).to_have_text("Mute")
    assert not viewer.page.evaluate(muted)
    plays(viewer)


def test_it_waits_for_the_stream_to_begin(visitor: Visitor) -> None:
    viewer = visitor(camera=False)
    viewer.forgiven.append(NOT_LIVE)
    viewer.open("/watch/later").wait_state("absent")
    assert viewer.text("state").strip() == "Waiting for the stream to begin"
    expect(viewer.page.get_by_test_id("notice")).to_be_hidden()
    with viewer.page.expect_request("**/whep/**"):
        pass  # it asks again by itself
    viewer.wait_state("absent")
    publish(visitor(), "later")
    plays(viewer)


def test_a_publisher_that_comes_back_finds_its_viewers(visitor: Visitor) -> None:
    publisher = publish(visitor(), "again")
    viewer = plays(visitor(camera=False).open("/watch/again"))
    publisher.page.reload()
    publish(publisher, "again")
    plays(viewer, frames=30)
    assert len(viewer.offers) == 1, "the viewer connected again"


def test_a_publisher_that_goes_away_is_told_in_words(visitor: Visitor) -> None:
    publisher = publish(visitor(), "gone")
    viewer = plays(visitor(camera=False).open("/watch/gone"))
    publisher.page.evaluate("publisher.close()")
    viewer.wait_state("away")
    assert viewer.text("state").strip() == "The publisher is away"
    assert viewer.size("video") == WEBCAM, "the last picture is kept"
    publish(publisher, "gone")
    plays(viewer)
    assert len(viewer.offers) == 1, "the viewer connected again"


def test_both_survive_a_server_that_is_started_again(visitor: Visitor, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    server = Server(tmp_path / "first.log", ["--port", port])
    try:
        publisher, viewer = visitor(server.url), visitor(server.url, camera=False)
        for visit in (publisher, viewer):
            visit.forgiven += [SERVER_GONE, "net::ERR_", "status of 404", NOT_LIVE]
        publish(publisher, "restart")
        plays(viewer.open("/watch/restart"))
        server.kill()
        viewer.wait_state("waiting")
        expect(viewer.page.get_by_test_id("notice")).to_contain_text(re.compile(r"\. Trying again in \d+ s"))
        server = Server(tmp_path / "second.log", ["--port", port])
        plays(viewer)
        expect(viewer.page.get_by_test_id("notice")).to_be_hidden()
        assert publisher.page.evaluate("publisher.state.state") == "live"
    finally:
        server.kill()


@pytest.fixture
def locked_server(tmp_path: Path) -> Server:
    key = tmp_path / "key"
    key.write_text("sesame-open-0123456789")
    return Server(tmp_path / "log", ["--access-key-file", str(key)])


def test_it_takes_the_key_from_the_address(locked_server: Server, visitor: Visitor) -> None:
    try:
        viewer = visitor(locked_server.url, camera=False)
        viewer.forgiven += ["status of 401", NOT_LIVE]
        viewer.open("/watch/locked").wait_state("failed")
        expect(viewer.page.get_by_test_id("notice")).to_contain_text("#key=")
        viewer.open("/watch/locked#key=sesame-open-0123456789")
        viewer.wait_state("absent")
    finally:
        locked_server.kill()


def test_a_token_is_good_for_the_streams_that_it_names(tmp_path: Path, visitor: Visitor) -> None:
    """The publisher's, on the webcam page, and a viewer's, who sees that stream and no other."""
    (tmp_path / "first.json").write_text(json.dumps(generate("EdDSA", "first")))
    signer = KeyRing((), tmp_path).keys.tokens["first"]
    server = Server(tmp_path / "log", ["--keys-dir", str(tmp_path)])
    try:
        sender = visitor(server.url)
        sender.open(f"/?stream=anna&chain=#token={sign(signer, ['publish', 'control'], ['anna'])}")
        sender.wait_state("live")
        sender.forgiven += [SERVER_GONE, "net::ERR_"]
        viewer = plays(visitor(server.url, camera=False).open(f"/watch/anna#token={sign(signer, ['watch'], ['anna'])}"))
        viewer.forgiven += ["status of 401"]
        token = sign(signer, ["watch"], ["team-*"])
        viewer.open(f"/watch/anna#token={token}").wait_state("failed")
        expect(viewer.page.get_by_test_id("notice")).to_contain_text("#token=")
        viewer.forgiven += [NOT_LIVE]
        viewer.open(f"/watch/team-a#token={token}").wait_state("absent")
    finally:
        server.kill()


def test_it_looks_as_it_should_anywhere(visitor: Visitor) -> None:
    """The pictures are for people; what can be told by a program is that the picture is large and nothing is cut off."""
    publish(visitor(), "looks")
    viewer = plays(visitor(camera=False).open("/watch/looks"))
    expect(viewer.page.get_by_test_id("sound")).to_be_visible(timeout=DEADLINE * 1000)
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    for name, (width, height), scheme in (
        ("watch-desktop-dark", (1440, 900), "dark"),
        ("watch-desktop-light", (1440, 900), "light"),
        ("watch-phone-dark", (390, 844), "dark"),
        ("watch-phone-side-light", (844, 390), "light"),
    ):
        viewer.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        viewer.page.set_viewport_size({"width": width, "height": height})
        viewer.plays_on("video", frames=3)
        viewer.page.screenshot(path=ARTIFACTS / f"{name}.png")
        assert viewer.page.evaluate("document.documentElement.scrollWidth") <= width, name
        box = viewer.page.get_by_test_id("video").bounding_box()
        assert box is not None
        assert box["width"] >= 0.85 * width or box["height"] >= 0.75 * height, f"{name}: {box}"
        assert box["y"] + box["height"] <= height, f"{name}: the picture's end is out of sight"


def test_the_picture_fills_the_screen_by_keyboard(visitor: Visitor) -> None:
    publish(visitor(), "full")
    viewer = plays(visitor(camera=False).open("/watch/full"))
    button = viewer.page.get_by_test_id("full")
    button.focus()
    viewer.page.keyboard.press("Enter")
    expect(button).to_have_text("Leave full screen")
    assert viewer.page.evaluate("document.fullscreenElement?.id") == "screen"
    viewer.page.keyboard.press("Enter")
    expect(button).to_have_text("Full screen")


def test_the_webcam_page_leads_to_it(visitor: Visitor) -> None:
    publisher = visitor().open("/?chain=&stream=mine").live()
    link = publisher.page.get_by_test_id("watch")
    assert link.get_attribute("href") == "/watch/mine"
    plays(visitor(camera=False).open("/watch/mine"))
