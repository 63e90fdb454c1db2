"""Networks on a CPU, by LiteRT with XNNPACK."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from transforms.errors import ModelRefused
from transforms.models.runtime import Shapes, batched, check


class LiteRtNetwork:
    """One interpreter: not to be called by two threads at once. It computes in one thread, without the GIL."""

    def __init__(self, flatbuffer: bytes, name: str) -> None:
        from ai_edge_litert.interpreter import Interpreter

        try:
            self._interpreter = Interpreter(model_content=flatbuffer, num_threads=1)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ModelRefused(f"LiteRT cannot run the network {name}: {error}") from error
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        if any(tensor["dtype"] != np.float32 for tensor in (*inputs, *outputs)):
            raise ModelRefused(f"the network {name} has inputs or outputs that are not float32")
        self._inputs = [int(tensor["index"]) for tensor in inputs]
        self._outputs = [int(tensor["index"]) for tensor in outputs]
        self.inputs: Shapes = tuple(tuple(map(int, tensor["shape"])) for tensor in inputs)
        self.outputs: Shapes = tuple(batched(tuple(map(int, tensor["shape"]))) for tensor in outputs)

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        size = check(inputs, self.inputs)
        arrays = [np.ascontiguousarray(tensor.numpy(), dtype=np.float32) for tensor in inputs]
        runs = [self._run([array[item : item + 1] for array in arrays]) for item in range(size)]
        if size == 1:
            return tuple(runs[0])
        return tuple(torch.cat(parts) for parts in zip(*runs, strict=True))

    def _run(self, arrays: list[np.ndarray]) -> list[Tensor]:
        for index, array in zip(self._inputs, arrays, strict=True):
            self._interpreter.set_tensor(index, array)
        self._interpreter.invoke()
        # get_tensor copies, so what is returned outlives the next run.
        return [
            torch.from_numpy(self._interpreter.get_tensor(index)).reshape(shape)
            for index, shape in zip(self._outputs, self.outputs, strict=True)
        ]
