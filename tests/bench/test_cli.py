from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import cli
from bench.clip import Clip
from bench.outcome import Bar, Outcome
from bench.scale import QUICK, Scale
from bench.servers import ServerFailed


def works(scale: Scale, original: Clip) -> Outcome:
    assert original.pictures
    return Outcome("works", "Works", "", [{"seconds": scale.seconds}], [Bar("quick", "slow", False)])


def fails(scale: Scale, original: Clip) -> Outcome:
    raise ServerFailed("it did not start")


def test_a_missed_bar_is_no_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(cli, "ALL", {"works": works})
    assert cli.main(["--quick", "--json", str(tmp_path / "out.json"), "--markdown", str(tmp_path / "page.md")]) == 0
    assert "FAIL" in capsys.readouterr().out
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["outcomes"][0]["rows"] == [{"seconds": QUICK.seconds}]
    assert "--quick" in found["machine"]["command"]
    assert "## Works" in (tmp_path / "page.md").read_text()


def test_what_is_broken_fails_and_the_rest_still_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cli, "ALL", {"fails": fails, "works": works})
    assert cli.main(["--seconds", "3", "--json", str(tmp_path / "out.json")]) == 1
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["broken"] == ["fails: it did not start"]
    assert found["outcomes"][0]["rows"] == [{"seconds": 3.0}]


def test_what_is_named_runs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "ALL", {"fails": fails, "works": works})
    assert cli.main(["works", "--quick"]) == 0


@pytest.mark.parametrize(
    "arguments", [["--seconds", "0"], ["--seconds", "1e9"], ["--seconds", "x"], ["--only", "nothing"], ["nothing"]]
)
def test_wrong_arguments(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert "error:" in capsys.readouterr().err
