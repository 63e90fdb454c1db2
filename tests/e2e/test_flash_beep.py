"""What measures lips and voice is right itself: on clips with known errors."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

from stream.picture import EncodedPicture
from stream.sound.packet import CLOCK_RATE, SoundPacket
from tests.e2e import flash_beep
from tests.e2e.flash_beep import LipSync, Watching
from transforms.frame import Timeline

SECONDS = 5
COUNT = 4
"""Flashes in them."""


@pytest.mark.parametrize("late", [-40, 0, 25])
def test_known_differences_are_found(late: int) -> None:
    lips = LipSync()
    for frame in flash_beep.pictures(SECONDS):
        luma = frame.to_ndarray()[: flash_beep.HEIGHT].mean()
        assert frame.pts is not None
        lips.picture(100 + frame.pts / 90_000, float(luma))
    for sound in flash_beep.sounds(SECONDS):
        heard = sound.to_ndarray().reshape(-1, 2)[:, 0].astype(np.float32) / np.float32(32768)
        assert sound.pts is not None
        lips.sound(100 + sound.pts / CLOCK_RATE + late / 1000, heard)
    assert lips.flashes == pytest.approx([101, 102, 103, 104])
    assert lips.differences() == pytest.approx([late] * COUNT, abs=0.2)


def test_a_beep_without_its_flash_is_left_out() -> None:
    lips = LipSync()
    beep = np.ones(960, np.float32)
    lips.picture(1.0, flash_beep.BRIGHT)
    for time in (1.01, 2.01):
        lips.sound(time, beep)
    lips.picture(2.9, flash_beep.BRIGHT)
    assert lips.differences() == pytest.approx([10])
    assert LipSync().differences() == []


def test_the_clip_as_flv_has_flash_and_beep_together() -> None:
    lips = LipSync()
    with av.open(io.BytesIO(flash_beep.flv(SECONDS)), "r") as container:
        for frame in container.decode(video=0, audio=0):
            if isinstance(frame, VideoFrame):
                assert frame.time is not None
                lips.picture(frame.time, float(frame.to_ndarray()[: flash_beep.HEIGHT].mean()))
            elif isinstance(frame, AudioFrame):
                assert frame.time is not None
                lips.sound(frame.time, frame.to_ndarray()[0], frame.sample_rate)
    assert lips.differences() == pytest.approx([0] * COUNT, abs=1.5)


def test_a_viewer_puts_both_on_the_senders_clock() -> None:
    video = av.CodecContext.create("libx264", "w")
    video.width, video.height, video.pix_fmt = flash_beep.WIDTH, flash_beep.HEIGHT, "yuv420p"
    video.time_base, video.options = Fraction(1, 90_000), {"preset": "ultrafast", "tune": "zerolatency"}
    audio = av.CodecContext.create("libopus", "w")
    audio.sample_rate, audio.layout, audio.format = CLOCK_RATE, "stereo", "s16"
    watching = Watching()
    second = 1 << 32
    for frame in flash_beep.pictures(SECONDS):
        assert frame.pts is not None
        data = b"".join(bytes(packet) for packet in video.encode(frame))
        picture = EncodedPicture(data, 900_000 + frame.pts, True, "H264", Timeline())
        watching.picture(picture, (7 * second, 900_000) if frame.pts >= 45_000 else None)
    for sound in flash_beep.sounds(SECONDS):
        assert sound.pts is not None
        # The encoder looks 312 samples ahead; this sender says that its sound is 15 ms later than it was.
        packet = SoundPacket(bytes(audio.encode(sound)[0]), 96_000 + sound.pts - 312, "OPUS", b"", 0)
        watching.sound(packet, (7 * second + 15 * second // 1000, 96_000))
    assert watching.lips.differences() == pytest.approx([15] * COUNT, abs=1.5)
    assert watching.lips.flashes[0] == pytest.approx(8)
