"""Small ONNX networks that tests make, and packages around them."""

from __future__ import annotations

import hashlib
import json
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

EXAMPLES = Path(__file__).parents[3] / "examples" / "packages"

Shape = list[int | str]


def network(
    nodes: list[onnx.NodeProto],
    inputs: dict[str, Shape],
    outputs: dict[str, Shape],
    weights: dict[str, NDArray[Any]] | None = None,
    **more: Any,
) -> bytes:
    """A model of float32 tensors."""
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in (weights or {}).items()],
    )
    opsets = more.pop("opset_imports", [helper.make_opsetid("", 17)])
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=10, **more).SerializeToString())


def inverting(size: int | str = 64, channels_last: bool = False, batch: int | str = "batch") -> bytes:
    """A negative, for pictures in [0, 1]."""
    shape: Shape = [batch, size, size, 3] if channels_last else [batch, 3, size, size]
    nodes = [helper.make_node("Sub", ["one", "input"], ["output"])]
    return network(nodes, {"input": shape}, {"output": shape}, {"one": np.ones(1, np.float32)})


def style() -> bytes:
    """portrait_style: swaps red and blue, in [-1, 1], channels last, for any batch."""
    shape: Shape = ["batch", 256, 256, 3]
    nodes = [helper.make_node("Gather", ["input", "order"], ["output"], axis=3)]
    return network(nodes, {"input": shape}, {"output": shape}, {"order": np.array([2, 1, 0])})


def restorer() -> bytes:
    """restoration: brighter by the weight, which has the shape (1,), as the picture has a batch of one."""
    shape: Shape = [1, 3, 512, 512]
    nodes = [helper.make_node("Add", ["input", "weight"], ["output"])]
    return network(nodes, {"input": shape, "weight": [1]}, {"output": shape})


def swapper() -> bytes:
    """swapper: the face in grey, and as red as the embedding's first number says."""
    rows = np.zeros((512, 3), np.float32)
    rows[0, 0] = 1.0
    nodes = [
        helper.make_node("ReduceMean", ["target"], ["grey"], axes=[1], keepdims=1),
        helper.make_node("MatMul", ["source", "rows"], ["tint"]),
        helper.make_node("Reshape", ["tint", "place"], ["placed"]),
        helper.make_node("Add", ["grey", "placed"], ["output"]),
    ]
    inputs: dict[str, Shape] = {"target": [1, 3, 128, 128], "source": [1, 512]}
    weights = {"rows": rows, "place": np.array([1, 3, 1, 1])}
    return network(nodes, inputs, {"output": [1, 3, 128, 128]}, weights)


def identity() -> bytes:
    """identity: the crop's mean colour, and 1, before 508 zeros."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["input"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Pad", ["flat", "pads", "one"], ["padded"]),
        helper.make_node("Pad", ["padded", "more"], ["embedding"]),
    ]
    weights = {"pads": np.array([0, 0, 0, 1]), "one": np.array(1, np.float32), "more": np.array([0, 0, 0, 508])}
    return network(nodes, {"input": ["n", 3, 112, 112]}, {"embedding": ["n", 512]}, weights)


def lips() -> bytes:
    """lips: the face as it is (channels 3 to 5), brighter with the sound's loudness."""
    nodes = [
        helper.make_node("Slice", ["face", "first", "last", "axis"], ["whole"]),
        helper.make_node("ReduceMean", ["mel"], ["loudness"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Add", ["loudness", "four"], ["above"]),
        helper.make_node("Mul", ["above", "slope"], ["light"]),
        helper.make_node("Add", ["whole", "light"], ["output"]),
    ]
    weights = {
        "first": np.array([3]),
        "last": np.array([6]),
        "axis": np.array([1]),
        "four": np.array(4, np.float32),
        "slope": np.array(0.2, np.float32),
    }
    inputs: dict[str, Shape] = {"mel": ["n", 1, 80, 16], "face": ["n", 6, 96, 96]}
    return network(nodes, inputs, {"output": ["n", 3, 96, 96]}, weights)


def frame_style() -> bytes:
    """frame_style: a picture times the first of four weights."""
    shape: Shape = ["n", 3, "h", "w"]
    nodes = [
        helper.make_node("Slice", ["weights", "first", "last"], ["one"]),
        helper.make_node("Mul", ["content", "one"], ["output"]),
    ]
    weights = {"first": np.array([0]), "last": np.array([1])}
    return network(nodes, {"content": shape, "weights": [4]}, {"output": shape}, weights)


def safetensors(tensors: dict[str, NDArray[np.float32]]) -> bytes:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    data = b""
    for name, tensor in tensors.items():
        begin, data = len(data), data + tensor.tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [begin, len(data)]}
    told = json.dumps(header).encode()
    return struct.pack("<Q", len(told)) + told + data


def example(name: str, folder: Path, **files: bytes) -> Path:
    """The example's manifest with a test's own files (``style_onnx=`` is style.onnx), in a new folder."""
    contents = {key.replace("_", "."): data for key, data in files.items()}
    text = (EXAMPLES / name / "model.toml").read_text()
    return package(folder / name, text, contents)


def package(folder: Path, manifest: str, files: dict[str, bytes]) -> Path:
    """Writes a package, the hashes of its files put into the manifest."""
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
        manifest = re.sub(rf'("{re.escape(name)}" = )"[0-9a-f]{{64}}"', rf'\1"{hashlib.sha256(data).hexdigest()}"', manifest)
    (folder / "model.toml").write_text(manifest)
    return folder


NEGATIVE = """\
id = "negative"
version = "1"
licence = "CC0-1.0"
source = "a test"
task = "face"
weights = "negative.onnx"
files = { "negative.onnx" = "0000000000000000000000000000000000000000000000000000000000000000" }
face = { template = "arcface_112", size = 64 }
inputs = [{ name = "input", kind = "picture" }]
outputs = [{ name = "output", kind = "picture" }]
"""
"""The shortest manifest that there can be."""


def negative(folder: Path, data: bytes | None = None, **changes: str) -> Path:
    """The smallest package; ``changes`` replace lines of its manifest by their key."""
    text = NEGATIVE
    for key, value in changes.items():
        text, count = re.subn(rf"(?m)^{key} = .*$", f"{key} = {value}" if value else "", text)
        if not count:
            text += f"{key} = {value}\n"
    return package(folder / "negative", text, {"negative.onnx": inverting() if data is None else data})
