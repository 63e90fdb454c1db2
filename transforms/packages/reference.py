"""Who is on a reference picture, as a network tells it: an embedding."""

from __future__ import annotations

import base64
import binascii

import torch.nn.functional as F
from torch import Tensor

from transforms import png
from transforms.color import Color, rgb_to_yuv
from transforms.context import Context
from transforms.errors import ModelRefused, NotPrepared
from transforms.faces.detector import CLOSE_UP, close_ups
from transforms.faces.tracker import FaceTracker
from transforms.frame import Frame, Planes
from transforms.packages.alignment import align
from transforms.packages.model import Model
from transforms.packages.paste import cut
from transforms.packages.pictures import to_network
from transforms.packages.store import Packages
from transforms.packages.tensors import EmbeddingInput, EmbeddingOutput, PictureInput

MAX_PICTURE = 700_000
"""Characters of a picture as a data URL (a PNG of 512 kB), so that it fits into a request of 1 MiB."""

DATA_URL = "data:image/png;base64,"

PATTERN = rf"^({DATA_URL}[A-Za-z0-9+/]+={{0,2}})?$"


def decode(url: str) -> bytes:
    """The PNG in a data URL, of which only the header is looked at. Raises ValueError."""
    try:
        data = base64.b64decode(url.removeprefix(DATA_URL), validate=True)
    except binascii.Error as error:
        raise ValueError(f"the picture's data URL is no base64: {error}") from error
    png.header(data)
    return data


def embeddings(model: Model, packages: Packages, context: Context, picture: Tensor | None) -> dict[str, Tensor]:
    """(1, length) for each input of the model that is an embedding, of the largest face on a (3, H, W) RGB picture.

    Blocks. The stream's own tracker is not touched. Raises NotPrepared where the picture will not do, and as ``Packages.open``.
    """
    wanted = [given for given in model.manifest.inputs if isinstance(given, EmbeddingInput)]
    if not wanted:
        return {}
    if picture is None:
        raise NotPrepared(f"{model.manifest.id} needs a reference picture: a PNG with a face on it, as a data URL")
    frame = _frame(picture).to(context.device)
    tracker = FaceTracker(context)
    tracker.prepare()
    faces = tracker.track(frame, closely=close_ups(frame.width, frame.height, CLOSE_UP)).faces
    if not faces:
        raise NotPrepared("no face is to be seen on the reference picture; take one that shows it from the front, and larger")
    landmarks = max(faces, key=lambda face: face.box.side).landmarks.cpu()
    return {given.name: _embedding(model, given, packages, frame, landmarks) for given in wanted}


def _embedding(model: Model, given: EmbeddingInput, packages: Packages, frame: Frame, landmarks: Tensor) -> Tensor:
    teller = packages.open(given.by, model.device)
    crop, output = teller.manifest.face, teller.manifest.outputs[0]
    for described in teller.manifest.outputs:
        if isinstance(described, EmbeddingOutput):
            output = described
    if crop is None or not isinstance(output, EmbeddingOutput) or output.length != given.length:
        raise ModelRefused(f"{given.by} yields no embedding of {given.length} numbers, which {model.manifest.id} takes")
    face = cut(frame, align(crop, landmarks), crop.size)[None]
    inputs = {taken.name: to_network(face, taken) for taken in teller.manifest.inputs if isinstance(taken, PictureInput)}
    vector = teller(inputs, (crop.size, crop.size))[output.name]
    if given.normalise:
        vector = F.normalize(vector)
    if (matrix := model.projections.get(given.name)) is not None:
        vector = vector @ matrix
        if given.normalise:
            vector = F.normalize(vector)
    return vector


def _frame(rgb: Tensor) -> Frame:
    """A picture as a frame, its last row or column repeated where that is odd."""
    _, height, width = rgb.shape
    rgb = F.pad(rgb[None], (0, width % 2, 0, height % 2), mode="replicate")[0]
    return Frame(Planes(*rgb_to_yuv(rgb, Color())))


def picture_of(url: str) -> Tensor | None:
    """(3, H, W) RGB in [0, 1], or None for no picture. Raises NotPrepared where it cannot be read."""
    if not url:
        return None
    try:
        return png.decode(decode(url))
    except ValueError as error:
        raise NotPrepared(f"the reference picture cannot be read: {error}") from error
