from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import join, report
from bench.outcome import Bar, Outcome


def written(path: Path, name: str, value: int, **machine: str) -> Path:
    outcome = Outcome(name, f"About {name}", "How.", [{"server": "doppel", "value": value}], [Bar("it is so", "yes", True)])
    path.write_text(report.document({"date": path.stem, "cores": "2", **machine}, [outcome], []))
    return path


def test_runs_are_joined_in_the_order_of_scenarios_and_the_last_counts(tmp_path: Path) -> None:
    runs = [
        written(tmp_path / f"{day}.json", name, n)
        for n, (day, name) in enumerate([("a", "connect"), ("b", "quality"), ("c", "connect")])
    ]
    page = tmp_path / "page.md"
    assert join.main([*map(str, runs), "--markdown", str(page)]) == 0
    text = page.read_text()
    assert "| date | a; b; c |" in text
    assert "| cores | 2 |" in text
    assert text.index("About quality") < text.index("About connect")
    assert "| doppel | 2 |" in text
    assert "| doppel | 0 |" not in text


def test_other_machines_are_not_mixed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [written(tmp_path / "a.json", "connect", 1), written(tmp_path / "b.json", "quality", 1, cores="64")]
    assert join.main([*map(str, runs), "--markdown", str(tmp_path / "page.md")]) == 1
    assert "cores" in capsys.readouterr().err


def test_what_is_read_is_what_was_written() -> None:
    outcome = Outcome("streams", "Streams", "How.", [{"a": None, "b": 1.5}], [Bar("x", "y", False)], {"line": [(1.0, 2.0)]})
    (again,) = map(join.read, json.loads(report.document({}, [outcome], []))["outcomes"])
    assert again == outcome
