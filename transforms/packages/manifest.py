"""``model.toml``: what a package is, what its files must be, and how its network is fed and read."""

from __future__ import annotations

import tomllib
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, ValidationError, field_validator, model_validator

from transforms.errors import ModelRefused
from transforms.models.catalogue import FileName, Name
from transforms.packages.limits import MAX_FILES, MAX_MANIFEST, MAX_SIDE
from transforms.packages.tensors import (
    Described,
    EmbeddingInput,
    EmbeddingOutput,
    Input,
    MaskOutput,
    MeshInput,
    Output,
    PictureInput,
    PictureOutput,
    Side,
)

FILE = "model.toml"

SUFFIXES = {".onnx": "onnx", ".tflite": "tflite", ".safetensors": "torch"}
"""Of weights, and what runs them."""

OTHERS = (".txt", ".md", ".json", ".png")
"""Suffixes that other files may have: what somebody reads or looks at."""

Line = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]
Version = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+-]{0,31}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
ClassPath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$")]
"""``package.module:Class``."""

Template = Literal["arcface_112", "arcface_128", "ffhq", "crop", "box"]
Mask = Literal["oval", "mesh", "lower", "square"]


class FaceCrop(Described):
    """How a face is cut out, and pasted back."""

    template: Template
    """Where its features come to lie: see ``transforms.packages.alignment``."""
    size: Side
    """px, of the square that the network takes."""
    margin: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    """Of the ``box`` template: how much more above, right, below and left, by the face's height and width."""
    mask: Mask = "oval"
    """What of the answer is shown, where the network yields no mask of its own."""
    feather: float = Field(default=0.1, ge=0.01, le=0.3)
    """Width of the mask's soft edge, by the crop's side."""

    @field_validator("margin")
    @classmethod
    def _is_bounded(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not all(-0.5 < share <= 2 for share in value):
            raise ValueError("margins lie between -0.5 and 2")
        return value


class FrameSize(Described):
    """How large a picture the network takes: one size, or any up to a longest side."""

    width: Side | None = None
    height: Side | None = None
    longest: Side | None = None
    """px: larger frames are made smaller for the network."""
    multiple: int = Field(default=1, ge=1, le=128)
    """Of px, that both sides must be."""

    @model_validator(mode="after")
    def _is_one_or_the_other(self) -> Self:
        if (self.width is None) != (self.height is None) or (self.width is None) == (self.longest is None):
            raise ValueError("give width and height where the network takes one size, or longest where it takes any")
        if self.longest is not None and self.longest < self.multiple:
            raise ValueError("longest is less than multiple")
        return self


class Manifest(Described):
    """A package as its ``model.toml`` has it."""

    id: Name = Field(max_length=64)
    version: Version
    licence: Line
    """SPDX, or in words."""
    source: Line
    """Who made it, and where it came from."""
    task: Literal["face", "frame", "embedding"]
    """Draws faces again, draws frames again, or tells who somebody is."""
    weights: FileName
    files: dict[FileName, Sha256] = Field(min_length=1, max_length=MAX_FILES)
    """Every file of the package but this one."""
    module: ClassPath | None = None
    """Of safetensors: the torch.nn.Module that they are weights of. The operator must have allowed it by name."""
    arguments: dict[Name, bool | int | float | str] = Field(default={}, max_length=32)
    """What that class is made with."""
    face: FaceCrop | None = None
    frame: FrameSize | None = None
    inputs: tuple[Input, ...] = Field(min_length=1, max_length=16)
    outputs: tuple[Output, ...] = Field(min_length=1, max_length=16)

    @property
    def runtime(self) -> str:
        """``onnx``, ``torch`` or ``tflite``."""
        return SUFFIXES[suffix(self.weights)]

    @property
    def picture_size(self) -> tuple[int | None, int | None]:
        """Height and width of the pictures that the network takes; None where it takes any."""
        if self.face is not None:
            return self.face.size, self.face.size
        assert self.frame is not None  # the validator saw to it
        return self.frame.height, self.frame.width

    @field_validator("files")
    @classmethod
    def _are_harmless(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if name == FILE:
                raise ValueError(f"{FILE} cannot hold its own hash; leave it out")
            if suffix(name) not in (*SUFFIXES, *OTHERS):
                raise ValueError(
                    f"{name}: a package holds {', '.join(SUFFIXES)} and {', '.join(OTHERS)}, no code and no pickles; "
                    "export the network as ONNX, or save its state as safetensors"
                )
        return value

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.weights not in self.files or suffix(self.weights) not in SUFFIXES:
            raise ValueError(f"weights names one of files, a {', '.join(SUFFIXES)}")
        if (self.module is None) == (self.runtime == "torch"):
            raise ValueError('safetensors, and only they, need module = "package.module:Class"')
        if self.arguments and self.module is None:
            raise ValueError("arguments are those of a module, and there is none")
        names = [tensor.name for tensor in (*self.inputs, *self.outputs)]
        if len(set(names)) < len(names):
            raise ValueError("two inputs or outputs share a name")
        if (self.face is None) == (self.task != "frame") or (self.frame is None) == (self.task == "frame"):
            raise ValueError(f"a package whose task is {self.task!r} needs [{'frame' if self.task == 'frame' else 'face'}], only")
        self._has_pictures()
        for given in self.inputs:
            if isinstance(given, EmbeddingInput) and given.projection and given.projection.file not in self.files:
                raise ValueError(f"the projection's file {given.projection.file} is not among files")
        return self

    def _has_pictures(self) -> None:
        taken = [given for given in self.inputs if isinstance(given, PictureInput)]
        shown = [yielded for yielded in self.outputs if isinstance(yielded, PictureOutput)]
        told = [yielded for yielded in self.outputs if isinstance(yielded, EmbeddingOutput)]
        masks = [yielded for yielded in self.outputs if isinstance(yielded, MaskOutput)]
        if not taken or len(masks) > 1:
            raise ValueError("there must be a picture among the inputs, and at most one mask among the outputs")
        if self.task == "embedding":
            if len(told) != 1 or shown or masks or len(taken) < len(self.inputs):
                raise ValueError("a package whose task is 'embedding' takes a picture and yields one embedding")
            return
        if len(shown) != 1 or told:
            raise ValueError(f"a package whose task is {self.task!r} yields one picture")
        largest = max(output.scale for output in shown)
        if largest * max(side or MAX_SIDE // 4 for side in self.picture_size) > MAX_SIDE:
            raise ValueError(f"its output is larger than {MAX_SIDE} px")
        if any(mask.scale != largest for mask in masks):
            raise ValueError("the mask and the picture have the same scale")
        if self.task == "frame" and (
            any(isinstance(given, (MeshInput, EmbeddingInput)) for given in self.inputs)
            or any(given.parts != ("face",) for given in taken)
        ):
            raise ValueError("a frame has no mesh, no embedding and no parts; those are a face's")


def suffix(name: str) -> str:
    """The last suffix of a file's name, lower case, with its dot."""
    return "." + name.rpartition(".")[2].lower() if "." in name else ""


def parse(data: bytes) -> Manifest:
    """Reads ``model.toml``. Raises ModelRefused with a sentence for each thing that is wrong."""
    if len(data) > MAX_MANIFEST:
        raise ModelRefused(f"{FILE} has {len(data)} bytes; {MAX_MANIFEST} are enough for any")
    try:
        values = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelRefused(f"{FILE} is no TOML: {error}") from error
    try:
        return Manifest.model_validate(values)
    except ValidationError as error:
        told = [f"{'.'.join(map(str, e['loc'])) or FILE}: {_plain(e['msg'])}" for e in error.errors(include_url=False)]
        raise ModelRefused(f"{FILE} does not describe a package: {'; '.join(told[:5])}") from error


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ")
