"""The decision: who gets in, that all refusals are one, and what is counted."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
from typing import Any

import pytest
from pydantic import SecretStr

from signaling.auth import static_key, token
from signaling.auth.audit import AuditLog
from signaling.auth.authority import REFUSED, Authority, Call
from signaling.auth.keyring import KeyRing
from signaling.auth.need import CONTROL, METRICS, PUBLISH, READ, WATCH
from signaling.auth.principal import Principal
from signaling.auth.static_key import StaticKey, digest
from signaling.auth.webhook import Webhook
from signaling.errors import TooManyCalls, Unauthorized, Unavailable
from signaling.rate import RateLimit
from tests.keys import patient, ring, sign, token_key

CALL = Call("192.0.2.1", "POST /whip/{stream}", "5e1f")
LOOK = Call("192.0.2.1", "GET /api/streams/{stream}", "5e1f", reading=True)
KEY = token_key("first", "EdDSA")


def static(name: str, secret: str, *, scopes: Any = frozenset({"watch"}), expires: float | None = None) -> StaticKey:
    return StaticKey(Principal(f"key:{name}", name, name, scopes, ("lobby-*",)), digest(secret), expires)


def keys() -> KeyRing:
    made = ring(KEY, static=[static("wall", "wall-0123456789abcdef"), static("old", "old-0123456789abcdef", expires=1000.0)])
    made.keys = type(made.keys)(
        (static_key.make("access-key", SecretStr("open-sesame-0123456789")), *made.keys.static), made.keys.tokens
    )
    return made


@pytest.fixture
def authority() -> Authority:
    return patient(keys(), clock=lambda: 2000.0)


def audited(caplog: pytest.LogCaptureFixture) -> list[tuple[Any, ...]]:
    lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == "doppel.audit"]
    return [(line["allowed"], line["subject"], line["key"], line["reason"]) for line in lines]


async def test_an_open_server_asks_for_nothing_and_tells_people_apart() -> None:
    open_ = Authority()
    assert open_.open
    assert (await open_.decide(None, PUBLISH, "anna", CALL)).identity is None
    one, other = [(await open_.decide(word, PUBLISH, "anna", CALL)).identity for word in ("one", "other")]
    assert None not in (one, other)
    assert one != other
    assert one == (await open_.decide("one", PUBLISH, "anna", CALL)).identity


async def test_who_gets_in(authority: Authority) -> None:
    assert (await authority.decide("open-sesame-0123456789", METRICS, None, CALL)).identity == "key:access-key"
    assert (await authority.decide("wall-0123456789abcdef", WATCH, "lobby-1", CALL)).identity == "key:wall"
    assert (await authority.decide(sign(KEY), PUBLISH, "alice", CALL)).identity == "sub:alice"


REFUSALS = [
    (None, "none was sent"),
    ("wrong", "it is no token"),
    ("wall-0123456789abcdeF", "it is no token"),
    ("wall-0123456789abcdef", "the scopes are too narrow"),
    ("old-0123456789abcdef", "it has expired"),
    (sign(KEY, exp=1_000_000_000, iat=999_999_999), "it has expired"),
    (sign(token_key("first", "EdDSA")), "the signature is wrong"),
    (sign(token_key("second")), "its key is not known"),
    (sign(KEY, streams=["bob"]), "not for this stream"),
    (sign(KEY, ["watch"]), "the scopes are too narrow"),
]


@pytest.mark.parametrize(("sent", "reason"), REFUSALS)
async def test_all_refusals_are_one_and_the_audit_log_knows_better(
    authority: Authority, caplog: pytest.LogCaptureFixture, sent: str | None, reason: str
) -> None:
    caplog.set_level(logging.INFO)
    with pytest.raises(Unauthorized) as caught:
        await authority.decide(sent, PUBLISH, "alice", CALL)
    assert str(caught.value) == REFUSED
    [(allowed, *_, told)] = audited(caplog)
    assert (allowed, told) == (False, reason)
    if sent is not None:
        assert sent not in caplog.text


@pytest.mark.parametrize(("sent", "reason"), REFUSALS)
async def test_all_refusals_come_at_the_same_time(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, sent: str | None, reason: str
) -> None:
    """However long it took to find out."""
    loop, slept = asyncio.get_running_loop(), []
    times = iter([100.0, 100.004])
    monkeypatch.setattr(loop, "time", lambda: next(times, 100.004))

    async def sleep(delay: float) -> None:
        slept.append(round(delay, 6))

    authority.refusal = 0.01
    monkeypatch.setattr("signaling.auth.authority.asyncio.sleep", sleep)
    with pytest.raises(Unauthorized):
        await authority.decide(sent, PUBLISH, "alice", CALL)
    assert slept == [0.006]


async def test_each_decision_compares_with_every_key_and_checks_one_signature(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[str] = []
    real, look = hmac.compare_digest, token.read

    def compare(one: bytes, other: bytes) -> bool:
        compared.append("key")
        return real(one, other)

    def read(*given: Any) -> Principal:
        compared.append("token")
        return look(*given)

    monkeypatch.setattr("signaling.auth.authority.hmac.compare_digest", compare)
    monkeypatch.setattr("signaling.auth.authority.token.read", read)
    for sent, _ in REFUSALS:
        compared.clear()
        with pytest.raises(Unauthorized):
            await authority.decide(sent, PUBLISH, "alice", CALL)
        assert compared == ["key", "key", "key", "token"]
    compared.clear()
    await authority.decide("open-sesame-0123456789", PUBLISH, "alice", CALL)
    assert compared == ["key", "key", "key", "token"]


async def test_what_is_allowed_is_audited_too(authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(3):
        await authority.decide(sign(KEY), READ, "alice", LOOK)
    await authority.decide(sign(KEY), PUBLISH, "alice", CALL)
    assert audited(caplog) == [(True, "alice", "first", "it may")] * 2


async def test_who_is_refused_often_waits_and_keeps_nobody_else_out(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    now = [0.0]
    asked: list[bytes] = []

    async def post(document: bytes) -> tuple[int, bytes]:
        asked.append(document)
        return 403, b""

    authority = Authority(keys(), Webhook(post), failures=RateLimit(2, 0.5, clock=lambda: now[0]))
    for number in range(2):
        with pytest.raises(Unauthorized):
            await authority.decide(f"wrong-{number}", PUBLISH, "alice", CALL)
    for sent in ("wrong-2", None, sign(KEY, streams=["bob"])):
        with pytest.raises(TooManyCalls, match="wait 2 s") as caught:
            await authority.decide(sent, PUBLISH, "alice", CALL)
        assert caught.value.retry_after == 2
    assert len(asked) == 2
    assert audited(caplog)[-1][3] == "too many refusals"
    # Who shares the address, and has a good key, is let in; and other addresses are not concerned.
    assert await authority.decide("open-sesame-0123456789", PUBLISH, "alice", CALL)
    with pytest.raises(Unauthorized):
        await authority.decide("wrong", PUBLISH, "alice", Call("192.0.2.2", "x"))
    now[0] = 2.0
    with pytest.raises(Unauthorized):
        await authority.decide("wrong", PUBLISH, "alice", CALL)


async def test_one_token_may_change_so_much(authority: Authority) -> None:
    authority.calls = RateLimit(2, 1.0, clock=lambda: 0.0)
    renewed = sign(KEY, jti="2")
    for signed in (sign(KEY), renewed):
        await authority.decide(signed, PUBLISH, "alice", CALL)
    with pytest.raises(TooManyCalls, match="with this key or token"):
        await authority.decide(renewed, PUBLISH, "alice", Call("192.0.2.9", "x"))
    await authority.decide(renewed, READ, "alice", LOOK)
    await authority.decide("open-sesame-0123456789", PUBLISH, "alice", CALL)


async def test_a_key_that_was_taken_back_is_no_longer_good(authority: Authority) -> None:
    assert authority.ring is not None
    signed = sign(KEY)
    await authority.decide(signed, PUBLISH, "alice", CALL)
    authority.ring.keys = ring(token_key("next")).keys
    with pytest.raises(Unauthorized):
        await authority.decide(signed, PUBLISH, "alice", CALL)


async def test_the_webhook_is_asked_about_what_no_key_is_good_for(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    asked: list[Any] = []

    async def post(document: bytes) -> tuple[int, bytes]:
        asked.append(json.loads(document)["token"])
        if asked[-1] == "down":
            raise OSError("down")
        return (200, b'{"allow": true, "subject": "guest"}') if asked[-1] == "theirs" else (403, b"")

    authority = patient(keys(), webhook=Webhook(post))
    assert (await authority.decide("open-sesame-0123456789", CONTROL, "alice", CALL)).subject == "access-key"
    assert asked == []
    assert (await authority.decide("theirs", PUBLISH, "alice", CALL)).subject == "guest"
    for sent in ("nobody's", None):
        with pytest.raises(Unauthorized):
            await authority.decide(sent, PUBLISH, "alice", CALL)
    with pytest.raises(Unavailable):
        await authority.decide("down", PUBLISH, "alice", CALL)
    assert asked == ["theirs", "nobody's", None, "down"]
    assert [line[3] for line in audited(caplog)] == [
        "it may",
        "it may",
        "the webhook refuses, and here it is no token",
        "the webhook refuses, and here none was sent",
        "the webhook does not answer",
    ]
    await authority.close()


async def test_a_refusal_that_only_the_caller_knows_of_sounds_the_same(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    who = await authority.decide(sign(KEY), PUBLISH, "alice", CALL)
    refused = authority.refused(who, PUBLISH, "alice", CALL, "it is somebody else's session")
    assert str(refused) == REFUSED
    assert "somebody else's session" in caplog.text


async def test_each_refusal_is_counted_by_what_was_wanted() -> None:
    counted: list[str] = []
    authority = Authority(KeyRing(), refusal=0.0, count=counted.append)
    for need in (PUBLISH, WATCH):
        with pytest.raises(Unauthorized):
            await authority.decide("nonsense", need, "anna", Call("192.0.2.1", "POST /whip/{stream}"))
    assert counted == ["publish", "watch"]


async def test_nobody_in_particular_does_not_use_up_the_calls_of_others() -> None:
    async def post(document: bytes) -> tuple[int, bytes]:
        return 200, b'{"allow": true}'

    authority = Authority(webhook=Webhook(post), calls=RateLimit(1, 1.0, clock=lambda: 0.0))
    await authority.decide(None, WATCH, "anna", Call("192.0.2.1", "POST /whep/{stream}"))
    with pytest.raises(TooManyCalls):
        await authority.decide(None, WATCH, "anna", Call("192.0.2.1", "POST /whep/{stream}"))
    await authority.decide(None, WATCH, "anna", Call("192.0.2.2", "POST /whep/{stream}"))


@pytest.mark.parametrize("stream", ["x" * 65, "a b", "", "a\n"])
async def test_the_webhook_is_not_asked_about_what_no_stream_is_called(stream: str) -> None:
    asked: list[bytes] = []

    async def post(document: bytes) -> tuple[int, bytes]:
        asked.append(document)
        return 200, b'{"allow": true}'

    with pytest.raises(Unauthorized):
        await Authority(webhook=Webhook(post), refusal=0.0).decide("word", WATCH, stream, CALL)
    assert not asked


async def test_a_thousand_streams_tried_are_no_thousand_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    failures = RateLimit(3, 0.5, clock=lambda: 0.0)
    authority = Authority(keys(), failures=failures, refusal=0.0, audit=AuditLog(lambda: 0.0))
    for number in range(50):
        with pytest.raises((Unauthorized, TooManyCalls)):
            await authority.decide("wrong", WATCH, f"stream-{number}", Call(f"2001:db8::{number}", "POST /whep/{stream}"))
    authority.audit.close()
    lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == "doppel.audit"]
    assert [line["stream"] for line in lines] == ["stream-0", "stream-1", "stream-2", None, None]
    assert {(line["client"], line["reason"]) for line in lines[3:]} == {("2001:db8::/64", "too many refusals")}
    assert lines[-1]["repeated"] == 46
