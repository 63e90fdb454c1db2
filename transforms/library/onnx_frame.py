"""Draws the whole frame again with whatever model package is installed: a style, a colour grade, a restorer."""

from __future__ import annotations

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from transforms.base import Settings, Transform
from transforms.color import rgb_to_yuv
from transforms.context import Context
from transforms.faces.sampling import shrink
from transforms.frame import Frame, Planes
from transforms.packages.easing import Clock, eased
from transforms.packages.extras import Extras
from transforms.packages.model import Model, fitted
from transforms.packages.pictures import from_network, mask_from_network, to_network
from transforms.packages.store import Packages
from transforms.packages.tensors import MaskOutput, PictureInput, PictureOutput


class OnnxFrameSettings(Settings):
    package: str = Field(
        default="",
        max_length=64,
        pattern=r"^([a-z][a-z0-9_]*)?$",
        title="Model",
        description="Id of an installed model package for frames (`doppel models list`); none leaves the picture as it is.",
        json_schema_extra={"models": "frame"},
    )
    strength: float = Field(
        default=100,
        ge=0,
        le=100,
        title="Strength",
        description="How much of the model's picture is shown over the camera's.",
        json_schema_extra={"unit": "%"},
    )
    amount: float = Field(
        default=50,
        ge=0,
        le=100,
        title="Amount",
        description="What the model itself is told, where its package has such an input: an intensity.",
        json_schema_extra={"unit": "%"},
    )
    sound_offset: float = Field(
        default=0,
        ge=-500,
        le=500,
        title="Sound offset",
        description="For models that listen: more takes sound that is heard after the picture.",
        json_schema_extra={"unit": "ms"},
    )


class OnnxFrame(Transform[OnnxFrameSettings]):
    """The frame is brought to a size that the network takes, and its answer back to the frame's."""

    title = "Frame model"
    summary = "Draws the whole picture again with an installed model package: ONNX, TensorFlow Lite or torch, without code."
    settings_type = OnnxFrameSettings

    def __init__(self, settings: OnnxFrameSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._model: Model | None = None
        self._extras: Extras | None = None
        self._clock = Clock()
        self._strength, self._amount = settings.strength, settings.amount

    def prepare(self) -> None:
        if not self.settings.package:
            return
        model = Packages.of(self.context.store).open(self.settings.package, self.context.device, self.context.meter)
        if model.manifest.task != "frame":
            raise ValueError(f"{self.settings.package} is a package for the task {model.manifest.task!r}, not for frames")
        model.rehearse()
        self._extras = Extras(model, self.context)
        self._model = model

    def accepts(self, settings: OnnxFrameSettings) -> bool:
        return settings.package == self.settings.package

    def process(self, frame: Frame) -> Frame:
        model, extras = self._model, self._extras
        if model is None or extras is None:
            return frame
        elapsed = self._clock(frame)
        self._strength = eased(self._strength, self.settings.strength, elapsed)
        self._amount = eased(self._amount, self.settings.amount, elapsed)
        if self._strength > 0:
            inputs = extras(frame, self._amount / 100, self.settings.sound_offset / 1000)
            self._draw(frame, model, inputs)
        return frame

    def close(self) -> None:
        if self._extras is not None:
            self._extras.close()
        self._model = self._extras = None

    def _draw(self, frame: Frame, model: Model, inputs: dict[str, Tensor]) -> None:
        accepted = model.manifest.frame
        assert accepted is not None  # as the task is frame
        height, width = fitted(accepted, frame.height, frame.width)
        rgb = shrink(frame, frame.box, width, height)[None]
        for given in model.manifest.inputs:
            if isinstance(given, PictureInput):
                inputs[given.name] = to_network(rgb, given)
        answers = model(inputs, (height, width))
        mask: Tensor | None = None
        shown = rgb
        for output in model.manifest.outputs:
            if isinstance(output, PictureOutput):
                shown = from_network(answers[output.name], output)
            elif isinstance(output, MaskOutput):
                mask = mask_from_network(answers[output.name], output)[None]
        self._show(frame, shown, mask)

    def _show(self, frame: Frame, shown: Tensor, mask: Tensor | None) -> None:
        # An odd picture's last chroma sample covers one column, or row, of luma: made for two, cut off below.
        even = (frame.height + frame.height % 2, frame.width + frame.width % 2)
        picture = F.interpolate(shown, size=even, mode="bilinear", align_corners=False)[0]
        share = picture.new_full((1, 1), self._strength / 100)
        half = share
        if mask is not None:
            share = share * F.interpolate(mask, size=even, mode="bilinear", align_corners=False)[0, 0]
            half = F.avg_pool2d(share[None, None], 2)[0, 0]
        planes = []
        for old, new, weight in zip(frame.planes, rgb_to_yuv(picture, frame.color), (share, half, half), strict=True):
            height, width = old.shape
            blend = old.float().lerp(new[:height, :width].float(), weight[:height, :width])
            planes.append(blend.round_().to(old.dtype))
        frame.replace(Planes(*planes))
