"""Networks by each runtime, and those that none may run."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import numpy as np
import onnx
import pytest
import tflite
import torch
from onnx import TensorProto, helper

from tests.transforms.packages import flatbuffers
from tests.transforms.packages.conftest import Shelf
from tests.transforms.packages.networks import example, inverting, negative, network, package, restorer, safetensors
from transforms.errors import ModelRefused, ModelUnavailable
from transforms.packages import runner as runner_module
from transforms.packages.store import Packages

CPU = torch.device("cpu")

OURS = "tests.transforms.packages.test_runners"


def refusal(packages: Packages, name: str = "negative") -> str:
    with pytest.raises(ModelRefused) as caught:
        packages.open(name, CPU)
    return str(caught.value)


def picture(batch: int = 1, size: int = 64) -> torch.Tensor:
    return torch.rand((batch, 3, size, size), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("batch", [1, 3, 11])
def test_onnx(batch: int, shelf: Shelf, tmp_path: Path) -> None:
    model = shelf.put(negative(tmp_path)).open("negative", CPU)
    given = picture(batch)
    assert torch.allclose(model({"input": given}, (64, 64))["output"], 1 - given, atol=1e-6)
    assert model.runner.name.startswith("onnxruntime ")


def test_a_network_of_a_fixed_batch_is_run_one_by_one(shelf: Shelf, tmp_path: Path) -> None:
    model = shelf.put(negative(tmp_path, inverting(batch=1))).open("negative", CPU)
    assert model.runner.most == 1
    given = picture(3)
    assert torch.allclose(model({"input": given}, (64, 64))["output"], 1 - given, atol=1e-6)


def test_numbers_go_into_the_shape_that_the_network_has(shelf: Shelf, tmp_path: Path) -> None:
    model = shelf.put(example("restoration", tmp_path, restore_onnx=restorer())).open("restoration", CPU)
    given = picture(2, 512) - 0.5
    answer = model({"input": given, "weight": torch.full((2, 1), 0.25)}, (512, 512))["output"]
    assert torch.allclose(answer, given + 0.25, atol=1e-6)


def test_half_precision_in_and_out(shelf: Shelf, tmp_path: Path) -> None:
    model = onnx.load_model_from_string(inverting())
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    weights = model.graph.initializer[0]
    weights.CopyFrom(onnx.numpy_helper.from_array(np.ones(1, np.float16), "one"))
    opened = shelf.put(negative(tmp_path, model.SerializeToString())).open("negative", CPU)
    answer = opened({"input": picture()}, (64, 64))["output"]
    assert answer.dtype == torch.float32
    assert torch.allclose(answer, 1 - picture(), atol=2e-3)


def test_an_unknown_operator_is_named(shelf: Shelf, tmp_path: Path) -> None:
    node = helper.make_node("Sharpen", ["input"], ["output"])
    shape: list[int | str] = ["n", 3, 64, 64]
    data = network([node], {"input": shape}, {"output": shape})
    told = refusal(shelf.put(negative(tmp_path, data)))
    assert "ONNX Runtime cannot load negative.onnx" in told
    assert "Sharpen" in told


@pytest.mark.parametrize(
    ("data", "lines", "told"),
    [
        (inverting(32), {}, "has the shape (batch, 3, 32, 32), where model.toml means (batch, 3, 64, 64)"),
        (inverting(channels_last=True), {}, "has the shape (batch, 64, 64, 3), where model.toml means (batch, 3, 64, 64)"),
        (inverting(batch=4), {}, "takes batches of 4"),
        (inverting(), {"inputs": '[{ name = "picture", kind = "picture" }]'}, "also takes input"),
        (inverting(), {"outputs": '[{ name = "picture", kind = "picture" }]'}, "has no output 'picture'; it has 'output'"),
        (
            inverting(),
            {"inputs": '[{ name = "input", kind = "picture" }, { name = "w", kind = "number", value = [1] }]'},
            "has no input 'w'",
        ),
        (restorer(), {"face": '{ template = "ffhq", size = 512 }'}, "also takes weight"),
        (
            restorer(),
            {
                "face": '{ template = "ffhq", size = 512 }',
                "inputs": '[{ name = "input", kind = "picture" }, { name = "weight", kind = "number", value = [1, 2] }]',
            },
            "has the shape (1,); model.toml gives 2 numbers",
        ),
    ],
)
def test_a_manifest_that_speaks_of_another_network(
    data: bytes, lines: dict[str, str], told: str, shelf: Shelf, tmp_path: Path
) -> None:
    assert told in refusal(shelf.put(negative(tmp_path, data, **lines)))


def test_a_network_that_answers_in_another_shape_than_it_says(shelf: Shelf, tmp_path: Path) -> None:
    node = helper.make_node("GlobalAveragePool", ["input"], ["output"])
    data = network([node], {"input": ["n", 3, 64, 64]}, {"output": ["n", 3, "h", "w"]})
    model = shelf.put(negative(tmp_path, data)).open("negative", CPU)
    with pytest.raises(ModelRefused, match="the network of negative failed"):
        model.rehearse()


def test_an_answer_that_is_no_number(shelf: Shelf, tmp_path: Path) -> None:
    shape: list[int | str] = ["n", 3, 64, 64]
    data = network([helper.make_node("Log", ["input"], ["output"])], {"input": shape}, {"output": shape})
    model = shelf.put(negative(tmp_path, data)).open("negative", CPU)
    with pytest.raises(ModelRefused, match="no numbers"):
        model({"input": -picture()}, (64, 64))


def test_streams_share_a_session_for_as_long_as_one_uses_it(shelf: Shelf, tmp_path: Path) -> None:
    packages = shelf.put(negative(tmp_path))
    one, other = packages.open("negative", CPU), packages.open("negative", CPU)
    assert one.runner is other.runner
    assert len(runner_module._shared._runners) >= 1
    key = ("nothing", CPU)
    assert runner_module._shared._runners.get(key) is None


def test_two_that_begin_together_load_once() -> None:
    shared, loads = runner_module._Shared(), []
    begun, go_on = threading.Event(), threading.Event()

    class Made:
        name, most = "made", 1

        def __call__(self, inputs: object, outputs: object) -> dict[str, torch.Tensor]:
            return {}

    def load() -> Made:
        loads.append(1)
        begun.set()
        assert go_on.wait(5)
        return Made()

    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(shared.get("key", load))) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert begun.wait(5)
    go_on.set()
    for thread in threads:
        thread.join()
    assert len(loads) == 1
    assert found[0] is found[1]


def test_without_onnxruntime(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelUnavailable, match=r"pip install 'doppel\[onnx\]'"):
        shelf.put(negative(tmp_path)).open("negative", CPU)


def tflite_package(folder: Path, data: bytes, layout: str = "nhwc", size: int = 64) -> Path:
    text = f"""\
id = "lite"
version = "1"
licence = "CC0-1.0"
source = "a test"
task = "face"
weights = "lite.tflite"
files = {{ "lite.tflite" = "{"0" * 64}" }}
face = {{ template = "arcface_112", size = {size} }}
inputs = [{{ name = "input", kind = "picture", layout = "{layout}" }}]
outputs = [{{ name = "output", kind = "picture", layout = "{layout}" }}]
"""
    return package(folder / "lite", text, {"lite.tflite": data})


@pytest.mark.parametrize("batch", [1, 2])
def test_tflite(batch: int, shelf: Shelf, tmp_path: Path) -> None:
    model = shelf.put(tflite_package(tmp_path, flatbuffers.inverting())).open("lite", CPU)
    given = picture(batch).permute(0, 2, 3, 1)
    assert torch.allclose(model({"input": given}, (64, 64))["output"], 1 - given, atol=1e-6)


@pytest.mark.parametrize(
    ("data", "layout", "size", "told"),
    [
        (flatbuffers.inverting(32), "nhwc", 64, "has the shape (batch, 32, 32, 3), where model.toml means (batch, 64, 64, 3)"),
        (flatbuffers.inverting(), "nchw", 64, "TensorFlow Lite's pictures have the layout nhwc"),
        (flatbuffers.inverting(operator=tflite.BuiltinOperator.SVDF), "nhwc", 64, "cannot run the network lite"),
        (b"nothing of the kind", "nhwc", 64, "cannot run the network lite"),
    ],
)
def test_a_flatbuffer_that_is_refused(data: bytes, layout: str, size: int, told: str, shelf: Shelf, tmp_path: Path) -> None:
    assert told in refusal(shelf.put(tflite_package(tmp_path, data, layout, size)), "lite")


class Tinted(torch.nn.Module):
    """What a researcher has installed: a picture times a weight, to a power that the package gives."""

    def __init__(self, power: float = 1.0) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.empty(3))
        self._power = power

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        return (picture * self.weight[:, None, None]) ** self._power


class Undressed:
    """No module."""


def torch_package(folder: Path, module: str, tensors: dict[str, np.ndarray], arguments: str = "{ power = 2.0 }") -> Path:
    text = f"""\
id = "tinted"
version = "1"
licence = "CC0-1.0"
source = "a test"
task = "face"
weights = "tinted.safetensors"
files = {{ "tinted.safetensors" = "{"0" * 64}" }}
module = "{module}"
arguments = {arguments}
face = {{ template = "crop", size = 64 }}
inputs = [{{ name = "input", kind = "picture" }}]
outputs = [{{ name = "output", kind = "picture" }}]
"""
    return package(folder / "tinted", text, {"tinted.safetensors": safetensors(tensors)})


WEIGHTS = {"weight": np.array([1, 0.5, 0.25], np.float32)}


def test_a_torch_module_that_is_allowed(shelf: Shelf, tmp_path: Path) -> None:
    shelf.put(torch_package(tmp_path, f"{OURS}:Tinted", WEIGHTS))
    model = Packages(shelf.packages.root, [f"{OURS}:Tinted"]).open("tinted", CPU)
    given = picture(2)
    wanted = (given * torch.tensor([1, 0.5, 0.25])[:, None, None]) ** 2
    assert torch.allclose(model({"input": given}, (64, 64))["output"], wanted, atol=1e-6)


@pytest.mark.parametrize("allowed", [(), (f"{OURS}:Other",), (OURS,), (f"{OURS}:*",)])
def test_a_module_that_is_not_allowed_is_not_even_imported(allowed: tuple[str, ...], shelf: Shelf, tmp_path: Path) -> None:
    shelf.put(torch_package(tmp_path, "antigravity:Tinted", WEIGHTS))
    told = refusal(Packages(shelf.packages.root, allowed), "tinted")
    assert 'add torch_modules = ["antigravity:Tinted"] to the configuration' in told
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    ("module", "tensors", "arguments", "told"),
    [
        (f"{OURS}:Undressed", WEIGHTS, "{}", "is no torch.nn.Module"),
        (f"{OURS}:picture", WEIGHTS, "{}", "is no torch.nn.Module"),
        (f"{OURS}:Tinted", {}, "{}", "does not fit"),
        (f"{OURS}:Tinted", {"weight": np.zeros(4, np.float32)}, "{}", "does not fit"),
        (f"{OURS}:Tinted", WEIGHTS | {"more": np.zeros(1, np.float32)}, "{}", "does not fit"),
        (f"{OURS}:Tinted", WEIGHTS, "{ strength = 1 }", "does not fit"),
    ],
)
def test_a_module_that_does_not_fit(
    module: str, tensors: dict[str, np.ndarray], arguments: str, told: str, shelf: Shelf, tmp_path: Path
) -> None:
    shelf.put(torch_package(tmp_path, module, tensors, arguments))
    assert told in refusal(Packages(shelf.packages.root, [module]), "tinted")


def test_a_module_that_is_not_there(shelf: Shelf, tmp_path: Path) -> None:
    shelf.put(torch_package(tmp_path, "nowhere.to_be:Found", WEIGHTS))
    with pytest.raises(ModelUnavailable, match="cannot be imported"):
        Packages(shelf.packages.root, ["nowhere.to_be:Found"]).open("tinted", CPU)
