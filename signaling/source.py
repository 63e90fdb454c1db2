"""Streams that the server reads by itself, from files and URLs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from signaling import names
from signaling.auth.principal import Principal
from signaling.errors import Conflict, Unavailable
from stream.errors import NoRoom, StreamExists, UnknownStream
from stream.ingest.media import MediaIngest
from stream.media.source import Allowed
from stream.publication import Publication
from stream.streams import Streams
from transforms.chain import Step


class SourceDoor:
    """Lives on the event loop."""

    def __init__(self, streams: Streams, allowed: Allowed, max_pixels: int) -> None:
        self._streams = streams
        self._allowed = allowed
        self._max_pixels = max_pixels

    async def start_source(self, name: str, url: str, loop: bool, steps: Sequence[Step] | None, publisher: Principal) -> bool:
        """Makes the stream, or takes it over; whether it was made. Without steps an old one's chain stays as it is.

        Raises SourceRefused, SignalingError, TransformError or ModelError; what there was goes on then.
        """
        names.check(name)
        source = await asyncio.to_thread(self._allowed.source, url)
        try:
            stream = self._streams.open(name, publisher.identity, takes_over=publisher.takes_over)
        except StreamExists as error:
            raise Conflict(str(error)) from error
        except NoRoom as error:
            raise Unavailable(str(error)) from error
        made = not stream.published

        def make(publication: Publication) -> MediaIngest:
            return MediaIngest(
                source,
                on_video=publication.video,
                on_audio=publication.sound,
                on_closed=publication.closed,
                loop=loop,
                max_pixels=self._max_pixels,
            )

        try:
            if steps is not None:
                await stream.set_chain(steps)
            ingest = stream.attach(make, patient=True)
        except BaseException as error:  # a cancellation too: a new stream's name must be free again
            await asyncio.shield(self._streams.abandon(stream))
            if isinstance(error, UnknownStream):
                raise Unavailable(f"{error}; try again in a moment", retry_after=1) from error
            raise
        assert isinstance(ingest, MediaIngest)
        ingest.start()
        return made

    async def end_source(self, name: str) -> None:
        """Ends it, if there is one, and its stream, if nobody is left for it. Raises UnknownStream."""
        stream, reason = self._streams.get(name), "it was ended by request"
        for ingest in stream.publishers:
            if isinstance(ingest, MediaIngest):
                await ingest.close(reason)
                if stream.held:
                    await asyncio.shield(self._streams.end(stream, reason))
