"""A process that records: in real time, saying how far it is, until it is killed; or all at once, where there is little room."""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from pathlib import Path

from stream.egress.recording import RecordingEgress
from stream.picture import EncodedPicture
from tests.stream.egress.media import pictures, sound, together


async def in_real_time(path: Path) -> None:
    items = together(pictures(20), sound(20))
    egress = RecordingEgress(path, on_failed=print)
    began = time.monotonic()
    for item in items:
        if isinstance(item, EncodedPicture):
            await asyncio.sleep(max(0.0, began + item.pts / 90_000 - time.monotonic()))
            egress.send(item)
            print(item.pts, flush=True)
        else:
            egress.sound(item)


async def with_room_for(path: Path, size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    loop = asyncio.get_running_loop()
    failed: asyncio.Future[str] = loop.create_future()

    def on_failed(reason: str) -> None:
        loop.call_soon_threadsafe(failed.set_result, reason)

    egress = RecordingEgress(path, on_failed=on_failed)
    for item in together(pictures(20), sound(20)):
        if isinstance(item, EncodedPicture):
            egress.send(item)
        else:
            egress.sound(item)
    print(await failed)
    print(egress.state, egress.ready, egress.reason == failed.result())
    await egress.close("the test is over")


if __name__ == "__main__":
    file, room = Path(sys.argv[1]), sys.argv[2:]
    asyncio.run(with_room_for(file, int(room[0])) if room else in_real_time(file))
