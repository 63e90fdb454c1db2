from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from PIL import Image

from bench import plots, report
from bench.outcome import Bar, Outcome

OUTCOME = Outcome(
    name="turnaround",
    title="Turnaround",
    text="What was done.",
    rows=[
        {"server": "doppel", "p50 ms": 9.5, "PSNR dB": math.nan, "note": "a|b\nc"},
        {"server": "plain aiortc", "p50 ms": 50, "PSNR dB": None, "note": ""},
    ],
    bars=[Bar("fast", "9.5 ms", True), Bar("small", "9 GB", False)],
    series={"doppel, H264": [(0.0, 9.5), (0.1, 9.25), (0.2, math.nan)]},
)


def test_a_table_aligns_numbers_and_dashes_what_is_missing() -> None:
    lines = report.table(OUTCOME.rows).splitlines()
    assert lines == [
        "| server | p50 ms | PSNR dB | note |",
        "| --- | --: | --: | --- |",
        "| doppel | 9.5 | – | a\\|b c |",  # noqa: RUF001 - as it is shown
        "| plain aiortc | 50 | – |  |",  # noqa: RUF001
    ]
    assert report.table([]) == ""


def test_the_page_has_everything() -> None:
    page = report.markdown({"cores": "2"}, [OUTCOME], ["streams: it ended"], "images")
    assert "| cores | 2 |" in page
    assert "## Turnaround\n" in page
    assert "What was done." in page
    assert "| fast | 9.5 ms | pass |" in page
    assert "| small | 9 GB | FAIL |" in page
    assert "(images/latency.png)" in page
    assert "- streams: it ended" in page


def test_a_page_without_bars_or_faults_mentions_none() -> None:
    page = report.markdown({}, [Outcome("connect", "Connect", "", [])], [], None)
    assert "## Bars" not in page
    assert "## Broken" not in page
    assert "![" not in page


def test_a_busy_machine_is_told() -> None:
    quiet = Outcome("streams", "", "", [{report.OTHERS: 0.1}, {report.OTHERS: None}])
    busy = Outcome("streams", "", "", [{report.OTHERS: 0.1}, {report.OTHERS: 1.5}])
    assert report.disturbance([OUTCOME, quiet]) == ""
    assert "1.50 cores" in report.disturbance([quiet, busy])
    assert "1.50 cores" in report.markdown({}, [busy], [], None)


def test_json_is_valid_and_complete() -> None:
    found = json.loads(report.document({"cores": "2"}, [OUTCOME], []))
    assert found["machine"] == {"cores": "2"}
    assert found["outcomes"][0]["bars"][1] == {"promise": "small", "measured": "9 GB", "kept": False}
    assert found["outcomes"][0]["series"]["doppel, H264"] == [[0.0, 9.5], [0.1, 9.25], [0.2, None]]
    assert found["outcomes"][0]["rows"][0]["PSNR dB"] is None


@pytest.mark.parametrize("name", report.IMAGES)
def test_every_plot_is_drawn_on_white(name: str, tmp_path: Path) -> None:
    outcome = Outcome(name, "Title", "", [], series={"doppel": [(1.0, 20.0), (2.0, 30.0)], "plain aiortc": [(1.0, 60.0)]})
    plots.draw(outcome, tmp_path)
    with Image.open(tmp_path / report.IMAGES[name][0]) as picture:
        assert picture.width > 600
        assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_nothing_measured_is_not_drawn(tmp_path: Path) -> None:
    plots.draw(Outcome("streams", "Title", "", []), tmp_path)
    assert list(tmp_path.iterdir()) == []
