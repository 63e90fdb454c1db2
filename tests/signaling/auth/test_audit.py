from __future__ import annotations

import dataclasses
import json
import logging
import tracemalloc
from typing import Any

import pytest

from signaling.auth import audit
from signaling.auth.audit import READING_WINDOW, WINDOW, AuditLog, Decision

REFUSED = Decision("192.0.2.1", "POST /whip/{stream}", "publish", "anna", None, None, False, "none was sent")
READ = Decision("192.0.2.1", "GET /api/streams", "watch", None, "wall", "first", True, "it may")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(record.getMessage()) for record in caplog.records if record.name == "doppel.audit"]


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "doppel.audit")


def test_a_line_says_who_what_and_why(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    AuditLog(clock).record(dataclasses.replace(REFUSED, subject="x" * 1000, stream="a\nb"), "5e1f")
    [line] = lines(caplog)
    assert line.pop("time").endswith("Z")
    assert line == {
        "client": "192.0.2.1",
        "call": "POST /whip/{stream}",
        "action": "publish",
        "stream": "a\nb",
        "subject": "x" * 256,
        "key": None,
        "allowed": False,
        "reason": "none was sent",
        "request": "5e1f",
    }
    assert "\n" not in caplog.records[0].getMessage()
    assert caplog.records[0].levelno == logging.WARNING


def test_the_same_again_is_counted(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    log = AuditLog(clock)
    for step in range(5):
        clock.now = 100 + step * WINDOW / 4
        log.record(REFUSED, str(step))
    log.record(dataclasses.replace(REFUSED, client="192.0.2.2"), "other")
    assert [(line["request"], line.get("repeated")) for line in lines(caplog)] == [("0", None), ("4", 3), ("other", None)]


def test_who_may_look_looks_often_and_is_told_of_once_a_minute(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    log = AuditLog(clock)
    for step in range(3):
        clock.now = 100 + step * (READING_WINDOW - 1)
        log.record(READ, None, reading=True)
        log.record(dataclasses.replace(REFUSED, call=READ.call), None, reading=True)
    assert [line["allowed"] for line in lines(caplog)] == [True, False, False, True, False]


def test_what_was_counted_is_told_in_the_end(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    log = AuditLog(clock)
    for _ in range(3):
        log.record(REFUSED, None)
    log.close()
    log.close()
    assert [line.get("repeated") for line in lines(caplog)] == [None, 2]


def test_it_remembers_so_much_and_loses_no_count(
    clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "REMEMBERED", 2)
    log = AuditLog(clock)
    for client in ("a", "a", "b", "c"):
        log.record(dataclasses.replace(REFUSED, client=client), None)
    assert [(line["client"], line.get("repeated")) for line in lines(caplog)] == [("a", None), ("b", None), ("c", None), ("a", 1)]
    assert len(log._told) == 2


def test_what_is_remembered_is_as_short_as_what_is_told(clock: Clock) -> None:
    log = AuditLog(clock)
    tracemalloc.start()
    try:
        for number in range(100):
            log.record(dataclasses.replace(REFUSED, stream=f"{number}{'x' * 100_000}"), None)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000
