"""A stream is recorded while its publisher goes and comes again."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

from tests.e2e.server import Server
from tests.stream.rtmp.ffmpeg import FFMPEG

PATIENCE = 20.0
"""s for anything on a busy machine."""

FPS = 30
SHOWN = 0.1
"""s, of each, that the picture is white, and a tone is heard."""

APART = 0.02
"""s between a flash and its beep in the file, which nobody notices."""


@dataclass
class House:
    server: Server
    folder: Path
    http: aiohttp.ClientSession

    @property
    def api(self) -> str:
        return f"{self.server.url}/api/streams/alice"

    async def publish(self) -> asyncio.subprocess.Process:
        """White and a beep at each whole second."""
        found = re.search(r"\bRTMP publishers may come to port (\d+)", self.server.log)
        assert found is not None
        flash = f"drawbox=color=white:t=fill:enable='lt(mod(t,1),{SHOWN})'"
        beep = f"if(lt(mod(t,1),{SHOWN}),0.5*sin(2*PI*1000*t),0)"
        return await asyncio.create_subprocess_exec(
            *(FFMPEG, "-hide_banner", "-loglevel", "error", "-threads", "1"),
            *("-re", "-f", "lavfi", "-i", f"color=black:size=320x192:rate={FPS},{flash}"),
            *("-re", "-f", "lavfi", "-i", f"aevalsrc='{beep}':s=48000"),
            *("-t", "60", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", str(FPS), "-bf", "0"),
            *("-c:a", "aac", "-f", "flv", f"rtmp://127.0.0.1:{found[1]}/live/alice"),
        )

    async def report(self) -> dict[str, Any]:
        async with self.http.get(self.api) as response:
            return dict(await response.json()) if response.status == 200 else {"state": "none"}

    async def until(self, state: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while (await self.report())["state"] != state:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)

    async def start(self, wanted: dict[str, str]) -> tuple[int, dict[str, Any]]:
        async with self.http.post(f"{self.api}/outputs", json=wanted) as response:
            return response.status, await response.json()

    async def outputs(self) -> list[dict[str, Any]]:
        async with self.http.get(f"{self.api}/outputs") as response:
            return list(await response.json())

    async def end(self, id: str) -> int:
        async with self.http.delete(f"{self.api}/outputs/{id}") as response:
            return response.status

    async def recorded(self, target: str, seconds: float) -> float:
        """Waits until the growing file has so much; returns what it has. s."""
        async with asyncio.timeout(PATIENCE):
            while (have := await asyncio.to_thread(length, self.folder / target)) < seconds:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        return have


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recordings")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("server") / "log"
    server = Server(log, ["--rtmp-port", "0", "--recordings-dir", str(folder)])
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture
async def house(running: Server, folder: Path) -> AsyncIterator[House]:
    async with aiohttp.ClientSession() as http:
        yield House(running, folder, http)


def length(path: Path) -> float:
    """s of pictures in a file that may still grow; 0 while there is nothing to play."""
    if not path.exists() or not path.stat().st_size:
        return 0.0
    last = 0
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            last = packet.pts or last
    return last / 90_000


def events(path: Path) -> tuple[list[float], list[float], list[float]]:
    """When the picture becomes white, when a beep begins, and when there is a picture at all. s."""
    flashes, beeps, pictures = [], [], []
    white, heard, quiet = False, False, 0.0
    with av.open(str(path)) as container:
        for frame in container.decode(video=0, audio=0):
            assert frame.pts is not None
            if isinstance(frame, VideoFrame):
                time = frame.pts / 90_000
                pictures.append(time)
                before, white = white, frame.to_ndarray()[: frame.height].mean() > 128
                if white and not before:
                    flashes.append(time)
            elif isinstance(frame, AudioFrame):
                loud = np.flatnonzero(np.abs(frame.to_ndarray()).reshape(len(frame.layout.channels), -1)[0] > 0.1)
                begin = frame.pts / 48_000
                if len(loud):
                    first = begin + loud[0] / 48_000
                    if not heard or first - quiet > SHOWN / 2:
                        beeps.append(first)
                    heard, quiet = True, begin + loud[-1] / 48_000
    return flashes, beeps, pictures


async def test_a_recording_goes_on_across_publishers_with_sound_and_pictures_together(house: House) -> None:
    publisher = await house.publish()
    try:
        await house.until("live")
        status, made = await house.start({"kind": "recording"})
        assert (status, made["kind"]) == (201, "recording"), made
        before = await house.recorded(made["target"], 3.0)
        publisher.kill()
        await publisher.wait()
        await house.until("waiting")
        publisher = await house.publish()
        await house.until("live")
        await house.recorded(made["target"], before + 5.0)
        (shown,) = await house.outputs()
        assert (shown["id"], shown["state"], shown["reason"]) == (made["id"], "running", "")
        assert await house.end(made["id"]) == 200
        assert await house.outputs() == []
        assert (await house.report())["state"] == "live"
    finally:
        publisher.kill()
        await publisher.wait()
    flashes, beeps, pictures = await asyncio.to_thread(events, house.folder / made["target"])
    assert all(after > earlier for earlier, after in pairwise(pictures))
    assert len(flashes) >= 6
    # A busy machine shows a flash a picture late now and then.
    assert abs(median(min((beep - flash for beep in beeps), key=abs) for flash in flashes[1:])) <= APART


async def test_a_push_is_off_until_hosts_are_named(house: House) -> None:
    publisher = await house.publish()
    try:
        await house.until("live")
        status, told = await house.start({"kind": "rtmp", "url": "rtmp://127.0.0.1/app/key"})
        assert status == 422
        assert "--push-hosts" in told["detail"]
    finally:
        publisher.kill()
        await publisher.wait()
