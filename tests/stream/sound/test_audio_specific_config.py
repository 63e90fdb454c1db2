"""Against ISO/IEC 14496-3, section 1.6.2.1, by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.sound import audio_specific_config
from stream.sound.audio_specific_config import AudioSpecificConfig
from stream.sound.errors import SoundError


def config(*fields: tuple[int, int]) -> bytes:
    """Bits from (value, count)."""
    bits = "".join(f"{value:0{count}b}" for value, count in fields)
    return int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8))


@pytest.mark.parametrize(
    ("data", "rate", "channels"),
    [
        (b"\x11\x90", 48_000, 2),
        (b"\x12\x10", 44_100, 2),
        (b"\x12\x08", 44_100, 1),
        (config((2, 5), (15, 4), (22_050, 24), (1, 4), (0, 3)), 22_050, 1),
        (config((5, 5), (6, 4), (2, 4), (3, 4), (2, 5), (0, 3)), 24_000, 2),
        (config((29, 5), (7, 4), (1, 4), (4, 4), (2, 5), (0, 3)), 22_050, 1),
        (config((2, 5), (3, 4), (7, 4), (0, 3)), 48_000, 8),
    ],
)
def test_what_publishers_send(data: bytes, rate: int, channels: int) -> None:
    assert audio_specific_config.parse(data) == AudioSpecificConfig(rate, channels)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "cut off"),
        (b"\x11", "cut off"),
        (config((1, 5), (3, 4), (2, 4), (0, 3)), "object type 1"),
        (config((31, 5), (10, 6), (3, 4), (2, 4), (0, 3)), "object type 42"),
        (config((2, 5), (13, 4), (2, 4), (0, 3)), "frequency index 13"),
        (config((2, 5), (15, 4), (0, 24), (2, 4), (0, 3)), "AAC at 0 Hz"),
        (config((2, 5), (15, 4), (16_000_000, 24), (2, 4), (0, 3)), "AAC at 16000000 Hz"),
        (config((2, 5), (3, 4), (0, 4), (0, 3)), "channel configuration 0"),
        (config((2, 5), (3, 4), (11, 4), (0, 3)), "channel configuration 11"),
        (config((2, 5), (3, 4), (2, 4), (1, 1), (0, 2)), "960 samples"),
        (config((5, 5), (6, 4), (2, 4), (3, 4), (5, 5), (0, 3)), "object type 5"),
    ],
)
def test_what_is_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(SoundError, match=words):
        audio_specific_config.parse(data)


@given(st.binary(max_size=16))
def test_any_bytes_are_taken_or_refused(data: bytes) -> None:
    try:
        found = audio_specific_config.parse(data)
    except SoundError:
        return
    assert 7_350 <= found.rate <= 96_000
    assert 1 <= found.channels <= 8
