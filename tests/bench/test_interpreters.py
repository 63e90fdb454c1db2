from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import interpreters
from bench.interpreters import PeerMissing
from bench.servers import AIORTC, Kind, available


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """What would be run, with an empty cache; nothing is."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    seen: list[list[str]] = []

    def run(command: list[str], **_: Any) -> None:
        seen.append(command)
        if command[1:3] == ["-m", "venv"]:
            Path(command[-1]).mkdir(parents=True)

    monkeypatch.setattr(subprocess, "run", run)
    return seen


def test_an_environment_is_made_once_and_outside_the_repository(commands: list[list[str]], tmp_path: Path) -> None:
    python = interpreters.fastrtc()
    assert Path(python).is_relative_to(tmp_path)
    assert commands[1] == [python, "-m", "pip", "install", "--quiet", *interpreters.FASTRTC]
    assert interpreters.fastrtc() == python
    assert len(commands) == 2
    assert interpreters.streamlit() != python


def test_one_that_was_cut_short_is_made_anew(commands: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(command: list[str], **_: Any) -> None:
        raise subprocess.CalledProcessError(1, command, stderr="Looking\nERROR: No matching distribution\n")

    with monkeypatch.context() as broken:
        broken.setattr(subprocess, "run", fails)
        with pytest.raises(PeerMissing, match=r"fastrtc==\S+ could not be installed: ERROR: No matching distribution"):
            interpreters.fastrtc()
    interpreters.fastrtc()
    assert "--clear" in commands[0]


def test_missing_plugins_are_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(command: list[str], **_: Any) -> None:
        raise subprocess.CalledProcessError(1, command, stderr="no element webrtcbin\n")

    monkeypatch.setattr(subprocess, "run", fails)
    with pytest.raises(PeerMissing, match=r"no element webrtcbin.*apt-get install .*gstreamer1.0-nice"):
        interpreters.gstreamer()


def test_who_cannot_be_had_is_left_out_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    def missing() -> str:
        raise PeerMissing("there is no network")

    found, sentences = available([AIORTC, Kind("nobody", (), missing)])
    assert found == [AIORTC]
    assert sentences == ["nobody is left out: there is no network"]
    assert sentences[0] in capsys.readouterr().err


def test_ours_is_this_python() -> None:
    assert interpreters.ours() == sys.executable
