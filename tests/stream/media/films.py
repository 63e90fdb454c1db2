"""Films of a few pictures, made here: what a stranger's source may be."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

FPS = 30
SIZE = 64, 48


def film(
    path: Path,
    video: str | None = "libx264",
    audio: str | None = "aac",
    *,
    seconds: float = 1.0,
    size: tuple[int, int] = SIZE,
    options: Mapping[str, str] | None = None,
    container: str | None = None,
    container_options: Mapping[str, str] | None = None,
    tracks: int = 1,
) -> Path:
    """Writes a film: a picture that grows lighter, and a tone."""
    with av.open(str(path), "w", format=container, options=dict(container_options or {})) as output:
        pictures: list[VideoStream] = []
        sound: AudioStream | None = None
        for _ in range(tracks if video else 0):
            stream = cast(VideoStream, output.add_stream(video or "", rate=FPS, options=dict(options or {})))
            stream.width, stream.height = size
            stream.pix_fmt = "yuvj420p" if video == "mjpeg" else "yuv420p"
            pictures.append(stream)
        if audio:
            sound = cast(AudioStream, output.add_stream(audio, rate=48_000, layout="stereo"))
        packets = []
        for stream in pictures:
            for number in range(round(seconds * FPS)):
                shade = np.full((size[1] * 3 // 2, size[0]), 40 + number % 160, np.uint8)
                frame = VideoFrame.from_ndarray(shade, "yuv420p")
                frame = frame.reformat(format=stream.pix_fmt) if stream.pix_fmt != "yuv420p" else frame
                frame.pts, frame.time_base = number, Fraction(1, FPS)
                packets += stream.encode(frame)
            packets += stream.encode(None)
        if sound is not None:
            packets += _tone(sound, seconds)
        packets.sort(key=lambda packet: (packet.dts or 0) * Fraction(packet.time_base))
        for packet in packets:
            output.mux(packet)
    return path


def _tone(stream: AudioStream, seconds: float) -> list[av.Packet[AudioStream]]:
    context = stream.codec_context
    context.open()
    length, planar = context.frame_size or 960, context.format.is_planar
    floats = context.format.name.startswith("flt")
    kind, loudest = (
        (np.dtype(np.float32), 1) if floats else (np.dtype(f"i{context.format.bytes}"), 0x7FFF << 8 * context.format.bytes - 16)
    )
    packets = []
    for start in range(0, round(seconds * 48_000) // length * length, length):
        wave = 0.1 * np.sin(np.arange(start, start + length) * (2 * np.pi * 440 / 48_000))
        samples = np.stack((wave, wave)) if planar else np.repeat(wave, 2)[None]
        frame = AudioFrame.from_ndarray(np.ascontiguousarray((samples * loudest).astype(kind)), context.format.name, "stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, start, Fraction(1, 48_000)
        packets += stream.encode(frame)
    return packets + stream.encode(None)
