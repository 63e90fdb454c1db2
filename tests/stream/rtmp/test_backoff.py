from __future__ import annotations

from stream.rtmp.backoff import Backoff


def test_waits_double_up_to_the_longest() -> None:
    backoff = Backoff(lambda: 0.0)
    assert [backoff.failed() for _ in range(6)] == [2, 4, 8, 16, 30, 30]


def test_at_most_half_of_a_wait_is_left_out() -> None:
    backoff = Backoff(lambda: 1.0)
    assert [backoff.failed() for _ in range(6)] == [1, 2, 4, 8, 15, 15]


def test_who_is_refused_waits_longest() -> None:
    backoff = Backoff(lambda: 0.0)
    assert [backoff.failed(refused=True), backoff.failed(), backoff.failed(refused=True)] == [30, 4, 30]


def test_after_a_success_it_begins_anew() -> None:
    backoff = Backoff(lambda: 0.0)
    assert [backoff.failed(), backoff.failed()] == [2, 4]
    backoff.succeeded()
    assert backoff.failed() == 2


def test_servers_that_were_lost_together_are_not_tried_together() -> None:
    assert len({Backoff().failed() for _ in range(20)}) > 10
