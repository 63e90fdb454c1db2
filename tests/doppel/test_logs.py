"""What a log line holds, and what it never does."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from pydantic import SecretStr

from doppel import logs

logger = logging.getLogger("stream.session")


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def logged(form: Literal["text", "json"], message: str, *args: object, error: Exception | None = None, **extra: str) -> str:
    output = io.StringIO()
    logs.configure("info", form, [SecretStr("open-sesame-1234")], output)
    logger.info(message, *args, extra=extra, exc_info=error)
    return output.getvalue()


def test_text_carries_stream_and_session() -> None:
    line = logged("text", "publisher left after %d s", 3, stream="anna", session="s1")
    assert line.endswith(" INFO stream.session: publisher left after 3 s [stream=anna session=s1]\n")


def test_json_carries_stream_and_session_as_fields() -> None:
    line = json.loads(logged("json", "publisher left", stream="anna"))
    assert line.pop("time").endswith("Z")
    assert line == {"level": "info", "logger": "stream.session", "message": "publisher left", "stream": "anna"}


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_gets_through(form: Literal["text", "json"]) -> None:
    line = logged(form, "GET /whep/a?token=%s HTTP/1.1, Authorization: Bearer %s, key %s", "abc", "def", "open-sesame-1234")
    for secret in ("abc", "def", "open-sesame"):
        assert secret not in line
    assert line.count("***") == 3


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_gets_through_in_a_traceback(form: Literal["text", "json"]) -> None:
    line = logged(form, "failed", error=ValueError("open-sesame-1234"))
    assert "ValueError: ***" in line
    assert "open-sesame" not in line


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_a_client_sends_cannot_look_like_a_line(form: Literal["text", "json"]) -> None:
    line = logged(form, "stream %s", "a\n2026-01-31T12:00:00.000Z ERROR doppel: all is lost\r\x1b[2J")
    assert line.count("\n") == 1
    assert "\x1b" not in line
    assert "\r" not in line


def test_the_level_is_kept() -> None:
    output = io.StringIO()
    logs.configure("warning", "text", output=output)
    logger.info("not this")
    logger.warning("but this")
    assert "not this" not in output.getvalue()
    assert "but this" in output.getvalue()


JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm5hIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    "told",
    [
        JWT,
        f"a token {JWT}, that is",
        f"/watch/a#token={JWT}",
        f"rtmp://host/live/a?key={JWT}&b=c",
        "?password=hush-hush",
        "#key=hush-hush",
        "rtsp://user:hush-hush@camera.example/live",
        "redis+tls://hush-hush@host",
    ],
)
def test_tokens_and_credentials_do_not_wherever_they_stand(form: Literal["text", "json"], told: str) -> None:
    line = logged(form, "seen: %s", told) + logged(form, "failed", error=ValueError(told))
    assert "***" in line
    for secret in ("hush", "eyJ", "c2lnbmF0dXJl"):
        assert secret not in line


def test_a_key_that_is_read_later_is_hidden_too(tmp_path: Path) -> None:
    output = io.StringIO()
    logs.configure("info", "text", [SecretStr("first-secret-1234")], output)
    logs.hide([SecretStr("second-secret-123")])
    logger.info("first-secret-1234 second-secret-123")
    assert output.getvalue().count("***") == 2


@pytest.fixture
def audit_logger() -> Iterator[logging.Logger]:
    kept = logging.getLogger("doppel.audit")
    yield kept
    for handler in kept.handlers[:]:
        kept.removeHandler(handler)
        handler.close()
    kept.propagate = True


def test_the_audit_log_may_have_a_file_of_its_own(tmp_path: Path, audit_logger: logging.Logger) -> None:
    output = io.StringIO()
    logs.configure("error", "text", output=output)
    file = tmp_path / "audit.log"
    logs.audit_to(file, [SecretStr("first-secret-1234")])
    audit_logger.info("%s", '{"subject": "first-secret-1234"}')
    file.rename(tmp_path / "audit.log.1")
    logs.hide([SecretStr("second-secret-123")])
    audit_logger.info("%s", '{"subject": "second-secret-123"}')
    assert (tmp_path / "audit.log.1").read_text() == '{"subject": "***"}\n'
    assert file.read_text() == '{"subject": "***"}\n'
    assert output.getvalue() == ""
    with pytest.raises(OSError, match="absent"):
        logs.audit_to(tmp_path / "absent" / "audit.log")


def test_an_errors_message_makes_no_line_of_its_own() -> None:
    try:
        raise ValueError("broken\n2026-01-31T12:00:00.000Z INFO doppel: all is well\x1b[2J")
    except ValueError as error:
        first, *others = logged("text", "failed", error=error).splitlines()
    assert first.endswith("INFO stream.session: failed")
    assert any("all is well\\x1b[2J" in line for line in others)
    assert all(line.startswith("  ") for line in others)
