"""A clip in which a flash and a beep coincide every second, and how far apart they are where it is received."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from stream.picture import EncodedPicture
from stream.rtc.alignment import Mapping
from stream.sound.packet import CLOCK_RATE, SoundPacket

WIDTH, HEIGHT, FPS = 320, 180, 30

EVERY, LASTS = 1.0, 0.1
"""s from one flash to the next, of which the first is at EVERY; s of a flash and its beep."""

DARK, BRIGHT = 40, 225
"""Luma of the pictures."""

LOUD = 0.25
"""Of full scale, half of the beep."""

SILENCE = 0.3
"""s of it after which the next sound is another beep; the same for flashes."""

BLOCK = CLOCK_RATE // 50
"""Samples in 20 ms."""

_OPUS_HEAD = b"OpusHead\x01\x02\0\0\x80\xbb\0\0\0\0\0"


def pictures(seconds: float) -> Iterator[VideoFrame]:
    """Dark, but for the flashes; pts at FPS, from 0."""
    for number in range(round(seconds * FPS)):
        luma = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
        luma[:HEIGHT] = BRIGHT if _on(number / FPS) else DARK
        frame = VideoFrame.from_ndarray(luma, format="yuv420p")
        frame.pts, frame.time_base = number * 90_000 // FPS, Fraction(1, 90_000)
        yield frame


def samples(seconds: float) -> NDArray[np.int16]:
    """Silence, but for beeps of 1 kHz: stereo at 48 kHz, samples x 2."""
    time = np.arange(round(seconds * CLOCK_RATE)) / CLOCK_RATE
    beep = np.where((time >= EVERY) & (time % EVERY < LASTS), np.sin(2 * np.pi * 1000 * time), 0)
    return np.repeat((16_000 * beep).astype(np.int16)[:, None], 2, axis=1)


def sounds(seconds: float) -> Iterator[AudioFrame]:
    """The same in frames of 20 ms; pts at 48 kHz, from 0."""
    whole = samples(seconds)
    for begin in range(0, len(whole) - BLOCK + 1, BLOCK):
        frame = AudioFrame.from_ndarray(whole[begin : begin + BLOCK].reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = CLOCK_RATE, begin, Fraction(1, CLOCK_RATE)
        yield frame


def flv(seconds: float) -> bytes:
    """The clip as FLV: H.264, a keyframe a second, and AAC."""
    file = io.BytesIO()
    with av.open(file, "w", format="flv") as container:
        video = container.add_stream("libx264", rate=FPS)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.codec_context.options = {"preset": "ultrafast", "tune": "zerolatency"}
        video.codec_context.gop_size, video.codec_context.time_base = FPS, Fraction(1, 90_000)
        audio = container.add_stream("aac", rate=CLOCK_RATE)
        audio.codec_context.layout = "stereo"
        encoded = [packet for frame in (*pictures(seconds), None) for packet in video.encode(frame)]
        encoded += [packet for sound in (*sounds(seconds), None) for packet in audio.encode(sound)]
        for packet in sorted(encoded, key=lambda packet: (packet.dts or 0) * (packet.time_base or 0)):
            container.mux(packet)
    return file.getvalue()


def packets(seconds: float) -> tuple[list[av.Packet[Any]], list[av.Packet[Any]]]:
    """The clip as packets of H.264, a keyframe a second, and of Opus, for a WebRTC sender; pts as the pictures' and sounds'."""
    video = av.CodecContext.create("libx264", "w")
    video.width, video.height, video.pix_fmt, video.gop_size = WIDTH, HEIGHT, "yuv420p", FPS
    video.time_base, video.options = Fraction(1, 90_000), {"preset": "ultrafast", "tune": "zerolatency"}
    audio = av.CodecContext.create("libopus", "w")
    audio.sample_rate, audio.layout, audio.format = CLOCK_RATE, "stereo", "s16"
    shown = [packet for frame in pictures(seconds) for packet in video.encode(frame)]
    # The encoder counts what it looks ahead; the first packet holds no more than that, and would be from before 0.
    heard = [packet for sound in sounds(seconds) for packet in audio.encode(sound)][1:]
    for packet in (*shown, *heard):
        packet.time_base = packet.time_base or Fraction(1, CLOCK_RATE)
    return shown, heard


def _on(time: float) -> bool:
    return time >= EVERY and time % EVERY < LASTS


class LipSync:
    """Finds the flashes and the beeps in what is seen and heard. Times in s, of one clock, each kind in its order."""

    def __init__(self) -> None:
        self.flashes: list[float] = []
        """When each began."""
        self.beeps: list[float] = []
        self._bright = self._loud = float("-inf")

    def picture(self, time: float, luma: float) -> None:
        """A picture's mean luma."""
        if luma > (DARK + BRIGHT) / 2:
            if time - self._bright > SILENCE:
                self.flashes.append(time)
            self._bright = time

    def sound(self, time: float, heard: NDArray[np.float32], rate: int = CLOCK_RATE) -> None:
        """Mono samples, -1 to 1; the time is the first one's."""
        for place in np.flatnonzero(np.abs(heard) > LOUD).tolist():
            now = time + place / rate
            if now - self._loud > SILENCE:
                self.beeps.append(now)
            self._loud = now

    def differences(self) -> list[float]:
        """ms by which each beep is later than its flash; those without the other are left out."""
        found = []
        for flash in self.flashes:
            beep = min(self.beeps, key=lambda beep: abs(beep - flash), default=None)
            if beep is not None and abs(beep - flash) < EVERY / 2:
                found.append((beep - flash) * 1000)
        return found


class Watching:
    """Decodes what a viewer receives, and puts it on the sender's clock by its reports; what comes before them is passed over."""

    def __init__(self, codec: str = "H264") -> None:
        self.lips = LipSync()
        self._video = av.CodecContext.create("h264", "r") if codec == "H264" else av.CodecContext.create("vp8", "r")
        self._video.thread_count = 1
        self._audio = av.CodecContext.create("libopus", "r")
        self._audio.extradata = _OPUS_HEAD

    def picture(self, picture: EncodedPicture, mapping: Mapping | None) -> None:
        """In decoding order; ``mapping`` is what the receiver's last sender report says."""
        for frame in self._video.decode(av.Packet(picture.data)):
            plane = frame.planes[0]
            rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
            if mapping is not None:
                self.lips.picture(wall(picture.pts, 90_000, mapping), float(rows[: plane.height, : plane.width].mean()))

    def sound(self, packet: SoundPacket, mapping: Mapping | None) -> None:
        for frame in self._audio.decode(av.Packet(packet.data)):
            heard = frame.to_ndarray().reshape(-1, frame.layout.nb_channels).mean(axis=1).astype(np.float32)
            if frame.format.name == "s16":
                heard /= 32768
            if mapping is not None:
                self.lips.sound(wall(packet.pts, CLOCK_RATE, mapping), heard)


def wall(pts: int, rate: int, mapping: Mapping) -> float:
    """When a pts is on its sender's clock, s."""
    ntp, at = mapping
    return ntp / (1 << 32) + (pts - at) / rate
