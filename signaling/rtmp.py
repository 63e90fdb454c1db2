"""Who may publish by RTMP, and on which stream: ``rtmp://host/live/NAME?token=...&chain=...``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from urllib.parse import parse_qs

from signaling import names
from signaling.auth.authority import Authority, Call
from signaling.auth.need import PUBLISH
from signaling.auth.principal import Principal
from signaling.errors import SignalingError, Unauthorized
from stream.errors import NoRoom, StreamError, StreamExists
from stream.ingest.rtmp import RtmpIngest
from stream.publication import Publication
from stream.rtmp.command import PublishRequest
from stream.rtmp.connection import Connection
from stream.rtmp.errors import Refused
from stream.session import Stream
from stream.streams import Streams
from transforms.chain import Step
from transforms.errors import ModelError, TransformError

APP = "live"

FIELDS = 16
"""Parameters of a query that are looked at; two are known."""

REJECTED = "NetStream.Publish.Rejected"
"""What is refused for now: OBS tries again. ``BadName``, for what will not be better the next time, makes it stop."""

ParseChain = Callable[[str], Sequence[Step]]
"""Reads ``chain=`` as HTTP's is read; called in a thread. Raises SignalingError or TransformError."""


class RtmpDoor:
    """``on_publish`` is an ``RtmpServer``'s. Tokens reach no log and no answer."""

    def __init__(self, streams: Streams, parse_chain: ParseChain, authority: Authority) -> None:
        self._streams = streams
        self._parse_chain = parse_chain
        self._authority = authority

    async def on_publish(self, request: PublishRequest, connection: Connection) -> RtmpIngest:
        """Lets a publisher in. Raises Refused. Cancelled where the publisher goes away meanwhile."""
        if request.app != APP:
            raise Refused(f"publish to rtmp://host/{APP}/NAME")
        try:
            names.check(request.name)
        except SignalingError as error:
            raise Refused(str(error)) from error
        token, chain = _read(request.query)
        publisher = await self._identify(token, request)
        steps = None if chain is None else await self._steps(chain)
        try:
            stream = self._streams.open(request.name, publisher.identity, takes_over=publisher.takes_over)
        except StreamExists as error:
            raise Refused(str(error)) from error
        except NoRoom as error:
            raise Refused(str(error), REJECTED) from error
        try:
            if steps is not None:
                # Before it is let in: a stream that is to be anonymous is so from its first picture.
                await stream.set_chain(steps)
            return self._attach(stream, connection)
        except BaseException as error:  # whatever it was, a cancellation too: a new stream's name must be free again
            await asyncio.shield(self._streams.abandon(stream))
            if isinstance(error, ModelError):
                raise Refused(f"a model of the chain cannot be had: {error}", REJECTED) from error
            if isinstance(error, TransformError):
                raise Refused(str(error)) from error
            if isinstance(error, StreamError):
                raise Refused(str(error), REJECTED) from error
            raise

    async def _identify(self, token: str | None, request: PublishRequest) -> Principal:
        call = Call(request.address, "RTMPS publish" if request.secure else "RTMP publish")
        try:
            return await self._authority.decide(token, PUBLISH, request.name, call)
        except Unauthorized as error:
            raise Refused(f"{error}: publish to rtmp://host/{APP}/NAME?token=TOKEN") from None
        except SignalingError as error:
            raise Refused(str(error), REJECTED) from None

    async def _steps(self, chain: str) -> Sequence[Step]:
        try:
            # A transform's first use imports it.
            return await asyncio.to_thread(self._parse_chain, chain)
        except (SignalingError, TransformError) as error:
            raise Refused(str(error)) from error

    @staticmethod
    def _attach(stream: Stream, connection: Connection) -> RtmpIngest:
        def make(publication: Publication) -> RtmpIngest:
            return RtmpIngest(connection, on_video=publication.video, on_audio=publication.sound, on_closed=publication.closed)

        ingest = stream.attach(make)
        assert isinstance(ingest, RtmpIngest)
        return ingest


def _read(query: str) -> tuple[str | None, str | None]:
    """Token and chain of a query. Raises Refused."""
    try:
        # A key is pasted as it is, and may have a plus, which stands for a space nowhere here.
        fields = parse_qs(query.replace("+", "%2B"), keep_blank_values=True, max_num_fields=FIELDS)
    except ValueError:
        raise Refused(f"the stream's key has more than {FIELDS} parameters; token and chain are known") from None
    token = fields.get("token") or fields.get("key")
    chain = fields.get("chain")
    return token[-1] or None if token else None, chain[-1] if chain else None
