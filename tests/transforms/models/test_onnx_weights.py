from __future__ import annotations

import numpy as np
import pytest
import torch

from transforms.errors import ModelRefused
from transforms.models import onnx_weights
from transforms.models.onnx_weights import read_weights
from transforms.models.store import Store


def number(value: int) -> bytes:
    """A varint."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def text(field: int, content: bytes) -> bytes:
    return number(field << 3 | 2) + number(len(content)) + content


def tensor(name: str, values: np.ndarray, kind: int = 1, packed: bool = False, dims: tuple[int, ...] | None = None) -> bytes:
    shape = values.shape if dims is None else dims
    lengths = text(1, b"".join(map(number, shape))) if packed else b"".join(b"\x08" + number(length) for length in shape)
    return lengths + b"\x10" + number(kind) + text(8, name.encode()) + text(9, values.tobytes())


def model(*tensors: bytes) -> bytes:
    graph = text(2, b"a graph") + b"".join(text(5, each) for each in tensors)
    return b"\x08\x08" + text(2, b"a test") + text(7, graph) + b"\x4d\x00\x00\x00\x00"


VALUES = np.arange(6, dtype="<f4").reshape(2, 3)


@pytest.mark.parametrize("packed", [False, True])
def test_weights_are_read_by_name(packed: bool) -> None:
    weights = read_weights(model(tensor("a", VALUES, packed=packed), tensor("long" * 50, VALUES[0])), "net")
    assert list(weights) == ["a", "long" * 50]
    assert torch.equal(weights["a"], torch.arange(6.0).reshape(2, 3))


def test_other_types_are_left_out() -> None:
    assert read_weights(model(tensor("shape", np.array([1, 2]), kind=7)), "net") == {}


def test_the_real_file_is_read(store: Store) -> None:
    weights = read_weights(store.flatbuffer("multistyle26"), "multistyle26")
    assert weights["contract.0.w"].shape == (32, 3, 9, 9)
    assert weights["expand.2.norm.gamma"].shape == (26, 3)
    assert all(torch.isfinite(tensor).all() and tensor.std() > 0 for tensor in weights.values())


@pytest.mark.parametrize(
    "broken",
    [
        model(tensor("a", VALUES, dims=(2, 4))),
        model(tensor("a", VALUES, dims=(1 << 40, 1 << 40))),
        model(tensor("a", VALUES))[:-30],
        b"\xff" * 40,
        b"\x0f",
        text(7, b"\x2a\x80"),
    ],
    ids=["shape", "huge", "short", "endless", "wire type", "length"],
)
def test_what_is_malformed_is_refused(broken: bytes) -> None:
    with pytest.raises(ModelRefused, match="net"):
        read_weights(broken, "net")


def test_too_many_tensors_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_weights, "MAX_TENSORS", 2)
    with pytest.raises(ModelRefused, match="more than 2 tensors"):
        read_weights(model(*(tensor(name, VALUES) for name in "abc")), "net")


def test_flipped_bytes_are_refused_and_never_worse() -> None:
    random = np.random.default_rng(5)
    whole = model(tensor("a", VALUES), tensor("b", VALUES, packed=True))
    for _ in range(300):
        data = bytearray(whole)
        data[random.integers(len(data))] = random.integers(256)
        try:
            read_weights(bytes(data), "net")
        except ModelRefused:
            continue
