"""A small TensorFlow Lite network that tests make."""

from __future__ import annotations

import flatbuffers
import numpy as np
import tflite


def inverting(size: int = 64, operator: int = tflite.BuiltinOperator.SUB) -> bytes:
    """1 - x of a (1, size, size, 3) picture; or another operator of two inputs, which may make no sense."""
    builder = flatbuffers.Builder(1024)
    data = builder.CreateNumpyVector(np.frombuffer(np.ones(1, np.float32).tobytes(), np.uint8))
    buffers = []
    for content in (None, data):
        tflite.BufferStart(builder)
        if content is not None:
            tflite.BufferAddData(builder, content)
        buffers.append(tflite.BufferEnd(builder))
    picture = (1, size, size, 3)
    tensors = [
        _tensor(builder, name, shape, buffer) for name, shape, buffer in (("x", picture, 0), ("one", (1,), 1), ("y", picture, 0))
    ]
    tflite.SubOptionsStart(builder)
    options = tflite.SubOptionsEnd(builder)
    ends = _ints(builder, (1, 0)), _ints(builder, (2,))
    tflite.OperatorStart(builder)
    tflite.OperatorAddOpcodeIndex(builder, 0)
    tflite.OperatorAddInputs(builder, ends[0])
    tflite.OperatorAddOutputs(builder, ends[1])
    tflite.OperatorAddBuiltinOptionsType(builder, tflite.BuiltinOptions.SubOptions)
    tflite.OperatorAddBuiltinOptions(builder, options)
    operators = _tables(builder, [tflite.OperatorEnd(builder)])
    all_tensors = _tables(builder, tensors)
    inputs, outputs = _ints(builder, (0,)), _ints(builder, (2,))
    tflite.SubGraphStart(builder)
    tflite.SubGraphAddTensors(builder, all_tensors)
    tflite.SubGraphAddInputs(builder, inputs)
    tflite.SubGraphAddOutputs(builder, outputs)
    tflite.SubGraphAddOperators(builder, operators)
    graphs = _tables(builder, [tflite.SubGraphEnd(builder)])
    tflite.OperatorCodeStart(builder)
    tflite.OperatorCodeAddBuiltinCode(builder, operator)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(builder, min(operator, 127))
    tflite.OperatorCodeAddVersion(builder, 1)
    codes = _tables(builder, [tflite.OperatorCodeEnd(builder)])
    all_buffers = _tables(builder, buffers)
    tflite.ModelStart(builder)
    tflite.ModelAddVersion(builder, 3)
    tflite.ModelAddOperatorCodes(builder, codes)
    tflite.ModelAddSubgraphs(builder, graphs)
    tflite.ModelAddBuffers(builder, all_buffers)
    builder.Finish(tflite.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


def _tensor(builder: flatbuffers.Builder, name: str, shape: tuple[int, ...], buffer: int) -> int:
    told, dimensions = builder.CreateString(name), _ints(builder, shape)
    tflite.TensorStart(builder)
    tflite.TensorAddName(builder, told)
    tflite.TensorAddShape(builder, dimensions)
    tflite.TensorAddType(builder, tflite.TensorType.FLOAT32)
    tflite.TensorAddBuffer(builder, buffer)
    return int(tflite.TensorEnd(builder))


def _ints(builder: flatbuffers.Builder, values: tuple[int, ...]) -> int:
    return int(builder.CreateNumpyVector(np.array(values, np.int32)))


def _tables(builder: flatbuffers.Builder, offsets: list[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())
