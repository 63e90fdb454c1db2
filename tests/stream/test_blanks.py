"""When pictures are made for a publisher who has no camera, by a clock of the test's own."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from stream.blanks import CAMERA_AWAITED, INTERVAL, Blanks
from stream.limits import MILLISECOND, SECOND
from stream.sound.packet import SoundPacket

BEGIN = 100 * SECOND


def packet(pts: int, received: int) -> SoundPacket:
    return SoundPacket(b"", pts, "OPUS", b"", received)


class Studio:
    """A stream with sound, in which time passes while its task sleeps."""

    def __init__(self) -> None:
        self.now = BEGIN
        self.watched = True
        self.lasts = BEGIN + 10 * SECOND
        """When the test is over, ns."""
        self.held_up = 0
        self.shown: list[tuple[int, int]] = []
        """When, ns, and the pts."""
        self.blanks = Blanks(wanted=lambda: self.watched, show=self._show, clock=lambda: self.now, sleep=self._sleep)

    def _show(self, pts: int) -> None:
        self.shown.append((self.now, pts))

    async def _sleep(self, seconds: float) -> None:
        self.now += round(seconds * SECOND) + self.held_up
        self.held_up = 0
        self.watched = self.watched and self.now < self.lasts
        await asyncio.sleep(0)

    def hear(self, seconds: float, late: int = 0) -> None:
        """Sound for so long, in packets of 20 ms; ``late`` ns each second one."""
        for number in range(round(seconds * 50)):
            arrives = self.now + number * 20 * MILLISECOND
            pts = (arrives - BEGIN) * 48_000 // SECOND
            self.blanks.heard(packet(pts, arrives + late * (number % 2)))
        self.now += round(seconds * SECOND)

    async def watch(self) -> None:
        task = self.blanks.start()
        assert task is not None
        await task


async def test_they_come_evenly_and_at_the_sounds_time() -> None:
    studio = Studio()
    studio.hear(1.0)
    await studio.watch()
    assert len(studio.shown) == 9 * SECOND // INTERVAL
    assert {after - before for (before, _), (after, _) in pairwise(studio.shown)} == {INTERVAL}
    assert all(abs(pts - (now - BEGIN) * 90_000 // SECOND) <= 1 for now, pts in studio.shown)


def test_a_camera_is_waited_for() -> None:
    studio = Studio()
    studio.hear((CAMERA_AWAITED - 100 * MILLISECOND) / SECOND)
    assert not studio.blanks.due
    studio.hear(0.2)
    assert studio.blanks.due


def test_without_sound_there_are_none() -> None:
    studio = Studio()
    studio.now += 5 * SECOND
    assert not studio.blanks.due
    assert studio.blanks.start() is None


def test_while_nobody_wants_them_there_are_none() -> None:
    studio = Studio()
    studio.hear(2.0)
    studio.watched = False
    assert not studio.blanks.due


async def test_a_camera_that_comes_ends_them_and_one_that_goes_brings_them_back() -> None:
    studio = Studio()
    studio.hear(1.0)
    task = studio.blanks.start()
    assert task is not None
    assert studio.blanks.start() is None, "one is at work"
    await asyncio.sleep(0)
    studio.blanks.pictured()
    await task
    count = len(studio.shown)
    assert not studio.blanks.due
    studio.hear(1.5)
    await studio.watch()
    assert len(studio.shown) > count


async def test_another_publisher_is_waited_for_anew() -> None:
    studio = Studio()
    studio.hear(2.0)
    assert studio.blanks.due
    studio.blanks.begin()
    assert not studio.blanks.due


async def test_a_loop_that_was_held_up_leaves_some_out() -> None:
    studio = Studio()
    studio.hear(1.0)
    studio.held_up = 205 * MILLISECOND
    studio.lasts = studio.now + SECOND
    await studio.watch()
    steps = [after - before for (before, _), (after, _) in pairwise(studio.shown)]
    assert steps[0] == INTERVAL + 205 * MILLISECOND
    assert min(steps) > 0.8 * INTERVAL - MILLISECOND
    assert len(studio.shown) == 20


@pytest.mark.parametrize("late", [5, 40])
async def test_jitter_of_the_line_does_not_shake_them(late: int) -> None:
    studio = Studio()
    studio.hear(2.0, late * MILLISECOND)
    await studio.watch()
    apart = [(now - BEGIN) / SECOND - pts / 90_000 for now, pts in studio.shown]
    assert max(apart) - min(apart) < 0.001
    assert 0 <= apart[0] * 1000 <= late


async def test_sound_of_another_time_is_followed() -> None:
    studio = Studio()
    studio.hear(1.5)
    far = studio.now + SECOND
    studio.blanks.heard(packet((far - BEGIN) * 48_000 // SECOND, studio.now))
    studio.lasts = studio.now + INTERVAL
    await studio.watch()
    now, pts = studio.shown[0]
    assert abs(pts / 90_000 - ((now - BEGIN) / SECOND + 1)) < 0.001
