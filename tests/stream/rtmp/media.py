"""Pictures and sound for publishers, made by PyAV: FLV tags, as RTMP carries them."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from typing import NamedTuple, cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

os.environ.setdefault("SVT_LOG", "1")  # errors only

WIDTH, HEIGHT, FPS = 160, 96, 25

ENCODERS = {"H264": "libx264", "HEVC": "libx265", "AV1": "libsvtav1", "VP9": "libvpx-vp9", "AAC": "aac", "OPUS": "libopus"}

OPTIONS = {
    "libx264": {"preset": "ultrafast", "tune": "zerolatency"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=none:pools=1:frame-threads=1:open-gop=0"},
    "libsvtav1": {"preset": "12", "svtav1-params": "lp=1"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
}

DECODERS = {"H264": "h264", "HEVC": "hevc", "AV1": "libdav1d", "VP9": "vp9", "AAC": "aac", "OPUS": "libopus"}


class Tag(NamedTuple):
    """One FLV tag."""

    kind: int
    time: int
    body: bytes


def picture(index: int, width: int = WIDTH, height: int = HEIGHT) -> VideoFrame:
    """Luma rises by 8 with each."""
    planes = np.full((height * 3 // 2, width), 128, np.uint8)
    planes[:height] = 16 + index * 8 % 200
    frame = VideoFrame.from_ndarray(planes, format="yuv420p")
    frame.pts, frame.time_base = index, Fraction(1, FPS)
    return frame


@cache
def tags(video: str = "H264", audio: str = "AAC", pictures: int = 12, width: int = WIDTH, options: str = "") -> tuple[Tag, ...]:
    """A stream's tags, in their order. Options are FFmpeg's, "bf=2:g=5"."""
    file = io.BytesIO()
    with av.open(file, "w", format="flv") as container:
        encoder = ENCODERS[video]
        stream = cast(VideoStream, container.add_stream(encoder, rate=FPS))
        stream.width, stream.height, stream.pix_fmt = width, HEIGHT, "yuv420p"
        stream.codec_context.options = OPTIONS[encoder] | dict(option.split("=") for option in options.split(":") if option)
        stream.codec_context.gop_size = 6
        sound = cast(AudioStream, container.add_stream(ENCODERS[audio], rate=48_000)) if audio else None
        for index in range(pictures):
            container.mux(stream.encode(picture(index, width)))
        container.mux(stream.encode(None))
        if sound is not None:
            for index in range(pictures * 48_000 // FPS // 960):
                frame = AudioFrame.from_ndarray(np.zeros((1, 960), np.float32), format="fltp", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = 48_000, index * 960, Fraction(1, 48_000)
                container.mux(sound.encode(frame))
            container.mux(sound.encode(None))
    return tuple(sorted(read(file.getvalue()), key=lambda tag: tag.time))


def read(flv: bytes) -> Iterator[Tag]:
    """The tags of an FLV file."""
    position = 13
    while position + 11 <= len(flv):
        size = int.from_bytes(flv[position + 1 : position + 4])
        time = int.from_bytes(flv[position + 4 : position + 7]) | flv[position + 7] << 24
        yield Tag(flv[position], time, flv[position + 11 : position + 11 + size])
        position += 11 + size + 4


def video_frames(codec: str, packets: list[bytes]) -> list[VideoFrame]:
    """All pictures that packets hold, with what the decoder still held."""
    context = cast(av.VideoCodecContext, av.CodecContext.create(DECODERS[codec], "r"))
    frames = [frame for packet in packets for frame in context.decode(av.Packet(packet))]
    return frames + context.decode(None)


def sound_frames(codec: str, packets: list[bytes], extradata: bytes) -> list[AudioFrame]:
    """All sound that packets hold."""
    context = cast(av.AudioCodecContext, av.CodecContext.create(DECODERS[codec], "r"))
    context.extradata = extradata
    frames = [frame for packet in packets for frame in context.decode(av.Packet(packet))]
    return frames + context.decode(None)
