"""A frame's number, written into its luma so that it survives encoding at low bitrates and scaling.

A strip along the bottom edge (heads touch the top of a picture) holds 24 blocks, white for 1 and black for 0:
a 16-bit number, most significant bit first, then a CRC-8 of it, so that a covered or broken strip reads as nothing.
"""

from __future__ import annotations

from bench.luma import Luma

NUMBER_BITS = 16
CHECK_BITS = 8
BITS = NUMBER_BITS + CHECK_BITS

STRIP_SHARE = 45
"""The strip's height is the picture's divided by this: 16 px, one macroblock, of 720."""

BLACK, WHITE = 32, 220
"""Luma codes inside the limited range, so that no conversion clips them."""

CRC_POLYNOMIAL = 0x07
"""CRC-8 of ITU-T I.432.1."""


def strip_height(height: int) -> int:
    """Rows of the strip, px, in a picture of this height."""
    return max(2, height // STRIP_SHARE)


def _crc8(number: int) -> int:
    crc = 0xFF  # not zero, so that an all-black strip is no valid number
    for byte in number.to_bytes(2, "big"):
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ CRC_POLYNOMIAL) & 0xFF if crc & 0x80 else crc << 1
    return crc


def draw(luma: Luma, number: int) -> None:
    """Writes a number from 0 to 65535 into the bottom rows of the plane, in place."""
    if not 0 <= number < 1 << NUMBER_BITS:
        raise ValueError(f"a barcode holds 0 to {(1 << NUMBER_BITS) - 1}, not {number}")
    word = number << CHECK_BITS | _crc8(number)
    height, width = luma.shape
    top = height - strip_height(height)
    for bit in range(BITS):
        value = WHITE if word >> (BITS - 1 - bit) & 1 else BLACK
        luma[top:, bit * width // BITS : (bit + 1) * width // BITS] = value


def read(luma: Luma) -> int | None:
    """The number in the strip, or None where there is none that its checksum confirms."""
    height, width = luma.shape
    rows = strip_height(height)
    top = height - rows
    middle = luma[top + rows // 4 : height - rows // 4]
    word = 0
    for bit in range(BITS):
        left, right = bit * width // BITS, (bit + 1) * width // BITS
        margin = (right - left) // 4
        word = word << 1 | int(middle[:, left + margin : right - margin].mean() > (BLACK + WHITE) / 2)
    number = word >> CHECK_BITS
    return number if word & 0xFF == _crc8(number) else None
