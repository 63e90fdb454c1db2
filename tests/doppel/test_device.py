"""Which device is chosen; CUDA is pretended, since no test machine must have it."""

from __future__ import annotations

import pytest
import torch

from doppel.device import DeviceError, choose


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    count: int = request.param
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


@pytest.mark.parametrize(
    ("gpus", "name", "chosen"),
    [
        (0, "auto", "cpu"),
        (0, "cpu", "cpu"),
        (2, "auto", "cuda:0"),
        (2, "cuda", "cuda:0"),
        (2, "cuda:1", "cuda:1"),
        (2, "cpu", "cpu"),
    ],
    indirect=["gpus"],
)
@pytest.mark.usefixtures("gpus")
def test_the_chosen_device(name: str, chosen: str) -> None:
    assert choose(name) == torch.device(chosen)


@pytest.mark.parametrize("gpus", [0], indirect=True)
@pytest.mark.usefixtures("gpus")
@pytest.mark.parametrize("name", ["cuda", "cuda:0"])
def test_cuda_that_is_absent_is_told(name: str) -> None:
    with pytest.raises(DeviceError, match=f"--device {name}: the installed torch .* use --device cpu"):
        choose(name)


@pytest.mark.parametrize("gpus", [2], indirect=True)
@pytest.mark.usefixtures("gpus")
def test_a_gpu_beyond_the_last_is_told() -> None:
    with pytest.raises(DeviceError, match=r"there are 2 CUDA devices.*the last one is cuda:1"):
        choose("cuda:2")
