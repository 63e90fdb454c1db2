from __future__ import annotations

import numpy as np
import pytest

from stream.frame_queue import Drops
from stream.sound.packet import SoundPacket
from stream.sound.worker import Worker
from tests.stream.sound.media import aac, clicks, onsets, opus
from transforms.audio import SAMPLE_RATE, Recent

TIMES = [0.5, 1.25, 1.9]


def listen(packets: list[SoundPacket]) -> Recent:
    """What a listener hears; the worker's thread is this one."""
    recent = Recent()
    worker = Worker(deliver=lambda _: None, listening=lambda: True, recent=recent, drops=Drops())
    for packet in packets:
        worker.put(packet)
        worker.step()
    return recent


def test_opus_is_heard_when_it_was() -> None:
    recent = listen(opus(clicks(2.3, TIMES, 48_000)))
    assert onsets(recent.window(2 * 48_000, 2), 0, SAMPLE_RATE) == pytest.approx(TIMES, abs=0.003)


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_aac_is_heard_when_it_was(rate: int) -> None:
    recent = listen(aac(clicks(2.3, TIMES, rate), rate))
    assert onsets(recent.window(2 * 48_000, 2), 0, SAMPLE_RATE) == pytest.approx(TIMES, abs=0.003)


def test_a_tone_has_no_seams() -> None:
    tone = (0.5 * np.sin(2 * np.pi * 440 * np.arange(2 * 44_100) / 44_100)).astype(np.float32)
    heard = listen(aac(tone, 44_100)).window(round(1.5 * 48_000), 1)
    wave = np.exp(-2j * np.pi * 440 * np.arange(len(heard)) / SAMPLE_RATE)
    amplitude = 2 * np.mean(heard * wave)
    rest = heard - np.real(amplitude * np.conj(wave))
    assert abs(amplitude) == pytest.approx(0.5, abs=0.02)
    assert np.max(np.abs(rest)) < 0.02


def test_a_lost_packet_is_silence_in_its_place() -> None:
    tone = (0.5 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)).astype(np.float32)
    packets = opus(tone)
    heard = listen(packets[:20] + packets[25:]).window(48_000 - 960, 0.9)
    begins = 0.98 - 0.9
    quiet = heard[round((0.41 - begins) * SAMPLE_RATE) : round((0.48 - begins) * SAMPLE_RATE)]
    assert np.max(np.abs(quiet)) == 0
    after = heard[round((0.52 - begins) * SAMPLE_RATE) : round((0.9 - begins) * SAMPLE_RATE)]
    assert np.sqrt(np.mean(after**2)) == pytest.approx(0.5 / np.sqrt(2), abs=0.02)


def test_another_publisher_goes_on_in_the_same_time() -> None:
    recent = Recent()
    worker = Worker(deliver=lambda _: None, listening=lambda: True, recent=recent, drops=Drops())
    for packet in aac(clicks(0.6, [0.5], 48_000), 48_000):
        worker.put(packet)
        worker.step()
    worker.begin()
    for packet in aac(clicks(0.6, [0.5], 44_100), 44_100, began=48_000):
        worker.put(packet)
        worker.step()
    assert onsets(recent.window(round(1.6 * 48_000), 1.6), 0, SAMPLE_RATE) == pytest.approx([0.5, 1.5], abs=0.003)
