"""Makes the docs' pictures of the pages, live in Chromium (``make pictures``); docs/gallery.py makes those of the transforms.

The portrait is NASA's of Eileen Collins, in the public domain, as scikit-image carries it.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.video
import numpy as np
import torch
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from docs.gallery import portrait

IMAGES = Path(__file__).parent / "images"

FPS = 30

# The page ------------------------------------------------------------------------------------------------------------

WEBCAM = (640, 360)
SECONDS = 4
ZOOM = 0.06
"""Share of the picture that the camera moves in and out by, so that a still is a video."""

DESKTOP_LIVE, PHONE_LIVE, WATCH_LIVE = 25_000, 5_000, 8_000
"""ms of video before the picture is taken: figures are steady, and the desktop's plot has something to show."""

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-device-for-media-stream",
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
)

CAMERA_NAME = 'Object.defineProperty(MediaDeviceInfo.prototype, "label", { get: () => "Webcam" });'
"""In place of the path of the file that it shows."""


def webcam(picture: Image.Image, path: Path) -> Path:
    """The portrait as a video that moves in and out, and begins where it ends."""
    with av.open(str(path), "w", format="mjpeg") as container:
        stream = container.add_stream("mjpeg", rate=FPS, options={"qmin": "2", "qmax": "2"})
        assert isinstance(stream, av.video.VideoStream)
        stream.width, stream.height, stream.pix_fmt = *WEBCAM, "yuvj420p"
        for number in range(SECONDS * FPS):
            turn = 2 * np.pi * number / (SECONDS * FPS)
            width = picture.width * (1 - ZOOM * (1 - np.cos(turn)) / 2)
            height = width * WEBCAM[1] / WEBCAM[0]
            left, top = (picture.width - width) * (0.4 + 0.3 * np.sin(turn)), 6 + (picture.height - height) * 0.02
            shown = picture.resize(WEBCAM, Image.Resampling.BICUBIC, (left, top, left + width, top + height))
            frame = av.VideoFrame.from_ndarray(np.asarray(shown), "rgb24").reformat(format="yuvj420p", dst_color_range="JPEG")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@contextmanager
def server(*arguments: str) -> Iterator[str]:
    """The address of a doppel of our own."""
    command = [sys.executable, "-m", "doppel", "serve", "--port", "0", "--ice-address", "127.0.0.1", "--log-level", "error"]
    command += arguments
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if found := re.search(r"open (http://\S+)/ ", line):
                    yield found[1]
                    return
            raise SystemExit("the server did not start; what it wrote says why")
        finally:
            process.terminate()


def page(browser: Browser, url: str, size: tuple[int, int], live: int, **options: Any) -> Image.Image:
    """The page when it has been live for a while."""
    viewport = {"width": size[0], "height": size[1]}
    context = browser.new_context(viewport=viewport, permissions=["camera"], color_scheme="dark", **options)  # type: ignore[arg-type]
    shown = context.new_page()
    shown.add_init_script(CAMERA_NAME)
    shown.goto(f"{url}/?chain=background")
    shown.wait_for_selector("[data-testid=state][data-state=live]")
    shown.get_by_test_id("resolution").select_option(f"{WEBCAM[0]}x{WEBCAM[1]}")
    card = shown.locator("[data-transform=background]")
    card.get_by_text("Image", exact=True).click()
    shown.wait_for_timeout(live)
    picture = Image.open(io.BytesIO(shown.screenshot()))
    context.close()
    return picture.convert("RGB")


def viewing(browser: Browser, url: str, size: tuple[int, int], live: int) -> Image.Image:
    """The viewer's page when it has played for a while what the webcam page sends."""
    sending = browser.new_context(permissions=["camera"])
    sender = sending.new_page()
    sender.goto(f"{url}/?chain=background&stream=anna")
    sender.wait_for_selector("[data-testid=state][data-state=live]")
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme="dark")
    shown = context.new_page()
    shown.goto(f"{url}/watch/anna")
    shown.wait_for_selector("[data-testid=state][data-state=live]")
    shown.get_by_test_id("summary").click()
    shown.wait_for_timeout(live)
    shown.mouse.move(size[0] / 2, size[1] / 2)
    picture = Image.open(io.BytesIO(shown.screenshot(full_page=True)))
    context.close()
    sending.close()
    return picture.convert("RGB")


def chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    raise SystemExit("install Chromium (Debian: apt-get install chromium) and run this again")


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    torch.set_num_threads(1)
    given = portrait()
    with tempfile.TemporaryDirectory(prefix="doppel-pictures-") as folder, server() as url, sync_playwright() as playwright:
        video = webcam(given, Path(folder, "webcam.mjpeg"))
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=[*FLAGS, f"--use-file-for-fake-video-capture={video}"]
        )
        page(browser, url, (1280, 832), DESKTOP_LIVE).save(IMAGES / "page.png", optimize=True)
        phone = page(browser, url, (390, 844), PHONE_LIVE, device_scale_factor=1.5, is_mobile=True, has_touch=True)
        phone.save(IMAGES / "page-phone.png", optimize=True)
        viewing(browser, url, (1280, 832), WATCH_LIVE).save(IMAGES / "watch.png", optimize=True)
        browser.close()


if __name__ == "__main__":
    main()
