"""Somebody else's say: what is asked, what is believed and for how long, and that silence is a no."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from signaling.auth import webhook
from signaling.auth.need import CONTROL, KNOWN, PUBLISH, READ, WATCH
from signaling.auth.webhook import ALLOWED_FOR, AT_ONCE, MAX_ANSWER, REFUSED_FOR, WAITING, WAITING_OF_ONE, Webhook
from signaling.errors import Unavailable


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Service:
    """Answers what a test says."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.status = 200
        self.answer: object = {"allow": True}
        self.error: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.now = 0
        self.most = 0

    async def post(self, document: bytes) -> tuple[int, bytes]:
        self.asked.append(json.loads(document))
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            if self.gate is not None:
                await self.gate.wait()
            if self.error is not None:
                raise self.error
            return self.status, self.answer if isinstance(self.answer, bytes) else json.dumps(self.answer).encode()
        finally:
            self.now -= 1


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hook(service: Service, clock: Clock) -> Webhook:
    return Webhook(service.post, clock)


async def test_it_is_told_what_is_to_be_decided(hook: Webhook, service: Service) -> None:
    await hook.ask("t0ken", PUBLISH, "anna", "192.0.2.1")
    await hook.ask(None, KNOWN, None, "192.0.2.1")
    assert service.asked == [
        {"token": "t0ken", "action": "publish", "stream": "anna", "client": "192.0.2.1"},
        {"token": None, "action": "watch", "stream": None, "client": "192.0.2.1"},
    ]


async def test_a_yes_is_to_what_was_asked(hook: Webhook) -> None:
    who = await hook.ask("t0ken", PUBLISH, "anna", "")
    assert who is not None
    assert who.may(PUBLISH, "anna")
    assert not who.may(WATCH, "anna")
    assert not who.may(PUBLISH, "bob")
    assert who.identity is not None
    assert "t0ken" not in who.identity


async def test_it_may_say_more(hook: Webhook, service: Service) -> None:
    service.answer = {"allow": True, "subject": "anna", "scopes": ["watch", "control"], "streams": ["team-*"], "more": 1}
    who = await hook.ask("t0ken", READ, "team-a", "")
    assert who is not None
    assert (who.identity, who.subject, who.key) == ("hook:anna", "anna", "webhook")
    assert who.may(CONTROL, "team-b")
    assert not who.may(WATCH, "anna")


@pytest.mark.parametrize(("status", "answer"), [(200, {"allow": False}), (403, b""), (401, b"<html>")])
async def test_a_no(hook: Webhook, service: Service, status: int, answer: object) -> None:
    service.status, service.answer = status, answer
    assert await hook.ask("t0ken", WATCH, "anna", "") is None


@pytest.mark.parametrize(
    "fails",
    [
        {"status": 500},
        {"status": 302},
        {"status": 404},
        {"answer": b"yes"},
        {"answer": {"allow": "maybe"}},
        {"answer": {}},
        {"answer": {"allow": True, "scopes": ["root"]}},
        {"answer": {"allow": True, "streams": ["a b"]}},
        {"answer": b'{"allow": true}' + b" " * MAX_ANSWER},
        {"error": OSError("refused")},
        {"error": TimeoutError()},
    ],
)
async def test_whatever_else_it_says_is_nothing_and_is_asked_again(
    hook: Webhook, service: Service, fails: dict[str, Any]
) -> None:
    for name, value in fails.items():
        setattr(service, name, value)
    for _ in range(2):
        with pytest.raises(Unavailable, match="try again") as caught:
            await hook.ask("t0ken", WATCH, "anna", "")
        assert caught.value.retry_after
    assert len(service.asked) == 2


async def test_silence_ends(hook: Webhook, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "TIMEOUT", 0.0)
    service.gate = asyncio.Event()
    with pytest.raises(Unavailable):
        await hook.ask("t0ken", WATCH, "anna", "")


@pytest.mark.parametrize(("answer", "lasts"), [({"allow": True}, ALLOWED_FOR), ({"allow": False}, REFUSED_FOR)])
async def test_an_answer_is_believed_for_some_seconds(
    hook: Webhook, service: Service, clock: Clock, answer: object, lasts: float
) -> None:
    service.answer = answer
    for later in (0.0, lasts - 0.1, lasts + 0.1):
        clock.now = 100 + later
        await hook.ask("t0ken", WATCH, "anna", "192.0.2.1")
    assert len(service.asked) == 2


@pytest.mark.parametrize(
    "other",
    [("t1ken", WATCH, "anna", "a"), ("t0ken", PUBLISH, "anna", "a"), ("t0ken", WATCH, "bob", "a"), ("t0ken", WATCH, "anna", "b")],
)
async def test_and_for_nothing_else(hook: Webhook, service: Service, other: Any) -> None:
    await hook.ask("t0ken", WATCH, "anna", "a")
    await hook.ask(*other)
    assert len(service.asked) == 2


async def test_tokens_are_not_kept(hook: Webhook) -> None:
    await hook.ask("t0ken", WATCH, "anna", "a")
    assert "t0ken" not in repr(hook._known)


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not what():  # noqa: ASYNC110 - of nothing that tells
            await asyncio.sleep(0)


async def test_many_who_ask_the_same_ask_once_and_others_take_turns(hook: Webhook, service: Service) -> None:
    service.gate = asyncio.Event()
    same = [asyncio.create_task(hook.ask("t0ken", WATCH, "anna", "")) for _ in range(20)]
    others = [asyncio.create_task(hook.ask(f"t{number}", WATCH, "anna", f"192.0.2.{number}")) for number in range(WAITING - 1)]
    await until(lambda: service.now == AT_ONCE)
    with pytest.raises(Unavailable):
        await hook.ask("one more", WATCH, "anna", "")
    same[0].cancel()
    service.gate.set()
    answers = await asyncio.gather(*same[1:], *others)
    assert all(answers)
    assert len(service.asked) == WAITING
    assert service.most == AT_ONCE


@pytest.mark.parametrize(
    ("one", "same", "other"), [("192.0.2.1",) * 2 + ("192.0.2.2",), ("2001:db8::1", "2001:db8::2", "2001:db8:1::1")]
)
async def test_one_address_leaves_room_for_others(hook: Webhook, service: Service, one: str, same: str, other: str) -> None:
    service.gate = asyncio.Event()
    tasks = [asyncio.create_task(hook.ask(f"t{number}", WATCH, "anna", one)) for number in range(WAITING_OF_ONE)]
    await until(lambda: service.now == AT_ONCE)
    with pytest.raises(Unavailable):
        await hook.ask("one more", WATCH, "anna", same)
    tasks.append(asyncio.create_task(hook.ask("of another", WATCH, "anna", other)))
    service.gate.set()
    assert all(await asyncio.gather(*tasks))
    assert await hook.ask("one more", WATCH, "anna", same)


async def test_what_is_remembered_has_a_bound(hook: Webhook, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "REMEMBERED", 2)
    for number in range(5):
        await hook.ask(str(number), WATCH, "anna", "")
    assert len(hook._known) == 2


async def test_closing_leaves_nobody_asking(hook: Webhook, service: Service) -> None:
    service.gate = asyncio.Event()
    task = asyncio.create_task(hook.ask("t0ken", WATCH, "anna", ""))
    await until(lambda: service.now == 1)
    await hook.close()
    with pytest.raises(asyncio.CancelledError):
        await task
