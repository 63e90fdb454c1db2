"""Draws faces again with whatever model package is installed: a swapper, lip-sync, a restorer, a portrait style."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pydantic import Field, field_validator
from torch import Tensor

from transforms.base import Settings, Transform
from transforms.context import Context
from transforms.faces.face import Face
from transforms.frame import Frame
from transforms.packages import reference
from transforms.packages.alignment import align
from transforms.packages.easing import Clock, eased
from transforms.packages.extras import Extras
from transforms.packages.masks import mask_of
from transforms.packages.model import Model
from transforms.packages.paste import cut, paste
from transforms.packages.pictures import from_network, mask_from_network, to_network
from transforms.packages.store import Packages
from transforms.packages.tensors import MaskOutput, MeshInput, PictureInput, PictureOutput


class OnnxFaceSettings(Settings):
    package: str = Field(
        default="",
        max_length=64,
        pattern=r"^([a-z][a-z0-9_]*)?$",
        title="Model",
        description="Id of an installed model package for faces (`doppel models list`); none leaves the picture as it is.",
        json_schema_extra={"models": "face"},
    )
    strength: float = Field(
        default=100,
        ge=0,
        le=100,
        title="Strength",
        description="How much of the model's face is shown over the camera's.",
        json_schema_extra={"unit": "%"},
    )
    amount: float = Field(
        default=50,
        ge=0,
        le=100,
        title="Amount",
        description="What the model itself is told, where its package has such an input: a fidelity, an intensity.",
        json_schema_extra={"unit": "%"},
    )
    reference: str = Field(
        default="",
        max_length=reference.MAX_PICTURE,
        pattern=reference.PATTERN,
        title="Reference picture",
        description="A PNG as a data URL, for models that take somebody's identity: its largest face counts.",
        json_schema_extra={"contentMediaType": "image/png"},
    )
    sound_offset: float = Field(
        default=0,
        ge=-500,
        le=500,
        title="Sound offset",
        description="For models that listen: more makes the lips move earlier, with sound that is heard after the picture.",
        json_schema_extra={"unit": "ms"},
    )
    faces: int = Field(
        default=6, ge=1, le=6, title="Faces", description="How many are drawn again, those that came first before others."
    )

    @field_validator("reference")
    @classmethod
    def _readable(cls, url: str) -> str:
        if url:
            reference.decode(url)
        return url


class OnnxFace(Transform[OnnxFaceSettings]):
    """All faces go through the network together, as far as it takes batches. A face that appears later is faded in."""

    title = "Face model"
    summary = "Draws faces again with an installed model package: ONNX, TensorFlow Lite or torch, without code."
    settings_type = OnnxFaceSettings

    def __init__(self, settings: OnnxFaceSettings, context: Context) -> None:
        super().__init__(settings, context)
        self._model: Model | None = None
        self._extras: Extras | None = None
        self._embeddings: dict[str, Tensor] = {}
        self._clock = Clock()
        self._strength, self._amount = settings.strength, settings.amount
        self._shares: dict[int, float] | None = None
        """How much of each face is shown, by its id; None before the first frame."""

    def prepare(self) -> None:
        if not self.settings.package:
            return
        packages = Packages.of(self.context.store)
        model = packages.open(self.settings.package, self.context.device, self.context.meter)
        if model.manifest.task != "face":
            raise ValueError(f"{self.settings.package} is a package for the task {model.manifest.task!r}, not for faces")
        picture = reference.picture_of(self.settings.reference)
        self._embeddings = reference.embeddings(model, packages, self.context, picture)
        model.rehearse()
        _ = self.context.faces
        self._extras = Extras(model, self.context)
        self._model = model

    def accepts(self, settings: OnnxFaceSettings) -> bool:
        return (settings.package, settings.reference) == (self.settings.package, self.settings.reference)

    def process(self, frame: Frame) -> Frame:
        if self._model is None:
            return frame
        elapsed = self._clock(frame)
        self._strength = eased(self._strength, self.settings.strength, elapsed)
        self._amount = eased(self._amount, self.settings.amount, elapsed)
        faces = self.context.faces.track(frame).faces[: self.settings.faces]
        shares = self._shown(faces, elapsed)
        if faces and self._strength > 0:
            self._draw(frame, faces, [share * self._strength / 100 for share in shares])
        return frame

    def close(self) -> None:
        if self._extras is not None:
            self._extras.close()
        self._model = self._extras = None

    def _shown(self, faces: tuple[Face, ...], elapsed: float) -> list[float]:
        before = self._shares
        if before is None:
            self._shares = {face.id: 1.0 for face in faces}
        else:
            self._shares = {face.id: eased(before.get(face.id, 0.0), 1.0, elapsed) for face in faces}
        return list(self._shares.values())

    def _draw(self, frame: Frame, faces: tuple[Face, ...], shares: list[float]) -> None:
        model, extras = self._model, self._extras
        assert model is not None  # process looked
        assert extras is not None  # made together with it
        crop = model.manifest.face
        assert crop is not None  # as the task is face
        points = torch.stack([face.landmarks for face in faces]).cpu()
        regions = [align(crop, landmarks) for landmarks in points]
        meshes = [region.inside(landmarks) for region, landmarks in zip(regions, points, strict=True)]
        pictures = torch.stack([cut(frame, region, crop.size) for region in regions])
        inputs = {
            name: tensor.expand(len(faces), *tensor.shape[1:])
            for name, tensor in (
                *self._embeddings.items(),
                *extras(frame, self._amount / 100, self.settings.sound_offset / 1000).items(),
            )
        }
        for given in model.manifest.inputs:
            if isinstance(given, PictureInput):
                inputs[given.name] = to_network(pictures, given)
            elif isinstance(given, MeshInput):
                inputs[given.name] = _mesh(meshes, given).to(frame.device)
        answers = model(inputs, (crop.size, crop.size))
        shown, masks = self._read(model, answers, meshes, frame.device)
        for region, picture, mask, share in zip(regions, shown, masks, shares, strict=True):
            paste(frame, region, picture, mask * share)

    def _read(
        self, model: Model, answers: dict[str, Tensor], meshes: list[Tensor], device: torch.device
    ) -> tuple[Tensor, list[Tensor]]:
        """(n, 3, S, S) RGB, and for each face an (S, S) mask."""
        crop = model.manifest.face
        assert crop is not None  # as the task is face
        told: Tensor | None = None
        shown = torch.empty(0)
        for output in model.manifest.outputs:
            if isinstance(output, PictureOutput):
                shown = from_network(answers[output.name], output)
            elif isinstance(output, MaskOutput):
                told = mask_from_network(answers[output.name], output)
                # Whatever it says, nothing may end in a hard edge.
                crop = crop.model_copy(update={"mask": "square", "feather": min(crop.feather, 0.05)})
        size = shown.shape[-1]
        masks = [
            F.interpolate(mask_of(crop, mesh.to(device))[None, None], size=(size, size), mode="bilinear", align_corners=True)[
                0, 0
            ]
            for mesh in meshes
        ]
        return shown, masks if told is None else [mask * own for mask, own in zip(masks, told, strict=True)]


def _mesh(meshes: list[Tensor], given: MeshInput) -> Tensor:
    """(n, points, axes) in the range that the network knows; depth is in the same unit, from 0."""
    low, high = given.range
    points = torch.stack([mesh[: given.points, : given.axes] for mesh in meshes]) * (high - low)
    points[:, :, :2] += low
    return points
