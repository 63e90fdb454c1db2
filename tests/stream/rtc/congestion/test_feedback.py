from __future__ import annotations

from struct import pack

import pytest
from aiortc.rtp import RtcpPsfbPacket, RtcpRrPacket, RtcpRtpfbPacket
from hypothesis import given
from hypothesis import strategies as st

from stream.limits import FEEDBACK_PACKETS, MILLISECOND, SECOND
from stream.rtc.congestion.feedback import FeedbackReader, split
from stream.rtc.transport_cc import TransportFeedback

TICK = 250_000
HEADER = pack("!BBHII", 0x8F, 205, 0, 1, 2)


def packet(base: int, count: int, reference: int, *content: bytes) -> bytes:
    return HEADER + pack("!HHI", base, count, reference << 8) + b"".join(content)


def test_every_kind_of_chunk_and_delta() -> None:
    data = packet(
        0xFFFE,
        2 + 14 + 7,
        3,
        pack("!H", 1 << 13 | 2),  # two that arrived, a small delta each
        pack("!H", 0x8000 | 0b10000000000001),  # the first and the last of fourteen
        pack("!H", 0xC000 | 0b10_00_01_00_00_00_00),  # the first with a large delta, the third with a small one
        bytes((4, 8)),
        bytes((0, 255)),
        pack("!h", -400),
        bytes((40,)),
    )
    reference = 3 * 64 * MILLISECOND
    read = dict(FeedbackReader().read(data))
    assert list(read) == [(0xFFFE + index) & 0xFFFF for index in range(23)]
    arrived = {number: when for number, when in read.items() if when is not None}
    ms = MILLISECOND
    assert arrived == {
        0xFFFE: reference + ms,
        0xFFFF: reference + 3 * ms,
        0: reference + 3 * ms,
        13: reference + 3 * ms + 255 * TICK,
        14: reference + 3 * ms + (255 - 400) * TICK,
        16: reference + 3 * ms + (255 - 400 + 40) * TICK,
    }


@pytest.mark.parametrize(
    "data",
    [
        b"",
        HEADER,
        packet(0, 1, 0),
        packet(0, 1, 0, pack("!H", 1 << 13 | 1)),
        packet(0, 1, 0, pack("!H", 2 << 13 | 1), b"\0"),
        packet(0, 1, 0, pack("!H", 3 << 13 | 1), bytes(8)),
        packet(0, 1, 0, pack("!H", 0)),
        packet(0, 0xFFFF, 0, pack("!H", 0x1FFF) * 9),
    ],
)
def test_what_is_no_feedback_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="transport-wide feedback"):
        FeedbackReader().read(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        arrivals = FeedbackReader().read(HEADER + content)
    except ValueError:
        return
    assert len(arrivals) == int.from_bytes(content[2:4])


@given(st.integers(0, 0xFFFF), st.lists(st.tuples(st.integers(1, 30), st.integers(0, 200_000)), min_size=1, max_size=60))
def test_what_our_writer_says_is_read(first: int, steps: list[tuple[int, int]]) -> None:
    writer, reader = TransportFeedback(), FeedbackReader()
    number, now = first, 5 * SECOND
    sent: dict[int, int] = {}
    for step, ticks in steps:
        number, now = number + step, now + ticks * 100
        if number - first >= FEEDBACK_PACKETS:
            break
        sent[number & 0xFFFF] = now
        writer.received(number & 0xFFFF, now)
    feedback = writer.feedback(1, 2)
    if feedback is None:
        assert not sent
        return
    arrived = {n: when for n, when in reader.read(feedback) if when is not None}
    assert arrived.keys() == sent.keys()
    assert all(0 <= sent[n] - when < TICK for n, when in arrived.items())


def test_the_reference_time_goes_on_past_its_wrap_around() -> None:
    reader = FeedbackReader()
    chunk = pack("!H", 1 << 13 | 1) + b"\0\0"
    (_, before), (_, after) = reader.read(packet(0, 1, 0xFFFFFF, chunk)) + reader.read(packet(1, 1, 1, chunk))
    assert before is not None
    assert after == before + 2 * 64 * MILLISECOND


def test_feedbacks_are_parted_from_the_rest_of_a_compound() -> None:
    writer = TransportFeedback()
    writer.received(7, SECOND)
    feedback = writer.feedback(1, 2)
    assert feedback is not None
    report, nack, pli = bytes(RtcpRrPacket(ssrc=1)), RtcpRtpfbPacket(fmt=1, ssrc=1, media_ssrc=2), RtcpPsfbPacket(1, 1, 2)
    nack.lost = [3]
    others = report + bytes(nack) + bytes(pli)
    assert split(report + feedback + bytes(nack) + feedback + bytes(pli)) == ([feedback, feedback], others)
    assert split(others) == ([], others)
    assert split(b"") == ([], b"")
    # What claims to be longer than it is is left to the parser of the rest, which refuses it.
    assert split(feedback[:-4]) == ([], feedback[:-4])
