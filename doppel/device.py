"""Which device transforms run on."""

from __future__ import annotations

import torch


class DeviceError(Exception):
    """The device that was asked for is not there; the message says what to do."""


def choose(name: str) -> torch.device:
    """The device of a ``device`` setting: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``. ``auto`` takes CUDA if there is any.

    Raises DeviceError where CUDA was asked for and is absent.
    """
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        build = "sees no GPU" if torch.version.cuda else "is a build without CUDA"
        raise DeviceError(
            f"--device {name}: the installed torch {torch.__version__} {build}; use --device cpu, or install one that fits"
        )
    device = torch.device("cuda", 0) if name in ("auto", "cuda") else torch.device(name)
    count = torch.cuda.device_count()
    if device.index is not None and device.index >= count:
        raise DeviceError(f"--device {name}: there are {count} CUDA devices, numbered from 0; the last one is cuda:{count - 1}")
    return device
