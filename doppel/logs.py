"""Log lines, for people or for machines, with the stream and the session that they are about and without secrets."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Literal, TextIO

from pydantic import SecretStr

from signaling.auth import audit

FIELDS = ("stream", "session")
"""What a message may carry: ``logger.info("...", extra={"stream": name, "session": id})``."""

CREDENTIAL = re.compile(r"((?:[?&#](?:key|password|secret)|token|access_key|credential)=|Bearer\s+)[^\s&\"']+", re.IGNORECASE)
"""Credentials where clients send them: in a query or a fragment, and in an Authorization header."""

TOKEN = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
"""A JSON Web Token, wherever it stands: its head is a JSON object, which base64url always begins so."""

USER = re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^\s/?#@\"']+@", re.IGNORECASE)
"""User and password of a URL."""

CONTROL = {code: repr(chr(code))[1:-1] for code in (*range(32), *range(127, 160), 0x2028, 0x2029)}
"""Control characters and line breaks, written out: what a client sends must not look like a line of its own."""


class LineFormatter(logging.Formatter):
    """Makes the parts of a line, with every credential and every configured secret blotted out."""

    def __init__(self, secrets: Sequence[SecretStr] = ()) -> None:
        super().__init__()
        self._secrets: list[str] = []
        self.hide(secrets)

    def hide(self, secrets: Iterable[SecretStr]) -> None:
        """Blots these out too, from now on."""
        words = {*self._secrets, *(secret.get_secret_value() for secret in secrets)} - {""}
        self._secrets = sorted(words, key=len, reverse=True)

    def clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return USER.sub(r"\1***@", TOKEN.sub("***", CREDENTIAL.sub(r"\1***", text)))

    def message(self, record: logging.LogRecord) -> str:
        return self.clean(record.getMessage())

    def trace(self, record: logging.LogRecord) -> str | None:
        return self.clean(self.formatException(record.exc_info)) if record.exc_info and record.exc_info[0] else None

    @staticmethod
    def fields(record: logging.LogRecord) -> dict[str, str]:
        return {name: str(value) for name in FIELDS if (value := getattr(record, name, None)) is not None}

    @staticmethod
    def time(record: logging.LogRecord) -> str:
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class TextFormatter(LineFormatter):
    """``2026-01-31T12:00:00.000Z INFO stream.session: message [stream=a session=b]``, and the traceback below, indented."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{self.time(record)} {record.levelname} {record.name}: {self.message(record)}"
        if fields := self.fields(record):
            line += f" [{' '.join(f'{name}={value}' for name, value in fields.items())}]"
        # Indented, so that no part of an error's message stands where a line of its own begins.
        trace = [f"  {part.translate(CONTROL)}" for part in (self.trace(record) or "").split("\n") if part]
        return "\n".join([line.translate(CONTROL), *trace])


class JsonFormatter(LineFormatter):
    """One JSON object a line: time, level, logger, message, then stream, session and traceback where there are any."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self.message(record),
        }
        line |= self.fields(record)
        if trace := self.trace(record):
            line["traceback"] = trace
        return json.dumps(line, ensure_ascii=False)


def configure(level: str, form: Literal["text", "json"], secrets: Sequence[SecretStr] = (), output: TextIO | None = None) -> None:
    """Sends every logger's lines to the output (standard error) in that form; replaces what was configured before."""
    handler = logging.StreamHandler(output or sys.stderr)
    handler.setFormatter(JsonFormatter(secrets) if form == "json" else TextFormatter(secrets))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for chatty in ("aiohttp.access", "aioice", "aiortc", "asyncio"):  # a line for each request or packet
        logging.getLogger(chatty).setLevel(logging.INFO if level == "debug" else logging.WARNING)


def hide(secrets: Iterable[SecretStr]) -> None:
    """Blots these out of every line from now on: keys that were read after the start."""
    words = list(secrets)
    for logger in (logging.getLogger(), logging.getLogger(audit.NAME)):
        for handler in logger.handlers:
            if isinstance(handler.formatter, LineFormatter):
                handler.formatter.hide(words)


class AuditFormatter(LineFormatter):
    """The audit log's own file: its lines are JSON as they come."""

    def format(self, record: logging.LogRecord) -> str:
        return self.message(record)


def audit_to(file: Path, secrets: Sequence[SecretStr] = ()) -> None:
    """Appends the audit log to a file of its own, and to no other place. Raises OSError.

    Another file in its place is noticed, so that logrotate may move it.
    """
    handler = WatchedFileHandler(file, encoding="utf-8")
    handler.setFormatter(AuditFormatter(secrets))
    logger = logging.getLogger(audit.NAME)
    for old in logger.handlers[:]:
        logger.removeHandler(old)
        old.close()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
