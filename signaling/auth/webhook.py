"""Somebody else's say in who may do what: asked by a POST, and believed for some seconds."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from signaling.auth.need import Need
from signaling.auth.principal import Patterns, Principal, Scopes
from signaling.auth.static_key import digest
from signaling.errors import Unavailable
from signaling.rate import network

TIMEOUT = 3.0
"""s for an answer, waiting for one's turn included: a person waits no longer for a picture."""

MAX_ANSWER = 16 * 1024
"""Bytes: 32 patterns have 3 KB."""

AT_ONCE = 8
"""Questions at once: more would only wait at the other end."""

WAITING = 128
"""Questions that wait for their turn: as many as are answered within TIMEOUT at 200 ms each."""

WAITING_OF_ONE = WAITING // 4
"""Of these, from one address: somebody who tries words leaves room for everybody else."""

ALLOWED_FOR = 10.0
"""s that a yes is believed: as long as somebody may keep what was taken from him."""

REFUSED_FOR = 2.0
"""s that a no is believed: somebody was just given a right."""

REMEMBERED = 4096
"""Answers kept, some 500 bytes each."""

RETRY = 5
"""s after which a client may try again where no answer came."""

Post = Callable[[bytes], Awaitable[tuple[int, bytes]]]
"""Sends JSON; returns status and body, of MAX_ANSWER + 1 bytes at most. Follows no redirect. Raises OSError or TimeoutError."""


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=False)

    allow: bool
    subject: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    scopes: Scopes | None = None
    streams: Patterns | None = None


@dataclass(frozen=True, slots=True)
class _Known:
    principal: Principal | None
    until: float


class Webhook:
    """Lives on the event loop."""

    def __init__(self, post: Post, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` in seconds."""
        self._post = post
        self._clock = clock
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._known: OrderedDict[tuple[object, ...], _Known] = OrderedDict()
        """What was answered, by what was asked; a token only as its hash."""
        self._asking: dict[tuple[object, ...], asyncio.Task[Principal | None]] = {}
        self._waiting: Counter[str] = Counter()
        """Questions that are not answered yet, by whose they are."""

    async def ask(self, credential: str | None, need: Need, stream: str | None, client: str) -> Principal | None:
        """Whose credential this is, or None where it is refused. Raises Unavailable where nobody says."""
        hashed = None if credential is None else digest(credential)
        asked = (hashed, need.action, stream, client)
        known = self._known.get(asked)
        if known is not None and known.until > self._clock():
            return known.principal
        task = self._asking.get(asked)
        if task is None:
            whose = network(client)
            if len(self._asking) >= WAITING or self._waiting[whose] >= WAITING_OF_ONE:
                raise _silent()
            task = asyncio.create_task(self._ask(credential, need, stream, client), name="doppel-auth-webhook")
            self._asking[asked] = task
            self._waiting[whose] += 1
            task.add_done_callback(lambda done: self._answered(asked, whose, done))
        # Shielded: others may wait for the same answer.
        return await asyncio.shield(task)

    async def close(self) -> None:
        tasks = [*self._asking.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, credential: str | None, need: Need, stream: str | None, client: str) -> Principal | None:
        question = {"token": credential, "action": need.action, "stream": stream, "client": client}
        try:
            async with asyncio.timeout(TIMEOUT), self._turns:
                status, body = await self._post(json.dumps(question).encode())
        except (OSError, TimeoutError) as error:
            raise _silent() from error
        if status in (401, 403):
            return None
        if status != 200 or len(body) > MAX_ANSWER:
            raise _silent()
        try:
            answer = _Answer.model_validate_json(body)
        except ValidationError as error:
            raise _silent() from error
        return _principal(answer, credential, need, stream) if answer.allow else None

    def _answered(self, asked: tuple[object, ...], whose: str, task: asyncio.Task[Principal | None]) -> None:
        del self._asking[asked]
        self._waiting[whose] -= 1
        if not self._waiting[whose]:
            del self._waiting[whose]
        if task.cancelled() or task.exception() is not None:
            return
        principal = task.result()
        self._known[asked] = _Known(principal, self._clock() + (ALLOWED_FOR if principal else REFUSED_FOR))
        self._known.move_to_end(asked)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)


def _principal(answer: _Answer, credential: str | None, need: Need, stream: str | None) -> Principal:
    """Without scopes and streams, a yes is to what was asked, and to nothing else."""
    own = None if credential is None else f"token:{digest(credential).hex()}"
    return Principal(
        own if answer.subject is None else f"hook:{answer.subject}",
        answer.subject,
        "webhook",
        frozenset({need.action}) if answer.scopes is None else answer.scopes,
        ("*" if stream is None else stream,) if answer.streams is None else answer.streams,
    )


def _silent() -> Unavailable:
    return Unavailable("who may do this cannot be found out just now; try again in a moment", RETRY)
