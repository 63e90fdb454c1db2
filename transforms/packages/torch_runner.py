"""Networks whose weights are safetensors and whose code is a torch module of this Python environment.

A package brings no code. It names a class, which somebody has installed like any other code, and which the operator has
allowed by that name in the configuration: otherwise it is not even imported.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from torch import Tensor

from transforms.errors import ModelRefused, ModelUnavailable
from transforms.packages.limits import MAX_BATCH
from transforms.packages.manifest import Manifest
from transforms.packages.runner import Shape, in_order, named
from transforms.packages.safetensors import read


class TorchRunner:
    """A module in evaluation mode, called with its inputs in the order of model.toml; it has no state that a call changes."""

    def __init__(self, manifest: Manifest, path: Path, device: torch.device) -> None:
        """The caller has made sure that the module is ``allowed``."""
        self._manifest = manifest
        self.name = f"torch {torch.__version__}"
        self.most = MAX_BATCH
        kind = _class(manifest)
        try:
            module = kind(**manifest.arguments)
            module.load_state_dict(read(path), strict=True, assign=True)
        except (TypeError, ValueError, RuntimeError, KeyError) as error:
            raise ModelRefused(f"{manifest.weights} does not fit {manifest.module}: {str(error)[:500]}") from error
        self._module = module.eval().requires_grad_(False).to(device)

    def __call__(self, inputs: Mapping[str, Tensor], outputs: Mapping[str, Shape]) -> dict[str, Tensor]:
        with torch.no_grad():
            answers = self._module(*in_order(self._manifest, inputs))
        answers = (answers,) if isinstance(answers, Tensor) else answers
        if not isinstance(answers, (tuple, list)) or not all(isinstance(answer, Tensor) for answer in answers):
            raise ModelRefused(f"{self._manifest.module} returns {type(answers).__name__}, not a tensor or a tuple of them")
        return named(self._manifest, answers, outputs)


def allowed(manifest: Manifest, modules: Collection[str]) -> None:
    """Raises ModelRefused unless the operator allows the package's module."""
    if manifest.module not in modules:
        raise ModelRefused(
            f"{manifest.id} needs the code of {manifest.module}, which is not allowed; if you trust it, "
            f'add torch_modules = ["{manifest.module}"] to the configuration'
        )


def _class(manifest: Manifest) -> type[torch.nn.Module]:
    assert manifest.module is not None  # the manifest's validator saw to it
    where, _, name = manifest.module.partition(":")
    try:
        found = getattr(importlib.import_module(where), name, None)
    except Exception as error:  # whatever somebody's code does at import is told under its name
        raise ModelUnavailable(f"{manifest.module} of {manifest.id} cannot be imported: {error}; install it") from error
    if not (isinstance(found, type) and issubclass(found, torch.nn.Module)):
        raise ModelRefused(f"{manifest.module} of {manifest.id} is no torch.nn.Module")
    return found
