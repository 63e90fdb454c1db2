from __future__ import annotations

import pytest

from signaling.auth.need import ADMIN, CONTROL, KNOWN, METRICS, PUBLISH, READ, SCOPES, WATCH, Need, Scope
from signaling.auth.principal import Principal, anybody


def holder(*scopes: Scope, streams: tuple[str, ...] = ("team-*",)) -> Principal:
    return Principal("sub:a", "a", "k", frozenset(scopes), streams)


@pytest.mark.parametrize(
    ("scope", "may"),
    [
        ("publish", {PUBLISH, READ, KNOWN}),
        ("watch", {WATCH, READ, KNOWN}),
        ("control", {CONTROL, READ, KNOWN}),
        ("metrics", {METRICS}),
        ("admin", {PUBLISH, WATCH, CONTROL, READ, KNOWN, METRICS, ADMIN}),
    ],
)
def test_what_each_scope_is_good_for(scope: Scope, may: set[Need]) -> None:
    caller = holder(scope, streams=("*",))
    needs = (PUBLISH, WATCH, CONTROL, READ, KNOWN, METRICS, ADMIN)
    assert {need for need in needs if caller.may(need, "team-a")} == may


def test_only_with_streams_of_its_own() -> None:
    caller = holder(*SCOPES)
    assert caller.may(PUBLISH, "team-a")
    assert caller.why_not(PUBLISH, "anna") == "not for this stream"
    assert not caller.may(PUBLISH, None)
    assert caller.may(KNOWN, None)
    assert caller.why_not(METRICS, None) == "not for every stream"
    assert holder("watch", streams=()).why_not(KNOWN, None) is not None


def test_who_takes_over() -> None:
    assert holder("admin").takes_over
    assert not holder("publish", "control").takes_over
    # Where nobody is asked who he is, a stream still belongs to who came first.
    assert anybody("token:1").may(ADMIN, None)
    assert not anybody("token:1").takes_over
