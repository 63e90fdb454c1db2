"""Reads safetensors: a header in JSON, and numbers. Nothing in it can run.

Source: the format's description in the safetensors project's README.
"""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from transforms.errors import ModelRefused
from transforms.packages.limits import MAX_BYTES, MAX_DIMENSIONS, MAX_ELEMENTS, MAX_NODES

MAX_HEADER = 16 << 20
"""Bytes: some thousand for each of the most tensors."""

_TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


def read(path: Path) -> dict[str, Tensor]:
    """Every tensor by name, in memory of its own. Raises ModelRefused before it allocates what is not in the file."""
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            length = struct.unpack("<Q", file.read(8))[0] if size >= 8 else -1
            if not 2 <= length <= min(MAX_HEADER, size - 8) or size > MAX_BYTES:
                raise ModelRefused(f"{path.name} is no safetensors file")
            header = json.loads(file.read(length))
            data = bytearray(size - 8 - length)
            file.readinto(data)
    except (OSError, ValueError, RecursionError) as error:
        raise ModelRefused(f"{path.name} cannot be read as safetensors: {error}") from error
    if not isinstance(header, dict) or len(header) > MAX_NODES:
        raise ModelRefused(f"{path.name} has more than {MAX_NODES} tensors, or no list of them")
    header.pop("__metadata__", None)
    return {name: _tensor(path.name, name, entry, data) for name, entry in header.items()}


def _tensor(file: str, name: str, entry: Any, data: bytearray) -> Tensor:
    try:
        kind, shape, (begin, end) = _TYPES[entry["dtype"]], entry["shape"], entry["data_offsets"]
        numbers = [*shape, begin, end]
        if any(type(number) is not int or number < 0 for number in numbers):
            raise TypeError("a shape and offsets are whole numbers")
    except (KeyError, TypeError, ValueError) as error:
        raise ModelRefused(f"the tensor {name!r} of {file} is described in a way that is not known here: {error!r}") from error
    count = math.prod(shape)
    if count > MAX_ELEMENTS or len(shape) > MAX_DIMENSIONS:
        raise ModelRefused(f"the tensor {name!r} of {file} has the shape {tuple(shape)}, which is larger than any may be")
    if end > len(data) or end - begin != count * kind.itemsize:
        raise ModelRefused(f"the tensor {name!r} of {file} has the shape {tuple(shape)}, and other bytes than that takes")
    if count == 0:
        return torch.empty(shape, dtype=kind)
    return torch.frombuffer(data, dtype=torch.uint8, offset=begin, count=end - begin).clone().view(kind).reshape(shape)
