"""Small networks made for tests, as flatbuffers of TensorFlow Lite's schema."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import flexbuffers

_TYPES = {np.float32: schema.TensorType.FLOAT32, np.int32: schema.TensorType.INT32, None: schema.TensorType.RESOURCE}


class Made:
    """A network that grows operator by operator. Tensors are named by the numbers that these methods return."""

    def __init__(self) -> None:
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.buffers = [schema.BufferT()]
        self.model.operatorCodes = []
        self.model.subgraphs = []
        self._graph: Any = None
        self.graph()

    def graph(self) -> None:
        """Begins another subgraph, to which the next operators go."""
        self._graph = schema.SubGraphT()
        self._graph.tensors, self._graph.operators, self._graph.inputs, self._graph.outputs = [], [], [], []
        self.model.subgraphs.append(self._graph)

    def tensor(self, *shape: int, kind: Any = np.float32, signature: Sequence[int] | None = None) -> int:
        """``signature`` has -1 where a length is known only when it runs."""
        tensor = schema.TensorT()
        tensor.shape, tensor.buffer, tensor.type = (
            list(shape),
            0,
            _TYPES[kind],
        )
        tensor.shapeSignature = None if signature is None else list(signature)
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def input(self, *shape: int, signature: Sequence[int] | None = None) -> int:
        number = self.tensor(*shape, signature=signature)
        self._graph.inputs.append(number)
        return number

    def constant(self, values: Any, kind: Any = np.float32) -> int:
        array = np.asarray(values, kind)
        number = self.tensor(*array.shape, kind=kind)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(array.tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        self._graph.tensors[number].buffer = len(self.model.buffers) - 1
        return number

    def integers(self, values: Any) -> int:
        return self.constant(values, np.int32)

    def operator(self, name: str, inputs: Sequence[int], outputs: Sequence[int], options: Any = None, **custom: Any) -> None:
        """``options`` is an object of the schema; ``custom`` makes it an operator of TensorFlow's own, with these as options."""
        code = schema.OperatorCodeT()
        code.version = 1
        if custom:
            code.builtinCode, code.customCode = schema.BuiltinOperator.CUSTOM, name
        else:
            code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        self.model.operatorCodes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs, operator.outputs = list(inputs), list(outputs)
        if custom:
            operator.customOptions = np.frombuffer(bytes(flexbuffers.Dumps(custom)), np.uint8)
        if options is not None:
            operator.builtinOptions = options
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        self._graph.operators.append(operator)

    def variable(self, name: str) -> int:
        """A handle on a variable of that name."""
        handle = self.tensor(kind=None)
        self.operator("VAR_HANDLE", [], [handle], set_options(schema.VarHandleOptionsT(), sharedName=name))
        return handle

    def finish(self, *outputs: int) -> bytes:
        self.model.subgraphs[0].outputs = list(outputs)
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def set_options(options: Any, **values: Any) -> Any:
    for name, value in values.items():
        assert hasattr(options, name), f"{type(options).__name__} has no {name}"
        setattr(options, name, value)
    return options
