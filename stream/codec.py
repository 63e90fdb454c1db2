"""Plain, blocking encode with PyAV, for threads: FFmpeg lets go of the GIL while it works.

CodecError
└── raised for what FFmpeg cannot decode or encode; the codec stays usable
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from fractions import Fraction
from statistics import median
from typing import Literal

import av
import numpy as np
import torch
from av.video.frame import PictureType, VideoFrame

from stream.picture import EncodedPicture
from transforms.color import BT601, UNSPECIFIED, Color
from transforms.frame import Frame

Preset = Literal["ultrafast", "superfast", "veryfast"]
"""x264's, cheapest first: at 720p and 1 Mb/s 2.5, 3.8 and 6.6 ms a frame."""

TIME_BASE = Fraction(1, 90_000)
"""s; that of RTP video, used throughout."""

NOMINAL_FPS = 30
"""What x264 plans its rate control for; the real durations come with the time stamps."""

VBV_SECONDS = 0.1
"""s of its bitrate that x264 may run ahead: three pictures, since on a line that carries just that bitrate all of it is latency.
It costs 0.3 dB at 1.5 Mb/s.
"""


class CodecError(Exception):
    """FFmpeg could not decode a picture or encode a frame."""


def to_picture(frame: Frame, codec: str) -> VideoFrame:
    """A picture to encode: the decoder's own where nobody changed it, else a new one. Edges are even, as 4:2:0 encoders ask."""
    width, height = frame.width - frame.width % 2, frame.height - frame.height % 2
    if not width or not height:
        raise CodecError(f"a picture of {frame.width}x{frame.height} is too small to encode")
    wanted = (width, height, _pixel_format(frame.color, codec))
    source = frame.source
    if isinstance(source, VideoFrame) and (source.width, source.height, source.format.name) == wanted:
        return source
    picture = VideoFrame(*wanted)
    for plane, tensor in zip(picture.planes, frame.planes, strict=True):
        target = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]
        torch.from_numpy(target).copy_(tensor[: plane.height, : plane.width])
    return picture


def scaled(picture: VideoFrame, scale: Fraction) -> VideoFrame:
    """The picture at a share of its width and height, rounded to even; itself at 1."""
    if scale == 1:
        return picture
    width, height = (max(2, int(side * scale) // 2 * 2) for side in (picture.width, picture.height))
    return picture.reformat(width=width, height=height, interpolation="FAST_BILINEAR")


def fitted(picture: VideoFrame, width: int, height: int) -> VideoFrame:
    """The picture in the middle of a canvas of that even size, as large as fits, on black; itself where it is of that size."""
    if (picture.width, picture.height) == (width, height):
        return picture
    scale = min(Fraction(width, picture.width), Fraction(height, picture.height))
    inner_width, inner_height = (max(2, int(side * scale) // 2 * 2) for side in (picture.width, picture.height))
    inner = picture.reformat(width=inner_width, height=inner_height, interpolation="FAST_BILINEAR")
    canvas = VideoFrame(width, height, inner.format.name)
    left, top = (width - inner_width) // 4 * 2, (height - inner_height) // 4 * 2
    for number, (plane, source) in enumerate(zip(canvas.planes, inner.planes, strict=True)):
        half = 2 if number else 1
        whole = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        whole[:] = 128 if number else (0 if inner.format.name == "yuvj420p" else 16)
        part = np.frombuffer(memoryview(source), np.uint8).reshape(-1, source.line_size)
        whole[top // half : (top + inner_height) // half, left // half : (left + inner_width) // half] = part[
            : inner_height // half, : inner_width // half
        ]
    return canvas


def _pixel_format(color: Color, codec: str) -> Literal["yuv420p", "yuvj420p"]:
    """FFmpeg's name for 8-bit 4:2:0, which says the range too; with the wrong one PyAV converts. VP8 knows no ranges."""
    return "yuvj420p" if color.full_range and codec == "H264" else "yuv420p"


class Encoder:
    """One open FFmpeg encoder for one size and colour; ``VideoEncoder`` makes a new one for another."""

    def __init__(
        self,
        codec: str,
        width: int,
        height: int,
        color: Color,
        bitrate: int,
        ceiling: int = 0,
        preset: Preset = "superfast",
    ) -> None:
        """``ceiling`` (b/s) is the highest that ``set_bitrate`` can set, where above ``bitrate``. Raises CodecError."""
        ceiling = max(bitrate, ceiling)
        context = av.CodecContext.create("libx264" if codec == "H264" else "libvpx", "w")
        context.width, context.height = width, height
        context.pix_fmt = _pixel_format(color, codec)
        context.bit_rate = ceiling if codec == "H264" else bitrate
        context.framerate = Fraction(NOMINAL_FPS)
        context.time_base = TIME_BASE
        context.thread_count = 1
        context.gop_size = 1 << 20  # keyframes only when asked for: each is a burst on the line
        if color.matrix == UNSPECIFIED:
            # What WebRTC and our own conversion take it for; Chromium shows H.264 that says nothing as BT.709.
            color = replace(color, primaries=BT601, transfer=BT601, matrix=BT601)
        context.color_primaries = color.primaries
        context.color_trc = color.transfer
        context.colorspace = color.matrix
        context.color_range = 0 if color.full_range is None else 2 if color.full_range else 1
        context.options = x264_options(ceiling, bitrate, preset) if codec == "H264" else vp8_options(bitrate)
        self._context = context
        try:
            context.open()
        except (av.FFmpegError, ValueError) as error:
            raise CodecError(f"no {codec} encoder for {width}x{height} can be had: {error}") from error
        if codec == "H264":
            self.set_bitrate(bitrate)

    def set_bitrate(self, bitrate: int) -> None:
        """Changes the rate of the open encoder (libx264 only: FFmpeg's libvpx wrapper takes none once it is open)."""
        self._context.bit_rate = bitrate

    def encode(self, picture: VideoFrame, keyframe: bool) -> tuple[bytes, bool]:
        """The encoded picture, and whether it is a keyframe. Raises CodecError."""
        picture.pict_type = PictureType.I if keyframe else PictureType.NONE
        try:
            packets = self._context.encode(picture)
        except av.FFmpegError as error:
            raise CodecError(f"a frame cannot be encoded: {error}") from error
        return b"".join(bytes(packet) for packet in packets), any(packet.is_keyframe for packet in packets)


def x264_options(ceiling: int, bitrate: int, preset: Preset = "superfast") -> dict[str, str]:
    """libx264 for live: no look-ahead, no B-frames, constrained baseline, which every WebRTC client decodes.

    The rate is constant, since x264 lets only a stream that began so (maxrate = bitrate) change its rate while open; it
    begins at the ceiling, since x264 never goes beyond the first maxrate, and is set to what is wanted before the first frame.
    The level is left to x264, which takes the lowest that the size and rate fit.
    """
    return {
        "preset": preset,
        "tune": "zerolatency",
        "profile": "baseline",
        "forced-idr": "1",
        "maxrate": str(ceiling),
        # x264 takes no less than a picture's worth of the ceiling.
        "bufsize": str(int(max(bitrate * VBV_SECONDS, ceiling / NOMINAL_FPS))),
        "x264-params": "scenecut=0",
    }


def vp8_options(bitrate: int) -> dict[str, str]:
    """libvpx for live: real-time deadline, no look-ahead, constant rate, the denoiser off."""
    return {
        "deadline": "realtime",
        "cpu-used": "-12",
        "lag-in-frames": "0",
        "minrate": str(bitrate),
        "maxrate": str(bitrate),
        "bufsize": str(bitrate),
        "qmin": "2",
        "qmax": "56",
        "undershoot-pct": "100",
        "overshoot-pct": "15",
        "static-thresh": "1",
        "error-resilient": "default",
    }


REOPEN = 1.4
"""Factor of bitrate above the one that an H.264 encoder was opened for, from which its buffer is too short to spend it: the line
has shown that it carries much, so another encoder, with a keyframe, costs it little. Downwards it waits for a keyframe that is
wanted anyway.
"""

REBUILD_VP8 = 1.3
"""Factor of bitrate at which a VP8 encoder is made anew, at the price of a keyframe, since an open one takes no other."""

REBUILD_INTERVAL = 2 * 90_000
"""90 kHz between two such rebuilds of either: an estimate that swings must not make a keyframe each time."""


STEPS = 16
"""Intervals that the frame rate is taken of: half a second. An even number, so that where two frames of three are kept, and every
other interval is double, the median lies between.
"""


class FrameInterval:
    """The usual time between frames, as a factor of NOMINAL_FPS's: x264 spends its rate by frames, not by their time.

    The median, since frames that are dropped now and then must not make those beside them larger.
    """

    def __init__(self) -> None:
        self._nominal = 90_000 / NOMINAL_FPS
        self._steps: deque[int] = deque(maxlen=STEPS)
        """90 kHz."""
        self._last: int | None = None
        self.factor = 1.0
        """In steps of 5 %, so that x264 is not told something else with each frame."""

    def frame(self, pts: int) -> None:
        """90 kHz. A pause, or a step back, is no frame rate."""
        step = pts - self._last if self._last is not None else 0
        self._last = pts
        if 0 < step <= 6 * self._nominal:
            self._steps.append(step)
        factor = median(self._steps) / self._nominal if len(self._steps) > STEPS // 2 else 1.0
        if abs(factor - self.factor) > 0.05 * self.factor:
            self.factor = factor


class VideoEncoder:
    """Encodes one stream in one codec. Used by one thread; ``bitrate`` and ``want_keyframe`` may be set from others."""

    def __init__(self, codec: str, bitrate: int, ceiling: int = 0) -> None:
        self.codec = codec
        self.ceiling = ceiling
        """b/s that ``bitrate`` may be set to later, where above what it is now."""
        self.bitrate = bitrate
        """b/s to aim at."""
        self.want_keyframe = False
        self.scale = Fraction(1)
        """Of width and height, at which frames are encoded; 1 at most."""
        self.canvas: tuple[int, int] | None = None
        """Width and height that every frame is fitted into; None takes them as they come."""
        self.preset: Preset = "superfast"
        """For H264; another makes another encoder, with a keyframe. VP8's is always the cheapest."""
        self.built = 0
        """Encoders made so far: one for each size, colour and preset."""
        self._encoder: Encoder | None = None
        self._made_for: tuple[int, int, Color, Preset | None] | None = None
        self._rate = bitrate
        """b/s that the encoder was told last."""
        self._opened = bitrate
        """b/s that it was opened with."""
        self._rebuilt = 0
        self._interval = FrameInterval()

    def skipped(self, pts: int) -> None:
        """A frame (its pts, 90 kHz) was left out because the line is full: those that are encoded are not to grow for it."""
        self._interval.frame(pts)

    def encode(self, frame: Frame) -> EncodedPicture | None:
        """One frame; None where the encoder gave nothing out. Raises CodecError."""
        picture, preset = scaled(to_picture(frame, self.codec), self.scale), self.preset
        if self.canvas is not None:
            picture = fitted(picture, *self.canvas)
        wanted = (picture.width, picture.height, frame.color, preset if self.codec == "H264" else None)
        bitrate = self.bitrate
        self._interval.frame(frame.pts)
        if self.codec == "H264":
            bitrate = min(int(bitrate * self._interval.factor), max(bitrate, self.ceiling))
        if self._encoder is None or wanted != self._made_for or self._outgrown(frame.pts):
            self._encoder = Encoder(self.codec, *wanted[:3], bitrate, self.ceiling, preset)
            self._made_for, self._rate, self._opened, self._rebuilt = wanted, bitrate, self.bitrate, frame.pts
            self.built += 1
        elif bitrate != self._rate and self.codec == "H264":
            self._encoder.set_bitrate(bitrate)
            self._rate = bitrate
        keyframe, self.want_keyframe = self.want_keyframe, False
        picture.pts, picture.time_base = frame.pts, frame.time_base
        try:
            data, is_keyframe = self._encoder.encode(picture, keyframe)
        except CodecError:
            # An encoder that failed once is not to be trusted with the next frame.
            self._encoder = None
            raise
        if not data:
            return None
        return EncodedPicture(data, frame.pts, is_keyframe, self.codec, frame.timeline, picture.width, picture.height)

    def _outgrown(self, pts: int) -> bool:
        """Whether the open encoder does not fit the rate any more."""
        if abs(pts - self._rebuilt) < REBUILD_INTERVAL:
            return False
        change = self.bitrate / self._opened
        if self.codec == "VP8":
            return not 1 / REBUILD_VP8 < change < REBUILD_VP8
        return change > REOPEN or (self.want_keyframe and change < 1 / REOPEN)

    def close(self) -> None:
        self._encoder = None
