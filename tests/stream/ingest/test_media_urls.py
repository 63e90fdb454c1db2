from __future__ import annotations

import asyncio
import base64
import logging
import socket
from itertools import pairwise
from pathlib import Path

import aiohttp.web as aiohttp_web
import pytest

from stream.decoder import Decoder
from stream.media.source import Allowed, Source
from stream.rtmp.limits import FIRST_RETRY, LONGEST_RETRY
from tests.stream.ingest.camera import camera
from tests.stream.ingest.playing import Played, play, readers
from tests.stream.ingest.servers import Peer, folder, http, tcp
from tests.stream.media.films import FPS, film


def allowed(url: str) -> Source:
    return Allowed(("127.0.0.1",)).source(url)


@pytest.mark.parametrize("name", ["a.mp4", "a.ts", "a.webm"])
async def test_a_film_on_a_web_server_is_played(tmp_path: Path, name: str) -> None:
    film(tmp_path / name, *(("libvpx-vp9", "libopus") if name == "a.webm" else ("libx264", "aac")))
    async with http(folder(tmp_path)) as port:
        played = await play(allowed(f"http://127.0.0.1:{port}/{name}"))
        assert played.reason in ("the file has ended", "the source has ended")
        assert len(played.pictures) == FPS
        assert sum(played.time.slept) == pytest.approx(1, abs=0.1)


async def test_a_film_on_a_web_server_is_looped(tmp_path: Path) -> None:
    film(tmp_path / "a.mp4")
    async with http(folder(tmp_path)) as port:
        played = await play(allowed(f"http://127.0.0.1:{port}/a.mp4"), enough=2 * FPS + 1, loop=True)
    times = [picture.pts for picture in played.pictures]
    assert sorted(times)[-1] - min(times) > 2 * 90_000


def playlist(tmp_path: Path) -> str:
    """A film cut into segments of about a second."""
    film(
        tmp_path / "list.m3u8",
        seconds=2.5,
        container="hls",
        options={"g": "15"},
        container_options={"hls_time": "1", "hls_list_size": "0", "hls_segment_filename": str(tmp_path / "part%d.ts")},
    )
    return (tmp_path / "list.m3u8").read_text()


async def test_a_playlist_is_played(tmp_path: Path) -> None:
    assert playlist(tmp_path).count(".ts") >= 2
    async with http(folder(tmp_path)) as port:
        played = await play(allowed(f"http://127.0.0.1:{port}/list.m3u8"))
    assert played.reason == "the file has ended"
    assert len(played.pictures) == 2.5 * FPS
    assert sum(played.time.slept) == pytest.approx(2.5, abs=0.1)


@pytest.mark.parametrize(
    "segment",
    [
        "file:///etc/passwd",
        "/etc/passwd",
        "http://localhost:{port}/part0.ts",
        "concat:part0.ts",
        "subfile,,start,0,end,9,,:/etc/passwd",
    ],
)
async def test_a_playlist_cannot_lead_elsewhere(tmp_path: Path, segment: str) -> None:
    playlist(tmp_path)
    asked: list[str] = []

    @aiohttp_web.middleware
    async def note(request: aiohttp_web.Request, handler: object) -> aiohttp_web.StreamResponse:
        asked.append(f"{request.host.partition(':')[0]}{request.path}")
        return await handler(request)  # type: ignore[operator, no-any-return]

    app = folder(tmp_path)
    app.middlewares.append(note)
    async with http(app) as port:
        lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", "#EXTINF:1,", segment.format(port=port), "#EXT-X-ENDLIST", ""]
        (tmp_path / "bad.m3u8").write_text("\n".join(lines))
        played = await play(allowed(f"http://127.0.0.1:{port}/bad.m3u8"))
    assert not played.pictures
    assert played.reason
    assert {entry.partition("/")[0] for entry in asked} == {"127.0.0.1"}
    assert "root:" not in played.reason


async def test_a_redirect_is_followed_to_hosts_that_are_allowed_and_no_others(tmp_path: Path) -> None:
    film(tmp_path / "a.mp4", seconds=0.2)
    reached: list[str] = []

    async def redirect(request: aiohttp_web.Request) -> aiohttp_web.Response:
        port, to = request.url.port, request.match_info["to"]
        place = {"same": f"http://127.0.0.1:{port}/files/a.mp4", "other": f"http://localhost:{port}/reached"}
        place |= {"file": "file:///etc/passwd", "round": str(request.url)}
        return aiohttp_web.Response(status=302, headers={"Location": place[to]})

    async def reach(request: aiohttp_web.Request) -> aiohttp_web.Response:
        reached.append(request.path)
        return aiohttp_web.Response()

    app = aiohttp_web.Application()
    app.router.add_get("/reached", reach)
    app.router.add_get("/to/{to}", redirect)
    app.router.add_static("/files", tmp_path)
    async with http(app) as port:
        came = {to: await play(allowed(f"http://127.0.0.1:{port}/to/{to}")) for to in ("same", "other", "file", "round")}
    assert len(came["same"].pictures) == 6
    assert "localhost" in came["other"].reason
    assert "pull_hosts" in came["other"].reason
    assert "302" in came["file"].reason
    assert "302" in came["round"].reason
    assert not reached


async def test_credentials_are_sent_and_are_not_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    film(tmp_path / "a.mp4", seconds=0.1)
    sent: list[str] = []

    async def serve(request: aiohttp_web.Request) -> aiohttp_web.StreamResponse:
        sent.append(request.headers.get("Authorization", ""))
        if request.query.get("token") != "tok-secret":
            return aiohttp_web.Response(status=404)
        return aiohttp_web.FileResponse(tmp_path / "a.mp4")

    app = aiohttp_web.Application()
    app.router.add_get("/a.mp4", serve)
    async with http(app) as port:
        good = await play(allowed(f"http://us%65r:pass-secret@127.0.0.1:{port}/a.mp4?token=tok-secret"))
        bad = await play(allowed(f"http://user:pass-secret@127.0.0.1:{port}/a.mp4?token=wrong-secret"))
    assert good.reason == "the file has ended"
    assert bad.reason == f"127.0.0.1:{port} answers 404 Not Found"
    assert set(sent) == {"Basic " + base64.b64encode(b"user:pass-secret").decode()}
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("stream")]
    assert len(ours) == 2
    assert "secret" not in "".join(ours)


async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1 << 20)
    await reader.read(1 << 20)


async def stalled(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: 1000000\r\n\r\n\0\0\0\x18ftypmp42")
    await reader.read()


async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\n\r\n")
    while True:
        writer.write(b"G")
        await writer.drain()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("peer", [mute, stalled, dripping])
async def test_a_server_that_does_not_come_to_the_point_is_given_up(peer: Peer) -> None:
    async with tcp(peer) as port:
        played = await play(allowed(f"http://127.0.0.1:{port}/a.mp4"), open_timeout=1.0)
    assert played.reason == "nothing came from the source for 1 s"


async def test_a_server_that_falls_silent_is_given_up(tmp_path: Path) -> None:
    whole = film(tmp_path / "a.ts", seconds=2, options={"bf": "0"}).read_bytes()

    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\n\r\n" + whole[: len(whole) // 188 // 2 * 188] + b"G" * 100)
        await reader.read()

    async with tcp(half) as port:
        played = Played()
        ingest = played.ingest(allowed(f"http://127.0.0.1:{port}/a.ts"), silence_timeout=1.0, open_timeout=5.0)
        ingest.start()
        async with asyncio.timeout(20):
            # It is live, as far as one can tell, and so tried again.
            while len([seconds for seconds in played.time.slept if seconds >= FIRST_RETRY / 2]) < 1 and not played.reasons:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await ingest.close("seen")
    assert played.pictures


@pytest.mark.parametrize("scheme", ["rtsp", "rtmp"])
async def test_a_live_source_is_tried_again_at_longer_and_longer_intervals(scheme: str, caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        played = Played()
        ingest = played.ingest(allowed(f"{scheme}://user:pass-secret@127.0.0.1:{nobody.getsockname()[1]}/live/x"))
        ingest.start()
        async with asyncio.timeout(20):
            while len(played.time.slept) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await ingest.close("seen")
    for number, seconds in enumerate(played.time.slept):
        longest = min(FIRST_RETRY * 2**number, LONGEST_RETRY)
        assert longest / 2 <= seconds <= longest
    assert played.reason == "seen"
    assert "secret" not in caplog.text
    assert f"{scheme}://127.0.0.1" in caplog.text


@pytest.mark.parametrize("scheme", ["rtsp", "rtmp"])
async def test_a_mute_camera_is_given_up_and_may_be_closed_meanwhile(scheme: str) -> None:
    async with tcp(mute) as port:
        played = Played()
        ingest = played.ingest(allowed(f"{scheme}://127.0.0.1:{port}/live/x"), open_timeout=1.0)
        ingest.start()
        async with asyncio.timeout(20):
            while len(played.time.slept) < 1:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await ingest.close("seen")
    assert not readers()


async def test_a_camera_is_played_as_it_comes_and_again_when_it_was_lost(tmp_path: Path) -> None:
    path = film(tmp_path / "a.h264", "libx264", None, options={"g": "10", "bf": "0", "sc_threshold": "0"})
    async with tcp(camera(path)) as port:
        played = await play(allowed(f"rtsp://127.0.0.1:{port}/live"), enough=FPS + 15)
    times = [picture.pts for picture in played.pictures]
    assert times == sorted(times)
    # Its second life is later by as much as was waited.
    assert max(later - earlier for earlier, later in pairwise(times)) >= int(played.time.slept[0] * 90_000) - 2
    assert len(played.time.slept) == 1
    for picture in played.pictures:
        # Parameter sets are in its SDP alone; a decoder may begin with any keyframe all the same.
        assert not picture.keyframe or list(Decoder("H264", 1 << 20).decode(picture))
    assert sum(picture.keyframe for picture in played.pictures) >= 4
    assert played.reason == "enough was seen"


@pytest.mark.parametrize("scheme", ["srt", "rtmp"])
async def test_a_live_source_is_played_as_it_comes(tmp_path: Path, scheme: str) -> None:
    path = film(tmp_path / "a.mp4", seconds=3, options={"g": "15", "bf": "2"})
    with socket.socket(type=socket.SOCK_DGRAM if scheme == "srt" else socket.SOCK_STREAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    form, url, listen = ("mpegts", f"srt://127.0.0.1:{port}", "?mode=listener")
    if scheme == "rtmp":
        form, url, listen = ("flv", f"rtmp://127.0.0.1:{port}/live/x", "")
    server = await asyncio.create_subprocess_exec(
        *("ffmpeg", "-nostdin", "-loglevel", "error", "-re", "-i", str(path), "-c", "copy"),
        *(("-listen", "1") if scheme == "rtmp" else ()),
        *("-f", form, url + listen),
    )
    played = Played(enough=30)
    ingest = played.ingest(allowed(url))
    try:
        ingest.start()
        async with asyncio.timeout(30):
            await played.over.wait()
    finally:
        await ingest.close("enough")
        if server.returncode is None:
            server.kill()
        await server.wait()
    assert ingest.format is not None
    assert (ingest.format.live, ingest.format.paced) == (True, False)
    assert {picture.codec for picture in played.pictures} == {"H264"}
    assert played.sound[0].codec == "AAC"
    assert played.reason == "enough"
