from __future__ import annotations

import pytest

from signaling.mqtt.backoff import Backoff
from signaling.mqtt.topics import NODE, PREFIX, sanitized
from tests.signaling.mqtt.fakes import TOPICS


@pytest.mark.parametrize(
    ("host", "node"),
    [("edge-1.example", "edge-1"), ("Büro 7", "B-ro-7"), ("", "node"), ("+/#", "node"), ("x" * 99, "x" * 64)],
)
def test_a_hosts_name_becomes_a_nodes(host: str, node: str) -> None:
    assert sanitized(host) == node
    assert NODE.fullmatch(node)


def test_topics_of_a_stream() -> None:
    assert TOPICS.of("anna", "state") == "doppel/edge/streams/anna/state"
    assert TOPICS.stream("doppel/edge/streams/anna/set", "set") == "anna"


@pytest.mark.parametrize(
    "topic",
    [
        "doppel/edge/streams/anna/state",
        "doppel/other/streams/anna/set",
        "doppel/edge/streams/a/b/set",
        "doppel/edge/streams//set",
        "doppel/edge/streams/a.b/set",
        f"doppel/edge/streams/{'x' * 65}/set",
    ],
)
def test_what_is_no_command_of_this_node(topic: str) -> None:
    assert TOPICS.stream(topic, "set") is None


@pytest.mark.parametrize("prefix", ["", "/", "a//b", "$SYS", "a/+", "#", "a b", "/a"])
def test_prefixes_that_are_none(prefix: str) -> None:
    assert not PREFIX.fullmatch(prefix)


def test_backoff_doubles_with_jitter_up_to_its_bound_and_starts_anew_after_a_steady_connection() -> None:
    backoff = Backoff(random=lambda: 0.0)
    assert [backoff.failed(0.1) for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert backoff.failed(29.0) == 30
    assert backoff.failed(31.0) == 0.5
    assert Backoff(random=lambda: 0.999).failed(0) == pytest.approx(0.25, abs=0.001)
