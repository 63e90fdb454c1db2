"""Fragments: some samples of each track, and what says where and when they are (ISO/IEC 14496-12 section 8.8)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from stream.fmp4.box import box, full_box

_SYNC, _DEPENDENT = 0x02000000, 0x01010000
"""Sample flags (section 8.8.3.1): depends on no other; depends on others, and is no place to start."""

_BASE_IS_MOOF = 0x020000
_OFFSET, _DURATIONS, _SIZES, _FLAGS = 0x001, 0x100, 0x200, 0x400


class Sample(NamedTuple):
    data: bytes
    time: int
    """Of the track's timescale, from the file's beginning; of decoding and of display."""
    sync: bool
    """Whether decoding can start here."""


class Run(NamedTuple):
    """Samples of one track that follow each other."""

    track: int
    samples: Sequence[Sample]
    end: int
    """When the last one is over."""


def fragment(number: int, runs: Sequence[Run]) -> bytes:
    """A moof and its mdat. ``number`` counts fragments from 1."""
    # Where the data begins is told in a moof whose length does not depend on it.
    size = len(_moof(number, runs, 0))
    data = [sample.data for run in runs for sample in run.samples]
    return _moof(number, runs, size + 8) + box(b"mdat", *data)


def _moof(number: int, runs: Sequence[Run], offset: int) -> bytes:
    parts = [full_box(b"mfhd", 0, 0, number.to_bytes(4))]
    for run in runs:
        head = full_box(b"tfhd", 0, _BASE_IS_MOOF, run.track.to_bytes(4))
        begin = full_box(b"tfdt", 1, 0, run.samples[0].time.to_bytes(8))
        parts.append(box(b"traf", head, begin, _trun(run, offset)))
        offset += sum(len(sample.data) for sample in run.samples)
    return box(b"moof", *parts)


def _trun(run: Run, offset: int) -> bytes:
    ends = [sample.time for sample in run.samples[1:]] + [run.end]
    entries = [
        struct.pack(">3I", end - sample.time, len(sample.data), _SYNC if sample.sync else _DEPENDENT)
        for sample, end in zip(run.samples, ends, strict=True)
    ]
    head = struct.pack(">II", len(run.samples), offset)
    return full_box(b"trun", 0, _OFFSET | _DURATIONS | _SIZES | _FLAGS, head, *entries)
