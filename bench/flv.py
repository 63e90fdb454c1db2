"""Encoded pictures and sound as FLV, which is what RTMP carries: a file for FFmpeg, or tags for a publisher of ours."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame

from bench.clip import FPS

SOUND_RATE = 48_000
SOUND_BITRATE = 128_000
BEEP_HZ = 1000
BEEP_SECONDS = 0.1
"""At the beginning of each second, as the picture with a number that is divisible by 30."""
AUDIO, VIDEO, SCRIPT = 8, 9, 18
"""Kinds of tags."""
PROBED = 30
"""Pictures from whose parameter sets FFmpeg is told what they are."""
_NAMES = {"H264": "h264", "HEVC": "hevc"}


@dataclass(frozen=True, slots=True)
class Tag:
    kind: int
    time: int
    """ms."""
    body: bytes


def mux(codec: str, frames: Sequence[bytes], *, gop: int, count: int, sound: bool = False) -> bytes:
    """``count`` pictures at 30 fps, again and again those of ``frames``, with a beep a second. ``codec``: "H264" or "HEVC"."""
    file = io.BytesIO()
    # FFmpeg finds the parameter sets for the sequence header in the pictures themselves.
    raw = io.BytesIO(b"".join(frames[:PROBED]))
    with av.open(raw, "r", format=_NAMES[codec]) as source, av.open(file, "w", format="flv") as container:
        video = container.add_stream_from_template(source.streams.video[0])
        video.time_base = Fraction(1, 1000)
        packets: list[av.Packet[Any]] = []
        if sound:
            audio = container.add_stream("aac", SOUND_RATE)
            audio.bit_rate = SOUND_BITRATE
            audio.layout = "mono"
            for frame in _beeps(count / FPS):
                packets += audio.encode(frame)
            packets += audio.encode(None)
        for number in range(count):
            packet = av.Packet(frames[number % len(frames)])
            packet.stream = video
            packet.pts = packet.dts = round(number * 1000 / FPS)
            packet.time_base = Fraction(1, 1000)
            packet.is_keyframe = number % len(frames) % gop == 0
            packets.append(packet)
        packets.sort(key=lambda packet: float((packet.dts or 0) * (packet.time_base or 1)))
        for packet in packets:
            container.mux(packet)
    return file.getvalue()


def tags(data: bytes) -> Iterator[Tag]:
    """Of an FLV file: sequence headers, pictures, sound and metadata."""
    at = 9 + 4
    while at + 11 <= len(data):
        kind, size = data[at], int.from_bytes(data[at + 1 : at + 4])
        time = int.from_bytes(data[at + 4 : at + 7]) | data[at + 7] << 24
        yield Tag(kind, time, data[at + 11 : at + 11 + size])
        at += 11 + size + 4


def is_picture(tag: Tag) -> bool:
    """Whether a tag of VIDEO holds a picture, rather than a sequence header or an end."""
    enhanced = tag.body[0] & 0x80
    return tag.body[0] & 0x0F in (1, 3) if enhanced else tag.body[1] == 1


def _beeps(seconds: float) -> Iterator[AudioFrame]:
    length = 1024
    for begin in range(0, int(seconds * SOUND_RATE), length):
        at = np.arange(begin, begin + length) % SOUND_RATE / SOUND_RATE
        samples = np.where(at < BEEP_SECONDS, 0.5 * np.sin(2 * np.pi * BEEP_HZ * at), 0).astype(np.float32)
        frame = AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, begin, Fraction(1, SOUND_RATE)
        yield frame
