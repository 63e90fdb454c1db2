"""Readiness that means it: every transform's models fetched, loaded and run once before the first stream."""

from __future__ import annotations

import logging
import threading

import torch

from transforms import registry
from transforms.chain import Chain, Step
from transforms.context import Context
from transforms.errors import ModelError, TransformError
from transforms.frame import Frame, Planes
from transforms.models.store import Store

logger = logging.getLogger(__name__)

SIZE = (640, 360)
"""Width and height, px, of the picture that is run through: the first of a size allocates, the first of all compiles."""


class Warmup:
    """Runs in a thread of its own; the server answers meanwhile, and says that it is not ready."""

    def __init__(self, device: torch.device, store: Store) -> None:
        self._device = device
        self._store = store
        self._reason: str | None = "models are being loaded; try again in a few seconds"
        self._cancelled = threading.Event()

    def why_not(self) -> str | None:
        """None when streams can be taken, else the sentence that says why not."""
        return self._reason

    def cancel(self) -> None:
        """Stops before the next transform."""
        self._cancelled.set()

    def run(self) -> None:
        """Never raises: what is broken is logged by name, and keeps the server from being ready only where a model is
        missing, since then every stream that wants it would fail."""
        missing: list[str] = []
        for key in registry.keys():  # noqa: SIM118 - a function of a module
            if self._cancelled.is_set():
                return
            self._reason = f"models are being loaded, now those of {key!r}; try again in a few seconds"
            try:
                self._warm(key)
            except ModelError as error:
                logger.error("transform %s lacks a model: %s", key, error)
                missing.append(f"{key}: {error}")
            except TransformError as error:
                logger.error("%s; it is left out", error)
            except Exception:  # a plugin's fault must not keep the others from being served
                logger.exception("transform %s cannot be warmed", key)
        self._reason = f"models are missing. {' '.join(missing)}" if missing else None

    def _warm(self, key: str) -> None:
        chain = Chain(Context(self._device, self._store))
        try:
            chain.swap(chain.prepare([Step.parse(key, {})]))
            width, height = SIZE
            grey = [torch.full(size, 128, dtype=torch.uint8) for size in ((height, width), (height // 2, width // 2))]
            for pts in range(2):
                chain.process(Frame(Planes(grey[0], grey[1], grey[1].clone()), pts=pts * 3000))
        finally:
            chain.close()
