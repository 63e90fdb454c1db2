"""Every stream of this process, by name."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from stream.engine import Engine
from stream.errors import NoRoom, StreamExists, UnknownStream
from stream.events import Observer, Observers, StreamEvent
from stream.outputs import Outputs
from stream.report import StreamReport
from stream.session import Stream
from stream.sound.elsewhere import Heard
from stream.tally import StreamTally
from transforms.chain import Step

logger = logging.getLogger(__name__)

WORKERS = 4
"""Threads that prepare and close chains: more would only take the cores from running streams."""


class Streams:
    """Lives on the event loop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        engine.metrics.load_level.set_function(lambda: float(engine.load.level))
        self._streams: dict[str, Stream] = {}
        self._ending: dict[Stream, asyncio.Task[None]] = {}
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="doppel-worker")
        self._draining = False
        self._observers = Observers()

    def observe(self, observer: Observer) -> None:
        """Tells it, from now on, what happens to every stream."""
        self._observers.add(observer)

    @property
    def names(self) -> list[str]:
        """Of the streams there are."""
        return list(self._streams)

    def open(self, name: str, credential: str | None = None, *, exclusive: bool = False, takes_over: bool = False) -> Stream:
        """A new stream, to be published; or, unless ``exclusive``, the one there is, if its publisher's credential is the same,
        or whoever comes ``takes_over`` anybody's. A credential is the same for all of a publisher's tokens, and is no secret.

        Raises StreamExists, NoRoom.
        """
        if self._draining:
            raise NoRoom("this server is shutting down; connect to another, or try again in a moment")
        there = self._streams.get(name)
        if there is not None and (there.state == "ending" or there in self._ending):
            raise NoRoom(f"stream {name!r} is ending just now; try again in a moment")
        if there is not None:
            if not exclusive and (there.belongs_to(credential) or (takes_over and not there.private)):
                return there
            self._observers(StreamEvent(name, "refused", "it has a publisher already, who is another"))
            raise StreamExists(f"stream {name!r} has a publisher already; use another name, or end that one first")
        if len(self._streams) >= self._engine.limits.max_streams and not self._make_room():
            self._engine.metrics.refusals.labels("full").inc()
            self._observers(StreamEvent(name, "refused", f"one more stream than {self._engine.limits.max_streams}"))
            raise NoRoom(f"this server runs as many streams as it may ({self._engine.limits.max_streams}); try again later")
        stream = self._streams[name] = Stream(
            name,
            self._engine,
            self._workers,
            on_over=self.end,
            credential=credential,
            private=exclusive,
            observer=self._observers,
            find_sound=self._find_sound,
        )
        self._engine.metrics.streams.set(len(self._streams))
        self._observers(StreamEvent(name, "opened"))
        return stream

    def get(self, name: str) -> Stream:
        """Raises UnknownStream."""
        stream = self._streams.get(name)
        if stream is None:
            raise UnknownStream(f"there is no stream {name!r} now; GET /api/streams lists those there are")
        return stream

    def end(self, stream: Stream, reason: str) -> asyncio.Task[None]:
        """Ends a stream in the background; its name is free when the returned task is done. Again the same one, asked again."""
        task = self._ending.get(stream)
        if task is None:
            task = self._ending[stream] = asyncio.create_task(self._end(stream, reason), name=f"doppel-end-{stream.name}")
            task.add_done_callback(lambda _: self._ending.pop(stream, None))
        return task

    async def abandon(self, stream: Stream, reason: str = "it could not be set up") -> None:
        """Ends a stream that somebody could not begin to publish, unless it is somebody else's too."""
        if stream.state in ("connecting", "ending") and not stream.published:
            await self.end(stream, reason)

    def reports(self) -> Iterator[StreamReport]:
        """One by one, so that the loop can do other things between two."""
        for stream in list(self._streams.values()):
            yield stream.report()

    def tallies(self) -> Iterator[StreamTally]:
        """Likewise of what was counted."""
        for stream in list(self._streams.values()):
            yield stream.tally()

    def report(self, name: str) -> StreamReport:
        """Raises UnknownStream."""
        return self.get(name).report()

    async def stop(self, name: str, reason: str) -> None:
        """Ends a stream by its name. Raises UnknownStream."""
        # Whoever asked may go away; the stream ends all the same.
        await asyncio.shield(self.end(self.get(name), reason))

    async def thumbnail(self, name: str) -> bytes | None:
        """A small JPEG of what a stream shows; None where it shows nothing. Raises UnknownStream."""
        return await self.get(name).thumbnail()

    def steps(self, name: str) -> list[Step]:
        """The chain that was asked for last. Raises UnknownStream."""
        return self.get(name).steps

    def outputs(self, name: str) -> Outputs:
        """Where else a stream goes. Raises UnknownStream."""
        return self.get(name).outputs

    async def set_chain(self, name: str, steps: Sequence[Step]) -> None:
        """Raises UnknownStream, and TransformError or ModelError; the chain is then as it was."""
        await self.get(name).set_chain(steps)

    async def close(self) -> None:
        """Ends all streams, and takes no more."""
        self._draining = True
        for stream in list(self._streams.values()):
            self.end(stream, "the server is shutting down")
        if self._ending:
            await asyncio.wait(self._ending.values(), timeout=2 * self._engine.limits.close_timeout)
        self._workers.shutdown(wait=False, cancel_futures=True)

    def _find_sound(self, name: str) -> Heard | None:
        """Of a stream that may be listened to: not a private one's. From any thread."""
        stream = self._streams.get(name)
        return stream.sound if stream is not None and not stream.private else None

    def _make_room(self) -> bool:
        """Ends a stream that is kept for a publisher who left, where nobody else would miss it: who comes now is there."""
        # Those that are ending are counted, so that there are never more than one too many.
        if len(self._streams) > self._engine.limits.max_streams:
            return False
        held = next((stream for stream in self._streams.values() if stream.held), None)
        if held is not None:
            self.end(held, "its publisher is away, nobody watches, and its place was needed")
        return held is not None

    async def _end(self, stream: Stream, reason: str) -> None:
        if stream.state == "ending":
            # Whoever asks after the end: it is over.
            return
        logger.info("stream %s ends: %s", stream.name, reason, extra={"stream": stream.name})
        try:
            await stream.close(reason)
        finally:
            if self._streams.get(stream.name) is stream:
                del self._streams[stream.name]
            self._engine.metrics.streams.set(len(self._streams))
            self._observers(StreamEvent(stream.name, "ended", reason))
