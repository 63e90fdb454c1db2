"""TensorFlow Lite's operators in torch. Each builder reads an operator once and returns the function that computes it.

Functions take and return tensors as the flatbuffer has them, NHWC, with a batch as the first dimension. Convolutions and
pools see them as NCHW in channels-last memory, which moves no data.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from transforms.errors import ModelRefused

if TYPE_CHECKING:
    import tflite

Function = Callable[..., Tensor]

MAX_REACH = 1 << 10
"""Pixels that a convolution or a pool may see, or step, in one direction: the largest known take in a picture of 128."""

_SAME = 0
"""Padding of the schema: the output is as large as the input divided by the stride; 1 is VALID, no padding."""

_ACTIVATIONS: dict[int, Function] = {
    0: lambda x: x,
    1: F.relu,
    2: lambda x: x.clamp(-1.0, 1.0),
    3: F.relu6,
    4: torch.tanh,
}
"""ActivationFunctionType of the schema."""


class Operator:
    """One operator of a graph that is being built."""

    def __init__(
        self, model: tflite.Model, raw: tflite.Operator, shapes: list[tuple[int, ...]], constants: dict[int, Tensor]
    ) -> None:
        self._raw = raw
        self._shapes = shapes
        self._constants = constants
        self.name = _name(model.OperatorCodes(raw.OpcodeIndex()))
        self.inputs = [int(i) for i in raw.InputsAsNumpy()]
        """Tensors by index; -1 is one that is left out."""
        if raw.OutputsLength() != 1:
            raise ModelRefused(f"{self.name} has {raw.OutputsLength()} outputs, not one")
        self.output = int(raw.Outputs(0))
        if any(not -1 <= i < len(shapes) for i in self.inputs) or not 0 <= self.output < len(shapes):
            raise ModelRefused(f"{self.name} names a tensor that is not there")

    @property
    def output_shape(self) -> tuple[int, ...]:
        return self._shapes[self.output]

    def shape(self, position: int) -> tuple[int, ...]:
        return self._shapes[self.inputs[position]]

    def constant(self, position: int) -> Tensor:
        """An input that must be known now."""
        constant = self._constants.get(self.inputs[position])
        if constant is None:
            raise ModelRefused(f"input {position} of {self.name} is no constant")
        return constant

    def integers(self, position: int) -> list[Any]:
        """A constant input as (nested) lists."""
        values: list[Any] = self.constant(position).tolist()
        return values

    def replace(self, position: int, constant: Tensor) -> None:
        """Gives this operator a constant in another layout; others that share it keep theirs."""
        index = max(len(self._shapes), *self._constants) + 1
        self._constants[index] = constant
        self.inputs[position] = index

    def options(self, kind: type[Any]) -> Any:
        """The operator's options, read as ``kind`` of the schema."""
        table = self._raw.BuiltinOptions()
        if table is None:
            raise ModelRefused(f"{self.name} lacks its options")
        options = kind()
        options.Init(table.Bytes, table.Pos)
        return options

    def custom_options(self) -> bytes:
        return bytes(self._raw.CustomOptionsAsNumpy().tobytes()) if self._raw.CustomOptionsLength() else b""

    def activation(self, options: Any) -> Function:
        code = options.FusedActivationFunction()
        if code not in _ACTIVATIONS:
            raise ModelRefused(f"{self.name} has the activation {code}, which is not known here")
        return _ACTIVATIONS[code]


def _name(code: tflite.OperatorCode) -> str:
    import tflite

    # Old files have the code in one field, new ones in the other.
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    if number == tflite.BuiltinOperator.CUSTOM:
        return bytes(code.CustomCode() or b"CUSTOM").decode("ascii", "replace")
    names = {value: key for key, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}
    return str(names.get(number, f"operator {number}"))


def _nchw(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2)


def _nhwc(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)


def _padder(options: Any, size: tuple[int, ...], kernel: tuple[int, int], dilation: tuple[int, int], fill: float) -> Function:
    """Pads (N, C, H, W) by what SAME asks for, of which the larger half comes after: torch's own is symmetrical."""
    edges: list[int] = []
    for length, taps, step, spread in zip(size, kernel, (options.StrideH(), options.StrideW()), dilation, strict=True):
        reach = (taps - 1) * spread + 1
        if not (0 < step <= MAX_REACH and 0 < reach <= MAX_REACH):
            raise ModelRefused(f"a window of {reach} in steps of {step} is not known here")
        total = max((math.ceil(length / step) - 1) * step + reach - length, 0) if options.Padding() == _SAME else 0
        edges = [total // 2, total - total // 2, *edges]
    return (lambda x: F.pad(x, edges, value=fill)) if any(edges) else (lambda x: x)


def _convolution(operator: Operator, options: Any, weight: Tensor) -> Function:
    """``weight`` is (out, in / groups, h, w)."""
    operator.replace(1, weight.float().contiguous(memory_format=torch.channels_last))
    stride = (options.StrideH(), options.StrideW())
    dilation = (options.DilationHFactor(), options.DilationWFactor())
    height, width, channels = operator.shape(0)[1:]
    groups = channels // weight.shape[1]
    pad = _padder(options, (height, width), (weight.shape[2], weight.shape[3]), dilation, 0.0)
    activation = operator.activation(options)

    def run(x: Tensor, w: Tensor, bias: Tensor | None = None) -> Tensor:
        return _nhwc(activation(F.conv2d(pad(_nchw(x)), w, bias, stride, 0, dilation, groups)))

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
        full = F.conv_transpose2d(_nchw(x), w, bias, (down, across))
        return _nhwc(full[:, :, top : top + height, left : left + width])

    return run


def max_pool_2d(operator: Operator) -> Function:
    import tflite

    options = operator.options(tflite.Pool2DOptions)
    kernel, stride = (options.FilterHeight(), options.FilterWidth()), (options.StrideH(), options.StrideW())
    pad = _padder(options, operator.shape(0)[1:3], kernel, (1, 1), -math.inf)
    activation = operator.activation(options)
    return lambda x: _nhwc(activation(F.max_pool2d(pad(_nchw(x)), kernel, stride)))


def average_pool_2d(operator: Operator) -> Function:
    import tflite

    options = operator.options(tflite.Pool2DOptions)
    kernel, stride = (options.FilterHeight(), options.FilterWidth()), (options.StrideH(), options.StrideW())
    if options.Padding() == _SAME and any(n % s or k > s for n, k, s in zip(operator.shape(0)[1:3], kernel, stride, strict=True)):
        raise ModelRefused("AVERAGE_POOL_2D with padding is not known here")
    activation = operator.activation(options)
    if kernel == operator.shape(0)[1:3]:
        return lambda x: activation(x.mean((1, 2), keepdim=True))
    return lambda x: _nhwc(activation(F.avg_pool2d(_nchw(x), kernel, stride)))


def prelu(operator: Operator) -> Function:
    slope = operator.constant(1)
    if slope.numel() != operator.shape(0)[-1]:
        return lambda x, alpha: torch.where(x >= 0, x, alpha * x)
    operator.replace(1, slope.float().flatten())
    return lambda x, alpha: F.prelu(_nchw(x), alpha).permute(0, 2, 3, 1)


def pad(operator: Operator) -> Function:
    edges = [edge for pair in reversed(operator.integers(1)) for edge in pair]
    grown = tuple(length + sum(pair) for length, pair in zip(operator.shape(0), operator.integers(1), strict=True))
    if grown != operator.output_shape or min(edges) < 0:
        raise ModelRefused(f"PAD grows {operator.shape(0)} to {grown}, not to {operator.output_shape}")
    return lambda x, _: F.pad(x, edges)


def resize_bilinear(operator: Operator) -> Function:
    import tflite

    options = operator.options(tflite.ResizeBilinearOptions)
    corners = bool(options.AlignCorners())
    if not corners and not options.HalfPixelCenters():
        raise ModelRefused("RESIZE_BILINEAR without half-pixel centres is not known here")
    size = operator.output_shape[1:3]
    return lambda x, _: _nhwc(F.interpolate(_nchw(x), size=size, mode="bilinear", align_corners=corners))


def reshape(operator: Operator) -> Function:
    shape = operator.output_shape
    # A shape without a batch dimension gets one.
    rest = shape[1:] if shape and shape[0] == 1 else shape
    return lambda x, *_: x.reshape(x.shape[0], *rest)


def transpose(operator: Operator) -> Function:
    order = operator.integers(1)
    if order[0] != 0:
        raise ModelRefused("TRANSPOSE that moves the batch is not known here")
    return lambda x, _: x.permute(order)


def concatenation(operator: Operator) -> Function:
    import tflite

    options = operator.options(tflite.ConcatenationOptions)
    axis, activation = options.Axis(), operator.activation(options)

    def run(*parts: Tensor) -> Tensor:
        batch = max(part.shape[0] for part in parts)
        return activation(torch.cat([part.expand(batch, *part.shape[1:]) for part in parts], axis))

    return run


def strided_slice(operator: Operator) -> Function:
    import tflite

    options = operator.options(tflite.StridedSliceOptions)
    if options.EllipsisMask() or options.NewAxisMask():
        raise ModelRefused("STRIDED_SLICE with an ellipsis or new axes is not known here")
    cuts: list[slice | int] = []
    for axis, (begin, end, step) in enumerate(zip(*(operator.integers(i) for i in (1, 2, 3)), strict=True)):
        if axis == 0:
            cuts.append(slice(None))  # the batch stays, even where the flatbuffer drops its one
        elif options.ShrinkAxisMask() >> axis & 1:
            cuts.append(begin)
        elif step < 1:
            raise ModelRefused("STRIDED_SLICE backwards is not known here")
        else:
            begin = None if options.BeginMask() >> axis & 1 else begin
            cuts.append(slice(begin, None if options.EndMask() >> axis & 1 else end, step))
    index = tuple(cuts)
    return lambda x, *_: x[index]


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


BUILDERS: dict[str, Callable[[Operator], Function]] = {
    "ADD": _arithmetic(torch.add, "AddOptions"),
    "AVERAGE_POOL_2D": average_pool_2d,
    "CONCATENATION": concatenation,
    "CONV_2D": conv_2d,
    "Convolution2DTransposeBias": transpose_conv_bias,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d,
    "DEQUANTIZE": _plain(Tensor.float),  # of constants, and folded where the graph is built
    "DIV": _arithmetic(torch.div, "DivOptions"),
    "HARD_SWISH": _plain(F.hardswish),
    "LOGISTIC": _plain(torch.sigmoid),
    "MAX_POOL_2D": max_pool_2d,
    "MEAN": _reduction(torch.mean),
    "MUL": _arithmetic(torch.mul, "MulOptions"),
    "NEG": _plain(torch.neg),
    "PAD": pad,
    "PRELU": prelu,
    "RELU": _plain(F.relu),
    "RESHAPE": reshape,
    "RESIZE_BILINEAR": resize_bilinear,
    "RSQRT": _plain(torch.rsqrt),
    "SQRT": _plain(torch.sqrt),
    "SQUARED_DIFFERENCE": _plain(lambda a, b: (a - b).square()),
    "STRIDED_SLICE": strided_slice,
    "SUB": _arithmetic(torch.sub, "SubOptions"),
    "SUM": _reduction(torch.sum),
    "TRANSPOSE": transpose,
}
"""By the schema's name, or the custom operator's."""
