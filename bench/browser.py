"""Chromium with a face in front of its camera, on doppel's own page, and what its own statistics say of what it sends."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import av.video
from av.video.frame import VideoFrame
from playwright.sync_api import Error, Page, sync_playwright

from bench import clip
from bench.apart import ClientFailed
from bench.clip import Clip
from bench.process import Usage, usage
from bench.servers import Server

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--use-fake-device-for-media-stream",
)
CONNECT_TIMEOUT = 30.0
"""s for the browser to start, the page to load, and the first connection."""
PATIENCE = 10.0
"""s beyond the measured time, on a busy machine."""

WATCH = """
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...settings) {
    super(...settings);
    this.addEventListener("connectionstatechange", () => {
      if (this.connectionState === "connected" && !window.watched) window.watched = { connection: this, at: performance.now() };
    });
  }
};
"""
"""Remembers the first connection that the page makes, and when it was connected."""

SAMPLE = """
async (seconds) => {
  const { connection, at } = window.watched;
  const samples = [];
  for (let number = 1; number <= seconds; number += 1) {
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, at + number * 1000 - performance.now())));
    const after = (performance.now() - at) / 1000;
    const entries = [...(await connection.getStats()).values()];
    const sent = entries.find((entry) => entry.type === "outbound-rtp" && entry.kind === "video") ?? {};
    samples.push([
      after, sent.frameWidth ?? 0, sent.frameHeight ?? 0, sent.framesPerSecond ?? 0, sent.targetBitrate ?? 0,
      sent.framesEncoded ?? 0, sent.qualityLimitationReason ?? `connection ${connection.connectionState}`,
    ]);
  }
  return samples;
}
"""


class BrowserMissing(Exception):
    """There is no Chromium here; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Sample:
    after: float
    """s since the connection was there."""
    width: int
    """px of what is sent, and so on."""
    height: int
    fps: float
    """Of the last second, as the browser counts."""
    target: float
    """bit/s that its congestion control lets the encoder have."""
    encoded: int
    """Frames so far."""
    limited: str
    """Why it sends less than it could, in the words of webrtc-stats: none, cpu, bandwidth or other. A connection that is over
    sends nothing: all figures are 0 then."""


@dataclass(frozen=True, slots=True)
class Recording:
    samples: list[Sample]
    usage: list[Usage]
    """The server's, at the begin and the end."""


def watch(server: Server, original: Clip, seconds: int) -> Recording:
    """Connects and samples each second. Raises BrowserMissing, ClientFailed."""
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        raise BrowserMissing(f"there is none of {', '.join(NAMES)}; Debian, Ubuntu: apt-get install chromium")
    with TemporaryDirectory() as folder:
        face = webcam(original, Path(folder) / "face.mjpeg")
        try:
            with _page(path, [*FLAGS, f"--use-file-for-fake-video-capture={face}"]) as page:
                page.add_init_script(WATCH)
                page.goto(server.origin)
                page.wait_for_function("() => window.watched !== undefined", timeout=CONNECT_TIMEOUT * 1e3)
                begun = usage(server.pid)
                page.set_default_timeout((seconds + PATIENCE) * 1e3)
                samples = [Sample(*values) for values in page.evaluate(SAMPLE, seconds)]
                return Recording(samples, [begun, usage(server.pid)])
        except Error as error:
            raise ClientFailed(f"the browser did not do what was asked of it: {error.message}") from error


def webcam(original: Clip, target: Path) -> Path:
    """Writes the loop as Chromium's fake webcam wants it, which shows it again and again."""
    with av.open(str(target), "w", format="mjpeg") as written:
        stream = written.add_stream("mjpeg", rate=clip.FPS, options={"qmin": "2", "qmax": "3"})
        assert isinstance(stream, av.video.VideoStream)
        stream.width, stream.height, stream.pix_fmt = clip.WIDTH, clip.HEIGHT, "yuvj420p"
        for number in range(clip.LOOP_FRAMES):
            picture = VideoFrame.from_ndarray(original.pictures[clip.source_index(number)], format="yuv420p")
            picture = picture.reformat(format="yuvj420p", dst_color_range="JPEG")
            picture.pts, picture.time_base = number, Fraction(1, clip.FPS)
            written.mux(stream.encode(picture))
        written.mux(stream.encode(None))
    return target


@contextmanager
def _page(path: str, flags: list[str]) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        try:
            yield browser.new_context(permissions=["camera"]).new_page()
        finally:
            browser.close()
