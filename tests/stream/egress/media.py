"""A stream to record: H.264 as our encoder makes it, Opus, and what a file has of them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame

from stream.codec import VideoEncoder
from stream.picture import EncodedPicture
from stream.sound.packet import SoundPacket
from tests.stream.pictures import FRAME, frame

PACKET = 960
"""Ticks of 48 kHz in a packet of 20 ms."""

FPS, PACKETS = 30, 50
"""1/s."""


@cache
def pictures(seconds: int, width: int = 64, height: int = 48, first: int = 0) -> list[EncodedPicture]:
    """At 30 fps with a keyframe every 2 s; ``first`` is the number of the first one."""
    encoder = VideoEncoder("H264", 200_000)
    made = []
    for number in range(first, first + seconds * FPS):
        encoder.want_keyframe = (number - first) % (2 * FPS) == 0
        picture = encoder.encode(frame(number, width, height))
        assert picture is not None
        made.append(picture)
    return made


@cache
def sound(seconds: int) -> list[SoundPacket]:
    """A tone."""
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format = 48_000, "stereo", "s16"
    encoder.bit_rate, encoder.time_base = 32_000, Fraction(1, 48_000)
    made = []
    for number in range(seconds * PACKETS):
        tone = np.sin((np.arange(PACKET) + number * PACKET) * (440 * 2 * np.pi / 48_000)) * 8000
        samples = AudioFrame.from_ndarray(np.repeat(tone, 2)[None].astype(np.int16), format="s16", layout="stereo")
        samples.sample_rate, samples.pts = 48_000, number * PACKET
        made += [bytes(packet) for packet in encoder.encode(samples)]
    return [SoundPacket(data, number * PACKET, "OPUS", b"", 0) for number, data in enumerate(made)]


def together(pictures: list[EncodedPicture], sound: list[SoundPacket]) -> list[EncodedPicture | SoundPacket]:
    """In order of time."""
    return sorted([*pictures, *sound], key=lambda item: item.pts * (8 if isinstance(item, EncodedPicture) else 15))


@dataclass(frozen=True)
class Seen:
    """What a player gets of a file. Times in ticks of the track: 90 kHz, 48 kHz."""

    pictures: list[int]
    keyframes: list[int]
    sound: list[int]
    frames: int
    """Pictures that could be decoded."""
    samples: int
    """Of sound, that could be decoded."""


def watch(file: Any) -> Seen:
    """Reads it with FFmpeg, to its end."""
    seen = Seen([], [], [], 0, 0)
    frames = samples = 0
    with av.open(file) as container:
        for packet in container.demux():
            if packet.dts is None:
                continue
            assert packet.pts is not None
            if packet.stream.type == "video":
                assert packet.time_base == Fraction(1, 90_000)
                seen.pictures.append(packet.pts)
                if packet.is_keyframe:
                    seen.keyframes.append(packet.pts)
                frames += len(packet.decode())
            else:
                assert packet.time_base == Fraction(1, 48_000)
                seen.sound.append(packet.pts)
                samples += sum(part.samples for part in packet.decode() if isinstance(part, AudioFrame))
        for stream in container.streams.video:
            frames += len(stream.codec_context.decode(None))
    return Seen(seen.pictures, seen.keyframes, seen.sound, frames, samples)


def ticks(count: int, step: int, first: int = 0) -> list[int]:
    return [first + number * step for number in range(count)]


__all__ = ["FPS", "FRAME", "PACKET", "PACKETS", "Seen", "pictures", "sound", "ticks", "together", "watch"]
