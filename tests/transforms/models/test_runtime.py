from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from tests.footage import clip, frames
from transforms.errors import ModelRefused, UnknownModel
from transforms.models.flatbuffer import Graph
from transforms.models.litert import LiteRtNetwork
from transforms.models.runtime import load, load_torch
from transforms.models.store import Store

CPU = torch.device("cpu")

SHAPES: dict[str, tuple[list[tuple[int, ...]], list[tuple[int, ...]]]] = {
    "face_detector": ([(1, 128, 128, 3)], [(1, 896, 16), (1, 896, 1)]),
    "face_landmarks": ([(1, 256, 256, 3)], [(1, 1, 1, 1434), (1, 1, 1, 1), (1, 1)]),
    "face_blendshapes": ([(1, 146, 2)], [(1, 52)]),
    "selfie_segmentation": ([(1, 256, 256, 3)], [(1, 256, 256, 1)]),
    "selfie_segmentation_landscape": ([(1, 144, 256, 3)], [(1, 144, 256, 1)]),
}

TOLERANCES = {
    "face_detector": 2e-6,
    "face_landmarks": 2e-5,
    "face_blendshapes": 6e-6,
    "selfie_segmentation": 1e-4,
    "selfie_segmentation_landscape": 1e-4,
}
"""Largest difference between the runtimes, as a share of the largest value: some three times what was measured."""


@pytest.fixture(scope="module")
def portrait() -> Tensor:
    """(1, 3, 512, 512) RGB in [0, 1]."""
    return next(frames(clip("astronaut"))).rgb()[None]


def inputs(name: str, portrait: Tensor, batch: int) -> Tensor:
    """A real picture, or points of it, moved a little with each item of the batch."""
    shape = SHAPES[name][0][0][1:]
    if name == "face_blendshapes":
        return torch.from_numpy(np.random.default_rng(3).uniform(50, 200, (batch, *shape)).astype(np.float32))
    views = [interpolate(portrait[..., 8 * i : 400 + 8 * i, 30:430], shape[:2], mode="bilinear") for i in range(batch)]
    pictures = torch.cat(views).permute(0, 2, 3, 1).contiguous()
    return pictures * 2 - 1 if name == "face_detector" else pictures


@pytest.mark.parametrize("name", SHAPES)
def test_both_runtimes_agree(store: Store, portrait: Tensor, name: str) -> None:
    litert, by_torch = load(store, name, CPU), load_torch(store, name, CPU)
    assert (list(litert.inputs), list(litert.outputs)) == SHAPES[name]
    assert (by_torch.inputs, by_torch.outputs) == (litert.inputs, litert.outputs)
    x = inputs(name, portrait, 2)
    for ours, theirs in zip(by_torch(x), litert(x), strict=True):
        assert ours.shape == theirs.shape
        assert ours.dtype == theirs.dtype == torch.float32
        assert (ours - theirs).abs().max() <= TOLERANCES[name] * max(1.0, float(theirs.abs().max()))
        assert theirs.std() > 0 or theirs.numel() == 2, "the network says the same everywhere: the comparison shows nothing"


@pytest.mark.parametrize("runtime", [load, load_torch])
@pytest.mark.parametrize("name", SHAPES)
def test_a_batch_gives_what_its_items_give(store: Store, portrait: Tensor, name: str, runtime: type) -> None:
    network = runtime(store, name, CPU)
    x = inputs(name, portrait, 3)
    for outputs, shape, *singles in zip(network(x), network.outputs, *(network(x[i : i + 1]) for i in range(3)), strict=True):
        assert outputs.shape == (3, *shape[1:])
        assert all(single.shape == shape for single in singles)
        torch.testing.assert_close(outputs, torch.cat(singles), rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("runtime", [load, load_torch])
def test_outputs_outlive_the_next_run(store: Store, portrait: Tensor, runtime: type) -> None:
    network = runtime(store, "selfie_segmentation", CPU)
    (first,) = network(inputs("selfie_segmentation", portrait, 1))
    kept = first.clone()
    (second,) = network(torch.zeros(1, 256, 256, 3))
    assert torch.equal(first, kept)
    assert not torch.equal(first, second)
    first += 1  # and they are the caller's to change


@pytest.mark.parametrize("runtime", [load, load_torch])
def test_inputs_of_another_shape_are_refused(store: Store, runtime: type) -> None:
    network = runtime(store, "face_detector", CPU)
    for wrong in (
        [torch.zeros(1, 3, 128, 128)],
        [torch.zeros(128, 128, 3)],
        [torch.zeros(0, 128, 128, 3)],
        [],
        [torch.zeros(())],
    ):
        with pytest.raises(ValueError, match="takes inputs of"):
            network(*wrong)


def test_a_network_is_found_by_its_name(store: Store) -> None:
    with pytest.raises(UnknownModel, match="face_detector"):
        load(store, "face", CPU)


def test_networks_of_several_threads_do_not_disturb_each_other(store: Store, portrait: Tensor) -> None:
    x = inputs("face_detector", portrait, 4)
    alone = load(store, "face_detector", CPU)(x)

    def run(_: int) -> bool:
        network = load(store, "face_detector", CPU)
        return all(torch.equal(a, b) for _ in range(5) for a, b in zip(network(x), alone, strict=True))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(run, range(4)))


def test_torch_shares_weights_between_streams(store: Store) -> None:
    first, second = load_torch(store, "face_detector", CPU), load_torch(store, "face_detector", CPU)
    assert first._graph is second._graph  # type: ignore[attr-defined]


def test_the_graph_can_be_differentiated(store: Store, portrait: Tensor) -> None:
    graph = Graph(store.flatbuffer("face_landmarks"), "face_landmarks", CPU)
    x = inputs("face_landmarks", portrait, 1).requires_grad_()
    graph(x)[1].sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


def test_each_device_imports_its_own_runtime_only() -> None:
    code = "import sys, transforms.models.runtime, transforms.models.{}; print(*sys.modules)"
    for module, foreign in (("flatbuffer", "ai_edge_litert"), ("litert", "tflite")):
        modules = subprocess.run([sys.executable, "-c", code.format(module)], capture_output=True, text=True, check=True).stdout
        assert foreign not in modules.split()


def broken(flatbuffer: bytes) -> list[bytes]:
    random = np.random.default_rng(4)
    flipped = []
    for _ in range(40):
        data = bytearray(flatbuffer)
        for at in random.integers(8, len(data), 2000):
            data[at] = random.integers(256)
        flipped.append(bytes(data))
    lengths = [0, 4, 7, 8, 64, len(flatbuffer) // 2]
    return [flatbuffer[:length] for length in lengths] + [b"\0\0\0\0TFL3" + bytes(64), random.bytes(1000)] + flipped


def test_a_malformed_flatbuffer_is_refused_and_never_worse(store: Store) -> None:
    flatbuffer = store.flatbuffer("selfie_segmentation")
    refused = 0
    for data in broken(flatbuffer):
        try:
            Graph(data, "broken", CPU)
        except ModelRefused as error:
            assert "broken" in str(error)  # noqa: PT017
            refused += 1
    assert refused >= 30  # a flipped weight is no malformed file


@pytest.mark.parametrize("data", [b"", b"nothing", b"\0\0\0\0TFL3" + bytes(64)])
def test_litert_refuses_what_is_no_flatbuffer(data: bytes) -> None:
    with pytest.raises(ModelRefused, match="broken"):
        LiteRtNetwork(data, "broken")


def test_an_unknown_operator_is_named(store: Store) -> None:
    data = store.flatbuffer("selfie_segmentation").replace(b"Convolution2DTransposeBias", b"Convolution2DTransposeBiaz")
    with pytest.raises(ModelRefused, match="Convolution2DTransposeBiaz"):
        Graph(data, "other", CPU)


def test_segmentation_finds_the_person(store: Store, portrait: Tensor) -> None:
    (mask,) = load(store, "selfie_segmentation", CPU)(interpolate(portrait, (256, 256), mode="area").permute(0, 2, 3, 1))
    # Her face; the flag at the left edge, and the shuttle at the top right.
    assert mask[0, 40:80, 100:125].mean() > 0.95
    assert mask[0, 20:60, :20].mean() < 0.05
