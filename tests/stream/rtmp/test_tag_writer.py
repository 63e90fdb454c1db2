"""Each is read back by the module for the way in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.rtmp import tag_writer
from stream.rtmp.video import VideoTrack
from tests.stream.pictures import encoded

SPS, PPS, IDR, DELIMITER = b"\x67\x42\xc0\x1esps", b"\x68pps", b"\x65idr", b"\x09\xf0"
START = b"\0\0\0\1"


def test_an_access_unit_is_taken_apart() -> None:
    unit = tag_writer.access_unit(
        START + DELIMITER + START + SPS + b"\0\0\1" + PPS + START + PPS + b"2" + b"\0\0\1" + IDR + b"\0\0"
    )
    assert unit == (SPS, (PPS, PPS + b"2"), b"\0\0\0\4" + IDR)


@pytest.mark.parametrize("data", [b"", b"\0\0\1", b"\0\0\1\0\0\1", b"noise", b"\0\0\0"])
def test_what_has_no_nal_units_is_an_empty_access_unit(data: bytes) -> None:
    assert tag_writer.access_unit(data) == (b"", (), b"")


def test_pictures_of_an_encoder_are_the_same_after_the_way_back() -> None:
    track = VideoTrack()
    for index, picture in enumerate(encoded(4, keyframes=2)):
        unit = tag_writer.access_unit(picture.data)
        assert bool(unit.sps and unit.pps) == picture.keyframe
        if picture.keyframe:
            assert track.picture(bytearray(tag_writer.avc_header(unit.sps, unit.pps)), 0, 0) is None
        again = track.picture(bytearray(tag_writer.avc_picture(unit.slices, keyframe=picture.keyframe)), index, 0)
        assert again is not None
        assert again.keyframe == picture.keyframe
        assert tag_writer.access_unit(again.data) == unit
        assert again.data == picture.data.replace(START, b"\0\0\1").replace(b"\0\0\1", START)


nal_units = st.lists(
    st.binary(min_size=1, max_size=20).filter(lambda unit: b"\0\0" not in unit and unit[-1] and unit[0]), max_size=5
)


@given(nal_units, st.sampled_from((b"\0\0\1", START)))
def test_every_nal_unit_is_kept(units: list[bytes], start: bytes) -> None:
    unit = tag_writer.access_unit(b"".join(start + each for each in units))
    kinds = [each[0] & 0x1F for each in units]
    kept = [each for each, kind in zip(units, kinds, strict=True) if kind not in (7, 8, 9)]
    assert unit.slices == b"".join(len(each).to_bytes(4) + each for each in kept)
    assert list(unit.pps) == [each for each, kind in zip(units, kinds, strict=True) if kind == 8]
