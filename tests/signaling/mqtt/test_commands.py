"""Payloads from outside."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.errors import BadRequest, SignalingError, Unacceptable
from signaling.mqtt import commands
from signaling.mqtt.commands import ChainCommand, RecordCommand, SettingsCommand, StopCommand

KINDS = [ChainCommand, SettingsCommand, RecordCommand, StopCommand]


@pytest.mark.parametrize(("example", "kind"), zip(commands.EXAMPLES, KINDS, strict=True))
def test_the_examples_are_commands(example: str, kind: type) -> None:
    document = commands.read(example.encode())
    assert isinstance(commands.parse(document), kind)
    assert commands.id_of(document) == json.loads(example)["id"]


@pytest.mark.parametrize("payload", [b"", b"ON", b"[]", b"1", b"null", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a": ' * 10_000])
def test_what_is_no_json_object(payload: bytes) -> None:
    with pytest.raises(BadRequest, match="send a command like"):
        commands.read(payload)


@pytest.mark.parametrize(
    ("document", "word"),
    [
        ({}, "`command` is one of"),
        ({"command": "explode"}, "`command` is one of"),
        ({"command": ["stop"]}, "`command` is one of"),
        ({"command": "stop", "s3cret": 1}, "a member that is not known"),
        ({"command": "stop", "id": "x" * 65}, "at id"),
        ({"command": "stop", "id": 7}, "at id"),
        ({"command": "record"}, "at action"),
        ({"command": "record", "action": "pause"}, "at action"),
        ({"command": "chain"}, "at chain"),
        ({"command": "chain", "chain": [{"transform": "x"}] * 17}, "at chain"),
        ({"command": "chain", "chain": [{"transform": 1}]}, "at chain 0 transform"),
        ({"command": "settings", "transform": "grade"}, "at settings"),
        ({"command": "settings", "transform": "grade", "settings": {}, "step": 16}, "at step"),
        ({"command": "settings", "transform": "grade", "settings": {}, "step": True}, "at step"),
        ({"command": "settings", "transform": "", "settings": {}}, "at transform"),
    ],
)
def test_what_does_not_fit_is_told_in_words(document: dict[str, Any], word: str) -> None:
    with pytest.raises(Unacceptable) as refused:
        commands.parse(document)
    assert word in str(refused.value)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("id", [None, 7, ["a"], "x" * 65])
def test_an_id_that_is_none_is_not_sent_back(id: object) -> None:
    assert commands.id_of({"id": id}) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=9) | st.sampled_from(["chain", "stop", "record", "settings"]),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "command", "chain", "transform", "settings", "action", "step"]), children)
    ),
    max_leaves=12,
)


@given(json_values | st.binary(max_size=60))
def test_nothing_makes_it_fail_in_another_way(sent: object) -> None:
    payload = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
    with contextlib.suppress(SignalingError):
        assert isinstance(commands.parse(commands.read(payload)), tuple(KINDS))
