from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import pytest

from bench import browser, clip
from bench.browser import Recording, Sample
from bench.process import Usage
from bench.scenarios.browser import _bar

GOOD = Sample(after=1.0, width=1280, height=720, fps=30.0, target=2e6, encoded=30, limited="none")


def recorded(bad: Sample) -> Recording:
    others = [replace(GOOD, after=float(second), encoded=30 * second) for second in range(1, 6)]
    return Recording([*others, replace(bad, after=6.0, encoded=150 + bad.encoded)], [Usage(0, 0.0, 0.0, 0.0)] * 2)


@pytest.mark.parametrize(
    ("second", "kept"),
    [
        (GOOD, True),
        (replace(GOOD, encoded=28), True),
        (replace(GOOD, encoded=20), False),
        (replace(GOOD, width=960, height=540), False),
        (replace(GOOD, target=1.4e6), False),
    ],
)
def test_one_bad_second_misses_the_bar(second: Sample, kept: bool) -> None:
    assert _bar(recorded(second)).kept is kept


def test_the_webcam_shows_the_clip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(clip, "LOOP_FRAMES", 3)
    with av.open(str(browser.webcam(clip.load(), tmp_path / "face.mjpeg"))) as written:
        pictures = list(written.decode(video=0))
    assert [(picture.width, picture.height) for picture in pictures] == [(1280, 720)] * 3
