"""The weights of an ONNX file, by name: for networks that are written in torch here, with no need of another runtime.

Source: onnx.proto3, ModelProto, GraphProto and TensorProto.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from transforms.errors import ModelRefused
from transforms.models.operator import MAX_ELEMENTS
from transforms.models.protobuf import fields, numbers

MAX_TENSORS = 1 << 14
"""Of one network: thirty times what the largest known has."""

_GRAPH, _INITIALIZER = 7, 5
"""Fields of ModelProto and GraphProto."""

_DIMS, _DATA_TYPE, _NAME, _RAW_DATA = 1, 2, 8, 9
"""Fields of TensorProto."""

_FLOAT = 1
"""TensorProto.DataType."""


def read_weights(model: bytes, name: str) -> dict[str, Tensor]:
    """The weights that are float32 as raw data; others are left out.

    Raises ModelRefused, with the network's name, where the file is malformed or too large.
    """
    weights: dict[str, Tensor] = {}
    try:
        graphs = [value for field, value in fields(memoryview(model)) if field == _GRAPH and isinstance(value, memoryview)]
        for field, value in (entry for graph in graphs for entry in fields(graph)):
            if field == _INITIALIZER and isinstance(value, memoryview):
                weights.update(_tensor(value))
                if len(weights) > MAX_TENSORS:
                    raise ValueError(f"more than {MAX_TENSORS} tensors")
    except ValueError as error:
        raise ModelRefused(f"the ONNX file of the network {name} is refused: {error}") from error
    return weights


def _tensor(message: memoryview) -> dict[str, Tensor]:
    shape: list[int] = []
    kind, name, data = 0, "", memoryview(b"")
    for field, value in fields(message):
        if field == _DIMS:
            shape += numbers(value)
        elif field == _DATA_TYPE and isinstance(value, int):
            kind = value
        elif field == _NAME and isinstance(value, memoryview):
            name = bytes(value[:512]).decode("utf-8", "replace")
        elif field == _RAW_DATA and isinstance(value, memoryview):
            data = value
    if kind != _FLOAT or not data:
        return {}
    if math.prod(shape) > MAX_ELEMENTS or math.prod(shape) * 4 != len(data):
        raise ValueError(f"{name} has the shape {shape} and {len(data)} bytes")
    return {name: torch.from_numpy(np.frombuffer(data, "<f4").copy()).reshape(shape)}
