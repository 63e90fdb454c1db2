"""Weights as safetensors: read, or refused before anything is allocated for them."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.transforms.packages.networks import safetensors
from transforms.errors import ModelRefused
from transforms.packages.safetensors import read


def written(data: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(data)
    return path


def made(header: Any, data: bytes = b"") -> bytes:
    told = json.dumps(header).encode()
    return struct.pack("<Q", len(told)) + told + data


def test_tensors_come_as_they_were_written(tmp_path: Path) -> None:
    one, other = np.arange(6, dtype=np.float32).reshape(2, 3), np.full((), 7, np.float32)
    found = read(written(safetensors({"a.weight": one, "b": other, "none": np.zeros((0, 3), np.float32)}), tmp_path))
    assert torch.equal(found["a.weight"], torch.from_numpy(one))
    assert found["b"].item() == 7
    assert found["none"].shape == (0, 3)


def test_half_precision(tmp_path: Path) -> None:
    halves = np.array([1.5, -2], np.float16)
    entry = {"dtype": "F16", "shape": [2], "data_offsets": [0, 4]}
    found = read(written(made({"x": entry}, halves.tobytes()), tmp_path))
    assert found["x"].dtype == torch.float16
    assert found["x"].tolist() == [1.5, -2]


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 4]}, "larger than any may be"),
        ({"dtype": "F32", "shape": [1] * 9, "data_offsets": [0, 4]}, "larger than any may be"),
        ({"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}, "other bytes than that takes"),
        ({"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}, "other bytes than that takes"),
        ({"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}, "not known here"),
        ({"dtype": "F32", "shape": [True], "data_offsets": [0, 4]}, "not known here"),
        ({"dtype": "PICKLE", "shape": [1], "data_offsets": [0, 4]}, "not known here"),
        ({"dtype": "F32", "shape": [1]}, "not known here"),
        ([], "not known here"),
    ],
)
def test_what_does_not_fit_is_refused(entry: Any, told: str, tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match=r"weights\.safetensors") as caught:
        read(written(made({"x": entry}, b"\0" * 4), tmp_path))
    assert told in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 8,
        b"\xff" * 100,
        struct.pack("<Q", 10) + b"{",
        struct.pack("<Q", 2) + b"[]",
        made("x"),
        made({})[:-1] + b"[",
    ],
)
def test_what_is_no_safetensors_file(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match=r"weights\.safetensors"):
        read(written(data, tmp_path))
