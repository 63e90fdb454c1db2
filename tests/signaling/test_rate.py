from __future__ import annotations

import pytest

from signaling.rate import RateLimit, network


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_burst_then_a_steady_rate(clock: Clock) -> None:
    limit = RateLimit(3, 2.0, clock=clock)
    assert [limit.take("192.0.2.1") for _ in range(4)] == [0, 0, 0, 0.5]
    clock.now = 0.25
    assert limit.take("192.0.2.1") == pytest.approx(0.25)
    clock.now = 0.5
    assert limit.take("192.0.2.1") == 0
    assert limit.take("192.0.2.1") == pytest.approx(0.5)


def test_asking_in_vain_costs_nothing(clock: Clock) -> None:
    limit = RateLimit(1, 1.0, clock=clock)
    limit.take("192.0.2.1")
    for step in range(10):
        clock.now = step / 10
        assert limit.take("192.0.2.1") > 0
    clock.now = 1.0
    assert limit.take("192.0.2.1") == 0


def test_no_more_than_a_burst_is_saved_up(clock: Clock) -> None:
    limit = RateLimit(2, 1.0, clock=clock)
    limit.take("192.0.2.1")
    clock.now = 1000.0
    assert [limit.take("192.0.2.1") > 0 for _ in range(3)] == [False, False, True]


def test_each_address_has_its_own(clock: Clock) -> None:
    limit = RateLimit(1, 1.0, clock=clock)
    assert [limit.take(address) for address in ("192.0.2.1", "192.0.2.2", "", "2001:db8::1")] == [0, 0, 0, 0]
    assert limit.take("192.0.2.1") > 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        (None, "/run/a.sock", True),
    ],
)
def test_what_is_one_client(one: str | None, other: str, same: bool) -> None:
    assert (network(one) == network(other)) == same


def test_an_address_is_the_same_however_it_is_written() -> None:
    assert network("::ffff:192.0.2.1") == network("192.0.2.1") == "192.0.2.1"


def test_to_ask_counts_nothing(clock: Clock) -> None:
    limit = RateLimit(1, 1.0, clock=clock)
    assert [limit.wait("a"), limit.wait("a"), limit.take("a"), limit.wait("a"), limit.take("a")] == [0, 0, 0, 1, 1]


def test_who_called_least_recently_is_forgotten(clock: Clock) -> None:
    limit = RateLimit(1, 1.0, clients=3, clock=clock)
    for number in (1, 2, 3, 1, 4):
        limit.take(f"192.0.2.{number}")
    assert limit.take("192.0.2.1") > 0
    assert limit.take("192.0.2.4") > 0
    assert limit.take("192.0.2.2") == 0
    assert len(limit._buckets) == 3
