from __future__ import annotations

import pytest

from stream.rtmp.configuration import Configuration, annex_b, read, with_sequence_header
from stream.rtmp.errors import RtmpError
from stream.rtmp.limits import CONFIGURATION_BYTES, NAL_UNITS

AVC = b"\x01\x42\xc0\x1e\xff\xe1\0\3\x67ab\x01\0\2\x68c"
HEVC = b"\1" + bytes(20) + b"\xff" + b"\3" + b"\x20\0\1\0\1V" + b"\x21\0\1\0\1S" + b"\x22\0\2\0\1P\0\1Q"
START = b"\0\0\0\1"


def test_avc() -> None:
    assert read("H264", AVC) == Configuration(START + b"\x67ab" + START + b"\x68c", 4)


def test_hevc() -> None:
    assert read("HEVC", HEVC) == Configuration(START + b"V" + START + b"S" + START + b"P" + START + b"Q", 4)


def test_av1_and_those_without() -> None:
    assert read("AV1", b"\x81\0\0\0\x0a\1x") == Configuration(b"\x0a\1x", 0)
    assert read("VP9", b"whatever") == Configuration(b"", 0)


@pytest.mark.parametrize(("codec", "record"), [("H264", AVC), ("HEVC", HEVC)])
def test_records_that_are_cut_off_are_refused_wherever(codec: str, record: bytes) -> None:
    for end in range(len(record)):
        with pytest.raises(RtmpError):
            read(codec, record[:end])


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (b"\1\0\0\0\xff\xe0\0", "no parameter sets"),
        (AVC[:4] + b"\xfe" + AVC[5:], "3 bytes"),
        (bytes(CONFIGURATION_BYTES + 1), "16384 are allowed"),
    ],
)
def test_records_that_make_no_sense_are_refused(record: bytes, words: str) -> None:
    with pytest.raises(RtmpError, match=words):
        read("H264", record)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_lengths_become_start_codes(size: int) -> None:
    units = [b"\x06abc", b"\x65" + bytes(200)]
    payload = bytearray(b"head" + b"".join(len(unit).to_bytes(size) + unit for unit in units) + b"tail")
    annexed = annex_b(payload, 4, len(payload) - 4, Configuration(b"sets", size), keyframe=True)
    assert annexed == b"sets" + b"".join(START + unit for unit in units)
    assert type(annexed) is bytes


def test_parameter_sets_come_only_before_keyframes() -> None:
    assert annex_b(bytearray(b"\0\0\0\1a"), 0, 5, Configuration(b"sets", 4), keyframe=False) == START + b"a"


@pytest.mark.parametrize("data", [b"\0\0\0\2a", b"\0\0\0", b"\xff\xff\xff\xffa", b"\0\0\0\1a\0"])
def test_a_unit_that_is_longer_than_its_picture_is_refused(data: bytes) -> None:
    with pytest.raises(RtmpError, match="longer than its picture"):
        annex_b(bytearray(data + b"after"), 0, len(data), Configuration(b"", 4), keyframe=False)


def test_the_number_of_units_is_bounded() -> None:
    payload = bytearray(b"\0\0\0\1a" * (NAL_UNITS + 1))
    assert len(annex_b(payload, 0, 5 * NAL_UNITS, Configuration(b"", 4), keyframe=False)) == 5 * NAL_UNITS
    with pytest.raises(RtmpError, match="more than 1024"):
        annex_b(payload, 0, len(payload), Configuration(b"", 4), keyframe=False)


def test_an_av1_keyframe_gets_the_sequence_header_that_it_lacks() -> None:
    configuration, delimiter, header, frame = Configuration(b"\x0a\1h", 0), b"\x12\0", b"\x0a\1x", b"\x32\1f"
    for picture, expected in (
        (header + frame, header + frame),
        (delimiter + header + frame, delimiter + header + frame),
        (frame, b"\x0a\1h" + frame),
        (delimiter + frame, delimiter + b"\x0a\1h" + frame),
    ):
        assert with_sequence_header(bytearray(b"__" + picture + b"_"), 2, 2 + len(picture), configuration) == expected
