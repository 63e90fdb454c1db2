"""Peak signal-to-noise ratio of luma."""

from __future__ import annotations

import math

import numpy as np

from bench import barcode
from bench.luma import Luma

IDENTICAL = 99.0
"""dB, said of two equal planes, so that a mean stays finite."""


def psnr(shown: Luma, reference: Luma) -> float:
    """In dB, of everything above the barcode's strip; NaN when the sizes differ."""
    if shown.shape != reference.shape:
        return math.nan
    rows = shown.shape[0] - barcode.strip_height(shown.shape[0])
    difference = np.subtract(shown[:rows], reference[:rows], dtype=np.float32).ravel()
    error = float(np.dot(difference, difference)) / difference.size
    return IDENTICAL if error == 0 else 10 * math.log10(255**2 / error)
