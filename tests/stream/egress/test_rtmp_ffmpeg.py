"""ffmpeg as the server: what it writes down of a push is what was sent."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from stream.picture import EncodedPicture
from stream.sound.packet import CLOCK_RATE, SoundPacket
from tests.stream.egress.pushing import Push
from tests.stream.egress.rtmp_servers import PATIENCE
from tests.stream.rtmp.ffmpeg import FFMPEG
from tests.stream.sound.media import clicks, opus
from transforms.frame import Timeline

SECONDS, FPS = 4, 25
FLASHES = (0.8, 1.96, 3.2)
"""s, each with a click, and each the time of a picture."""

BEGIN = 60
"""s into the stream, at which the push begins."""

APART = 0.025
"""s between lips and voice that are allowed."""


@contextlib.asynccontextmanager
async def listening(target: Path) -> AsyncIterator[tuple[int, asyncio.subprocess.Process]]:
    """ffmpeg that takes one push and copies it into a file; its port."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *(FFMPEG, "-hide_banner", "-loglevel", "warning", "-listen", "1", "-i", f"rtmp://127.0.0.1:{port}/live/x"),
        *("-c", "copy", str(target)),
        stderr=asyncio.subprocess.PIPE,
        stdin=asyncio.subprocess.DEVNULL,
    )
    try:
        yield port, process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def flashing() -> list[EncodedPicture]:
    """Black but for white pictures at FLASHES, a keyframe every 2 s."""
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = 160, 96, "yuv420p"
    encoder.time_base, encoder.gop_size = Fraction(1, FPS), 2 * FPS
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline"}
    packets = []
    for number in range(SECONDS * FPS):
        planes = np.full((96 * 3 // 2, 160), 128, np.uint8)
        planes[:96] = 235 if any(round(flash * FPS) == number for flash in FLASHES) else 16
        frame = VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts = number
        packets += encoder.encode(frame)
    return [
        EncodedPicture(bytes(packet), BEGIN * 90_000 + number * 3600, packet.is_keyframe, "H264", Timeline(received=0), 160, 96)
        for number, packet in enumerate(packets)
    ]


def clicking() -> list[SoundPacket]:
    packets = opus(clicks(SECONDS, FLASHES, CLOCK_RATE))
    return [replace(packet, pts=packet.pts + BEGIN * CLOCK_RATE) for packet in packets]


def read(path: Path) -> tuple[list[float], list[float], dict[str, str], dict[str, float]]:
    """When it flashes and clicks, s; the codecs; how long picture and sound are, s."""
    flashes: list[float] = []
    pieces: list[tuple[float, NDArray[np.float32]]] = []
    ends: dict[str, float] = {}
    with av.open(str(path)) as container:
        codecs: dict[str, str] = {stream.type: stream.codec_context.name for stream in container.streams}
        for frame in container.decode(video=0):
            assert isinstance(frame, VideoFrame)
            assert frame.time is not None
            ends["video"] = frame.time + 1 / FPS
            if frame.to_ndarray()[:96].mean() > 150:
                flashes.append(frame.time)
        container.seek(0)
        for heard in container.decode(audio=0):
            assert isinstance(heard, AudioFrame)
            assert heard.time is not None
            ends["audio"] = heard.time + heard.samples / heard.sample_rate
            pieces.append((heard.time, np.abs(heard.to_ndarray()).max(axis=0)))
    sounding = np.concatenate([time + np.flatnonzero(level > 0.2) / CLOCK_RATE for time, level in pieces])
    onsets = [float(time) for index, time in enumerate(sounding) if not index or time - sounding[index - 1] > 0.1]
    return flashes, onsets, codecs, ends


async def test_what_ffmpeg_writes_down_is_what_was_sent(tmp_path: Path) -> None:
    target = tmp_path / "out.flv"
    async with listening(target) as (port, process):
        # ffmpeg needs a moment, and until then nobody is at the address.
        async with Push(port, tries=100_000) as push:
            await push.state("live")
            await push.feed(flashing(), clicking())
        _, complaints = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 0, complaints.decode()
    flashes, onsets, codecs, ends = read(target)
    assert codecs == {"video": "h264", "audio": "aac"}
    assert ends["video"] == pytest.approx(SECONDS, abs=0.05)
    assert ends["audio"] == pytest.approx(SECONDS, abs=0.06)
    assert flashes == pytest.approx(FLASHES, abs=0.002)
    assert onsets == pytest.approx(flashes, abs=APART)
    assert push.egress.dropped == 0
