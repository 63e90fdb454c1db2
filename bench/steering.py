"""Somebody at a desk who sends commands over MQTT at a steady pace, in a process of its own."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiomqtt

from bench.apart import measured

START_TIMEOUT = 20.0
"""s for the process to start, on a busy machine."""
PATIENCE = 10.0
"""s for the last replies."""
CHAIN_EVERY = 10
"""Every so manieth command sets the whole chain, the others one setting."""
NO_DELAY = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
"""What is sent goes at once, and does not wait for the acknowledgement of what was sent before."""
LEAST, SWING = 10, 40
"""The setting goes from the one up, by the other at most."""
CHAIN = [{"transform": "grade", "settings": {"vignette": LEAST}}]
"""What streams run before the first command. It costs as much with any other vignette, while other settings of `grade` have a
table made anew for each frame until they are there: what is measured is the way of commands."""


@dataclass(frozen=True, slots=True)
class SteerPlan:
    port: int
    node: str
    streams: Sequence[str]
    """Which take turns."""
    count: int
    seconds: float


@dataclass(slots=True)
class Steered:
    """Times are monotonic ns."""

    due: list[int] = field(default_factory=list)
    """When each command was to be sent; a late one counts as late."""
    answered: list[tuple[int, int, int]] = field(default_factory=list)
    """Number, time and status of each reply, in the order in which they came."""

    @property
    def ms(self) -> list[float]:
        return [(at - self.due[number]) / 1e6 for number, at, _ in self.answered]


def steer(plan: SteerPlan) -> Steered:
    """Runs a plan in a new process. Raises ClientFailed."""
    return measured(_steer, plan, START_TIMEOUT + plan.seconds + PATIENCE)


async def _steer(plan: SteerPlan) -> Steered:
    steered = Steered()
    async with aiomqtt.Client("127.0.0.1", plan.port, protocol=aiomqtt.ProtocolVersion.V5, socket_options=[NO_DELAY]) as client:
        client.pending_calls_threshold = plan.count
        await client.subscribe(f"doppel/{plan.node}/replies", qos=1)
        reading = asyncio.create_task(_read(client, plan.count, steered))
        sending = set()
        began = time.monotonic_ns() + 100_000_000
        for number in range(plan.count):
            due = began + round(number * plan.seconds / plan.count * 1e9)
            steered.due.append(due)
            await asyncio.sleep((due - time.monotonic_ns()) / 1e9)
            topic = f"doppel/{plan.node}/streams/{plan.streams[number % len(plan.streams)]}/set"
            # Not one after the other: who waits for an answer sends late, and sees no queue.
            task = asyncio.create_task(client.publish(topic, json.dumps(_command(number)), qos=1))
            sending.add(task)
            task.add_done_callback(sending.discard)
        try:
            async with asyncio.timeout(PATIENCE):
                await reading
        except TimeoutError:
            pass  # what is missing is seen
    return steered


async def _read(client: aiomqtt.Client, count: int, steered: Steered) -> None:
    async for message in client.messages:
        now = time.monotonic_ns()
        reply = json.loads(message.payload)
        steered.answered.append((int(reply["id"]), now, reply["status"]))
        if len(steered.answered) == count:
            return


def _command(number: int) -> dict[str, object]:
    settings = {"vignette": LEAST + number % SWING}
    if number % CHAIN_EVERY == 0:
        return {"id": str(number), "command": "chain", "chain": [{"transform": "grade", "settings": settings}]}
    return {"id": str(number), "command": "settings", "transform": "grade", "settings": settings}
