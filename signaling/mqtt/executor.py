"""Does what a command says."""

from __future__ import annotations

import asyncio
from typing import Protocol

from signaling import chain_document
from signaling.errors import Conflict
from signaling.mqtt.commands import ChainCommand, Command, RecordCommand, SettingsCommand
from stream.outputs import Outputs, RecordingWanted
from stream.session import Stream
from transforms.chain import Step


class Streams(Protocol):
    """The streams there are. ``get`` raises UnknownStream."""

    def get(self, name: str, /) -> Stream: ...

    def end(self, stream: Stream, reason: str, /) -> asyncio.Task[None]: ...


class Executor:
    """Lives on the event loop; what takes a while runs in threads."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    async def run(self, name: str, command: Command) -> str | None:
        """Returns the name of a recording that it started.

        Raises SignalingError, StreamError, TransformError or ModelError; nothing has changed then.
        """
        stream = self._streams.get(name)
        match command:
            case ChainCommand():
                steps = await asyncio.to_thread(chain_document.steps, command.chain)
                await stream.set_chain(steps)
            case SettingsCommand():
                await self._set(stream, command)
            case RecordCommand():
                return await self._record(stream.outputs, command)
            case _:
                await asyncio.shield(self._streams.end(stream, "it was ended over MQTT"))
        return None

    @staticmethod
    async def _set(stream: Stream, command: SettingsCommand) -> None:
        place, old = _find(stream.steps, command)
        new = await asyncio.to_thread(_changed, old, command)
        steps = stream.steps
        if len(steps) <= place or steps[place] != old:
            raise Conflict("the chain was changed by somebody else just now; look at it and send the command again")
        steps[place] = new
        await stream.set_chain(steps)

    @staticmethod
    async def _record(outputs: Outputs, command: RecordCommand) -> str | None:
        running = [each for each in outputs.reports() if each.kind == "recording" and each.state != "failed"]
        if command.action == "start":
            return running[0].target if running else (await outputs.add(RecordingWanted())).target
        await asyncio.gather(*(outputs.end(each.id) for each in running))
        return None


def _find(steps: list[Step], command: SettingsCommand) -> tuple[int, Step]:
    """The step that is meant, and its place. Raises Conflict."""
    if command.step is not None:
        if command.step < len(steps) and steps[command.step].key == command.transform:
            return command.step, steps[command.step]
        raise Conflict(f"step {command.step} of the chain is not {command.transform!r}; the stream's state has the chain")
    found = [(place, step) for place, step in enumerate(steps) if step.key == command.transform]
    if not found:
        raise Conflict(f"the chain has no {command.transform!r}; set one with the command `chain` first")
    if len(found) > 1:
        raise Conflict(f"the chain has {len(found)} steps of {command.transform!r}; say which with `step`")
    return found[0]


def _changed(step: Step, command: SettingsCommand) -> Step:
    """Raises TransformError."""
    return Step.parse(step.key, {**dict(step.settings), **command.settings})
