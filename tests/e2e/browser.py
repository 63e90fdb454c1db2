"""Chromium without a screen, a webcam that shows a real face, and what a test wants to know of a page."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import time
import urllib.request
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import av
import av.video
import numpy as np
import torch
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect

from transforms.color import Color, rgb_to_yuv
from transforms.frame import Frame, Planes

NAMES = ("chromium", "chromium-browser", "google-chrome")

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # A context may use the camera when it was given the permission, and is refused without a question when it was not.
    "--deny-permission-prompts",
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
)

DEADLINE = 30.0
"""s for anything that a page is waited for: two busy cores have to encode, transform and decode for it."""

WEBCAM = (640, 480)
"""Width and height of what the fake webcam shows, px: a real one's smallest common size, and the least work."""

WEBCAM_FPS = 30

SERVER_GONE = "net::ERR_CONNECTION_REFUSED"
"""What the console says of a server that is not there."""


def executable() -> str:
    """Fails the test where there is none: the page is not tested without it."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    raise AssertionError(f"these tests need Chromium: install one of {', '.join(NAMES)} (Debian: apt-get install chromium)")


def webcam_flags(video: Path) -> list[str]:
    return ["--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={video}"]


def webcam_file(source: Path, target: Path, frames: int) -> Path:
    """Writes the first frames of a video as Chromium's fake webcam wants them, which shows them again and again."""
    width, height = WEBCAM
    with av.open(str(source)) as given, av.open(str(target), "w", format="mjpeg") as written:
        stream = written.add_stream("mjpeg", rate=WEBCAM_FPS, options={"qmin": "2", "qmax": "3"})
        assert isinstance(stream, av.video.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuvj420p"
        for number, picture in enumerate(given.decode(video=0)):
            if number == frames:
                break
            picture = picture.reformat(width, height, "yuvj420p", dst_color_range="JPEG")
            picture.pts, picture.time_base = number, Fraction(1, WEBCAM_FPS)
            written.mux(stream.encode(picture))
        written.mux(stream.encode(None))
    return target


def rgb_of(picture: bytes) -> torch.Tensor:
    """(3, H, W) in [0, 1] of an encoded picture."""
    with Image.open(io.BytesIO(picture)) as image:
        return torch.from_numpy(np.asarray(image.convert("RGB")).copy()).permute(2, 0, 1).float() / 255


def frame_of(picture: bytes) -> Frame:
    """As our transforms take it; a last odd row or column is left out."""
    rgb = rgb_of(picture)
    return Frame(Planes(*rgb_to_yuv(rgb[:, : rgb.shape[1] // 2 * 2, : rgb.shape[2] // 2 * 2], Color())))


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as response:
        return json.load(response)


def until(condition: Callable[[], bool], what: str, deadline: float = DEADLINE) -> None:
    """Waits for something outside the browser."""
    ends = time.monotonic() + deadline
    while not condition():
        if time.monotonic() > ends:
            raise AssertionError(f"after {deadline:.0f} s still not so: {what}")
        time.sleep(0.1)


GRABBER = """
window.grabber = (video, count) => new Promise((resolve) => {
  const pictures = [];
  const canvas = document.createElement("canvas");
  const draw = () => {
    Object.assign(canvas, { width: video.videoWidth, height: video.videoHeight });
    canvas.getContext("2d").drawImage(video, 0, 0);
    pictures.push(canvas.toDataURL("image/jpeg", 0.95));
    if (pictures.length === count) return resolve(pictures);
    video.requestVideoFrameCallback(draw);
  };
  video.requestVideoFrameCallback(draw);
});
"""
"""Pictures as they are shown, one after the other, the very first one among them."""


EMPTY = '<!doctype html><title>Nothing</title><link rel="icon" href="/static/icon.svg">'


class Visit:
    """Somebody has the page open. Whatever is not as it should be on any page is noted in ``complaints``."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.url = url
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self.offers: list[str] = []
        """Names of the streams that a connection was asked for, in their order."""
        self.forgiven: list[str] = []
        """Console errors that are to be expected, by a part of their text."""
        self.page.set_default_timeout(DEADLINE * 1000)
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("request", self._on_request)
        self.page.add_init_script(GRABBER)

    def open(self, path: str = "/") -> Visit:
        self.page.goto(self.url + path)
        return self

    def open_empty(self) -> Visit:
        """A page of the server's origin with nothing on it, for a test to use the client alone."""
        self.page.route(f"{self.url}/empty", lambda route: route.fulfill(content_type="text/html", body=EMPTY))
        return self.open("/empty")

    def live(self) -> Visit:
        """Waits until the returned video plays."""
        self.wait_state("live")
        self.plays_on("after")
        return self

    def wait_state(self, state: str) -> None:
        self.page.wait_for_selector(f"[data-testid=state][data-state={state}]")

    @property
    def stream(self) -> str:
        """The newest one's name."""
        return self.offers[-1]

    def text(self, testid: str) -> str:
        return self.page.get_by_test_id(testid).inner_text()

    def number(self, testid: str) -> float:
        """The first number of a figure that has one by now."""
        figure = self.page.get_by_test_id(testid)
        expect(figure).to_contain_text(re.compile(r"\d"), timeout=DEADLINE * 1000)
        found = re.search(r"\d+(\.\d+)?", figure.inner_text())
        assert found is not None
        return float(found[0])

    def size(self, video: str) -> tuple[int, int]:
        width, height = self.page.evaluate("(id) => [byId(id).videoWidth, byId(id).videoHeight]".replace("byId", BY_ID), video)
        return int(width), int(height)

    def wait_size(self, video: str, size: tuple[int, int]) -> None:
        script = "([id, w, h]) => byId(id).videoWidth === w && byId(id).videoHeight === h".replace("byId", BY_ID)
        self.page.wait_for_function(script, arg=[video, *size])

    def plays_on(self, *videos: str, frames: int = 10) -> None:
        """Waits until each has shown so many more."""
        script = "(id) => byId(id).getVideoPlaybackQuality().totalVideoFrames".replace("byId", BY_ID)
        for video in videos:
            begun = self.page.evaluate(script, video)
            self.page.wait_for_function(f"([id, wanted]) => ({script})(id) >= wanted", arg=[video, begun + frames])

    def grab(self, video: str, count: int) -> list[bytes]:
        """The next so many pictures of it, as JPEG."""
        return decoded(self.page.evaluate(f"([id, count]) => grabber({BY_ID}(id), count)", [video, count]))

    def add(self, transform: str) -> None:
        self.page.get_by_test_id("add-transform").select_option(transform)
        self.page.get_by_test_id("add-button").click()

    def chain(self) -> list[dict[str, Any]]:
        """As the server has it."""
        chain: list[dict[str, Any]] = get(f"{self.url}/api/streams/{self.stream}/chain")["chain"]
        return chain

    def wait_chain(self, *transforms: str) -> None:
        """Until frames run through these."""

        def runs() -> bool:
            report = get(f"{self.url}/api/streams/{self.stream}")
            return [step["transform"] for step in report["chain"]] == list(transforms)

        until(runs, f"the chain is {transforms}")

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(part in message.text for part in self.forgiven):
            self.complaints.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _on_request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("blob", "data"):
            return
        if f"{address.scheme}://{address.netloc}" != self.url:
            self.complaints.append(f"asked another host: {request.url}")
        endpoint, _, stream = address.path.removeprefix("/").partition("/")
        if request.method == "POST" and endpoint in ("loop", "whip", "whep"):
            self.offers.append(unquote(stream))


BY_ID = "document.getElementById"


def decoded(urls: Sequence[str]) -> list[bytes]:
    """What canvases gave as data URLs."""
    return [base64.b64decode(url.partition(",")[2]) for url in urls]


def context_of(browser: Browser, *, camera: bool = True, **options: Any) -> BrowserContext:
    """A profile of its own; without ``camera`` a page is refused it, and the microphone."""
    return browser.new_context(permissions=["camera", "microphone"] if camera else [], **options)
