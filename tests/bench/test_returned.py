from __future__ import annotations

import random

from aiortc.rtp import RtpPacket

from bench.returned import assemble


def packets(frames: int, each: int = 3, first: int = 65_530) -> list[tuple[int, bytes]]:
    """H.264 packets of one small NAL unit each, their sequence numbers wrapping; packet k arrives at k."""
    made = []
    for index in range(frames * each):
        frame, part = divmod(index, each)
        packet = RtpPacket(
            payload_type=96,
            sequence_number=(first + index) % 65_536,
            timestamp=(0xFFFFFFFF - 3000 + frame * 3000) % (1 << 32),
            marker=int(part == each - 1),
        )
        packet.payload = bytes([0x61, frame, part])
        made.append((index, packet.serialize()))
    return made


def test_groups_by_timestamp_across_a_wrap() -> None:
    frames = assemble(packets(10), "H264")
    assert [frame.arrival for frame in frames] == list(range(2, 30, 3))
    assert all(frame.complete for frame in frames)
    assert frames[4].data == b"".join(bytes([0, 0, 0, 1, 0x61, 4, part]) for part in range(3))
    assert frames[4].size == 3 * 15


def test_reordered_and_repeated_packets_change_nothing_but_the_arrival() -> None:
    sent = packets(10)
    shuffled = sent.copy()
    random.Random(1).shuffle(shuffled)
    arrived = [(at, data) for at, (_, data) in enumerate([*shuffled, *sent])]
    frames = assemble(arrived, "H264")
    assert [frame.data for frame in frames] == [frame.data for frame in assemble(sent, "H264")]
    assert all(frame.complete for frame in frames)
    last = max(at for at, (_, data) in enumerate(shuffled) if data in [packet for _, packet in sent[:3]])
    assert frames[0].arrival == last


def test_a_lost_packet_breaks_its_frame_only() -> None:
    for lost, broken in ((3, 1), (4, 1), (5, 1)):
        sent = packets(5)
        del sent[lost]
        assert [not frame.complete for frame in assemble(sent, "H264")].index(True) == broken
        assert sum(not frame.complete for frame in assemble(sent, "H264")) in (1, 2)


def test_a_lost_frame_breaks_the_next() -> None:
    sent = packets(5)
    del sent[3:6]
    assert [frame.complete for frame in assemble(sent, "H264")] == [True, False, True, True]


def test_nonsense_is_a_broken_frame() -> None:
    packet = RtpPacket(payload_type=96, sequence_number=1, timestamp=1, marker=1)
    packet.payload = b"\x00\x00"
    (frame,) = assemble([(7, packet.serialize())], "H264")
    assert (frame.arrival, frame.data, frame.complete) == (7, b"", False)


def test_nothing() -> None:
    assert assemble([], "H264") == []
