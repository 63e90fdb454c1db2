"""How far lips and voice are apart at a viewer: pictures that begin a second beside the beeps that begin with them.

Both are put on the server's clock by its sender reports, as a browser does it (RFC 3550 section 6.4.1).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import av
import numpy as np

from bench import barcode, clip
from bench.flv import BEEP_SECONDS, SOUND_RATE
from bench.luma import luma
from bench.returned import decoder_of
from bench.watching import Mapping, View

LOUD = 0.1
"""Amplitude of a beep's beginning, of 1; the beeps have 0.5, and between them is silence."""
PAIR = 0.5
"""s that a beep may be away from its picture: the next one is a second on."""


def apart_ms(view: View) -> list[float]:
    """Of each second that was seen and heard: positive where the sound is late."""
    if not view.clocks:
        return []
    flashes = [_seconds(pts, _nearest(view, arrival)[0], 90_000) for pts, arrival in _flashes(view)]
    beeps = [_seconds(pts, _nearest(view, arrival)[1], SOUND_RATE) for pts, arrival in _beeps(view.sounds)]
    found: list[float] = []
    for beep in beeps:
        near = min(flashes, key=lambda flash: abs(flash - beep), default=None)
        if near is not None and abs(beep - near) < PAIR:
            found.append((beep - near) * 1e3)
    return found


def numbers(view: View) -> Iterator[tuple[int, int | None]]:
    """The place among the viewer's pictures, and the barcode of each that could be decoded."""
    decoder = decoder_of("H264")
    for place, data in enumerate(view.kept):
        packet = av.Packet(data)
        packet.pts = place
        try:
            decoded = decoder.decode(packet)
        except av.FFmpegError:
            continue
        for picture in decoded:
            yield picture.pts if picture.pts is not None else place, barcode.read(luma(picture))


def _flashes(view: View) -> Iterator[tuple[int, int]]:
    """pts and arrival of the pictures that begin a second: the first of each number, since a picture may be repeated."""
    before: int | None = None
    for place, number in numbers(view):
        if number is not None and number % clip.FPS == 0 and number != before:
            yield view.pictures[place].pts, view.pictures[place].arrival
        before = number if number is not None else before


def _beeps(sounds: Sequence[tuple[int, int, bytes]]) -> Iterator[tuple[int, int]]:
    """pts of the sample at which each beep begins, and when its packet came."""
    decoder = av.CodecContext.create("libopus", "r")
    quiet_from = -SOUND_RATE
    for arrival, pts, data in sorted(sounds, key=lambda sound: sound[1]):
        for frame in decoder.decode(av.Packet(data)):
            samples = np.abs(frame.to_ndarray().astype(np.float32))
            if frame.format.name.startswith("s16"):
                samples /= 32768
            channels = len(frame.layout.channels)
            mono = samples.reshape(-1, channels)[:, 0] if not frame.format.is_planar else samples[0]
            for at in np.flatnonzero(mono > LOUD):
                if pts + at - quiet_from > BEEP_SECONDS * SOUND_RATE:
                    yield pts + int(at), arrival
                quiet_from = pts + int(at)


def _nearest(view: View, arrival: int) -> tuple[Mapping, Mapping]:
    """What the sender reports said about then."""
    _, pictures, sound = min(view.clocks, key=lambda clock: abs(clock[0] - arrival))
    return pictures, sound


def _seconds(pts: int, mapping: Mapping, rate: int) -> float:
    """On the server's clock."""
    ntp, at = mapping
    return ntp / (1 << 32) + (pts - at) / rate
