"""What a network takes besides a picture and a face: numbers, and the sound."""

from __future__ import annotations

from torch import Tensor

from transforms.audio import Listener
from transforms.context import Context
from transforms.frame import Frame
from transforms.packages.mel import Mel
from transforms.packages.model import Model, number
from transforms.packages.tensors import MelInput, NumberInput


class Extras:
    """One transform's. Close it: a stream's sound is decoded for as long as somebody listens."""

    def __init__(self, model: Model, context: Context) -> None:
        self._numbers = [given for given in model.manifest.inputs if isinstance(given, NumberInput)]
        self._mels = {given.name: Mel(given, context.device) for given in model.manifest.inputs if isinstance(given, MelInput)}
        self._device = context.device
        self._listener: Listener | None = context.listen() if self._mels else None

    def __call__(self, frame: Frame, amount: float, offset: float) -> dict[str, Tensor]:
        """For one picture each. ``amount`` is in [0, 1]; ``offset`` in s, by which later sound is taken than the frame's."""
        inputs = {given.name: number(given, amount).to(self._device) for given in self._numbers}
        if self._listener is not None:
            for name, mel in self._mels.items():
                inputs[name] = mel(self._listener.window(mel.end(frame.pts, frame.time_base, offset), mel.seconds))
        return inputs

    def close(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
