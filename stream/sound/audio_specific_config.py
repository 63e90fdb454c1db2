"""AudioSpecificConfig: what a publisher says its AAC is (ISO/IEC 14496-3 section 1.6.2.1), read before a decoder sees it."""

from __future__ import annotations

from dataclasses import dataclass

from stream.sound.errors import SoundError

_LC, _SBR, _PS, _ESCAPE = 2, 5, 29, 31
_RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350)
_OWN_RATE = 15
_CHANNELS = (0, 1, 2, 3, 4, 5, 6, 8)
"""By channel configuration; 0 would have them described in the stream."""


@dataclass(frozen=True, slots=True)
class AudioSpecificConfig:
    """AAC-LC, or HE-AAC, whose spectral band replication doubles the rate, and whose parametric stereo doubles the channels."""

    rate: int
    """Hz, of the core; what a decoder gives may have twice that."""
    channels: int


class _Bits:
    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data)
        self._left = 8 * len(data)

    def __call__(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise SoundError("the AAC configuration is cut off")
        return self._value >> self._left & ((1 << count) - 1)


def parse(configuration: bytes) -> AudioSpecificConfig:
    """Raises SoundError where it is none, or of a kind that is not taken here."""
    bits = _Bits(configuration)
    kind = _kind(bits)
    rate, channels = _rate(bits), bits(4)
    if kind in (_SBR, _PS):
        _rate(bits)
        kind = _kind(bits)
    if kind != _LC:
        raise SoundError(f"AAC of object type {kind} is not taken here; send AAC-LC or HE-AAC")
    if not 1 <= channels < len(_CHANNELS):
        raise SoundError(f"AAC with channel configuration {channels} is not taken here; send mono or stereo")
    if bits(1):
        raise SoundError("AAC with frames of 960 samples is not taken here; send frames of 1024")
    return AudioSpecificConfig(rate, _CHANNELS[channels])


def _kind(bits: _Bits) -> int:
    kind = bits(5)
    return 32 + bits(6) if kind == _ESCAPE else kind


def _rate(bits: _Bits) -> int:
    index = bits(4)
    if index == _OWN_RATE:
        rate = bits(24)
    elif index < len(_RATES):
        rate = _RATES[index]
    else:
        raise SoundError(f"AAC has no sampling frequency index {index}")
    if not _RATES[-1] <= rate <= _RATES[0]:
        raise SoundError(f"AAC at {rate} Hz is not taken here; send {_RATES[-1]} to {_RATES[0]} Hz")
    return rate
