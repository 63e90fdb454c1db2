"""Where else a stream goes: recordings, and servers that it is pushed to.

StreamError
├── UnknownOutput   no such output, or not any more
└── OutputRefused   it may not be had; the message says what to change
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stream.egress import Egress
from stream.egress.recording import RecordingEgress
from stream.egress.rtmp import RtmpPushEgress
from stream.errors import StreamError
from stream.report import OutputReport
from stream.rtmp.target import Target

logger = logging.getLogger(__name__)

MAX_OUTPUTS = 8
"""Of a stream, those that failed and are still listed among them: each is a thread or a connection, and a copy of the stream."""

_STATES = {"": "connecting", "live": "running", "refused": "waiting"}
"""What reports call a push's states, where they call them otherwise: one that was refused is tried again."""


class UnknownOutput(StreamError):
    pass


class OutputRefused(StreamError):
    pass


@dataclass(frozen=True, slots=True)
class RecordingWanted:
    """A recording, to a new file in the folder for recordings."""


@dataclass(frozen=True, slots=True)
class PushWanted:
    """A push to an RTMP server."""

    url: str = field(repr=False)
    """rtmp[s]://host[:port]/app/key; the key is secret."""


@dataclass(frozen=True, slots=True)
class OutputRules:
    """What an operator allows."""

    recordings_dir: Path | None = None
    """None: no recordings."""
    push_hosts: frozenset[str] = frozenset()
    """Host names and addresses that may be pushed to, as a URL says them, in lower case."""


@dataclass(slots=True)
class _Entry:
    kind: str
    target: str
    egress: RecordingEgress | RtmpPushEgress
    ended: bool = False
    """Whether it ended by itself, and is only listed still."""


class Outputs:
    """One stream's. Lives on the event loop."""

    def __init__(
        self,
        name: str,
        rules: OutputRules,
        *,
        attach: Callable[[Egress], None],
        detach: Callable[[Egress, str], Awaitable[None]],
        changed: Callable[[], None] = lambda: None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """``attach`` lets an egress have the stream, ``detach`` ends that, and closes the egress. ``changed`` is called when
        there are others than before. ``wall`` is s since 1970.
        """
        self._name = name
        self._rules = rules
        self._attach = attach
        self._detach = detach
        self._changed = changed
        self._wall = wall
        self._loop = asyncio.get_running_loop()
        self._entries: dict[str, _Entry] = {}
        self._adding = asyncio.Lock()
        self._named = ""
        """The last recording's file."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    async def add(self, wanted: RecordingWanted | PushWanted) -> OutputReport:
        """Starts an output. Raises OutputRefused."""
        async with self._adding:
            self._make_room()
            id = secrets.token_hex(4)
            if isinstance(wanted, RecordingWanted):
                entry = await self._recording(id)
            else:
                entry = self._push(wanted)
            if self._closed:
                await entry.egress.close("the stream is over")
                raise OutputRefused(f"stream {self._name!r} is ending; wait for it to be back")
            self._entries[id] = entry
            self._attach(entry.egress)
            if isinstance(entry.egress, RtmpPushEgress):
                entry.egress.start()
        logger.info("stream %s goes to %s too", self._name, entry.target, extra={"stream": self._name})
        self._changed()
        return self._report(id, entry)

    async def end(self, id: str) -> None:
        """Ends an output, or takes one that failed from the list. Raises UnknownOutput."""
        entry = self._entries.pop(id, None)
        if entry is None:
            raise UnknownOutput(f"stream {self._name!r} has no output {id!r}; GET .../outputs lists those that it has")
        self._changed()
        await self._detach(entry.egress, "it was ended by request")

    def reports(self) -> Sequence[OutputReport]:
        return [self._report(id, entry) for id, entry in self._entries.items()]

    async def close(self, reason: str) -> None:
        """Ends all, at once. Safe to call twice."""
        self._closed = True
        entries, self._entries = self._entries, {}
        await asyncio.gather(*(self._detach(entry.egress, reason) for entry in entries.values()), *self._tasks)

    def _make_room(self) -> None:
        if self._closed:
            raise OutputRefused(f"stream {self._name!r} is ending; wait for it to be back")
        if len(self._entries) < MAX_OUTPUTS:
            return
        over = next((id for id, entry in self._entries.items() if entry.ended), None)
        if over is None:
            raise OutputRefused(f"stream {self._name!r} has as many outputs as it may ({MAX_OUTPUTS}); end one first")
        del self._entries[over]

    async def _recording(self, id: str) -> _Entry:
        folder = self._rules.recordings_dir
        if folder is None:
            raise OutputRefused("recording is off: start the server with --recordings-dir DIR")
        if not await asyncio.to_thread(_writable, folder):
            logger.warning("no recording: %s is no folder that can be written to", folder)
            raise OutputRefused(
                "the server cannot write to its folder for recordings: make that folder; the server's log names it"
            )
        name = time.strftime(f"{self._name}-%Y%m%d-%H%M%S", time.gmtime(self._wall()))
        if self._named.startswith(name):
            # Another in the same second.
            name = f"{name}-{id}"
        self._named = name
        path = folder / f"{name}.mp4"
        return _Entry("recording", path.name, RecordingEgress(path, on_failed=self._failing(id)))

    def _push(self, wanted: PushWanted) -> _Entry:
        if not self._rules.push_hosts:
            raise OutputRefused("pushing is off: start the server with --push-hosts and the hosts that it may push to")
        try:
            target = Target.parse(wanted.url)
        except ValueError as error:
            raise OutputRefused(str(error)) from None
        if target.host not in self._rules.push_hosts:
            raise OutputRefused(
                f"{target.host} may not be pushed to: add it to the server's --push-hosts, or push to one of those"
            )
        return _Entry("rtmp", str(target), RtmpPushEgress(wanted.url))

    def _failing(self, id: str) -> Callable[[str], None]:
        """What a recording tells, from its thread, when it ended by itself."""

        def failed(reason: str) -> None:
            try:
                self._loop.call_soon_threadsafe(self._failed, id, reason)
            except RuntimeError:
                # The loop has ended, and the stream with it.
                return

        return failed

    def _failed(self, id: str, reason: str) -> None:
        logger.warning("an output of stream %s ended: %s", self._name, reason, extra={"stream": self._name})
        entry = self._entries.get(id)
        if entry is None or entry.ended:
            return
        entry.ended = True
        self._changed()
        task = asyncio.ensure_future(self._detach(entry.egress, reason))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @staticmethod
    def _report(id: str, entry: _Entry) -> OutputReport:
        egress = entry.egress
        state = _STATES.get(egress.state, egress.state)
        return OutputReport(id, entry.kind, state, entry.target, "" if state == "running" else egress.reason, egress.dropped)


def _writable(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
