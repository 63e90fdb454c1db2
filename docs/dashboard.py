"""Makes the docs' pictures of the dashboard, light and dark: ``python -m docs.dashboard``, on a machine that is not busy.

Four streams come by RTMP from ffmpeg: one portrait (see docs/pictures.py), moved by code, with a chain of transforms each.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.parse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import av.video
import numpy as np
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from docs.gallery import portrait
from docs.pictures import FLAGS, IMAGES, chromium, server
from doppel.client import watch

SIZE, FPS, SECONDS = (480, 270), 10, 5
"""Of what is sent: little work, so that a small machine shows what a large one does with more."""

SCREEN = (1440, 900)

SCHEMES: tuple[Literal["dark", "light"], ...] = ("dark", "light")

FILL = 64_000
"""ms until the strips are full."""

COLORS = 256
"""Of the pictures as they are kept: a quarter of the bytes, and no difference to be seen."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A stream: how the portrait is framed, what is done to it, and how many watch."""

    stream: str
    left: int
    width: int
    """px of the portrait's 512."""
    mirrored: bool
    chain: Sequence[tuple[str, dict[str, object]]]
    viewers: int


SCENES = (
    Scene("anna", 0, 512, False, [("makeup", {}), ("grade", {"look": "film"})], 2),
    Scene("lobby-cam", 40, 420, True, [("anonymize", {"style": "pixelate"})], 1),
    Scene("studio-2", 30, 380, False, [("overlay", {"sticker": "sunglasses"})], 1),
    Scene("interview", 10, 480, True, [("grade", {"look": "noir", "vignette": 50})], 1),
)


def video(picture: Image.Image, scene: Scene, path: Path) -> Path:
    """The portrait moving to and fro, without a seam, as H.264 that can be sent as it is."""
    if scene.mirrored:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    height = scene.width * SIZE[1] / SIZE[0]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "bf": "0", "g": str(FPS), "crf": "20"})
        assert isinstance(stream, av.video.VideoStream)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for number in range(SECONDS * FPS):
            turn = 2 * np.pi * number / (SECONDS * FPS)
            left = scene.left + 8 * np.sin(turn) if scene.left else 0
            top = 8 + 6 * np.cos(turn)
            shown = picture.resize(SIZE, Image.Resampling.BICUBIC, (left, top, left + scene.width, top + height))
            frame = av.VideoFrame.from_ndarray(np.asarray(shown), "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@contextmanager
def published(path: Path, port: int, scene: Scene) -> Iterator[None]:
    chain = json.dumps([{"transform": key, "settings": settings} for key, settings in scene.chain])
    address = f"rtmp://127.0.0.1:{port}/live/{scene.stream}?chain={urllib.parse.quote(chain)}"
    command = ["ffmpeg", "-loglevel", "error", "-re", "-stream_loop", "-1", "-i", str(path), "-c", "copy", "-f", "flv", address]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


@contextmanager
def watched(url: str, scenes: Sequence[Scene]) -> Iterator[None]:
    """By clients that look at nothing of what they get."""
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    async def one(stream: str) -> None:
        async with watch(url, stream):
            await over.wait()

    async def everybody() -> None:
        async with asyncio.TaskGroup() as group:
            for scene in scenes:
                for _ in range(scene.viewers):
                    group.create_task(one(scene.stream))

    thread = threading.Thread(target=lambda: loop.run_until_complete(everybody()))
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


def shot(browser: Browser, url: str, recording: str) -> dict[str, Image.Image]:
    """The page in the dark and in the light, both from one visit, so that they show the same."""
    context = browser.new_context(viewport={"width": SCREEN[0], "height": SCREEN[1]}, color_scheme="dark")
    page = context.new_page()
    page.goto(f"{url}/dashboard")
    tile = page.locator(f"[data-stream={recording}]")
    tile.get_by_role("button", name="Record", exact=True).click()
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(FILL)
    pictures: dict[str, Image.Image] = {}
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(1_500)
        pictures[scheme] = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    context.close()
    return pictures


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def main(folder: Path = IMAGES) -> None:
    given, port = portrait(), free_port()
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="doppel-dashboard-")))
        url = stack.enter_context(server("--rtmp", "--rtmp-port", str(port), "--recordings-dir", str(scratch)))
        for scene in SCENES:
            stack.enter_context(published(video(given, scene, scratch / f"{scene.stream}.flv"), port, scene))
        stack.enter_context(watched(url, SCENES))
        playwright = stack.enter_context(sync_playwright())
        browser = stack.enter_context(contextlib.closing(playwright.chromium.launch(executable_path=chromium(), args=[*FLAGS])))
        for scheme, picture in shot(browser, url, SCENES[-1].stream).items():
            picture.quantize(COLORS, kmeans=1, dither=Image.Dither.NONE).save(folder / f"dashboard-{scheme}.png", optimize=True)


if __name__ == "__main__":
    main(*(Path(word) for word in sys.argv[1:2]))
