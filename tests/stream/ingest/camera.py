"""A camera that speaks RTSP (RFC 2326) and sends H.264 over the same connection: as much of both as FFmpeg asks for."""

from __future__ import annotations

import asyncio
import base64
import struct
from pathlib import Path

from tests.stream.ingest.servers import Peer

PARAMETER_SETS = (7, 8)


def camera(film: Path, fps: int = 30) -> Peer:
    """Serves a file of H.264 in Annex B, whose NAL units fit a packet; parameter sets are in the session's description alone."""
    units = [unit.strip(b"\0") for unit in film.read_bytes().split(b"\0\0\1")]
    units = [unit for unit in units if unit]
    sets = [unit for number, unit in enumerate(units) if unit[0] & 31 in PARAMETER_SETS and unit not in units[:number]]
    pictures = [unit for unit in units if unit[0] & 31 in (1, 5)]
    sprop = ",".join(base64.b64encode(unit).decode() for unit in sets)
    description = (
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
        f"a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1;sprop-parameter-sets={sprop}\r\na=control:track0\r\n"
    )

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = (await reader.readuntil(b"\r\n\r\n")).decode()
            method = request.split()[0]
            sequence = next(line for line in request.split("\r\n") if line.lower().startswith("cseq"))
            more = {
                "OPTIONS": "Public: OPTIONS, DESCRIBE, SETUP, PLAY\r\n\r\n",
                "DESCRIBE": f"Content-Type: application/sdp\r\nContent-Length: {len(description)}\r\n\r\n{description}",
                "SETUP": "Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n",
            }.get(method, "Session: 1\r\n\r\n")
            writer.write(f"RTSP/1.0 200 OK\r\n{sequence}\r\n{more}".encode())
            if method == "PLAY":
                break
        for number, unit in enumerate(pictures):
            header = struct.pack("!BBHII", 0x80, 0x80 | 96, number, 1_000 + number * 90_000 // fps, 7)
            writer.write(struct.pack("!cBH", b"$", 0, len(header) + len(unit)) + header + unit)
            await writer.drain()
            await asyncio.sleep(1 / fps)

    return serve
