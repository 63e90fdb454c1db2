"""The inputs and outputs that a package's network may have, as ``model.toml`` describes them."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from transforms.models.catalogue import FileName, Name
from transforms.packages.limits import MAX_SIDE, MAX_VECTOR

TensorName = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,128}$")]
"""As the network's file has it."""

Range = tuple[float, float]
"""What stands for the least and for the greatest: ``[-1, 1]``."""

Layout = Literal["nchw", "nhwc"]
Order = Literal["rgb", "bgr"]
Part = Literal["face", "upper"]
"""A face as it is, or with its lower half black, which is how lip-sync networks are told what to draw."""

Side = Annotated[int, Field(ge=16, le=MAX_SIDE)]


class Described(BaseModel):
    """Something that ``model.toml`` describes. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Tensor(Described):
    name: TensorName


class _Ranged(Tensor):
    range: Range = (0.0, 1.0)

    @field_validator("range")
    @classmethod
    def _spans(cls, value: Range) -> Range:
        if not (value[0] < value[1] and max(map(abs, value)) <= 65_504):
            raise ValueError("a range goes from a lower number to a higher one, such as [-1, 1]")
        return value


class PictureInput(_Ranged):
    """The aligned face, or the frame: three colours a part."""

    kind: Literal["picture"]
    order: Order = "rgb"
    layout: Layout = "nchw"
    parts: tuple[Part, ...] = Field(default=("face",), min_length=1, max_length=4)
    """Stacked as channels, in this order."""
    mean: tuple[float, float, float] | None = None
    """With ``std``, instead of a range: the network takes (x - mean) / std of x in [0, 1], in the order of its channels."""
    std: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] | None = None

    @model_validator(mode="after")
    def _is_one_or_the_other(self) -> Self:
        if (self.mean is None) != (self.std is None):
            raise ValueError("mean and std belong together; give both or none")
        if self.mean is not None and "range" in self.model_fields_set:
            raise ValueError("range and mean with std say the same; keep one")
        return self


class Projection(Described):
    """A square matrix that an embedding is multiplied with, kept in a safetensors file of the package."""

    file: FileName
    tensor: TensorName


class EmbeddingInput(Tensor):
    """Who is on the reference picture, told by another package: (batch, length)."""

    kind: Literal["embedding"]
    length: int = Field(ge=1, le=MAX_VECTOR)
    by: Name
    """The id of a package whose task is ``embedding``."""
    normalise: bool = True
    """To length 1: before the projection, and after it."""
    projection: Projection | None = None


class MelInput(_Ranged):
    """A window of the stream's sound as a mel spectrogram: (batch, 1, bands, steps), or without the 1.

    The scale is Slaney's, as librosa's default. Decibels are those of the amplitude; ``floor_db`` below ``reference_db`` is
    the range's lower end, ``reference_db`` its upper.
    """

    kind: Literal["mel"]
    bands: int = Field(default=80, ge=8, le=256)
    steps: int = Field(default=16, ge=1, le=256)
    fft: int = Field(default=800, ge=64, le=4096)
    """Samples of 16 kHz under one window (Hann)."""
    hop: int = Field(default=200, ge=16, le=4096)
    """Samples from one step to the next."""
    low: float = Field(default=55.0, ge=0, le=8000)
    """Hz, of the lowest band's lower edge."""
    high: float = Field(default=7600.0, gt=0, le=8000)
    preemphasis: float = Field(default=0.97, ge=0, lt=1)
    reference_db: float = Field(default=20.0, ge=-100, le=100)
    floor_db: float = Field(default=-100.0, ge=-200, lt=0)
    range: Range = (-4.0, 4.0)
    ahead: float = Field(default=0.2, ge=0, le=1.0)
    """s of the window that come after the picture. What has not been heard yet is silent."""
    channel: bool = True
    """Whether the shape has the 1."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        from transforms.audio import HISTORY, SAMPLE_RATE

        if self.low >= self.high:
            raise ValueError(f"the bands go from low ({self.low:g} Hz) up to high ({self.high:g} Hz)")
        if (self.steps - 1) * self.hop + self.fft + 1 > HISTORY / 2 * SAMPLE_RATE:
            raise ValueError(f"the window is longer than {HISTORY / 2:g} s; lower steps, hop or fft")
        return self


class MeshInput(_Ranged):
    """The face's landmarks, from one edge of the aligned crop (the range's lower end) to the other: (batch, points, axes)."""

    kind: Literal["mesh"]
    points: Literal[468, 478] = 478
    axes: Literal[2, 3] = 2


class NumberInput(Tensor):
    """Fixed numbers, or one that follows the transform's ``amount``."""

    kind: Literal["number"]
    value: tuple[float, ...] | None = Field(default=None, min_length=1, max_length=MAX_VECTOR)
    amount: Range | None = None
    """The number at an amount of 0 % and of 100 %."""

    @model_validator(mode="after")
    def _is_one_or_the_other(self) -> Self:
        if (self.value is None) == (self.amount is None):
            raise ValueError("a number has either a value (a list) or an amount (what 0 and 100 % are)")
        return self

    @property
    def length(self) -> int:
        return 1 if self.value is None else len(self.value)


class PictureOutput(_Ranged):
    """What is shown: the face drawn again, or the frame."""

    kind: Literal["picture"]
    order: Order = "rgb"
    layout: Layout = "nchw"
    scale: Literal[1, 2, 3, 4] = 1
    """Its side by the input's."""


class MaskOutput(_Ranged):
    """How much of the output is shown at each pixel: (batch, 1, height, width), or (batch, height, width, 1)."""

    kind: Literal["mask"]
    layout: Layout = "nchw"
    scale: Literal[1, 2, 3, 4] = 1


class EmbeddingOutput(Tensor):
    kind: Literal["embedding"]
    length: int = Field(ge=1, le=MAX_VECTOR)


class IgnoredOutput(Tensor):
    """Computed, perhaps, and not looked at."""

    kind: Literal["ignored"]


Input = Annotated[PictureInput | EmbeddingInput | MelInput | MeshInput | NumberInput, Field(discriminator="kind")]
Output = Annotated[PictureOutput | MaskOutput | EmbeddingOutput | IgnoredOutput, Field(discriminator="kind")]

Shape = tuple[int | None, ...]
"""Without the batch. None: any length."""


def shape_of(tensor: Input | Output, height: int | None, width: int | None) -> Shape | None:
    """The shape of an input or output where pictures are that large; None where it has none to speak of.

    The numbers of a ``number`` may lie in a tensor of any shape: only how many they are is told.
    """
    match tensor:
        case PictureInput():
            return _picture(3 * len(tensor.parts), tensor.layout, height, width)
        case PictureOutput():
            return _picture(3, tensor.layout, height and height * tensor.scale, width and width * tensor.scale)
        case MaskOutput():
            return _picture(1, tensor.layout, height and height * tensor.scale, width and width * tensor.scale)
        case EmbeddingInput() | EmbeddingOutput():
            return (tensor.length,)
        case MelInput():
            return (1, tensor.bands, tensor.steps) if tensor.channel else (tensor.bands, tensor.steps)
        case MeshInput():
            return (tensor.points, tensor.axes)
        case _:
            return None


def _picture(channels: int, layout: Layout, height: int | None, width: int | None) -> Shape:
    return (channels, height, width) if layout == "nchw" else (height, width, channels)


def told(shape: Shape) -> str:
    """As somebody would write it: (batch, 3, 128, 128)."""
    return f"(batch, {', '.join('any' if length is None else str(length) for length in shape)})"


def elements(shape: Shape) -> int:
    return math.prod(length or 1 for length in shape)
