"""Pictures to encode, made here."""

from __future__ import annotations

import os
from fractions import Fraction

import av
import torch
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from stream.picture import EncodedPicture
from transforms.color import Color
from transforms.frame import Frame, Planes, Timeline

os.environ.setdefault("SVT_LOG", "1")  # errors only

FRAME = 3000
"""Ticks of 90 kHz at 30 fps."""

CODECS = {"libx264": "H264", "libx264rgb": "H264", "libx265": "HEVC", "libvpx": "VP8", "libvpx-vp9": "VP9", "libsvtav1": "AV1"}
"""By FFmpeg's encoder."""


def frame(number: int = 0, width: int = 64, height: int = 48, color: Color | None = None, grain: int = 16) -> Frame:
    """A moving ramp with so much grain; the more of it, the more bits it takes."""
    random = torch.Generator().manual_seed(number)
    ramp = (torch.arange(width)[None] + torch.arange(height)[:, None] + 3 * number) % 180 + 20
    y = (ramp + torch.randint(0, grain + 1, (height, width), generator=random)).to(torch.uint8)
    chroma = (-(-height // 2), -(-width // 2))
    return Frame(
        Planes(y, torch.full(chroma, 100, dtype=torch.uint8), torch.full(chroma, 150, dtype=torch.uint8)),
        pts=number * FRAME,
        color=color or Color(),
    )


def encoded(
    count: int = 1,
    *,
    pixels: str = "yuv420p",
    encoder: str = "libx264",
    width: int = 64,
    height: int = 48,
    options: dict[str, str] | None = None,
    keyframes: int = 1000,
    full_range: bool = False,
) -> list[EncodedPicture]:
    """What a publisher sends that does not use our encoder. In the order of decoding."""
    context = av.CodecContext.create(encoder, "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = width, height, pixels
    context.time_base = Fraction(1, 30)
    context.gop_size = keyframes
    context.thread_count = 1
    if full_range:
        context.color_range = 2  # said, not done: the codes stay as they are
    context.options = options if options is not None else {"tune": "zerolatency", "preset": "ultrafast"}
    packets = []
    for number in range(count):
        made = frame(number, width, height)
        source = VideoFrame(width, height, "yuv420p")
        for plane, tensor in zip(source.planes, made.planes, strict=True):
            target = torch.frombuffer(memoryview(plane), dtype=torch.uint8).view(-1, plane.line_size)
            target[: tensor.shape[0], : tensor.shape[1]] = tensor
        source.pts = number
        packets += context.encode(source.reformat(format=pixels))
    packets += context.encode(None)
    return [
        EncodedPicture(bytes(p), (p.pts or 0) * FRAME, p.is_keyframe, CODECS[encoder], Timeline(received=1 + (p.pts or 0)))
        for p in packets
    ]
