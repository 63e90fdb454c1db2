"""``doppel models add``, ``remove``, ``verify``, ``list`` and ``bench``, as somebody types them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from doppel.cli import main
from tests.transforms.packages.networks import inverting, negative, package
from tests.transforms.packages.test_runners import WEIGHTS, torch_package
from transforms.packages import bench, trial


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The flags of a store of its own. The trial is left out: it imports torch once more, and has tests of its own."""
    monkeypatch.setattr(trial, "run", lambda *_: None)
    monkeypatch.setattr(bench, "RUNS", 6)
    return ["--models-dir", str(tmp_path / "models")]


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = main(["models", *words])
    told = capsys.readouterr()
    return status, told.out, told.err


@pytest.mark.parametrize("action", ["list", "fetch", "verify", "add", "remove", "bench"])
def test_every_action_explains_itself(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["models", action, "--help"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: doppel models {action} ")


def test_a_package_from_its_folder_to_its_end(folder: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, told, _ = run(capsys, "add", str(negative(tmp_path)), *folder)
    assert status == 0
    assert told.startswith("added negative 1: ")
    assert '{"transform": "onnx_face", "settings": {"package": "negative"}}' in told
    assert "verified  negative 1, 0.0 MB, CC0-1.0, for a face: a test\n" in run(capsys, "list", *folder)[1]
    assert run(capsys, "verify", "negative", *folder)[:2] == (0, "verified  negative 1\n")
    assert run(capsys, "remove", "negative", *folder)[:2] == (0, "removed negative\n")
    assert "No packages; `doppel models add FOLDER_OR_ZIP`" in run(capsys, "list", *folder)[1]


def test_a_second_one_of_the_same_id(folder: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(negative(tmp_path))
    assert run(capsys, "add", path, *folder)[0] == 0
    status, _, told = run(capsys, "add", path, *folder)
    assert status == 1
    assert told.startswith("doppel: negative is installed already; `doppel models add --replace`")
    assert run(capsys, "add", path, "--replace", *folder)[0] == 0


def test_a_refusal_is_one_line(folder: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = negative(tmp_path)
    (path / "negative.onnx").write_bytes(b"something else")
    status, _, told = run(capsys, "add", str(path), *folder)
    assert status == 1
    assert told.startswith("doppel: negative.onnx has sha256 ")
    assert told.count("\n") == 1


def test_damage_is_found(folder: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "add", str(negative(tmp_path)), *folder)
    (tmp_path / "models" / "packages" / "negative" / "negative.onnx").write_bytes(b"")
    status, told, _ = run(capsys, "verify", "negative", *folder)
    assert status == 1
    assert told.startswith("damaged   negative: negative.onnx has sha256")
    assert told.endswith("1 not usable; add them again\n")
    assert "damaged   negative: " in run(capsys, "list", *folder)[1]


@pytest.mark.parametrize("action", ["remove", "verify", "bench"])
def test_an_unknown_one(action: str, folder: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    status, _, told = run(capsys, action, "nobody", *folder)
    assert status == 1
    assert "there is no model" in told
    assert "'nobody'" in told


def test_what_is_built_in_is_not_removed(folder: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert "face_landmarker is built in" in run(capsys, "remove", "face_landmarker", *folder)[2]


def test_bench_shows_and_keeps_what_it_measured(folder: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "add", str(negative(tmp_path)), *folder)
    status, told, _ = run(capsys, "bench", "--on", "cpu", "--batch", "1", "3", *folder)
    assert status == 0
    assert "p50 ms" in told
    path = tmp_path / "models" / "packages" / "negative" / "bench.json"
    kept = json.loads(path.read_text())
    assert [(entry["device"], entry["batch"]) for entry in kept["measurements"]] == [("cpu", 1), ("cpu", 3)]
    assert str(path) in told
    assert " ms on cpu: " in run(capsys, "list", *folder)[1]
    assert run(capsys, "verify", "negative", *folder)[0] == 0, "the results do not count as damage"


def test_a_fixed_batch_is_measured_alone(folder: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "add", str(negative(tmp_path, inverting(batch=1))), *folder)
    run(capsys, "bench", "negative", "--on", "cpu", *folder)
    kept = json.loads((tmp_path / "models" / "packages" / "negative" / "bench.json").read_text())
    assert [entry["batch"] for entry in kept["measurements"]] == [1]


@pytest.mark.parametrize("words", [("--batch", "0"), ("--batch", "99"), ("--batch", "x")])
def test_batches_that_nobody_runs(words: tuple[str, ...], folder: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["models", "bench", *words, *folder])
    assert caught.value.code == 2
    assert "--batch" in capsys.readouterr().err


def test_a_device_that_is_not_there(folder: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "add", str(negative(tmp_path)), *folder)
    status, _, told = run(capsys, "bench", "negative", "--on", "cuda:99", *folder)
    assert status == 1
    assert told.startswith("doppel: --device cuda:99: ")


def test_code_that_the_operator_does_not_allow(folder: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = torch_package(tmp_path, "antigravity:Tinted", WEIGHTS)
    assert run(capsys, "add", str(path), *folder)[0] == 0, "the trial, which is left out here, would have refused it"
    status, _, told = run(capsys, "bench", "tinted", "--on", "cpu", *folder)
    assert status == 1
    assert "which is not allowed" in told
    assert "antigravity" not in sys.modules


def test_a_path_that_is_not_there(folder: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no " in run(capsys, "add", str(tmp_path / "nothing.zip"), *folder)[2]
    empty = package(tmp_path / "empty", "", {})
    assert "does not describe a package" in run(capsys, "add", str(empty), *folder)[2]


def test_code_that_the_operator_allows(folder: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "tests.transforms.packages.test_runners:Tinted"
    run(capsys, "add", str(torch_package(tmp_path, name, WEIGHTS)), *folder)
    assert run(capsys, "bench", "tinted", "--on", "cpu", "--torch-modules", name, *folder)[0] == 0


@pytest.mark.parametrize("name", ["os", "os:", "os:*", "../nets:Swapper", "a b:C"])
def test_what_is_no_class_cannot_be_allowed(name: str, folder: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    status, _, told = run(capsys, "bench", "--torch-modules", name, *folder)
    assert status == 2
    assert "write package.module:Class" in told
