"""Sound for tests: clicks at known times, encoded by PyAV, and where they are after it was decoded."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

from stream.limits import SECOND
from stream.sound.packet import CLOCK_RATE, SoundPacket

CLICK = 0.004
"""s that a click lasts: short enough to be placed, long enough for codecs to keep."""


def clicks(seconds: float, times: Sequence[float], rate: int) -> NDArray[np.float32]:
    """Silence, but for bursts of 2 kHz."""
    samples = np.zeros(round(seconds * rate), np.float32)
    burst = 0.8 * np.sin(2 * np.pi * 2000 * np.arange(round(CLICK * rate)) / rate)
    for time in times:
        samples[round(time * rate) :][: len(burst)] += burst.astype(np.float32)
    return samples


def aac(samples: NDArray[np.float32], rate: int, channels: int = 2, began: int = 0, rounded: bool = True) -> list[SoundPacket]:
    """AAC-LC as a publisher sends it: the pts of the samples, rounded to ms as RTMP does; received when its last sample was."""
    encoder = av.CodecContext.create("aac", "w")
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[channels]
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = rate, layout, "fltp", 64_000 * channels
    encoder.time_base = Fraction(1, rate)
    encoder.open()
    found = []
    for at in range(0, len(samples) - 1023, 1024):
        frame = AudioFrame.from_ndarray(np.tile(samples[at : at + 1024], (channels, 1)), format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, at, Fraction(1, rate)
        found += encoder.encode(frame)
    found += encoder.encode(None)
    configuration = bytes(encoder.extradata or b"")
    packets = []
    for packet in found:
        assert packet.pts is not None
        time = Fraction(packet.pts, rate)
        pts = began + (round(time * 1000) * 48 if rounded else round(time * CLOCK_RATE))
        received = 100 * SECOND + int((time + Fraction(1024, rate)) * SECOND)
        packets.append(SoundPacket(bytes(packet), pts, "AAC", configuration, received))
    return packets


def opus(samples: NDArray[np.float32]) -> list[SoundPacket]:
    """48 kHz, as from RTP: the pts of what a decoder gives, which is later by what the encoder looks ahead."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = CLOCK_RATE, "mono", "flt", 64_000
    packets = []
    for number, at in enumerate(range(0, len(samples) - 959, 960)):
        frame = AudioFrame.from_ndarray(samples[None, at : at + 960], format="flt", layout="mono")
        frame.sample_rate = CLOCK_RATE
        (packet,) = encoder.encode(frame)
        packets.append(SoundPacket(bytes(packet), number * 960 - 312, "OPUS", b"", 100 * SECOND + number * SECOND // 50))
    return packets


def heard(packets: Sequence[SoundPacket]) -> tuple[NDArray[np.float32], int]:
    """What a receiver plays of Opus, mono at 48 kHz, each packet at its pts; and the pts of the first sample."""
    decoder = av.CodecContext.create("libopus", "r")
    decoder.extradata = b"OpusHead\x01\x02\0\0\x80\xbb\0\0\0\0\0"
    begin = packets[0].pts
    played = np.zeros(packets[-1].pts - begin + 960, np.float32)
    for packet in packets:
        (frame,) = decoder.decode(av.Packet(packet.data))
        samples = frame.to_ndarray().reshape(-1, 2).mean(axis=1)
        if frame.format.name.startswith("s16"):
            samples = samples / 32768
        played[packet.pts - begin :][: len(samples)] = samples
    return played, begin


def onsets(samples: NDArray[np.float32], begin: int, rate: int = CLOCK_RATE, level: float = 0.2) -> list[float]:
    """Times, s, at which something is heard after a silence of 0.1 s; ``begin`` is the pts (48 kHz) of the first sample."""
    loud = np.flatnonzero(np.abs(samples) > level)
    first = np.diff(loud, prepend=-rate) > rate // 10
    return [begin / CLOCK_RATE + place / rate for place in loud[first].tolist()]
