"""A still portrait: read, refused in words where it will not do, and with the face that is in it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from transforms import png
from transforms.color import Color, rgb_to_yuv
from transforms.context import Context
from transforms.errors import NotPrepared
from transforms.faces.face import Face
from transforms.faces.pose import Pose, pose_of
from transforms.faces.tracker import FaceTracker
from transforms.frame import Frame, Planes

DATA_URL = "data:image/png;base64,"

MAX_IMAGE = 700_000
"""Characters of a picture as a data URL (a PNG of 512 kB), as for a background: it fits into a request of 1 MiB."""

BUILT_IN = ("mask",)
"""Names that stand for a portrait of nobody, drawn by code."""

PATTERN = rf"^({'|'.join(BUILT_IN)}|{DATA_URL}[A-Za-z0-9+/]+={{0,2}})$"
"""What a setting that holds a portrait matches."""

SMALLEST = 96.0
"""px from chin to forehead: below, there are too few pixels to be shown on a face of 720p."""

OTHER = 0.5
"""Size of a second face, by the first one's, from which on it is not clear whose portrait it is."""

MOST_YAW, MOST_PITCH = 35.0, 30.0
"""Degrees: of a face turned further, one half is hidden."""

LEAST_PRESENCE = 0.7
"""How sure the landmark network must be."""

CUT = 0.05
"""By how much of its size a face may reach beyond the picture."""

KEPT = 4
"""Portraits remembered by the hash of their file, some 10 MB each: several streams use one, and settings go back and forth."""


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """Shared by all who load it: nobody writes into it."""

    rgb: Tensor
    """(3, H, W) float32 in [0, 1], on the host."""
    landmarks: Tensor
    """(478, 3) px of the picture, as a ``Face`` has them, on the host."""
    pose: Pose
    blendshapes: Tensor
    """(52,) the expression it has, in [0, 1], on the host."""
    drawn: bool = False
    """Whether it is one of ``BUILT_IN``."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, px."""
        return int(self.rgb.shape[2]), int(self.rgb.shape[1])


_lock = threading.Lock()
_known: OrderedDict[tuple[str, str], Portrait] = OrderedDict()


def check(image: str) -> str:
    """For a settings' validator: looks at a picture's header only. Raises ValueError with a sentence; returns its argument."""
    if image not in BUILT_IN:
        png.header(decoded(image))
    return image


def decoded(url: str) -> bytes:
    """The file in a data URL. Raises ValueError."""
    try:
        return base64.b64decode(url.removeprefix(DATA_URL), validate=True)
    except binascii.Error as error:
        raise ValueError(f"the picture's data URL is no base64: {error}") from error


def load_portrait(image: str | bytes, context: Context) -> Portrait:
    """A portrait by the name of a built-in one, as a data URL, or as the bytes of a PNG file.

    Blocks (decoding, two networks): call it in ``prepare()``. The same file gives the same portrait. Raises ValueError for a
    picture that cannot be read, NotPrepared for one that is no portrait, both with a sentence that says what to do, and
    whatever ``Context.network`` raises.
    """
    if isinstance(image, str) and image in BUILT_IN:
        from transforms.portraits.drawn import drawn

        return drawn()
    data = decoded(image) if isinstance(image, str) else image
    key = hashlib.sha256(data).hexdigest(), context.device.type
    with _lock:
        if key in _known:
            _known.move_to_end(key)
            return _known[key]
    made = _made(png.decode(data), context)
    with _lock:
        _known[key] = made
        while len(_known) > KEPT:
            _known.popitem(last=False)
    return made


def _made(rgb: Tensor, context: Context) -> Portrait:
    # A tracker of its own: the stream's one must not take the portrait for a picture of the stream.
    tracker = FaceTracker(context)
    tracker.prepare()
    picture = frame_of(rgb, context.device)
    found: Sequence[Face] = ()
    for step in range(2):
        # The second look starts from where the first one saw the features, as in a stream.
        found = tracker.track(picture.again(step * 3000)).faces
    height, width = rgb.shape[1:]
    face = _only(sorted(found, key=lambda face: face.box.side, reverse=True), (width, height))
    landmarks = face.landmarks.to("cpu", torch.float32)
    pose = pose_of(landmarks)
    yaw, pitch, _ = pose.degrees
    if abs(yaw) > MOST_YAW or abs(pitch) > MOST_PITCH:
        way = f"{abs(yaw):.0f}° to the side" if abs(yaw) > MOST_YAW else f"{abs(pitch):.0f}° {'up' if pitch > 0 else 'down'}"
        raise NotPrepared(f"the portrait's face is turned {way}; take a picture that looks into the camera")
    return Portrait(rgb, landmarks, pose, tracker.blendshapes(face).to("cpu", torch.float32).clone())


def _only(faces: list[Face], size: tuple[int, int]) -> Face:
    """The one whose portrait it is, largest first. Raises NotPrepared."""
    if not faces or faces[0].presence < LEAST_PRESENCE:
        raise NotPrepared("no face is seen in the portrait; take a picture of one person from the front, in good light")
    face = faces[0]
    if len(faces) > 1 and faces[1].box.side > OTHER * face.box.side:
        raise NotPrepared(f"there are {len(faces)} faces in the portrait; cut the picture so that one person is in it")
    if face.outline.height < SMALLEST:
        raise NotPrepared(
            f"the portrait's face is {face.outline.height:.0f} px high; take a picture where it has at least {SMALLEST:.0f} px"
        )
    slack = CUT * face.box.side
    left, top, right, bottom = face.box
    if left < -slack or top < -slack or right > size[0] + slack or bottom > size[1] + slack:
        raise NotPrepared("the portrait's face is cut by the picture's edge; take a picture that shows all of it")
    return face


def frame_of(rgb: Tensor, device: torch.device) -> Frame:
    """A picture (3, H, W) RGB in [0, 1] as a frame, in full range."""
    color = Color(matrix=1, full_range=True)
    height, width = rgb.shape[1:]
    even = F.pad(rgb[None], (0, width % 2, 0, height % 2), mode="replicate")[0]
    y, u, v = rgb_to_yuv(even, color)
    return Frame(Planes(y[:height, :width], u, v), color=color).to(device)
