"""Installed packages draw frames again, as their manifests say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import helper

from tests.transforms.packages import networks
from tests.transforms.packages.conftest import Shelf, shelf
from tests.transforms.pictures import flat, noise
from transforms.chain import Chain, Step
from transforms.context import Context
from transforms.errors import NotPrepared
from transforms.library.onnx_frame import OnnxFrame, OnnxFrameSettings
from transforms.packages.manifest import FrameSize
from transforms.packages.model import fitted

__all__ = ["shelf"]

CPU = torch.device("cpu")


def ready(where: Shelf, **settings: object) -> OnnxFrame:
    transform = OnnxFrame(OnnxFrameSettings.model_validate(settings), Context(CPU, where.store))
    transform.prepare()
    return transform


def code(luma: int, times: float) -> float:
    return (luma - 16) * times + 16


def test_without_a_package_it_is_nothing_at_all(shelf: Shelf) -> None:
    assert not ready(shelf).process(noise(64, 64)).changed


@pytest.mark.parametrize("size", [(640, 360), (1280, 720), (181, 319), (3, 5), (2, 2)])
def test_example_frame_style_on_any_size(size: tuple[int, int], shelf: Shelf, tmp_path: Path) -> None:
    """Its small network multiplies by the first weight, 0.7."""
    shelf.put(networks.example("frame_style", tmp_path, style_onnx=networks.frame_style()))
    frame = ready(shelf, package="frame_style").process(flat(*size, 120))
    assert (frame.width, frame.height) == size
    assert frame.planes.y.float().mean().item() == pytest.approx(code(120, 0.7), abs=1)


def test_strength_is_eased(shelf: Shelf, tmp_path: Path) -> None:
    shelf.put(networks.example("frame_style", tmp_path, style_onnx=networks.frame_style()))
    transform = ready(shelf, package="frame_style", strength=0)
    assert not transform.process(flat(320, 180, 120)).changed
    transform.update(OnnxFrameSettings(package="frame_style", strength=100))
    shown = [transform.process(flat(320, 180, 120, pts)).planes.y.float().mean().item() for pts in range(3000, 90_000, 3000)]
    assert shown == sorted(shown, reverse=True)
    assert 120 - shown[0] < 12
    assert shown[-1] == pytest.approx(code(120, 0.7), abs=1)


def test_a_fixed_size_and_a_mask(shelf: Shelf, tmp_path: Path) -> None:
    """A negative of the upper half only."""
    half = np.zeros((1, 1, 64, 96), np.float32)
    half[:, :, :32] = 1
    nodes = [
        helper.make_node("Sub", ["one", "input"], ["output"]),
        helper.make_node("Identity", ["half"], ["mask"]),
    ]
    shape: list[int | str] = [1, 3, 64, 96]
    weights = {"one": np.ones(1, np.float32), "half": half}
    data = networks.network(nodes, {"input": shape}, {"output": shape, "mask": [1, 1, 64, 96]}, weights)
    folder = networks.negative(
        tmp_path,
        data,
        task='"frame"',
        face="",
        frame="{ width = 96, height = 64 }",
        outputs='[{ name = "output", kind = "picture" }, { name = "mask", kind = "mask" }]',
    )
    shelf.put(folder)
    frame = ready(shelf, package="negative").process(flat(321, 180, 60))
    assert frame.planes.y[:80].float().mean().item() == pytest.approx(235 - (60 - 16), abs=1)
    assert bool((frame.planes.y[100:] == 60).all())


def test_a_package_for_faces_is_refused(shelf: Shelf, tmp_path: Path) -> None:
    shelf.put(networks.negative(tmp_path))
    chain = Chain(Context(CPU, shelf.store))
    with pytest.raises(NotPrepared, match="not for frames"):
        chain.prepare([Step.parse("onnx_frame", {"package": "negative"})])


@pytest.mark.parametrize(
    ("frame", "wanted"), [((720, 1280), (288, 512)), ((1280, 720), (512, 288)), ((100, 100), (100, 100)), ((2, 1000), (4, 512))]
)
def test_frames_keep_their_shape_as_far_as_the_multiple_lets_them(frame: tuple[int, int], wanted: tuple[int, int]) -> None:
    assert fitted(FrameSize(longest=512, multiple=4), *frame) == wanted
