"""Reads .cube lookup tables, as colour grading programs write them.

Source: Cube LUT Specification 1.0 (Adobe, 2013). What it leaves open is refused rather than guessed.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

MAX_TEXT = 3_000_000
"""Characters: a table of 33 x 33 x 33 takes about a million, and a request for a chain may have four."""

MOST_1D, MOST_3D = 4096, 48
"""Entries along an axis: what fits into ``MAX_TEXT``, and more than 8-bit video shows."""

LARGEST = 1e4
"""Most that a domain may reach from 0: scene-linear tables go to some hundred."""

SIZE = 33
"""Entries along each axis of the tables that are returned, which is what most programs write."""

_SIZES = {"LUT_1D_SIZE": MOST_1D, "LUT_3D_SIZE": MOST_3D}
_HEADER_LINES = 200
"""Lines, comments too, in which the size must have been named."""


class Header(NamedTuple):
    dimensions: int
    """1 or 3."""
    size: int
    low: tuple[float, float, float]
    """RGB that the first entry stands for."""
    high: tuple[float, float, float]
    """RGB that the last entry stands for."""
    data: int
    """Where the first entry begins, characters from the start."""

    @property
    def entries(self) -> int:
        return self.size if self.dimensions == 1 else self.size**3


def header(text: str) -> Header:
    """The keywords before the data. Raises ValueError with a sentence that says what to do."""
    if len(text) > MAX_TEXT:
        raise ValueError(f"the table has more than {MAX_TEXT} characters; save it with 33 entries along each axis")
    size: tuple[int, int] | None = None
    domain = {"DOMAIN_MIN": (0.0, 0.0, 0.0), "DOMAIN_MAX": (1.0, 1.0, 1.0)}
    at = 0
    for number in range(1, _HEADER_LINES + 1):
        end = text.find("\n", at)
        line = text[at : end if end >= 0 else len(text)].strip().lstrip("\ufeff")
        word, _, rest = line.partition(" ")
        if re.match(r"[-+.\d]", line):
            break
        if word in _SIZES:
            if size is not None:
                raise ValueError(f"line {number} names a second size; save a table that is either 1D or 3D")
            size = (1 if word == "LUT_1D_SIZE" else 3, _size(word, rest))
        elif word in domain:
            domain[word] = _three(rest, number)
        elif line and not line.startswith("#") and word != "TITLE":
            raise ValueError(f"line {number} of the table is no line of a .cube file: {line[:40]!r}")
        if end < 0:
            break
        at = end + 1
    if size is None:
        raise ValueError("it is no .cube table: neither LUT_1D_SIZE nor LUT_3D_SIZE is in its first lines")
    low, high = domain["DOMAIN_MIN"], domain["DOMAIN_MAX"]
    if any(b - a < 1e-6 for a, b in zip(low, high, strict=True)):
        raise ValueError("DOMAIN_MIN must be below DOMAIN_MAX")
    return Header(*size, low, high, at)


def read(text: str) -> Tensor:
    """(3, SIZE, SIZE, SIZE) RGB in [0, 1], indexed [channel, blue, green, red] as the file has it, from black to white.

    Raises ValueError with a sentence that says what to do.
    """
    found = header(text)
    words = re.sub(r"#[^\n]*", "", text[found.data :]).split()
    if len(words) != 3 * found.entries:
        raise ValueError(f"the table should have {found.entries} lines of three numbers, and has {len(words) / 3:g}")
    try:
        values = torch.tensor([float(word) for word in words])
    except ValueError as error:
        raise ValueError(f"the table has something else than a number: {error}") from error
    if not bool(values.isfinite().all()):
        raise ValueError("the table has numbers that are not finite")
    values = values.clamp_(0.0, 1.0).reshape(-1, 3)
    place = identity().reshape(3, -1)
    low, high = (torch.tensor(edge)[:, None] for edge in (found.low, found.high))
    # -1 to 1 from the first entry to the last; what lies outside takes the nearest.
    place = ((place - low) / (high - low)) * 2 - 1
    if found.dimensions == 3:
        lattice = values.T.reshape(1, 3, found.size, found.size, found.size)
        return sample(lattice[0], place).reshape(3, SIZE, SIZE, SIZE)
    curves = [
        F.grid_sample(
            values[None, None, None, :, channel],
            torch.stack((place[channel], torch.zeros_like(place[channel])), -1)[None, None],
            padding_mode="border",
            align_corners=True,
        ).reshape(SIZE, SIZE, SIZE)
        for channel in range(3)
    ]
    return torch.stack(curves)


def sample(table: Tensor, place: Tensor) -> Tensor:
    """(3, N): a table (3, n, n, n) at (3, N) places, -1 to 1 along red, green and blue, trilinear."""
    grid = place.T.reshape(1, 1, 1, -1, 3)
    return F.grid_sample(table[None], grid, mode="bilinear", padding_mode="border", align_corners=True).reshape(3, -1)


def identity() -> Tensor:
    """(3, SIZE, SIZE, SIZE): the table that changes nothing."""
    steps = torch.linspace(0, 1, SIZE)
    blue, green, red = torch.meshgrid(steps, steps, steps, indexing="ij")
    return torch.stack((red, green, blue))


def _size(word: str, rest: str) -> int:
    most = _SIZES[word]
    if not re.fullmatch(r"\d{1,6}", rest.strip()) or not 2 <= int(rest) <= most:
        raise ValueError(f"{word} must be a whole number from 2 to {most}; save the table with 33 entries along each axis")
    return int(rest)


def _three(rest: str, number: int) -> tuple[float, float, float]:
    try:
        a, b, c = (float(word) for word in rest.split())
    except ValueError:
        raise ValueError(f"line {number} of the table needs three numbers") from None
    if not all(math.isfinite(value) and abs(value) <= LARGEST for value in (a, b, c)):
        raise ValueError(f"line {number} of the table has numbers beyond {LARGEST:g}")
    return a, b, c
