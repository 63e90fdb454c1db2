"""The instruments of an audience: what counts as lost, as late and as out of sync."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame

from bench import clip, lips, watching
from bench.flv import SOUND_RATE, _beeps
from bench.publishing import Publisher, WhipPlan
from bench.scenarios.broadcast import lost_of
from bench.servers import DOPPEL, running
from bench.watching import Seen, View, WatchPlan

SECOND = 1_000_000_000


def view(*numbers: int) -> View:
    return View([Seen(number * SECOND // clip.FPS, number * clip.TICKS + 7, 1000, False) for number in numbers])


@pytest.mark.parametrize(
    ("numbers", "lost", "wanted"),
    [
        (range(30), 0, 30),
        ([*range(10), *range(12, 30)], 2, 30),
        (range(20), 9, 29),
        ([], 1, 1),
    ],
)
def test_lost_pictures_are_those_missing_from_the_beat(numbers: list[int], lost: int, wanted: int) -> None:
    assert lost_of(view(*numbers), 0, SECOND) == (lost, wanted)


@pytest.mark.parametrize("late", [0, 960, -1920])
def test_a_beep_that_is_late_is_seen(late: int) -> None:
    """The clip's first seconds, and its sound as Opus that begins ``late`` samples after its time."""
    found = View()
    for number, data in enumerate(clip.encoded("H264").frames[:95]):
        found.pictures.append(Seen(number * SECOND // clip.FPS, number * clip.TICKS, len(data), False))
        found.kept.append(data)
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = SOUND_RATE, "mono", "flt"
    encoder.time_base = Fraction(1, SOUND_RATE)
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SOUND_RATE, frame_size=960)
    for frame in _beeps(3.1):
        for piece in resampler.resample(frame):
            for packet in encoder.encode(piece):
                pts = (packet.pts or 0) + late
                found.sounds.append((pts * SECOND // SOUND_RATE, pts, bytes(packet)))
    found.clocks.append((0, (1 << 40, 0), (1 << 40, 0)))
    apart = lips.apart_ms(found)
    assert len(apart) >= 3
    assert np.median(apart) == pytest.approx(late / 48, abs=7), "within Opus's own delay"


def test_without_sender_reports_nothing_is_compared() -> None:
    assert lips.apart_ms(view(1, 2)) == []


def test_silence_has_no_beep() -> None:
    silence = AudioFrame.from_ndarray(np.zeros((1, 960), np.float32), format="flt", layout="mono")
    silence.sample_rate, silence.pts, silence.time_base = SOUND_RATE, 0, Fraction(1, SOUND_RATE)
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = SOUND_RATE, "mono", "flt"
    packets = [*encoder.encode(silence), *encoder.encode(None)]
    assert list(lips._beeps([(0, 0, bytes(packet)) for packet in packets])) == []


def test_an_audience_sees_what_is_published() -> None:
    with running(DOPPEL) as server, Publisher(WhipPlan(server.whip("t"), "H264", clip.encoded("H264").frames)) as publisher:
        publisher.begin()
        watched = watching.watch(
            WatchPlan(server.whep("t"), server.pid, viewers=2, warmup=0.0, seconds=1.5, sound=True, keep=True)
        )
    assert len(watched.views) == 2
    assert all(view.pictures and not view.closed for view in watched.views)
    assert len(watched.views[0].kept) == len(watched.views[0].pictures)
    numbers = [number for _, number in lips.numbers(watched.views[0])]
    assert any(number is not None for number in numbers)
    assert watched.cores > 0
