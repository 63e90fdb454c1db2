"""What waits for the broker, bounded: of a state only the newest, and of the rest the oldest and least goes first."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

from signaling.mqtt.limits import MAX_CLEARS, MAX_QUEUED
from signaling.mqtt.message import Kind, Message
from signaling.mqtt.metrics import DROPPABLE, MqttMetrics


class Outbox:
    """Lives on the event loop."""

    def __init__(self, metrics: MqttMetrics, capacity: int = MAX_QUEUED, clears: int = MAX_CLEARS) -> None:
        self._metrics = metrics
        self._capacity = capacity
        self._clears = clears
        self._states: dict[str, Message] = {}
        """By topic; in the order in which they are sent."""
        self._queues: dict[Kind, deque[Message]] = {kind: deque() for kind in DROPPABLE}
        self._filled = asyncio.Event()
        self._online = False

    def __len__(self) -> int:
        return len(self._states) + self._queued

    @property
    def _queued(self) -> int:
        return sum(map(len, self._queues.values()))

    def put(self, message: Message) -> None:
        """A state takes the place of the one before it on its topic; anything else may push out what matters less."""
        if message.kind == "state":
            if not message.payload and not self._may_clear(message.topic):
                return
            self._states[message.topic] = message
        else:
            self._queues[message.kind].append(message)
            if self._queued > self._capacity:
                least = next(kind for kind in DROPPABLE if self._queues[kind])
                self._queues[least].popleft()
                self._metrics.dropped[least].inc()
        self._filled.set()

    async def get(self) -> Message:
        """The next to send, when there is one; it is the caller's then."""
        while not len(self):
            self._filled.clear()
            await self._filled.wait()
        if self._states:
            return self._states.pop(next(iter(self._states)))
        return next(self._queues[kind].popleft() for kind in reversed(DROPPABLE) if self._queues[kind])

    def restore(self, messages: Iterable[Message]) -> None:
        """Takes back what the broker did not get, oldest first. A state that is newer by now stays."""
        for message in reversed(list(messages)):
            if message.kind == "state":
                if message.topic not in self._states:
                    self._states = {message.topic: message, **self._states}
            elif self._queued < self._capacity:
                self._queues[message.kind].appendleft(message)
            else:
                self._metrics.dropped[message.kind].inc()
        if len(self):
            self._filled.set()

    def connected(self) -> None:
        """From now on what is over is cleared at the broker."""
        self._online = True

    def disconnected(self) -> None:
        """Nothing is to be cleared any more: the next connection looks at what is retained, and clears what is over then."""
        self._online = False
        self._states = {topic: message for topic, message in self._states.items() if message.payload}

    def _may_clear(self, topic: str) -> bool:
        if self._online and (topic in self._states or sum(not each.payload for each in self._states.values()) < self._clears):
            return True
        self._states.pop(topic, None)
        return False
