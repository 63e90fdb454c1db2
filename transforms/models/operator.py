"""One operator of a flatbuffer's graph, as its builder reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from transforms.errors import ModelRefused

if TYPE_CHECKING:
    import tflite

Function = Callable[..., Tensor]

MAX_ELEMENTS = 1 << 26
"""Numbers in one tensor (256 MB of float32): no network for live video comes near."""

MAX_REACH = 1 << 10
"""Pixels that a convolution or a pool may see, or step, in one direction: the largest known take in a picture of 128."""

_ACTIVATIONS: dict[int, Function] = {
    0: lambda x: x,
    1: F.relu,
    2: lambda x: x.clamp(-1.0, 1.0),
    3: F.relu6,
    4: torch.tanh,
}
"""ActivationFunctionType of the schema."""


_GENEROUS = {"FusedBatchNormV3"}
"""Operators of which only the first output is computed: the others are statistics that training wants."""


class Operator:
    """One operator of a graph that is being built."""

    def __init__(
        self,
        model: tflite.Model,
        raw: tflite.Operator,
        shapes: list[tuple[int, ...]],
        constants: dict[int, Tensor],
        signatures: list[tuple[int, ...]],
    ) -> None:
        self._raw = raw
        self._shapes = shapes
        self._constants = constants
        self._signatures = signatures
        self.name = name_of(model.OperatorCodes(raw.OpcodeIndex()))
        self.inputs = [int(raw.Inputs(i)) for i in range(raw.InputsLength())]
        """Tensors by index; -1 is one that is left out."""
        if raw.OutputsLength() != 1 and not (self.name in _GENEROUS and raw.OutputsLength()):
            raise ModelRefused(f"{self.name} has {raw.OutputsLength()} outputs, not one")
        self.output = int(raw.Outputs(0))
        if any(not -1 <= i < len(shapes) for i in self.inputs) or not 0 <= self.output < len(shapes):
            raise ModelRefused(f"{self.name} names a tensor that is not there")

    @property
    def output_shape(self) -> tuple[int, ...]:
        return self._shapes[self.output]

    @property
    def output_signature(self) -> tuple[int, ...]:
        """The output's shape with -1 where the length is only known when it runs."""
        return self._signatures[self.output]

    @property
    def is_constant(self) -> bool:
        """Whether all inputs are known now, and so the output is."""
        return bool(self.inputs) and all(i == -1 or i in self._constants for i in self.inputs)

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


def name_of(code: tflite.OperatorCode) -> str:
    import tflite

    # Old files have the code in one field, new ones in the other.
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    if number == tflite.BuiltinOperator.CUSTOM:
        return bytes(code.CustomCode() or b"CUSTOM").decode("ascii", "replace")
    names = {value: key for key, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}
    return str(names.get(number, f"operator {number}"))


def nchw(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2)


def nhwc(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)
