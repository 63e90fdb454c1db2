"""What networks cost, counted."""

from __future__ import annotations

import gc
import time

import pytest
import torch
from torch import Tensor

from transforms.models import meter
from transforms.models.meter import MeasuredNetwork, Meter, Usage

CPU = torch.device("cpu")


class Negative:
    inputs = ((1, 2),)
    outputs = ((1, 2),)

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return (-inputs[0],)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at it is 2 ms after the one before."""
    ticks = iter(range(0, 1_000_000_000, 2_000_000))
    monkeypatch.setattr(time, "perf_counter_ns", lambda: next(ticks))


@pytest.mark.usefixtures("clock")
def test_a_stream_and_the_process_both_count() -> None:
    whole = Meter()
    one, other = Meter(whole), Meter(whole)
    networks = [MeasuredNetwork(Negative(), each.stopwatch("negative", CPU, 100)) for each in (one, other)]
    for _ in range(3):
        (answer,) = networks[0](torch.ones(1, 2))
        assert answer.tolist() == [[-1, -1]]
    networks[1](torch.ones(1, 2))
    assert one.snapshot() == [Usage("negative", "cpu", 3, 0.006, 100)]
    assert other.snapshot() == [Usage("negative", "cpu", 1, 0.002, 100)]
    assert whole.snapshot() == [Usage("negative", "cpu", 4, 0.008, 200)]
    assert (networks[0].inputs, networks[0].outputs) == (((1, 2),), ((1, 2),))


def test_weights_that_are_gone_hold_nothing() -> None:
    whole = Meter()
    stream = Meter(whole)
    network = MeasuredNetwork(Negative(), stream.stopwatch("negative", CPU, 100))
    assert [usage.memory for usage in whole.snapshot()] == [100]
    del network
    gc.collect()
    assert [usage.memory for usage in whole.snapshot()] == [0]


def test_weights_on_a_gpu_are_shared() -> None:
    whole = Meter()
    device = torch.device("cuda", 0)
    both = [Meter(whole).stopwatch("negative", device, 100) for _ in range(2)]
    assert [(usage.device, usage.memory) for usage in whole.snapshot()] == [("cuda:0", 100)]
    del both


def test_only_so_many_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter, "MOST", 2)
    whole = Meter()
    kept = [whole.stopwatch(name, CPU, 1) for name in ("a", "b", "c", "d")]
    assert sorted((usage.model, usage.memory) for usage in whole.snapshot()) == [("a", 1), ("b", 1), ("other", 2)]
    del kept
