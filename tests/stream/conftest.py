from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import aioice.ice
import pytest
import torch

from signaling.section import Role
from signaling.sessions import Sessions
from stream.codec import Encoder
from stream.decoder import Decoder
from stream.egress.webrtc import WebRtcEgress
from stream.engine import Engine
from stream.limits import Limits
from stream.load import Load
from stream.metrics import Metrics
from stream.picture import EncodedPicture
from stream.rtc.peer import PeerConfig
from stream.streams import Streams
from tests.stream.client import PATIENCE, Client
from transforms.models.store import Store

LOOPBACK = "127.0.0.1"


class House:
    """Everything between an offer and the network."""

    def __init__(self, store: Store, limits: Limits) -> None:
        # Its clock stands still: keyframes are counted here, and a busy machine must not make any of its own.
        self.load = Load(lambda: 0)
        self.metrics = Metrics()
        peers = PeerConfig([LOOPBACK], limits=limits)
        self.streams = Streams(Engine(torch.device("cpu"), store, peers, self.metrics, load=self.load))
        self.sessions = Sessions(self.streams, ("H264", "VP8"), limits.start_bitrate)
        self.clients: list[Client] = []
        self.keyframes: list[bool] = []
        """Of each picture that was sent."""
        self.faults: list[dict[str, Any]] = []
        """What reached the event loop's exception handler."""

    def client(
        self, codec: str = "H264", *, sound: bool = False, fps: int = 25, role: Role = "loop", pictures: bool = True
    ) -> Client:
        client = Client(codec, sound=sound, fps=fps, role=role, pictures=pictures)
        self.clients.append(client)
        return client

    @property
    def names(self) -> list[str]:
        """Of the streams there are."""
        return [report.stream for report in self.streams.reports()]

    async def empty(self) -> None:
        """Waits until no stream is left."""
        async with asyncio.timeout(PATIENCE):
            while self.names:  # noqa: ASYNC110 - nobody tells of an end
                await asyncio.sleep(0.01)


Open = Callable[..., Awaitable[House]]


@pytest.fixture(scope="module")
def frozen() -> Iterator[None]:
    """What was imported before is not looked through again and again."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """aioice leaves loopback out of what it offers; here nothing else is wanted."""
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: [LOOPBACK])


@pytest.fixture
async def open_house(
    store: Store, frozen: None, loopback: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[Open]:
    """Makes houses, and looks after each that nothing of it is left: no thread, task, socket, encoder or decoder."""
    before = asyncio.all_tasks(), set(threading.enumerate()), _sockets(), _codecs()
    houses: list[House] = []
    send = WebRtcEgress.send

    async def make(**limits: float) -> House:
        house = House(store, Limits(**limits))  # type: ignore[arg-type]
        houses.append(house)
        asyncio.get_running_loop().set_exception_handler(lambda _, context: house.faults.append(context))

        def sent(self: WebRtcEgress, picture: EncodedPicture) -> None:
            house.keyframes.append(picture.keyframe)
            send(self, picture)

        monkeypatch.setattr(WebRtcEgress, "send", sent)
        return house

    yield make
    for house in houses:
        await asyncio.gather(*(client.close() for client in house.clients))
        # Streams wait for their publishers a while; here nobody comes back.
        await house.streams.close()
        await house.empty()
        # A session is forgotten by a callback of its stream's end, a turn of the loop after the name is free.
        await asyncio.sleep(0)
        assert house.sessions._sessions == {}
        assert house.faults == []
    caplog.get_records("call").clear()  # its records hold exceptions, and these whatever was at hand when they were raised
    deadline = time.monotonic() + PATIENCE
    while left := _left(before):
        assert time.monotonic() < deadline, left
        await asyncio.sleep(0.05)
        gc.collect()


Before = tuple[set["asyncio.Task[Any]"], set[threading.Thread], set[str], int]


def _left(before: Before) -> list[object]:
    tasks, threads, sockets, codecs = before
    return [
        *(asyncio.all_tasks() - tasks - {asyncio.current_task()}),
        *(thread for thread in set(threading.enumerate()) - threads if not thread.name.startswith("asyncio_")),
        *(_sockets() - sockets),
        *(["codecs"] if _codecs() > codecs else []),
    ]


def _sockets() -> set[str]:
    links = set()
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            links.add(os.readlink(f"/proc/self/fd/{descriptor}"))
        except OSError:
            continue
    return {link for link in links if link.startswith("socket:")}


def _codecs() -> int:
    return sum(type(thing) in (Encoder, Decoder) for thing in gc.get_objects())
