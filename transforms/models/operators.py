"""TensorFlow Lite's operators in torch. Each builder reads an operator once and returns the function that computes it.

Functions take and return tensors as the flatbuffer has them, NHWC, with a batch as the first dimension. Convolutions and
pools see them as NCHW in channels-last memory, which moves no data.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from transforms.errors import ModelRefused
from transforms.models import layouts
from transforms.models.operator import MAX_REACH, Function, Operator, nchw, nhwc

_SAME = 0
"""Padding of the schema: the output is as large as the input divided by the stride; 1 is VALID, no padding."""


def _edges(options: Any, size: tuple[int, ...], kernel: tuple[int, int], dilation: tuple[int, int]) -> list[int]:
    """Left, right, top, bottom: what SAME asks for, of which the larger half comes after; torch's own is symmetrical."""
    edges: list[int] = []
    for length, taps, step, spread in zip(size, kernel, (options.StrideH(), options.StrideW()), dilation, strict=True):
        reach = (taps - 1) * spread + 1
        if not (0 < step <= MAX_REACH and 0 < reach <= MAX_REACH):
            raise ModelRefused(f"a window of {reach} in steps of {step} is not known here")
        total = max((math.ceil(length / step) - 1) * step + reach - length, 0) if options.Padding() == _SAME else 0
        edges = [total // 2, total - total // 2, *edges]
    return edges


def _padder(edges: list[int], fill: float) -> Function:
    """Pads (N, C, H, W)."""
    return (lambda x: F.pad(x, edges, value=fill)) if any(edges) else (lambda x: x)


def _convolution(operator: Operator, options: Any, weight: Tensor) -> Function:
    """``weight`` is (out, in / groups, h, w)."""
    stride = (options.StrideH(), options.StrideW())
    dilation = (options.DilationHFactor(), options.DilationWFactor())
    height, width, channels = operator.shape(0)[1:]
    groups = channels // weight.shape[1]
    activation = operator.activation(options)
    edges = _edges(options, (height, width), (weight.shape[2], weight.shape[3]), dilation)
    if tuple(weight.shape[2:]) == stride == (1, 1) and groups == 1 and not any(edges):
        # One pixel at a time is a matrix, and torch multiplies it faster where pixels are rows.
        operator.replace(1, weight[:, :, 0, 0].float().contiguous())
        return lambda x, w, bias=None: activation(F.linear(x, w, bias))
    operator.replace(1, weight.float().contiguous(memory_format=torch.channels_last))
    # Where it can, the convolution pads by itself, and nothing is copied.
    alike = edges[0] == edges[1] and edges[2] == edges[3]
    padding = (edges[2], edges[0]) if alike else (0, 0)
    pad = _padder([] if alike else edges, 0.0)

    def run(x: Tensor, w: Tensor, bias: Tensor | None = None) -> Tensor:
        return nhwc(activation(F.conv2d(pad(nchw(x)), w, bias, stride, padding, dilation, groups)))

    return run


def conv_2d(operator: Operator) -> Function:
    import tflite

    return _convolution(operator, operator.options(tflite.Conv2DOptions), operator.constant(1).permute(0, 3, 1, 2))


def depthwise_conv_2d(operator: Operator) -> Function:
    import tflite

    # (1, h, w, channels) -> (channels, 1, h, w)
    return _convolution(operator, operator.options(tflite.DepthwiseConv2DOptions), operator.constant(1).permute(3, 0, 1, 2))


def transpose_conv_bias(operator: Operator) -> Function:
    """MediaPipe's own: a transposed convolution with a bias. Options: padding, stride across, stride down (int32)."""
    _, across, down = struct.unpack("<3i", operator.custom_options())
    weight = operator.constant(1).float().permute(3, 0, 1, 2)  # (out, h, w, in) -> (in, out, h, w)
    operator.replace(1, weight.contiguous())
    height, width = operator.output_shape[1:3]
    spare_down = (operator.shape(0)[1] - 1) * down + weight.shape[2] - height
    spare_across = (operator.shape(0)[2] - 1) * across + weight.shape[3] - width
    if not (0 <= spare_down <= MAX_REACH and 0 <= spare_across <= MAX_REACH):
        raise ModelRefused(f"{operator.name} of {operator.shape(0)} does not yield {operator.output_shape}")
    top, left = spare_down // 2, spare_across // 2

    def run(x: Tensor, w: Tensor, bias: Tensor) -> Tensor:
        full = F.conv_transpose2d(nchw(x), w, bias, (down, across))
        return nhwc(full[:, :, top : top + height, left : left + width])

    return run


def max_pool_2d(operator: Operator) -> Function:
    import tflite

    options = operator.options(tflite.Pool2DOptions)
    kernel, stride = (options.FilterHeight(), options.FilterWidth()), (options.StrideH(), options.StrideW())
    pad = _padder(_edges(options, operator.shape(0)[1:3], kernel, (1, 1)), -math.inf)
    activation = operator.activation(options)
    return lambda x: nhwc(activation(F.max_pool2d(pad(nchw(x)), kernel, stride)))


def average_pool_2d(operator: Operator) -> Function:
    import tflite

    options = operator.options(tflite.Pool2DOptions)
    kernel, stride = (options.FilterHeight(), options.FilterWidth()), (options.StrideH(), options.StrideW())
    if options.Padding() == _SAME and any(n % s or k > s for n, k, s in zip(operator.shape(0)[1:3], kernel, stride, strict=True)):
        raise ModelRefused("AVERAGE_POOL_2D with padding is not known here")
    activation = operator.activation(options)
    if kernel == operator.shape(0)[1:3]:
        return lambda x: activation(x.mean((1, 2), keepdim=True))
    return lambda x: nhwc(activation(F.avg_pool2d(nchw(x), kernel, stride)))


def prelu(operator: Operator) -> Function:
    slope = operator.constant(1)
    if slope.numel() != operator.shape(0)[-1]:
        return lambda x, alpha: torch.where(x >= 0, x, alpha * x)
    operator.replace(1, slope.float().flatten())
    return lambda x, alpha: F.prelu(nchw(x), alpha).permute(0, 2, 3, 1)


def fully_connected(operator: Operator) -> Function:
    import tflite

    options = operator.options(tflite.FullyConnectedOptions)
    if options.WeightsFormat() or not (len(operator.shape(0)) == 2 or options.KeepNumDims()):
        raise ModelRefused(f"FULLY_CONNECTED of {operator.shape(0)} is not known here")
    activation = operator.activation(options)
    return lambda x, weight, bias=None: activation(F.linear(x, weight, bias))


def leaky_relu(operator: Operator) -> Function:
    import tflite

    slope = operator.options(tflite.LeakyReluOptions).Alpha()
    return lambda x: F.leaky_relu(x, slope)


def fused_batch_norm(operator: Operator) -> Function:
    """TensorFlow's FusedBatchNormV3, whose options are a FlexBuffer.

    One that is still in training normalizes by the statistics of what it is given: here each item of a batch by its
    own, so that a batch gives what its items give.
    """
    from flatbuffers import flexbuffers

    options = flexbuffers.Loads(operator.custom_options())
    training, epsilon = bool(options["is_training"]), float(options["epsilon"])
    if options["data_format"] != "NHWC":
        raise ModelRefused("FusedBatchNormV3 of another layout than NHWC is not known here")

    def run(x: Tensor, scale: Tensor, offset: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        if training:
            return nhwc(F.instance_norm(nchw(x), weight=scale, bias=offset, eps=epsilon))
        factor = scale * torch.rsqrt(variance + epsilon)
        return x * factor + (offset - mean * factor)

    return run


def _reduction(function: Function) -> Callable[[Operator], Function]:
    def build(operator: Operator) -> Function:
        import tflite

        axes = operator.integers(1)
        axes = axes if isinstance(axes, list) else [axes]
        keep = bool(operator.options(tflite.ReducerOptions).KeepDims())
        return lambda x, _: function(x, axes, keepdim=keep)

    return build


def _arithmetic(function: Function, options_name: str) -> Callable[[Operator], Function]:
    def build(operator: Operator) -> Function:
        import tflite

        activation = operator.activation(operator.options(getattr(tflite, options_name)))
        return lambda a, b: activation(function(a, b))

    return build


def _plain(function: Function) -> Callable[[Operator], Function]:
    return lambda operator: function


def shape(operator: Operator) -> Tensor:
    """For a batch of one: who reshapes to it leaves the batch as it is."""
    return torch.tensor(operator.shape(0))


def pack(operator: Operator) -> Tensor:
    return torch.stack([operator.constant(position) for position in range(len(operator.inputs))])


def no_noise(operator: Operator) -> Tensor:
    """Zeros instead of RANDOM_STANDARD_NORMAL: the same picture gives the same result, and the noise is a grain."""
    return torch.zeros(operator.output_shape)


KNOWN_NOW: dict[str, Callable[[Operator], Tensor]] = {
    "DEQUANTIZE": lambda operator: operator.constant(0).float(),
    "PACK": pack,
    "RANDOM_STANDARD_NORMAL": no_noise,
    "SHAPE": shape,
}
"""Operators whose output is known when the graph is built. By name, as below."""

BUILDERS: dict[str, Callable[[Operator], Function]] = {
    "ADD": _arithmetic(torch.add, "AddOptions"),
    "AVERAGE_POOL_2D": average_pool_2d,
    "BATCH_TO_SPACE_ND": layouts.batch_to_space,
    "CONCATENATION": layouts.concatenation,
    "CONV_2D": conv_2d,
    "Convolution2DTransposeBias": transpose_conv_bias,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d,
    "DIV": _arithmetic(torch.div, "DivOptions"),
    "FULLY_CONNECTED": fully_connected,
    "FusedBatchNormV3": fused_batch_norm,
    "HARD_SWISH": _plain(F.hardswish),
    "LEAKY_RELU": leaky_relu,
    "LOGISTIC": _plain(torch.sigmoid),
    "MAX_POOL_2D": max_pool_2d,
    "MEAN": _reduction(torch.mean),
    "MUL": _arithmetic(torch.mul, "MulOptions"),
    "NEG": _plain(torch.neg),
    "PAD": layouts.pad,
    "PRELU": prelu,
    "RELU": _plain(F.relu),
    "RELU6": _plain(F.relu6),
    "RESHAPE": layouts.reshape,
    "RESIZE_BILINEAR": layouts.resize_bilinear,
    "RESIZE_NEAREST_NEIGHBOR": layouts.resize_nearest,
    "RSQRT": _plain(torch.rsqrt),
    "SLICE": layouts.cut,
    "SPACE_TO_BATCH_ND": layouts.space_to_batch,
    "SQRT": _plain(torch.sqrt),
    "SQUARED_DIFFERENCE": _plain(lambda a, b: (a - b).square()),
    "STRIDED_SLICE": layouts.strided_slice,
    "SUB": _arithmetic(torch.sub, "SubOptions"),
    "SUM": _reduction(torch.sum),
    "TANH": _plain(torch.tanh),
    "TILE": layouts.tile,
    "TRANSPOSE": layouts.transpose,
}
"""By the schema's name, or the custom operator's."""
