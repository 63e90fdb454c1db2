"""The luma plane of a picture, which is what is measured."""

from __future__ import annotations

from typing import cast

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

Luma = NDArray[np.uint8]
"""(height, width), codes 0-255."""


def luma(picture: VideoFrame) -> Luma:
    """A copy of the plane; any format but 8-bit planar YUV is converted."""
    if picture.format.name not in ("yuv420p", "yuvj420p"):
        return cast(Luma, picture.to_ndarray(format="gray8"))
    return cast(Luma, picture.to_ndarray())[: picture.height]
