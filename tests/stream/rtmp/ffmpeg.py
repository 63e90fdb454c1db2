"""ffmpeg as publisher, and sessions of it to play again."""

from __future__ import annotations

import asyncio

import pytest

from stream.ingest.rtmp import RtmpIngest
from stream.rtmp.command import PublishRequest
from stream.rtmp.connection import Connection
from stream.rtmp.server import RtmpServer
from tests.stream.rtmp.publisher import PATIENCE

FFMPEG = "/usr/bin/ffmpeg"


async def run(url: str, *options: str, size: str = "160x96", seconds: float = 2, rate: int = 25) -> None:
    """Publishes a test picture and a tone, faster than they play."""
    process = await asyncio.create_subprocess_exec(
        *(FFMPEG, "-hide_banner", "-loglevel", "error", "-threads", "1"),
        *("-f", "lavfi", "-i", f"testsrc=size={size}:rate={rate}", "-f", "lavfi", "-i", "sine=sample_rate=48000"),
        *("-t", str(seconds), "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", str(rate), "-c:a", "aac"),
        *(*options, "-f", "flv", "-flvflags", "no_duration_filesize", url),
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, complaints = await asyncio.wait_for(process.communicate(), PATIENCE)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, complaints.decode()


async def _capture(patch: pytest.MonkeyPatch) -> bytes:
    received = bytearray()
    take = Connection.data_received

    def keep(self: Connection, data: bytes) -> None:
        received.extend(data)
        take(self, data)

    async def publish(request: PublishRequest, connection: Connection) -> RtmpIngest:
        return RtmpIngest(connection, on_video=lambda _: None)

    patch.setattr(Connection, "data_received", keep)
    server = RtmpServer(publish)
    port = await server.listen("127.0.0.1", 0)
    try:
        await run(f"rtmp://127.0.0.1:{port}/live/me?token=t", "-bf", "2", seconds=1)
    finally:
        await server.close()
    return bytes(received)


def capture() -> bytes:
    """All that ffmpeg sends to publish a second."""
    with pytest.MonkeyPatch.context() as patch:
        return asyncio.run(_capture(patch))
