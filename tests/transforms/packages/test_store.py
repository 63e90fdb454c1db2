"""Packages are installed whole, verified and tried out, or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import helper

from tests.transforms.packages.conftest import Shelf
from tests.transforms.packages.networks import negative, network
from transforms.errors import ModelRefused, ModelUnavailable, UnknownModel
from transforms.packages import bench, trial
from transforms.packages.manifest import Manifest
from transforms.packages.store import Packages

CPU = torch.device("cpu")


@pytest.fixture
def untried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Leaves the trial out, and tells whose it would have been."""
    tried: list[str] = []

    def run(manifest: Manifest, folder: Path, modules: object) -> None:
        assert (folder / "model.toml").exists()
        tried.append(manifest.id)

    monkeypatch.setattr(trial, "run", run)
    return tried


def test_added_found_and_removed(shelf: Shelf, tmp_path: Path, untried: list[str]) -> None:
    packages = shelf.packages
    assert packages.ids() == []
    told: list[tuple[int, int]] = []
    added = packages.add(negative(tmp_path), progress=lambda done, total: told.append((done, total)))
    assert untried == ["negative"]
    assert told[-1][0] == told[-1][1] > 0
    assert packages.ids() == ["negative"]
    assert packages.get("negative") == packages.verify("negative") == added
    assert bool((packages.open("negative", CPU).rehearse()["output"] == 0.5).all())
    packages.remove("negative")
    assert packages.ids() == []
    assert list(packages.root.iterdir()) == []


def test_another_of_the_same_id_needs_to_be_meant(shelf: Shelf, tmp_path: Path, untried: list[str]) -> None:
    packages = shelf.packages
    packages.add(negative(tmp_path))
    newer = negative(tmp_path / "newer", version='"2"')
    with pytest.raises(ModelRefused, match="--replace"):
        packages.add(newer)
    assert packages.get("negative").manifest.version == "1"
    assert packages.add(newer, replace=True).manifest.version == "2"
    assert packages.get("negative").manifest.version == "2"
    assert [path.name for path in packages.root.iterdir()] == ["negative"]


def test_what_is_refused_leaves_nothing_behind(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ModelRefused("it was tried out")

    monkeypatch.setattr(trial, "run", refuse)
    with pytest.raises(ModelRefused):
        shelf.packages.add(negative(tmp_path))
    assert list(shelf.packages.root.iterdir()) == []


def test_a_store_that_cannot_be_written(tmp_path: Path, shelf: Shelf) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ModelUnavailable, match="cannot be listed"):
        Packages(tmp_path / "file").ids()
    with pytest.raises(ModelUnavailable, match="DOPPEL_MODELS_DIR"):
        Packages(tmp_path / "file" / "packages").add(negative(tmp_path))


@pytest.mark.parametrize("name", ["", ".", "..", "../../etc", "/etc", "nobody", ".adding-x"])
def test_only_what_is_installed_is_opened(name: str, shelf: Shelf, tmp_path: Path) -> None:
    packages = shelf.put(negative(tmp_path))
    (packages.root / ".adding-x").mkdir()
    for ask in (packages.get, packages.verify, packages.remove):
        with pytest.raises(UnknownModel, match="there are: negative"):
            ask(name)


def test_what_was_changed_after_it_was_installed_is_not_run(shelf: Shelf, tmp_path: Path) -> None:
    packages = shelf.put(negative(tmp_path))
    weights = packages.root / "negative" / "negative.onnx"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelRefused, match=r"negative\.onnx has sha256"):
        packages.open("negative", CPU)
    (packages.root / "negative" / "more.onnx").write_bytes(b"")
    with pytest.raises(ModelRefused, match=r"has more\.onnx"):
        packages.get("negative")


def test_a_folder_under_another_name(shelf: Shelf, tmp_path: Path) -> None:
    packages = shelf.put(negative(tmp_path))
    (packages.root / "negative").rename(packages.root / "positive")
    with pytest.raises(ModelRefused, match="rename it"):
        packages.get("positive")


def test_results_lie_beside_a_package_and_hold_for_it_only(shelf: Shelf, tmp_path: Path) -> None:
    packages = shelf.put(negative(tmp_path))
    installed = packages.verify("negative")
    model = packages.open("negative", CPU)
    steps: list[int] = []
    found = bench.measure(lambda _: ("a test", 2, model.rehearse), CPU, [4, 2, 1], lambda: steps.append(1))
    assert [entry.batch for entry in found] == [1, 2], "4 is more than it takes"
    assert len(steps) == 2 * (bench.WARM + bench.RUNS)
    assert all(0 < entry.p50_ms <= entry.p95_ms for entry in found)
    results = bench.Results(
        id="negative", version="1", sha256=installed.sha256, measured="2026-01-01", measurements=tuple(found[:1])
    )
    bench.write(installed.folder, results)
    bench.write(installed.folder, results.model_copy(update={"measurements": tuple(found[1:])}))
    kept = bench.read(packages.verify("negative").folder, installed.sha256)
    assert kept is not None
    assert list(kept.measurements) == found
    assert bench.read(installed.folder, "0" * 64) is None
    (installed.folder / bench.FILE).write_text("{}")
    assert bench.read(installed.folder, installed.sha256) is None


def bomb() -> bytes:
    """A few bytes that ask for 4 TB: a constant of that shape, summed up."""
    nodes = [
        helper.make_node("ConstantOfShape", ["huge"], ["all"]),
        helper.make_node("ReduceMax", ["all"], ["most"], keepdims=0),
        helper.make_node("Add", ["input", "most"], ["output"]),
    ]
    shape: list[int | str] = ["n", 3, 64, 64]
    return network(nodes, {"input": shape}, {"output": shape}, {"huge": np.array([1 << 20, 1 << 20])})


def test_a_real_trial_of_a_good_package(shelf: Shelf, tmp_path: Path) -> None:
    assert shelf.packages.add(negative(tmp_path)).manifest.id == "negative"


def test_a_real_trial_of_a_bomb(shelf: Shelf, tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="the network of negative failed: it asks for more memory than there is"):
        shelf.packages.add(negative(tmp_path, bomb()))
    assert shelf.packages.ids() == []


class Died:
    def __init__(self, returncode: int, stdout: bytes = b"") -> None:
        self.returncode, self.stdout = returncode, stdout


@pytest.mark.parametrize(
    ("died", "told"),
    [
        (Died(-11), r"took its process down \(signal 11\)"),
        (Died(1), r"took its process down \(status 1\)"),
        (Died(-24), "took more than 120 s of CPU"),
        (Died(0, b'{"refused": "it is odd", "missing": null}'), "it is odd"),
        (Died(0, b"[]"), "took its process down"),
    ],
)
def test_whatever_a_trial_ends_in_is_a_sentence(
    died: Died, told: str, shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subprocess.run", lambda *_, **__: died)
    with pytest.raises(ModelRefused, match=told):
        shelf.packages.add(negative(tmp_path))
