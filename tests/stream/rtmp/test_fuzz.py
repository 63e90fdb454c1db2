"""Sessions of real publishers, broken in every way: what is said is an error of ours, and memory stays bounded."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream.ingest.rtmp import RtmpIngest
from stream.picture import EncodedPicture
from stream.rtmp.command import PublishRequest
from stream.rtmp.connection import Connection
from stream.rtmp.errors import RtmpError
from stream.rtmp.limits import PARTIAL_BYTES
from stream.rtmp.session import Session
from stream.sound.packet import SoundPacket
from tests.stream.rtmp import ffmpeg
from tests.stream.rtmp.media import tags
from tests.stream.rtmp.publisher import chunks, opening
from tests.stream.rtmp.test_obs import session as obs_session

OPENING = opening() + chunks(1, (4096).to_bytes(4), on=2)


class Peer:
    """Lets everybody in, and counts what comes."""

    def __init__(self) -> None:
        self.pictures: list[EncodedPicture] = []
        self.sound: list[SoundPacket] = []
        self.written = 0
        self.session = Session(self)
        self._asked = False

    def write(self, data: bytes) -> None:
        self.written += len(data)

    def decide(self, request: PublishRequest) -> None:
        self._asked = True

    def play(self, data: bytes, size: int) -> None:
        """Raises RtmpError."""
        for begin in range(0, len(data), size):
            self.session.receive(data[begin : begin + size])
            while self.session.work() or self._decided():
                pass
            assert self.session._reader.partial <= min(PARTIAL_BYTES, begin + size)

    def _decided(self) -> bool:
        asked, self._asked = self._asked, False
        if asked:
            ingest = RtmpIngest(cast(Connection, None), on_video=self.pictures.append, on_audio=self.sound.append)
            self.session.accept(ingest)
        return asked


@pytest.fixture(scope="module")
def corpus() -> list[bytes]:
    """ffmpeg's session, and OBS's with two codecs."""
    ours = [
        OPENING + obs_session(tags("H264", "AAC", 12, options="bf=2:tune=animation")),
        OPENING + obs_session(tags("HEVC", "OPUS")),
    ]
    return [ffmpeg.capture(), *ours]


@pytest.mark.parametrize("size", [1, 7, 1460, 1 << 20])
def test_sessions_are_the_same_however_their_bytes_come(corpus: list[bytes], size: int) -> None:
    results = []
    for data in corpus:
        peer = Peer()
        peer.play(data, size)
        results.append((len(peer.pictures), len(peer.sound) > 10, sum(len(picture.data) for picture in peer.pictures)))
    assert [result[:2] for result in results] == [(25, True), (12, True), (12, True)]
    whole = Peer()
    whole.play(corpus[0], 1 << 20)
    assert results[0][2] == sum(len(picture.data) for picture in whole.pictures)


edits = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.sampled_from(("flip", "cut", "insert", "repeat")),
        st.integers(1, 255),
        st.binary(min_size=1, max_size=12),
    ),
    min_size=1,
    max_size=5,
)


@given(st.integers(0, 2), edits, st.sampled_from((64, 1460, 1 << 16)), st.booleans())
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_broken_sessions_end_in_words(
    corpus: list[bytes], which: int, changes: list[tuple[float, str, int, bytes]], size: int, early: bool
) -> None:
    data = bytearray(corpus[which][:24_000])
    for where, what, number, noise in changes:
        # Most of what can go wrong is within the commands and the first headers.
        position = int(where * (len(data) - 1)) if not early else min(len(data) - 1, 3073 + int(where * 1500))
        if what == "flip":
            data[position] ^= number
        elif what == "cut":
            del data[position : position + number]
        elif what == "insert":
            data[position:position] = noise
        else:
            data[position:position] = data[position : position + number]
    peer = Peer()
    try:
        peer.play(bytes(data), size)
    except RtmpError as error:
        peer.session.refuse(error)
    assert sum(len(picture.data) for picture in peer.pictures) < 20 * len(data)
    assert peer.written < 100_000


@given(st.lists(st.tuples(st.integers(2, 8), st.integers(0, 25), st.binary(max_size=80)), max_size=8))
@settings(max_examples=250, deadline=None)
def test_any_messages_end_in_words(messages: list[tuple[int, int, bytes]]) -> None:
    peer = Peer()
    try:
        peer.play(
            OPENING + b"".join(chunks(kind, payload, on=on, stream=1, size=4096) for on, kind, payload in messages), 1 << 16
        )
    except RtmpError:
        assert peer.session.state == "publishing"
