"""Whether a network's file and ``model.toml`` speak of the same network, told before it is run."""

from __future__ import annotations

import math

from transforms.errors import ModelRefused
from transforms.packages.manifest import Manifest
from transforms.packages.onnx_graph import Graph, Value
from transforms.packages.tensors import Input, NumberInput, Output, Shape, shape_of, told

DTYPES = ("float32", "float16")
"""Of inputs and outputs: half precision is converted."""


def agree(manifest: Manifest, graph: Graph) -> None:
    """Raises ModelRefused with a sentence that names the input or output and says what to change."""
    height, width = manifest.picture_size
    described = {tensor.name for tensor in manifest.inputs}
    if left_out := sorted(graph.inputs.keys() - described):
        raise ModelRefused(f"the network of {manifest.id} also takes {', '.join(left_out)}; add them to inputs in model.toml")
    ends: tuple[tuple[str, tuple[Input, ...] | tuple[Output, ...], dict[str, Value]], ...] = (
        ("input", manifest.inputs, graph.inputs),
        ("output", manifest.outputs, graph.outputs),
    )
    batches: set[int | None] = set()
    for which, tensors, there in ends:
        for tensor in tensors:
            value = there.get(tensor.name)
            if value is None:
                raise ModelRefused(
                    f"the network of {manifest.id} has no {which} {tensor.name!r}; it has {', '.join(map(repr, there)) or 'none'}"
                )
            if value.dtype not in DTYPES:
                raise ModelRefused(
                    f"the {which} {tensor.name!r} of {manifest.id} is {value.dtype}; export it with {' or '.join(DTYPES)}"
                )
            if isinstance(tensor, NumberInput):
                _numbers(manifest, tensor, value)
            elif (wanted := shape_of(tensor, height, width)) is not None and (value.shape or which == "input"):
                _shape(manifest, which, tensor, value, wanted)
                batches.add(value.shape[0])
    if not batches <= {None, 1}:
        raise ModelRefused(
            f"the network of {manifest.id} takes batches of {max(b for b in batches if b)}; export it with any batch, or with 1"
        )


def _numbers(manifest: Manifest, tensor: NumberInput, value: Value) -> None:
    if math.prod(length or 1 for length in value.shape) != tensor.length:
        raise ModelRefused(
            f"the input {tensor.name!r} of {manifest.id} has the shape {value.shape}; model.toml gives {tensor.length} numbers"
        )


def _shape(manifest: Manifest, which: str, tensor: Input | Output, value: Value, wanted: Shape) -> None:
    found = value.shape[1:]
    fits = len(value.shape) == len(wanted) + 1 and all(
        # A network that takes any size also takes ours; one of a fixed size does not take any.
        there is None or there == ours
        for there, ours in zip(found, wanted, strict=True)
    )
    if not fits:
        shown = told(found) if len(value.shape) > 1 else value.shape
        raise ModelRefused(
            f"the {which} {tensor.name!r} of {manifest.id} has the shape {shown}, where model.toml means {told(wanted)}; "
            "correct size, layout, length or parts"
        )
