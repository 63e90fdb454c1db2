"""What somebody does who does nothing: blinks, looks about a little, sways and breathes. A function of time alone."""

from __future__ import annotations

import math

from transforms.avatars.motion import Motion
from transforms.avatars.puppet import Turn

BLINKS, GLANCES = 4.0, 1.9
"""Seconds, on average, from one blink to the next, and from one glance to the next."""

CLOSING, CLOSED, OPENING = 0.08, 0.05, 0.17
"""Seconds of a blink."""

SACCADE = 0.05
"""Seconds in which eyes come to look elsewhere."""

FARTHEST_GLANCE = 0.22, 0.14
"""Weight of a glance to the side, and up or down."""

BREATH = 4.3
"""Seconds."""

_TREMOR = ((2.0, 11.3, 0.0), (0.8, 4.7, 1.1)), ((1.1, 8.9, 2.0), (0.7, 5.3, 0.3)), ((1.0, 13.7, 4.0), (0.5, 6.1, 2.2))
"""For yaw, pitch and roll: amplitudes in degrees, periods in s, and phases, which have no common measure."""


def idle(time: float) -> Motion:
    """At a time of the stream, s."""
    blink = blinking(time)
    across, up = _glance(time)
    weights = {
        "eyeBlinkLeft": blink,
        "eyeBlinkRight": blink,
        "eyeLookOutLeft": max(0.0, across),
        "eyeLookInRight": max(0.0, across),
        "eyeLookInLeft": max(0.0, -across),
        "eyeLookOutRight": max(0.0, -across),
        "eyeLookUpLeft": max(0.0, up),
        "eyeLookUpRight": max(0.0, up),
        "eyeLookDownLeft": max(0.0, -up),
        "eyeLookDownRight": max(0.0, -up),
    }
    turn = Turn(*(sum(size * math.sin(math.tau * time / period + phase) for size, period, phase in axis) for axis in _TREMOR))
    return Motion.of(weights, turn)


def breathing(time: float) -> float:
    """-1 to 1: how full the chest is."""
    # Out takes longer than in.
    phase = math.tau * time / BREATH
    return math.sin(phase + 0.35 * math.sin(phase))


def blinking(time: float) -> float:
    """0 to 1: how closed the lids are. One blink in each BLINKS, at any time of it."""
    number = math.floor(time / BLINKS)
    length = CLOSING + CLOSED + OPENING
    since = time - number * BLINKS - _random(number, 1) * (BLINKS - length)
    if since < 0 or since > length:
        return 0.0
    if since < CLOSING:
        return _smooth(since / CLOSING)
    return 1 - _smooth(max(0.0, since - CLOSING - CLOSED) / OPENING)


def _glance(time: float) -> tuple[float, float]:
    number = math.floor(time / GLANCES)
    since = time - number * GLANCES - _random(number, 2) * (GLANCES - SACCADE)
    before, after = _aim(number - 1), _aim(number)
    share = _smooth(since / SACCADE)
    return before[0] + share * (after[0] - before[0]), before[1] + share * (after[1] - before[1])


def _aim(number: int) -> tuple[float, float]:
    # Every other one is back to who looks on.
    if number % 2 == 0:
        return 0.0, 0.0
    across, up = FARTHEST_GLANCE
    return (2 * _random(number, 3) - 1) * across, (2 * _random(number, 4) - 1) * up


def _smooth(share: float) -> float:
    share = min(1.0, max(0.0, share))
    return share * share * (3 - 2 * share)


def _random(number: int, kind: int) -> float:
    """In [0, 1), always the same (SplitMix64, Steele, Lea and Flood, OOPSLA 2014)."""
    mask = (1 << 64) - 1
    value = ((number * 8 + kind) * 0x9E3779B97F4A7C15) & mask
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & mask
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & mask
    return (value ^ (value >> 31)) / 2**64
