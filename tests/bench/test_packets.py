from __future__ import annotations

from bench import packets


def test_every_packet_is_counted_on_its_way_in_and_out() -> None:
    came, went = packets.measure(20)
    assert came.pictures == went.pictures == 20
    assert came.packets == went.packets > 5 * 20
    assert came.per_second > 0
    assert went.per_second > 0
