"""The audit log: who asked for what, and what came of it, a line of JSON each. What they sent is never in it."""

from __future__ import annotations

import dataclasses
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

NAME = "doppel.audit"
"""Of its logger."""

WINDOW = 1.0
"""s in which the same again is only counted: somebody who tries a thousand words writes no thousand lines."""

READING_WINDOW = 60.0
"""s, where somebody may look, and looks again and again: pages ask every second."""

REMEMBERED = 4096
"""Lines that are compared with what comes, some 500 bytes each."""

MAX_FIELD = 256
"""Characters of what a client may have had a say in: a subject, a stream."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is told of one. Two that are equal but for the request are the same thing again."""

    client: str
    """Its address."""
    call: str
    """Method and route, or how else it came."""
    action: str
    stream: str | None
    subject: str | None
    key: str | None
    """The id of the key, or the name of the static one."""
    allowed: bool
    reason: str


class AuditLog:
    """Lives on the event loop. Lines go to the logger ``doppel.audit``, and from there where it is told to write."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` in seconds."""
        self._logger = logging.getLogger(NAME)
        self._clock = clock
        self._told: OrderedDict[Decision, tuple[float, int]] = OrderedDict()
        """When it was told last, and how often it came since; the oldest first."""

    def record(self, decision: Decision, request: str | None, *, reading: bool = False) -> None:
        """``request`` is the id that the client got to see. Of ``reading``, what was allowed is told once a minute."""
        # What is kept is as short as what is told: anybody may ask for a stream with a name of 8 KB.
        decision = _short(decision)
        now = self._clock()
        last, unsaid = self._told.get(decision, (-READING_WINDOW, 0))
        if now - last < (READING_WINDOW if reading and decision.allowed else WINDOW):
            self._told[decision] = (last, unsaid + 1)
            return
        self._write(decision, request, unsaid)
        self._told[decision] = (now, 0)
        self._told.move_to_end(decision)
        if len(self._told) > REMEMBERED:
            forgotten, (_, count) = self._told.popitem(last=False)
            if count:
                self._write(forgotten, None, count)

    def close(self) -> None:
        """Tells what was counted and not told yet."""
        for decision, (_, count) in self._told.items():
            if count:
                self._write(decision, None, count)
        self._told.clear()

    def _write(self, decision: Decision, request: str | None, repeated: int) -> None:
        line: dict[str, object] = {"time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")}
        line |= dataclasses.asdict(decision)
        line["request"] = request
        if repeated:
            line["repeated"] = repeated
        self._logger.log(logging.INFO if decision.allowed else logging.WARNING, "%s", json.dumps(line))


def _short(decision: Decision) -> Decision:
    """With nothing in it that is longer than MAX_FIELD."""
    long: dict[str, Any] = {
        field.name: value[:MAX_FIELD]
        for field in dataclasses.fields(decision)
        if isinstance(value := getattr(decision, field.name), str) and len(value) > MAX_FIELD
    }
    return dataclasses.replace(decision, **long) if long else decision
