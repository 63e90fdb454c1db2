"""Takes commands, has them carried out one after the other, and answers each."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from signaling.errors import SignalingError
from signaling.mqtt import commands
from signaling.mqtt.commands import Command
from signaling.mqtt.documents import Reply
from signaling.mqtt.limits import (
    COMMAND_PATIENCE,
    INLINE,
    MAX_COMMAND_BYTES,
    MAX_COMMANDS,
    MAX_CORRELATION,
    MAX_LATE,
    MAX_PAYLOAD,
    MAX_RESPONSE_TOPIC,
)
from signaling.mqtt.message import Message, Received
from signaling.mqtt.metrics import MqttMetrics
from signaling.mqtt.outbox import Outbox
from signaling.mqtt.topics import Topics
from stream.errors import StreamError, UnknownStream
from transforms.errors import ModelError, TransformError

logger = logging.getLogger(__name__)

A = TypeVar("A")
R = TypeVar("R")


class Run(Protocol):
    """Carries out a command, as ``Executor.run`` does."""

    async def __call__(self, name: str, command: Command, /) -> str | None: ...


@dataclass(frozen=True, slots=True)
class _Waiting:
    stream: str
    received: Received
    arrived: int
    """Monotonic ns."""


class Desk:
    """Lives on the event loop. One queue for the whole node: what was asked first is done first."""

    def __init__(
        self,
        topics: Topics,
        run: Run,
        outbox: Outbox,
        metrics: MqttMetrics,
        *,
        capacity: int = MAX_COMMANDS,
        patience: float = COMMAND_PATIENCE,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """``patience`` is in s; ``clock`` is monotonic ns."""
        self._topics = topics
        self._run = run
        self._outbox = outbox
        self._metrics = metrics
        self._capacity = capacity
        self._patience = patience
        self._clock = clock
        self._queue: deque[_Waiting] = deque()
        self._octets = 0
        """Of all that wait."""
        self._filled = asyncio.Event()
        self._late: set[asyncio.Task[str | None]] = set()

    def take(self, stream: str, received: Received) -> None:
        """Lets it wait for its turn, or answers at once why it may not."""
        waiting = _Waiting(stream, received, self._clock())
        length = len(received.payload)
        if received.retained:
            # It would come again with every connection.
            self._refuse(waiting, "invalid", 422, "a command must not be retained: publish it without the retain flag")
        elif length > MAX_PAYLOAD:
            self._refuse(waiting, "invalid", 413, f"a command has at most {MAX_PAYLOAD} bytes; set long settings over HTTP")
        elif len(self._queue) >= self._capacity or self._octets + length > MAX_COMMAND_BYTES:
            self._refuse(waiting, "busy", 503, "busy: as many commands wait as may; send this one again in a moment")
        else:
            self._queue.append(waiting)
            self._octets += length
            self._filled.set()

    async def work(self) -> None:
        """Until it is cancelled."""
        try:
            while True:
                while not self._queue:
                    self._filled.clear()
                    await self._filled.wait()
                waiting = self._queue.popleft()
                self._octets -= len(waiting.received.payload)
                await self._serve(waiting)
        finally:
            for task in self._late:
                task.cancel()
            if self._late:
                await asyncio.wait(self._late)

    async def _serve(self, waiting: _Waiting) -> None:
        id: str | None = None
        kind: str | None = None
        try:
            document = await _off_loop(waiting, commands.read, waiting.received.payload)
            id = commands.id_of(document)
            command = await _off_loop(waiting, commands.parse, document)
            kind = command.command
        except SignalingError as error:
            self._answer(waiting, "invalid", Reply.make(waiting.stream, error.status, str(error), id=id, command=kind))
            return
        result, status, detail, target = await self._carry_out(waiting.stream, command)
        self._answer(waiting, result, Reply.make(waiting.stream, status, detail, id=id, command=kind, target=target))

    async def _carry_out(self, stream: str, command: Command) -> tuple[str, int, str, str | None]:
        """What came of it, for the metrics; status, detail, and a recording's file."""
        task = asyncio.create_task(self._run(stream, command), name=f"doppel-mqtt-{command.command}")
        self._late.add(task)
        task.add_done_callback(self._late.discard)
        patient = len(self._late) > MAX_LATE
        await asyncio.wait({task}, timeout=None if patient else self._patience)
        if not task.done():
            task.add_done_callback(lambda done: _tell_late(stream, command, done))
            return (
                "late",
                202,
                f"this takes longer than {self._patience:g} s and goes on; the stream's state tells when it is done",
                None,
            )
        try:
            return "done", 200, "", task.result()
        except SignalingError as error:
            return "refused", error.status, str(error), None
        except UnknownStream as error:
            return "refused", 404, str(error), None
        except (StreamError, TransformError) as error:
            return "refused", 422, str(error), None
        except ModelError as error:
            logger.warning("a model could not be had: %s", error)
            return "refused", 503, str(error), None
        except Exception:  # the boundary: a fault of ours must not end the service, nor show its inside
            logger.exception("command %s failed", command.command, extra={"stream": stream})
            return "failed", 500, "the server made a mistake, and has written it to its log; try again", None

    def _refuse(self, waiting: _Waiting, result: str, status: int, detail: str) -> None:
        """Answers one that is not carried out, and not read unless that is quick."""
        id: str | None = None
        if _short(waiting):
            with contextlib.suppress(SignalingError):
                id = commands.id_of(commands.read(waiting.received.payload))
        self._answer(waiting, result, Reply.make(waiting.stream, status, detail, id=id))

    def _answer(self, waiting: _Waiting, result: str, reply: Reply) -> None:
        received = waiting.received
        correlation = received.correlation if len(received.correlation or b"") <= MAX_CORRELATION else None
        self._outbox.put(Message("reply", self._reply_topic(received), reply.encode(), correlation))
        self._metrics.commands[result].inc()
        self._metrics.duration.observe((self._clock() - waiting.arrived) / 1e9)

    def _reply_topic(self, received: Received) -> str:
        """Where who asked wants the answer; not among the topics of any node, where it might be taken for something else."""
        wanted = received.response_topic
        if (
            not wanted
            or len(wanted) > MAX_RESPONSE_TOPIC
            or not wanted.isprintable()
            or "+" in wanted
            or "#" in wanted
            or wanted.startswith(("$", f"{self._topics.prefix}/", "homeassistant/"))
        ):
            return self._topics.replies
        return wanted


def _short(waiting: _Waiting) -> bool:
    return len(waiting.received.payload) <= INLINE


async def _off_loop(waiting: _Waiting, function: Callable[[A], R], argument: A) -> R:
    """In a thread, unless it is so short that the way there takes longer."""
    return function(argument) if _short(waiting) else await asyncio.to_thread(function, argument)


def _tell_late(stream: str, command: Command, task: asyncio.Task[str | None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.warning("command %s, which took long, failed: %s", command.command, error, extra={"stream": stream})
