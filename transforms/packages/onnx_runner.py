"""Networks by ONNX Runtime, on a CPU or on CUDA, reading and writing torch's memory in place."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from transforms.errors import ModelRefused, ModelUnavailable
from transforms.packages.limits import MAX_BATCH
from transforms.packages.manifest import Manifest
from transforms.packages.runner import Shape, numbers

logger = logging.getLogger(__name__)

THREADS = 1
"""A network computes in the thread of its stream, as LiteRT does: what one stream costs is one core at most."""

QUIET = 3
"""Severity from which ONNX Runtime writes to standard error by itself: errors."""

_PLACE = re.compile(r"/onnxruntime_src/\S+ [^)]*\) ")
"""File, line and function, in its messages."""

_DTYPES = {"tensor(float)": (np.float32, torch.float32), "tensor(float16)": (np.float16, torch.float16)}


class OnnxRunner:
    """A session. Runs of several threads go side by side."""

    def __init__(self, manifest: Manifest, path: Path, device: torch.device) -> None:
        """By its path, since a session made from bytes holds the GIL while it reads them: 0.4 s for 190 MB."""
        try:
            import onnxruntime
        except ImportError as error:
            raise ModelUnavailable(
                "ONNX Runtime is not installed; pip install 'doppel[onnx]' (or onnxruntime-gpu for CUDA)"
            ) from error
        onnxruntime.set_default_logger_severity(QUIET)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = THREADS
        options.log_severity_level = QUIET
        providers = _providers(onnxruntime, manifest, device)
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        except Exception as error:  # ONNX Runtime's own errors share no base class
            raise ModelRefused(f"ONNX Runtime cannot load {path.name} of {manifest.id}: {_told(error)}") from error
        self.name = f"onnxruntime {onnxruntime.__version__}, {self._session.get_providers()[0].removesuffix('ExecutionProvider')}"
        # Where there is no CUDA provider, tensors are copied to the host and back.
        self._device = device if self._session.get_providers()[0].startswith("CUDA") else torch.device("cpu")
        self._id = manifest.id
        self._numbers = numbers(manifest)
        self._inputs = {value.name: _Port(value) for value in self._session.get_inputs()}
        self._outputs = {value.name: _Port(value) for value in self._session.get_outputs()}
        fixed = [self._inputs[tensor.name].shape[:1] for tensor in manifest.inputs if tensor.name not in self._numbers]
        self.most = 1 if any(isinstance(first, int) for shape in fixed for first in shape) else MAX_BATCH

    def __call__(self, inputs: Mapping[str, Tensor], outputs: Mapping[str, Shape]) -> dict[str, Tensor]:
        binding = self._session.io_binding()
        home = next(iter(inputs.values())).device
        held = []  # what is bound must outlive the run
        for name, tensor in inputs.items():
            port = self._inputs[name]
            if name in self._numbers:
                tensor = port.fitted(tensor)
            tensor = tensor.to(self._device, port.dtype).contiguous()
            held.append(tensor)
            binding.bind_input(name, *self._place, port.element, tuple(tensor.shape), tensor.data_ptr())
        answers = {
            name: torch.empty(shape, dtype=self._outputs[name].dtype, device=self._device) for name, shape in outputs.items()
        }
        for name, tensor in answers.items():
            binding.bind_output(name, *self._place, self._outputs[name].element, tuple(tensor.shape), tensor.data_ptr())
        if self._device.type == "cuda":
            torch.cuda.current_stream(self._device).synchronize()  # it runs in a CUDA stream of its own
        try:
            self._session.run_with_iobinding(binding)
        except Exception as error:  # as above
            raise ModelRefused(f"the network of {self._id} failed: {_told(error)}") from error
        return {name: tensor.to(home, torch.float32) for name, tensor in answers.items()}

    @property
    def _place(self) -> tuple[str, int]:
        return self._device.type, self._device.index or 0


class _Port:
    """An input or output of a session."""

    def __init__(self, value: Any) -> None:
        if value.type not in _DTYPES:
            raise ModelRefused(f"{value.name!r} is {value.type}; export the network with float32 or float16")
        self.element, self.dtype = _DTYPES[value.type]
        self.shape: list[int | str | None] = value.shape

    def fitted(self, tensor: Tensor) -> Tensor:
        """(batch, length) numbers in the port's own shape: once, where that has no batch."""
        shape = [length if isinstance(length, int) else 1 for length in self.shape]
        if self.shape and not isinstance(self.shape[0], int):
            return tensor.reshape(len(tensor), *shape[1:])
        return tensor[0].reshape(shape)


def _providers(onnxruntime: Any, manifest: Manifest, device: torch.device) -> list[Any]:
    if device.type != "cuda":
        return ["CPUExecutionProvider"]
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        logger.warning("%s runs on the CPU: the installed onnxruntime has no CUDA; install onnxruntime-gpu", manifest.id)
        return ["CPUExecutionProvider"]
    # Memory grows by what is asked for, not by powers of two: other networks want some too.
    settings = {"device_id": device.index or 0, "arena_extend_strategy": "kSameAsRequested"}
    return [("CUDAExecutionProvider", settings), "CPUExecutionProvider"]


def _told(error: Exception) -> str:
    """Its first line, without codes and places in ONNX Runtime's sources."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if "allocate memory" in line or isinstance(error, MemoryError):
        return "it asks for more memory than there is"
    line = _PLACE.sub("", line.rpartition(" : ")[2])
    return line.replace("Error in execution: Non-zero status code returned while running", "it stopped at the")[:300]
