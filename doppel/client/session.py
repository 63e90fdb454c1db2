"""A publisher, a viewer or both at once, that stays connected until it is left."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import Any, Literal

import aiohttp
from aiortc import MediaStreamTrack
from av import AudioFrame, VideoFrame

from doppel.client.connection import Connection
from doppel.client.endpoint import Endpoint, Step
from doppel.client.errors import ClientError, GaveUp, Refused
from doppel.client.newest import Newest
from doppel.client.statistics import Statistics, packets

State = Literal["connecting", "live", "waiting", "failed", "closed"]
"""waiting: will connect again by itself; failed: will not."""

PICTURES = 2
"""Decoded pictures that wait for a reader: one that is read and one that is next."""

SOUNDS = 50
"""Frames of sound that wait for a reader: 1 s, since every one that is left out is heard."""

PATIENCE = 60.0
"""s without a connection until it is given up: a server that restarts and loads its models, or a publisher's coffee."""

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
"""s before another attempt, doubled from one to the next, with some chance in it so that many do not come back at once."""

StateCallback = Callable[[State, str], None]


def watch(
    server: str,
    stream: str,
    *,
    token: str | None = None,
    key: str | None = None,
    on_state: StateCallback | None = None,
    patience: float = PATIENCE,
) -> Session:
    """Watches a stream (WHEP); waits for it while it is not live. Read ``video()`` and ``sound()``.

    ``token``, or ``key`` of a server with an access key, is what the server asks for.
    """
    return Session(Endpoint(server, "whep", stream, token or key, None), receive=True, on_state=on_state, patience=patience)


def publish(
    server: str,
    stream: str,
    *,
    video: MediaStreamTrack | None = None,
    audio: MediaStreamTrack | None = None,
    chain: Sequence[Step] | None = None,
    token: str | None = None,
    key: str | None = None,
    on_state: StateCallback | None = None,
    patience: float = PATIENCE,
) -> Session:
    """Publishes tracks as a stream (WHIP), with a chain, or with the one that the stream has.

    The tracks stay the caller's: they are read, and not stopped.
    """
    endpoint = Endpoint(server, "whip", stream, token or key, chain)
    return Session(endpoint, video=video, audio=audio, on_state=on_state, patience=patience)


def loop(
    server: str,
    stream: str,
    *,
    video: MediaStreamTrack | None = None,
    audio: MediaStreamTrack | None = None,
    chain: Sequence[Step] = (),
    token: str | None = None,
    key: str | None = None,
    on_state: StateCallback | None = None,
    patience: float = PATIENCE,
) -> Session:
    """Sends tracks and gets them back through a chain, over one connection."""
    endpoint = Endpoint(server, "loop", stream, token or key, chain)
    return Session(endpoint, video=video, audio=audio, receive=True, on_state=on_state, patience=patience)


class Session:
    """What ``watch``, ``publish`` and ``loop`` return. Entering it waits until it is connected.

    Raises Refused if the server will not have it, and GaveUp after ``patience`` s without a connection, on entering or, when
    that comes later, out of ``video()``, ``sound()`` and ``closed()``. ``on_state`` is told each state with a reason.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        video: MediaStreamTrack | None = None,
        audio: MediaStreamTrack | None = None,
        receive: bool = False,
        on_state: StateCallback | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._endpoint = endpoint
        self._tracks = [track for track in (video, audio) if track is not None]
        if not self._tracks and not receive:
            raise ClientError("there is nothing to publish: give a video track, an audio track or both")
        self._receive = receive
        self._on_state = on_state or (lambda state, reason: None)
        self._patience = patience
        self._pictures: Newest[VideoFrame] = Newest(PICTURES)
        self._sounds: Newest[AudioFrame] = Newest(SOUNDS)
        self._connection: Connection | None = None
        self._connections = 0
        self._task: asyncio.Task[None] | None = None
        self._settled: asyncio.Future[None] | None = None
        """Done when it has connected for the first time."""
        self.state: State = "connecting"

    def video(self) -> AsyncIterator[VideoFrame]:
        """Decoded pictures; a slow reader is given the newest, and the rest is left out. Ends when the session is closed."""
        return aiter(self._pictures)

    def sound(self) -> AsyncIterator[AudioFrame]:
        """Decoded sound, 48 kHz. Ends when the session is closed."""
        return aiter(self._sounds)

    def set_token(self, token: str) -> None:
        """For its calls from now on: a renewed one, before the old one expires. What is connected stays so."""
        self._endpoint.authorize(token)

    async def stats(self) -> Statistics:
        return Statistics(
            state=self.state,
            connections=self._connections,
            pictures=self._pictures.received,
            pictures_dropped=self._pictures.dropped,
            sounds=self._sounds.received,
            sounds_dropped=self._sounds.dropped,
            packets=await packets(self._connection.peer if self._connection is not None else None),
        )

    async def closed(self) -> None:
        """Waits for the end: for a publisher that has nothing to read. Raises as the class says."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def __aenter__(self) -> Session:
        self._settled = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(), name="doppel-client")
        try:
            await asyncio.wait((self._settled, self._task), return_when=asyncio.FIRST_COMPLETED)
            if self._task.done():
                self._task.result()
        except BaseException:  # a cancellation too: who never got in has no way to close it
            await self.close()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the session, and tells the server. Safe to call twice."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            if not self._task.cancelled():
                self._task.exception()  # whoever reads was told; without this asyncio would log it as well

    async def _run(self) -> None:
        error: Exception | None = None
        try:
            async with self._endpoint:
                await self._stay()
        except asyncio.CancelledError:
            self._enter("closed", "closed by the caller")
        except Exception as failure:  # whatever it was, those who read are told
            error = failure
            self._enter("failed", str(failure))
            raise
        finally:
            self._pictures.close(error)
            self._sounds.close(error)

    async def _stay(self) -> None:
        """Connects again and again. Raises Refused, GaveUp, ClientError."""
        lost, pause = time.monotonic(), FIRST_PAUSE
        while True:
            wait: float | None = None
            before = self._connections
            self._enter("connecting", "")
            try:
                reason = await self._connect()
            except Refused as refusal:
                if not refusal.passes:
                    raise
                reason, wait = str(refusal), refusal.retry_after
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                reason = f"{self._endpoint.url.origin()} cannot be reached: {str(error) or 'it did not answer in time'}"
            if self._connections > before:
                lost, pause = time.monotonic(), FIRST_PAUSE
            wait = pause * random.uniform(0.75, 1.25) if wait is None else min(wait, LONGEST_PAUSE)  # noqa: S311 - no secret
            if time.monotonic() + wait - lost > self._patience:
                raise GaveUp(f"not connected for {self._patience:g} s: {reason}")
            self._enter("waiting", reason)
            await asyncio.sleep(wait)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _connect(self) -> str:
        """One connection, from the offer to its end, whose reason is returned."""
        connection = self._connection = Connection(self._tracks, self._take if self._receive else None)
        try:
            reason = await connection.open(self._endpoint)
            if reason:
                return reason
            self._connections += 1
            self._enter("live", "")
            if self._settled is not None and not self._settled.done():
                self._settled.set_result(None)
            return await connection.ended(self._endpoint)
        finally:
            await connection.close(self._endpoint)

    def _take(self, kind: str, frame: Any) -> None:
        (self._pictures if kind == "video" else self._sounds).put(frame)

    def _enter(self, state: State, reason: str) -> None:
        self.state = state
        self._on_state(state, reason)
