"""Operators that put numbers in other places, in torch: see ``operators``."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from transforms.errors import ModelRefused
from transforms.models.operator import MAX_ELEMENTS, MAX_REACH, Function, Operator, nchw, nhwc


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
    return lambda x, _: nhwc(F.interpolate(nchw(x), size=size, mode="bilinear", align_corners=corners))


def resize_nearest(operator: Operator) -> Function:
    import tflite

    options = operator.options(tflite.ResizeNearestNeighborOptions)
    if options.AlignCorners():
        raise ModelRefused("RESIZE_NEAREST_NEIGHBOR with aligned corners is not known here")
    size = operator.output_shape[1:3]
    mode = "nearest-exact" if options.HalfPixelCenters() else "nearest"
    return lambda x, _: nhwc(F.interpolate(nchw(x), size=size, mode=mode))


def reshape(operator: Operator) -> Function:
    shape, signature = operator.output_shape, operator.output_signature
    if -1 in signature[1:] and signature[0] != -1:
        return lambda x, *_: x.reshape(signature)  # the batch goes to another place
    if signature.count(-1) > 1:
        # The flatbuffer does not know the shape, but the operator that made the wanted one did.
        shape = (1, *operator.integers(1)[1:])
    # A shape without a batch dimension gets one.
    rest = shape[1:] if shape and shape[0] == 1 else shape
    return lambda x, *_: x.reshape(x.shape[0], *rest)


def transpose(operator: Operator) -> Function:
    order = operator.integers(1)
    if order[0] != 0 and operator.output_signature[0] != -1:
        raise ModelRefused("TRANSPOSE that moves the batch is not known here")
    return lambda x, _: x.permute(order)


def concatenation(operator: Operator) -> Function:
    import tflite

    options = operator.options(tflite.ConcatenationOptions)
    axis, activation = options.Axis(), operator.activation(options)
    if axis == 0:
        return lambda *parts: activation(torch.cat(parts))  # only where the batch is in another place

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
        if axis == 0 and not operator.is_constant:
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


def cut(operator: Operator) -> Function:
    """SLICE: of everything but the batch."""
    index: list[slice] = [slice(None)]
    for begin, length in list(zip(operator.integers(1), operator.integers(2), strict=True))[1:]:
        if begin < 0 or length < -1:
            raise ModelRefused("SLICE from the end is not known here")
        index.append(slice(begin, None if length == -1 else begin + length))
    at = tuple(index)
    return lambda x, *_: x[at]


def tile(operator: Operator) -> Function:
    times = operator.integers(1)
    grown = tuple(length * count for length, count in zip(operator.shape(0), times, strict=True))
    if times[0] != 1 or grown != operator.output_shape:
        raise ModelRefused(f"TILE of {times} is not known here")
    return lambda x, _: x.repeat(times)


def space_to_batch(operator: Operator) -> Function:
    """Every block-th pixel becomes a picture of its own: TensorFlow's way to a dilated convolution."""
    (down, across), ((top, bottom), (left, right)) = operator.integers(1), operator.integers(2)
    _bounded(operator, down, across, top, bottom, left, right)
    height, width = (a + b + c for a, b, c in zip(operator.shape(0)[1:3], (top, left), (bottom, right), strict=True))
    if height % down or width % across or height * width * operator.shape(0)[3] > MAX_ELEMENTS:
        raise ModelRefused(f"SPACE_TO_BATCH_ND of {operator.shape(0)} is not known here")

    def run(x: Tensor, *_: Tensor) -> Tensor:
        x = F.pad(x, (0, 0, left, right, top, bottom))
        n, h, w, c = x.shape
        x = x.reshape(n, h // down, down, w // across, across, c)
        return x.permute(2, 4, 0, 1, 3, 5).reshape(-1, h // down, w // across, c)

    return run


def batch_to_space(operator: Operator) -> Function:
    """The way back."""
    (down, across), ((top, bottom), (left, right)) = operator.integers(1), operator.integers(2)
    _bounded(operator, down, across, top, bottom, left, right)

    def run(x: Tensor, *_: Tensor) -> Tensor:
        n, h, w, c = x.shape
        x = x.reshape(down, across, n // (down * across), h, w, c).permute(2, 3, 0, 4, 1, 5)
        x = x.reshape(n // (down * across), h * down, w * across, c)
        return x[:, top : h * down - bottom, left : w * across - right]

    return run


def _bounded(operator: Operator, *lengths: int) -> None:
    if not all(0 <= length <= MAX_REACH for length in lengths):
        raise ModelRefused(f"{operator.name} of {lengths} is not known here")
