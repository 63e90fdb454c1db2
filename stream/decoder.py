"""Plain, blocking decode with PyAV, for threads: FFmpeg lets go of the GIL while it works."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import torch
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from stream.codec import TIME_BASE, CodecError
from stream.picture import EncodedPicture
from transforms.color import Color
from transforms.frame import Frame, Planes, Timeline

DECODERS = {"H264": "h264", "HEVC": "hevc", "VP8": "vp8", "VP9": "vp9", "AV1": "libdav1d"}
"""FFmpeg's names. Its own VP8 and VP9 decoders are faster than libvpx, and its own AV1 decoder needs a GPU."""

TIMELINES = 32
"""Pictures that may be inside a decoder: H.264 and HEVC hold back 16 at most, and some that are broken never come out."""


class Decoder:
    """One stream's decoder: one thread, and never more pixels than allowed.

    Frames come out in the order of display, 8-bit 4:2:0. Of a stream without B-frames each comes out with its own picture; with
    them, after as many further ones as the stream says that it puts out of order.
    """

    def __init__(self, codec: str, max_pixels: int) -> None:
        """Raises CodecError where there is no such codec."""
        name = DECODERS.get(codec)
        if name is None:
            raise CodecError(f"there is no decoder for {codec[:32]!r}; send one of {', '.join(DECODERS)}")
        self.codec = codec
        self.late = 0
        """Frames that were dropped because one of the same time, or of a later one, had come out before."""
        context = av.CodecContext.create(name, "r")
        assert isinstance(context, VideoCodecContext)
        # FRAME threading would add a frame of delay for each thread, and deadlocks when it is freed unflushed.
        context.thread_type = "SLICE"
        context.thread_count = 1
        context.options = {"flags": "low_delay", "max_pixels": str(max_pixels)}
        self._context = context
        self._reformatter = VideoReformatter()
        self._timelines: dict[int, Timeline] = {}
        """By pts, of the pictures that went in, the oldest first."""
        self._last: int | None = None

    def decode(self, picture: EncodedPicture) -> Iterator[Frame]:
        """The frames that a picture completes: mostly one. Raises CodecError."""
        if not picture.data:
            # FFmpeg takes an empty packet as the end of the stream, and nothing after it.
            raise CodecError(f"{self.codec} picture is empty")
        packet = av.Packet(picture.data)
        packet.pts = picture.pts
        packet.time_base = TIME_BASE
        self._timelines[picture.pts] = picture.timeline
        if len(self._timelines) > TIMELINES:
            del self._timelines[next(iter(self._timelines))]
        yield from self._frames(packet)

    def flush(self) -> Iterator[Frame]:
        """The frames that are still held back, at the end of a stream; the decoder then takes another, from a keyframe on.

        Raises CodecError.
        """
        try:
            yield from self._frames(None)
        finally:
            self._context.flush_buffers()
            self._timelines.clear()

    def _frames(self, packet: av.Packet[Any] | None) -> Iterator[Frame]:
        try:
            for picture in self._context.decode(packet):
                pts = picture.pts
                timeline = None if pts is None else self._timelines.pop(pts, None)
                if pts is None or timeline is None or (self._last is not None and pts <= self._last):
                    self.late += 1
                    continue
                self._last = pts
                frame = to_frame(self._as_420(picture))
                frame.timeline = timeline
                yield frame
        except (av.FFmpegError, ValueError) as error:
            # ValueError: a pixel format that FFmpeg has no conversion from.
            raise CodecError(f"{self.codec} picture cannot be decoded: {error}") from error

    def _as_420(self, picture: VideoFrame) -> VideoFrame:
        """The picture in 8 bits and 4:2:0, in its own range; itself where it is so already."""
        if picture.format.name in ("yuv420p", "yuvj420p"):
            return picture
        # RGB, as screens are sent in, has no matrix that could be kept.
        matrix, span = (Colorspace.ITU601, ColorRange.MPEG) if picture.format.is_rgb else (None, None)
        return self._reformatter.reformat(
            picture, format="yuv420p", dst_colorspace=matrix, dst_color_range=span, interpolation="FAST_BILINEAR", threads=1
        )


def to_frame(picture: VideoFrame) -> Frame:
    """Wraps the memory of an 8-bit 4:2:0 picture; nothing is copied."""
    planes = Planes(
        *(
            torch.frombuffer(memoryview(plane), dtype=torch.uint8).view(-1, plane.line_size)[: plane.height, : plane.width]
            for plane in picture.planes
        )
    )
    full = True if picture.format.name == "yuvj420p" else {1: False, 2: True}.get(int(picture.color_range))
    return Frame(
        planes,
        pts=picture.pts or 0,
        time_base=Fraction(picture.time_base.numerator, picture.time_base.denominator) if picture.time_base else TIME_BASE,
        color=Color(int(picture.color_primaries), int(picture.color_trc), int(picture.colorspace), full),
        source=picture,
    )
