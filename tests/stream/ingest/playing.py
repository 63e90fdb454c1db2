"""Plays a source to its end, as fast as it goes, and keeps what came."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stream.ingest.media import MediaIngest
from stream.limits import SECOND
from stream.media.source import Source
from stream.picture import EncodedPicture
from stream.sound.packet import SoundPacket


class Time:
    """A clock that is moved by whoever sleeps by it."""

    def __init__(self) -> None:
        self.now = 3 * SECOND
        self.slept: list[float] = []

    def __call__(self) -> int:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += round(seconds * SECOND)
        await asyncio.sleep(0)


@dataclass
class Played:
    pictures: list[EncodedPicture] = field(default_factory=list)
    sound: list[SoundPacket] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    time: Time = field(default_factory=Time)
    enough: int = 1 << 30
    """Pictures after which the source is closed."""
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def ingest(self, source: Source, **more: Any) -> MediaIngest:
        return MediaIngest(
            source,
            on_video=self._picture,
            on_audio=self.sound.append,
            on_closed=self._closed,
            clock=self.time,
            sleep=self.time.sleep,
            **more,
        )

    @property
    def reason(self) -> str:
        assert len(self.reasons) == 1
        return self.reasons[0]

    def _picture(self, picture: EncodedPicture) -> None:
        self.pictures.append(picture)
        if len(self.pictures) >= self.enough:
            self.over.set()

    def _closed(self, reason: str) -> None:
        self.reasons.append(reason)
        self.over.set()


async def play(source: Source, enough: int = 1 << 30, **more: Any) -> Played:
    """Until its end, or ``enough`` pictures. ``on_closed`` was called once, and no process is left."""
    played = Played(enough=enough)
    ingest = played.ingest(source, **more)
    ingest.start()
    try:
        async with asyncio.timeout(30):
            await played.over.wait()
    finally:
        await ingest.close("enough was seen")
    assert len(played.reasons) == 1
    assert not readers()
    return played


def readers() -> list[int]:
    """Processes of ours that read a source."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                command = (entry / "cmdline").read_bytes()
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if b"stream.media.reader" in command and parent == os.getpid():
                found.append(int(entry.name))
    return found
