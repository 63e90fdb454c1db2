from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import pytest
import torch

from transforms.styles.portrait import Portrait, Sitting
from transforms.styles.studio import Studio

LIMIT = 5.0
"""s within which a thread does what it is waited for."""


def sitting(face: int) -> Sitting:
    return Sitting(face, torch.zeros((3, 256, 256)), torch.zeros((478, 2)), 0.0)


class Slow:
    """Draws when it is told to."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.go = threading.Semaphore(0)
        self.error: Exception | None = None

    def __call__(self, sittings: Sequence[Sitting]) -> list[Portrait]:
        self.begun.release()
        assert self.go.acquire(timeout=LIMIT)
        if self.error is not None:
            raise self.error
        blank = torch.zeros((3, 256, 256))
        return [Portrait(each, blank, blank[0], blank) for each in sittings]


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def studio(slow: Slow) -> Iterator[Studio]:
    studio = Studio(slow)
    yield studio
    studio.close()
    slow.go.release()


def free(studio: Studio) -> bool:
    return studio.free


def finished(studio: Studio) -> None:
    """Waits until the drawing thread has handed over."""
    with studio._changed:
        assert studio._changed.wait_for(lambda: not studio._lot, LIMIT)


def test_it_is_busy_until_its_drawing_is_collected(studio: Studio, slow: Slow) -> None:
    assert free(studio)
    studio.give([sitting(1), sitting(2)])
    assert slow.begun.acquire(timeout=LIMIT)
    assert not free(studio)
    assert studio.collect() == []
    slow.go.release()
    finished(studio)
    assert not free(studio)
    assert [portrait.sitting.face for portrait in studio.collect()] == [1, 2]
    assert free(studio)
    assert studio.collect() == []


def test_what_fails_is_told_once_and_does_not_end_it(studio: Studio, slow: Slow) -> None:
    slow.error = RuntimeError("no ink")
    studio.give([sitting(1)])
    slow.go.release()
    finished(studio)
    with pytest.raises(RuntimeError, match="no ink"):
        studio.collect()
    slow.error = None
    assert free(studio)
    studio.give([sitting(3)])
    slow.go.release()
    finished(studio)
    assert [portrait.sitting.face for portrait in studio.collect()] == [3]


def test_closing_waits_for_nothing(slow: Slow) -> None:
    studio = Studio(slow)
    studio.give([sitting(1)])
    assert slow.begun.acquire(timeout=LIMIT)
    studio.close()
    assert studio._thread.is_alive()
    slow.go.release()
    studio._thread.join(LIMIT)
    assert not studio._thread.is_alive()
