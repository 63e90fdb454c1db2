"""``doppel doctor`` finds what is wrong, and says what to do."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from doppel import doctor
from doppel.cli import main
from transforms.models.store import default_root

LOCAL = ["--ice-address", "127.0.0.1", "--port", "0", "--rtmp-port", "0"]


@pytest.fixture
def taken() -> Iterator[int]:
    """A TCP port that somebody listens to."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def deaf() -> Iterator[int]:
    """A UDP port that nobody answers from."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, list[str]]]:
    """The status, and what was told by what it is about."""
    status = main(["doctor", *LOCAL, *arguments])
    told: dict[str, list[str]] = {}
    for line in capsys.readouterr().out.splitlines():
        level, about, *words = line.split()
        told.setdefault(about, []).append(f"{level} {' '.join(words)}")
    return status, told


def test_a_healthy_machine(capsys: pytest.CaptureFixture[str]) -> None:
    status, told = run(capsys, "--models-dir", str(default_root()))
    assert status == 0
    assert told["ICE"] == ["ok peers can come to any UDP port of 127.0.0.1"]
    assert told["codecs"] == ["ok H264: h264 and libx264", "ok VP8: vp8 and libvpx"]
    assert told["weights"][0].startswith("ok")


def test_a_port_that_is_taken(taken: int, capsys: pytest.CaptureFixture[str]) -> None:
    status, told = run(capsys, "--port", str(taken))
    assert status == 0
    assert f"look TCP port {taken} for HTTP is taken" in told["ports"][0]


def test_an_address_of_another_machine(capsys: pytest.CaptureFixture[str]) -> None:
    status, told = run(capsys, "--ice-address", "198.51.100.7")
    assert status == 1
    assert any(line.startswith("wrong 198.51.100.7 cannot be bound") for line in told["ICE"])


def test_weights_that_are_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, told = run(capsys, "--models-dir", str(tmp_path), "--no-fetch-models")
    assert status == 1
    assert "wrong absent from" in told["weights"][0]
    assert "doppel models fetch" in told["weights"][0]
    assert run(capsys, "--models-dir", str(tmp_path))[0] == 0


def test_servers_that_do_not_answer(
    deaf: int, taken: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "PATIENCE", 0.2)
    monkeypatch.setenv("DOPPEL_ICE_SERVERS", f'[{{"urls": "turn:127.0.0.1:{deaf}", "username": "a", "credential": "hidden"}}]')
    status, told = run(capsys, "--mqtt-url", f"mqtt://127.0.0.1:{taken}")
    assert status == 1
    assert told["TURN"][0].startswith(f"wrong turn:127.0.0.1:{deaf}: ")
    assert told["broker"][0].startswith(f"wrong 127.0.0.1:{taken}: ")
    assert "hidden" not in str(told)


def test_codecs_that_are_missing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(doctor.CODECS, "VP8", ("vp8", "nosuch"))
    status, told = run(capsys)
    assert status == 1
    assert "wrong VP8: PyAV lacks nosuch; install a wheel of av" in told["codecs"]


def test_a_device_that_is_absent(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    status, told = run(capsys, "--device", "cuda")
    assert status == 1
    assert told["device"][0].startswith("wrong --device cuda")
