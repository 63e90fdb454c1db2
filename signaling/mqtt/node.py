"""This server as a node of a fleet: connects to the broker, again and again, and lets the parts work."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable

from signaling.mqtt.backoff import Backoff
from signaling.mqtt.connection import Open
from signaling.mqtt.desk import Desk
from signaling.mqtt.discovery import Discovery
from signaling.mqtt.documents import Status
from signaling.mqtt.limits import FLUSH, SWEEP, WINDOW
from signaling.mqtt.message import Link, LinkLost, Message
from signaling.mqtt.metrics import MqttMetrics
from signaling.mqtt.outbox import Outbox
from signaling.mqtt.reporter import Reporter
from signaling.mqtt.topics import Topics

logger = logging.getLogger(__name__)

Sleep = Callable[[float], Awaitable[None]]
"""s."""


class Node:
    """Lives on the event loop, from ``start`` to ``close``."""

    def __init__(
        self,
        topics: Topics,
        version: str,
        *,
        open: Open,
        outbox: Outbox,
        desk: Desk,
        reporter: Reporter,
        discovery: Discovery | None,
        metrics: MqttMetrics,
        backoff: Backoff | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """``clock`` is monotonic ns."""
        self._topics = topics
        self._version = version
        self._open = open
        self._outbox = outbox
        self._desk = desk
        self._reporter = reporter
        self._sweeps = [topics.of("+", "state"), *([discovery.all] if discovery else [])]
        self._metrics = metrics
        self._backoff = backoff or Backoff()
        self._clock = clock
        self._sleep = sleep
        self._connected = False
        self._sending: deque[Message] = deque()
        """On their way, oldest first."""
        self._moved = asyncio.Event()
        """Set when the broker has one more."""
        self._complained = ""
        """The last reason that was logged."""
        self._workers: list[asyncio.Task[None]] = []
        self._link: asyncio.Task[None] | None = None

    def start(self) -> None:
        for name, work in (
            ("states", self._reporter.write_states()),
            ("stats", self._reporter.write_stats()),
            ("commands", self._desk.work()),
        ):
            self._workers.append(_task(name, work))
        self._link = _task("link", self._keep_connected())

    async def close(self) -> None:
        """Says that the node goes, if the broker is there, and ends. Call it when the streams have ended."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        await self._reporter.write_changed()
        self._outbox.put(self._status("offline"))
        if self._connected:
            try:
                async with asyncio.timeout(FLUSH):
                    await self._drained()
            except TimeoutError:
                logger.warning("not all that was to be published reached the MQTT broker within %g s", FLUSH)
        if self._link is not None:
            self._link.cancel()
            await asyncio.gather(self._link, return_exceptions=True)

    async def _keep_connected(self) -> None:
        # The same in every run, so that a broker lets go of the connection that was lost, its last will first.
        identifier = f"{self._topics.prefix.replace('/', '-')}-{self._topics.node}"
        while True:
            began = self._clock()
            try:
                async with self._open(identifier, self._status("offline")) as link:
                    await self._serve(link)
            except* LinkLost as lost:
                self._complain(_first(lost))
            except* Exception:  # the boundary: a fault of ours here must not end the node, which streams do not need
                logger.exception("MQTT failed, and begins again")
            await self._sleep(self._backoff.failed((self._clock() - began) / 1e9))

    async def _serve(self, link: Link) -> None:
        """Until it is lost. Raises a group of LinkLost."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._receive(link))
                await link.subscribe(self._topics.of("+", "set"), kept=False)
                self._connected = True
                self._complained = ""
                self._metrics.connected.set(1)
                self._metrics.connections.inc()
                self._outbox.connected()
                self._outbox.put(self._status("online"))
                self._reporter.refresh()
                group.create_task(self._send(link))
                group.create_task(self._sweep(link))
                logger.info("the MQTT broker is there; this is node %s", self._topics.root)
        finally:
            self._connected = False
            self._metrics.connected.set(0)
            self._outbox.restore(self._sending)
            self._sending.clear()
            self._outbox.disconnected()

    async def _receive(self, link: Link) -> None:
        async for received in link.received():
            stream = self._topics.stream(received.topic, "set")
            if stream is not None:
                self._desk.take(stream, received)
            elif received.retained and received.payload:
                self._reporter.found(received.topic)

    async def _send(self, link: Link) -> None:
        """Not one after the other, since a broker that is far away would make that slow; their order stays."""
        async with asyncio.TaskGroup() as group:
            while True:
                while len(self._sending) >= WINDOW:
                    await self._move()
                message = await self._outbox.get()
                self._sending.append(message)
                group.create_task(self._publish(link, message))

    async def _publish(self, link: Link, message: Message) -> None:
        await link.publish(message)
        self._sending.remove(message)
        self._moved.set()

    async def _sweep(self, link: Link) -> None:
        """Has the broker tell for a while what it retains of this node's streams."""
        for topic in self._sweeps:
            await link.subscribe(topic, kept=True)
        await self._sleep(SWEEP)
        for topic in self._sweeps:
            await link.unsubscribe(topic)

    async def _drained(self) -> None:
        while len(self._outbox) or self._sending:
            await self._move()

    async def _move(self) -> None:
        self._moved.clear()
        await self._moved.wait()

    def _status(self, state: str) -> Message:
        status = Status(state="online", version=self._version) if state == "online" else Status(state="offline")
        return Message("state", self._topics.status, status.encode())

    def _complain(self, reason: str) -> None:
        """Once, and not with every attempt."""
        if reason != self._complained:
            logger.warning("no MQTT broker: %s; connecting again until it is there", reason)
            self._complained = reason


def _task(name: str, work: Awaitable[None]) -> asyncio.Task[None]:
    task = asyncio.ensure_future(work)
    assert isinstance(task, asyncio.Task)
    task.set_name(f"doppel-mqtt-{name}")
    task.add_done_callback(_tell_fault)
    return task


def _tell_fault(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error(
            "%s ended, and MQTT does not do its part any more until doppel starts again", task.get_name(), exc_info=error
        )


def _first(group: BaseExceptionGroup[BaseException]) -> str:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error)
