"""Every bound of a stream's sound, with its unit and its reason."""

from __future__ import annotations

from stream.limits import MILLISECOND, SECOND
from stream.sound.packet import CLOCK_RATE

QUEUE_PACKETS = 48
"""Packets that may wait for the sound's thread: 1 s of AAC. A thread that far behind has no core; older sound is of no use."""

DELAYED_PACKETS = 256
"""Packets held back until the pictures have caught up: 5 s of 20 ms, and still 640 ms of the shortest that Opus has."""

MAX_DELAY = 2 * SECOND
"""ns that sound is held back at most: pictures that are later have worse troubles than lips."""

MAX_BEHIND = 1.0
"""s that a transform may have sound put later at most: who talks to somebody must not wait for a model."""

DELAY_STEP = 2 * MILLISECOND
"""ns by which the delay follows the pictures' with each packet: a receiver's jitter buffer takes that for the line's jitter."""

DELAY_JUMP = 100 * MILLISECOND
"""ns off from which the delay is set at once: following would leave lips and voice apart for over a second."""

TIMER_GRAIN = 1 * MILLISECOND
"""ns that a packet may leave too early: loops' timers count in ms, and one that woke a little too soon would be set again."""

JUMP = CLOCK_RATE // 20
"""48 kHz: 50 ms. Time stamps that are off by more are a gap or a new beginning; by less, the jitter of the publisher's clock."""

DRIFT = CLOCK_RATE // 2000
"""48 kHz: 0.5 ms, to which RTMP rounds; only what is off by more is steered against."""

SMOOTHING = 32
"""Packets that the publisher's time stamps are smoothed over: the rounding of RTMP and a bursty sender's jitter vanish."""

STRETCH = 8
"""Samples by which one packet of sound is stretched or shrunk at most: a seventh of a semitone, which nobody hears."""

OPUS_BITRATE = 96_000
"""b/s for stereo: transparent for speech and good for music; sound then is a 20th of what a picture takes."""

OPUS_COMPLEXITY = 5
"""Of 10: two thirds of the CPU of the highest, and no difference that can be heard at OPUS_BITRATE."""

AAC_BYTES = 8192
"""bytes of one AAC frame: more than 6144 bits for each of 8 channels, which is the most that a decoder must take."""

VOICE_WAITING = 25
"""Blocks of 20 ms of a voice that may wait for its thread: half a second, longer than any scheduling hiccup."""

VOICE_BEHIND = CLOCK_RATE // 2
"""48 kHz: half a second of a voice that is caught up with at once; where more is missing, it is left out."""

CLOSE_TIMEOUT = 1.0
"""s that the sound's thread may take to end: it works on one packet, some ms."""
