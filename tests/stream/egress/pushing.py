"""A push, and what is fed to it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Sequence

from stream.egress.rtmp import RtmpPushEgress
from stream.picture import EncodedPicture
from stream.rtmp.limits import PushLimits
from stream.sound.packet import SoundPacket
from tests.stream.egress.rtmp_servers import until
from transforms.frame import Timeline

KEY = "s3cr3t-key"
TOKEN = "t0ken"


class Push:
    """An egress, the states it told, and the waits between its tries, which take no time here, up to ``tries`` of them."""

    def __init__(
        self, port: int, *, context: ssl.SSLContext | None = None, limits: PushLimits | None = None, tries: int = 1
    ) -> None:
        scheme, host = ("rtmps", "localhost") if context else ("rtmp", "127.0.0.1")
        self.states: list[tuple[str, str]] = []
        self.waits: list[float] = []
        self.now = 0
        self._tries = tries
        self.egress = RtmpPushEgress(
            f"{scheme}://{host}:{port}/live/{KEY}?token={TOKEN}",
            on_state=lambda state, reason: self.states.append((state, reason)),
            clock=lambda: self.now,
            ssl_context=context,
            limits=limits,
            random=lambda: 0.0,
            sleep=self._sleep,
        )

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(0)
        if len(self.waits) >= self._tries:
            await asyncio.Event().wait()

    async def __aenter__(self) -> Push:
        self.egress.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.egress.close("the test is over")
        told = " ".join((*(f"{state} {reason}" for state, reason in self.states), repr(self.egress.target)))
        assert KEY not in told
        assert TOKEN not in told

    def ready(self) -> bool:
        return self.egress.ready

    async def state(self, state: str, times: int = 1) -> str:
        """Waits until it was told so often; returns the last reason."""
        await until(lambda: [told for told, _ in self.states].count(state) >= times)
        return [reason for told, reason in self.states if told == state][-1]

    def _sounding(self) -> int:
        """Packets that are being made into AAC."""
        return self.egress._transcoder.waiting if self.egress._transcoder else 0

    async def feed(self, pictures: Iterable[EncodedPicture], sound: Sequence[SoundPacket] = ()) -> None:
        """Pictures from another thread, as soon as each is taken, and sound up to each."""
        waiting = list(sound)
        for picture in pictures:
            while waiting and waiting[0].pts * 15 <= picture.pts * 8:
                self.egress.sound(waiting.pop(0))
                await until(lambda: self._sounding() < 2)
            await until(lambda: self.egress.ready)
            await asyncio.to_thread(self.egress.send, picture)
        for packet in waiting:
            self.egress.sound(packet)
            await until(lambda: self._sounding() < 2)
        await until(lambda: self.egress._taken == self.egress._given and not self._sounding())


def large(number: int, size: int = 100_000, keyframe: bool = False) -> EncodedPicture:
    """A picture of so many bytes, which no decoder would like; 25 a second."""
    slices = b"\0\0\0\1" + (b"\x65" if keyframe else b"\x41") + number.to_bytes(4).replace(b"\0", b"\7") + b"\x55" * size
    data = b"\0\0\0\1\x67\x42\xc0\x1e\0\0\0\1\x68\xce" + slices if keyframe else slices
    return EncodedPicture(data, number * 3600, keyframe, "H264", Timeline(received=0), 64, 48)
