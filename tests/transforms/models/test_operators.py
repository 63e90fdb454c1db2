"""The operators in torch beside LiteRT's own, on networks of random weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from ai_edge_litert import schema_py_generated as schema
from torch import Tensor

from tests.transforms.models.made import Made, set_options
from transforms.errors import ModelRefused
from transforms.models.flatbuffer import Graph, TorchNetwork
from transforms.models.litert import LiteRtNetwork

CPU = torch.device("cpu")
RANDOM = np.random.default_rng(7)


def weights(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(np.float32)


def network(flatbuffer: bytes) -> TorchNetwork:
    return TorchNetwork(Graph(flatbuffer, "made", CPU))


def convolution(stride: int, padding: int, **more: int) -> object:
    return set_options(
        schema.Conv2DOptionsT(), strideH=stride, strideW=stride, padding=padding, dilationHFactor=1, dilationWFactor=1, **more
    )


def leaky(made: Made) -> bytes:
    x, y = made.input(1, 3, 4, 2), made.tensor(1, 3, 4, 2)
    made.operator("LEAKY_RELU", [x], [y], set_options(schema.LeakyReluOptionsT(), alpha=0.2))
    return made.finish(y)


def bounded(made: Made) -> bytes:
    x, y, z = made.input(1, 3, 4, 2), made.tensor(1, 3, 4, 2), made.tensor(1, 3, 4, 2)
    made.operator("RELU6", [x], [y])
    made.operator("TANH", [y], [z])
    return made.finish(z)


def dense(made: Made) -> bytes:
    x, y = made.input(1, 6), made.tensor(1, 5)
    options = set_options(schema.FullyConnectedOptionsT(), fusedActivationFunction=schema.ActivationFunctionType.RELU)
    made.operator("FULLY_CONNECTED", [x, made.constant(weights(5, 6)), made.constant(weights(5))], [y], options)
    return made.finish(y)


def nearest(made: Made) -> bytes:
    x, y = made.input(1, 3, 5, 2), made.tensor(1, 6, 10, 2)
    made.operator("RESIZE_NEAREST_NEIGHBOR", [x, made.integers([6, 10])], [y], schema.ResizeNearestNeighborOptionsT())
    return made.finish(y)


def nearest_by_centres(made: Made) -> bytes:
    x, y = made.input(1, 3, 5, 2), made.tensor(1, 7, 8, 2)
    options = set_options(schema.ResizeNearestNeighborOptionsT(), halfPixelCenters=True)
    made.operator("RESIZE_NEAREST_NEIGHBOR", [x, made.integers([7, 8])], [y], options)
    return made.finish(y)


def part(made: Made) -> bytes:
    x, y = made.input(1, 5, 6), made.tensor(1, 2, 6)
    made.operator("SLICE", [x, made.integers([0, 1, 0]), made.integers([-1, 2, -1])], [y], schema.SliceOptionsT())
    return made.finish(y)


def tiled(made: Made) -> bytes:
    x, y = made.input(1, 2, 3, 4), made.tensor(1, 4, 3, 12)
    made.operator("TILE", [x, made.integers([1, 2, 1, 3])], [y])
    return made.finish(y)


def dilated(made: Made) -> bytes:
    """A depthwise convolution between SPACE_TO_BATCH_ND and back, as TensorFlow writes dilation."""
    x = made.input(1, 8, 12, 3, signature=(-1, 8, 12, 3))
    apart = made.tensor(1, 6, 5, 3, signature=(-1, 6, 5, 3))
    seen = made.tensor(1, 4, 3, 3, signature=(-1, 4, 3, 3))
    y = made.tensor(1, 7, 12, 3, signature=(-1, 7, 12, 3))
    block = made.integers([2, 4])
    made.operator("SPACE_TO_BATCH_ND", [x, block, made.integers([[2, 2], [4, 4]])], [apart])
    options = set_options(
        schema.DepthwiseConv2DOptionsT(), strideH=1, strideW=1, depthMultiplier=1, padding=schema.Padding.VALID,
        dilationHFactor=1, dilationWFactor=1,
    )  # fmt: skip
    made.operator("DEPTHWISE_CONV_2D", [apart, made.constant(weights(1, 3, 3, 3)), made.constant(weights(3))], [seen], options)
    made.operator("BATCH_TO_SPACE_ND", [seen, block, made.integers([[0, 1], [0, 0]])], [y])
    return made.finish(y)


def pointwise(made: Made) -> bytes:
    x, y = made.input(1, 4, 5, 6), made.tensor(1, 4, 5, 3)
    options = convolution(1, schema.Padding.SAME, fusedActivationFunction=schema.ActivationFunctionType.RELU)
    made.operator("CONV_2D", [x, made.constant(weights(3, 1, 1, 6)), made.constant(weights(3))], [y], options)
    return made.finish(y)


def padded(stride: int) -> Callable[[Made], bytes]:
    def make(made: Made) -> bytes:
        x, y = made.input(1, 6, 8, 2), made.tensor(1, 6 // stride, 8 // stride, 4)
        made.operator(
            "CONV_2D",
            [x, made.constant(weights(4, 3, 3, 2)), made.constant(weights(4))],
            [y],
            convolution(stride, schema.Padding.SAME),
        )
        return made.finish(y)

    return make


def styles(made: Made) -> bytes:
    """As a StyleGAN's scales: the batch goes to the second place and back, and shapes are put together when it runs."""
    x = made.input(1, 6, signature=(-1, 6))
    rows, both = made.tensor(1, 1, 6, signature=(1, -1, 6)), made.tensor(2, 1, 6, signature=(2, -1, 6))
    made.operator("RESHAPE", [x, made.integers([1, -1, 6])], [rows], schema.ReshapeOptionsT())
    made.operator("CONCATENATION", [rows, rows], [both], set_options(schema.ConcatenationOptionsT(), axis=0))
    back, one = made.tensor(1, 2, 6, signature=(-1, 2, 6)), made.tensor(1, 1, 6, signature=(-1, 1, 6))
    made.operator("TRANSPOSE", [both, made.integers([1, 0, 2])], [back], schema.TransposeOptionsT())
    made.operator("SLICE", [back, made.integers([0, 1, 0]), made.integers([-1, 1, 6])], [one], schema.SliceOptionsT())
    flat = made.tensor(1, 6, signature=(-1, 6))
    made.operator("RESHAPE", [one, made.integers([-1, 6])], [flat], schema.ReshapeOptionsT())
    shape, size = made.tensor(2, kind=np.int32), made.tensor(kind=np.int32)
    made.operator("SHAPE", [flat], [shape], set_options(schema.ShapeOptionsT(), outType=schema.TensorType.INT32))
    first = [made.integers([0]), made.integers([1]), made.integers([1])]
    made.operator("STRIDED_SLICE", [shape, *first], [size], set_options(schema.StridedSliceOptionsT(), shrinkAxisMask=1))
    wanted = made.tensor(4, kind=np.int32)
    ones = made.integers(1)
    made.operator("PACK", [size, ones, ones, made.integers(-1)], [wanted], set_options(schema.PackOptionsT(), valuesCount=4))
    unknown = {"signature": (-1, 1, 1, -1)}
    scale, scaled = made.tensor(1, 1, 1, 1, **unknown), made.tensor(1, 1, 1, 1, **unknown)
    made.operator("RESHAPE", [flat, wanted], [scale], schema.ReshapeOptionsT())
    made.operator("MUL", [scale, made.constant(0.25)], [scaled], schema.MulOptionsT())
    y = made.tensor(1, 3, 3, 6, signature=(-1, 3, 3, 6))
    made.operator("MUL", [scaled, made.constant(weights(1, 3, 3, 6))], [y], schema.MulOptionsT())
    return made.finish(y)


ALIKE = [
    leaky, bounded, dense, nearest, nearest_by_centres, part, tiled, dilated, pointwise, padded(1), padded(2), styles,
]  # fmt: skip


@pytest.mark.parametrize("make", ALIKE, ids=lambda make: make.__name__)
def test_an_operator_does_what_litert_does(make: Callable[[Made], bytes]) -> None:
    flatbuffer = make(Made())
    ours, theirs = network(flatbuffer), LiteRtNetwork(flatbuffer, "made")
    assert ours.inputs == theirs.inputs
    x = torch.from_numpy(weights(2, *ours.inputs[0][1:]))
    both = ours(x)[0]
    for item in range(2):
        torch.testing.assert_close(both[item : item + 1], theirs(x[item : item + 1])[0], rtol=1e-5, atol=1e-5)


def normalization(training: bool, initial: tuple[np.ndarray, np.ndarray] | None, forgets: bool = False) -> bytes:
    """FusedBatchNormV3 between variables, which a second subgraph sets: as a network that was saved while it trained."""
    made = Made()
    x, y = made.input(1, 4, 5, 3), made.tensor(1, 4, 5, 3)
    made.operator("CALL_ONCE", [], [], set_options(schema.CallOnceOptionsT(), initSubgraphIndex=1))
    statistics = []
    for name in ("mean", "variance"):
        handle, value = made.variable(name), made.tensor(3)
        made.operator("READ_VARIABLE", [handle], [value])
        statistics.append(value)
    others = [made.tensor(3) for _ in range(5)]
    inputs = [x, made.constant(SCALE), made.constant(OFFSET), *statistics]
    made.operator(
        "FusedBatchNormV3",
        inputs,
        [y, *others],
        is_training=training,
        epsilon=0.001,
        data_format="NHWC",
        exponential_avg_factor=1.0,
    )
    made.operator("ASSIGN_VARIABLE", [made.variable("mean"), others[0]], [])
    if forgets:
        made.operator("READ_VARIABLE", [made.variable("mean")], [made.tensor(3)])
    made.graph()
    for name, values in zip(("mean", "variance"), initial or (), strict=False):
        made.operator("ASSIGN_VARIABLE", [made.variable(name), made.constant(values)], [])
    return made.finish(y)


SCALE, OFFSET = weights(3), weights(3)
STORED = weights(3), np.abs(weights(3))


def normalized(x: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    return (x - mean) / torch.sqrt(variance + 0.001) * torch.from_numpy(SCALE) + torch.from_numpy(OFFSET)


def test_a_normalization_in_training_goes_by_each_picture_itself() -> None:
    x = torch.from_numpy(weights(2, 4, 5, 3)) * torch.tensor([1.0, 30.0])[:, None, None, None]
    variance, mean = torch.var_mean(x, (1, 2), correction=0, keepdim=True)
    torch.testing.assert_close(network(normalization(True, STORED))(x)[0], normalized(x, mean, variance))


def test_a_normalization_out_of_training_goes_by_what_its_variables_were_set_to() -> None:
    x = torch.from_numpy(weights(2, 4, 5, 3))
    torch.testing.assert_close(network(normalization(False, STORED))(x)[0], normalized(x, *map(torch.from_numpy, STORED)))


@pytest.mark.parametrize("flatbuffer", [normalization(False, None), normalization(True, STORED, forgets=True)])
def test_a_variable_that_is_not_what_it_was_set_to_is_refused(flatbuffer: bytes) -> None:
    with pytest.raises(ModelRefused, match="the variable 'mean' changes"):
        network(flatbuffer)


def test_noise_is_none() -> None:
    made = Made()
    x = made.input(1, 2, 3, 1)
    noise, loud, y = made.tensor(1, 2, 3, 1), made.tensor(1, 2, 3, 1), made.tensor(1, 2, 3, 1)
    made.operator("RANDOM_STANDARD_NORMAL", [made.integers([1, 2, 3, 1])], [noise], schema.RandomOptionsT())
    made.operator("MUL", [noise, made.constant(100.0)], [loud], schema.MulOptionsT())
    made.operator("ADD", [x, loud], [y], schema.AddOptionsT())
    picture = torch.from_numpy(weights(1, 2, 3, 1))
    assert torch.equal(network(made.finish(y))(picture)[0], picture)


def grown(name: str, inputs: Callable[[Made, int], list[int]], options: object = None) -> bytes:
    made = Made()
    x, y = made.input(1, 4, 4, 2), made.tensor(1, 4, 4, 2)
    made.operator(name, [x, *inputs(made, x)], [y], options)
    return made.finish(y)


@pytest.mark.parametrize(
    "flatbuffer",
    [
        grown("TILE", lambda made, x: [made.integers([1, 1 << 20, 1 << 20, 1])]),
        grown("SPACE_TO_BATCH_ND", lambda made, x: [made.integers([2, 2]), made.integers([[0, 1 << 20], [0, 1 << 20]])]),
        grown("SPACE_TO_BATCH_ND", lambda made, x: [made.integers([0, 2]), made.integers([[0, 0], [0, 0]])]),
        grown("BATCH_TO_SPACE_ND", lambda made, x: [made.integers([3, 3]), made.integers([[0, 0], [0, 0]])]),
        grown("SLICE", lambda made, x: [made.integers([0, -1, 0, 0]), made.integers([-1, 2, 2, 2])], schema.SliceOptionsT()),
    ],
    ids=["tile", "padding", "no block", "batch", "slice"],
)
def test_what_is_too_large_or_makes_no_sense_is_refused(flatbuffer: bytes) -> None:
    with pytest.raises(ModelRefused, match="made"):
        network(flatbuffer)
