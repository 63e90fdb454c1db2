"""Variables of a flatbuffer. A network for live video learns nothing, so here they are what they were set to at first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from transforms.errors import ModelRefused
from transforms.models.operator import name_of

if TYPE_CHECKING:
    import tflite

STATEMENTS = {"CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"}
"""Operators that concern variables, and compute nothing."""


class Variables:
    """Of the graph being built; ``initial`` has the values that the subgraph for it assigns, by the variable's name."""

    def __init__(self, initial: dict[bytes, Tensor]) -> None:
        self._initial = initial
        self._handles: dict[int, bytes] = {}
        self._assigned: set[bytes] = set()

    def take(self, model: tflite.Model, raw: tflite.Operator, constants: dict[int, Tensor]) -> None:
        """Follows one statement; what it reads goes to the constants.

        Raises ModelRefused where a variable is read that was never set, or after the graph itself has set it.
        """
        name = name_of(model.OperatorCodes(raw.OpcodeIndex()))
        if name == "VAR_HANDLE":
            self._handles[int(raw.Outputs(0))] = shared_name(raw)
        elif name == "ASSIGN_VARIABLE":
            self._assigned.add(self._handles[int(raw.Inputs(0))])
        elif name == "READ_VARIABLE":
            variable = self._handles[int(raw.Inputs(0))]
            if variable in self._assigned or variable not in self._initial:
                raise ModelRefused(f"the variable {variable.decode('ascii', 'replace')!r} changes, which is not known here")
            constants[int(raw.Outputs(0))] = self._initial[variable]


def first_values(model: tflite.Model, graph: tflite.SubGraph, constants: dict[int, Tensor]) -> dict[bytes, Tensor]:
    """What a subgraph assigns. Raises ModelRefused where it does anything else."""
    handles: dict[int, bytes] = {}
    values: dict[bytes, Tensor] = {}
    for index in range(graph.OperatorsLength()):
        raw = graph.Operators(index)
        name = name_of(model.OperatorCodes(raw.OpcodeIndex()))
        if name == "VAR_HANDLE":
            handles[int(raw.Outputs(0))] = shared_name(raw)
        elif name == "ASSIGN_VARIABLE":
            values[handles[int(raw.Inputs(0))]] = constants[int(raw.Inputs(1))]
        else:
            raise ModelRefused(f"its second subgraph has {name}, and may only set variables")
    return values


def shared_name(raw: tflite.Operator) -> bytes:
    import tflite

    table, options = raw.BuiltinOptions(), tflite.VarHandleOptions()
    options.Init(table.Bytes, table.Pos)
    return bytes(options.SharedName() or b"")
