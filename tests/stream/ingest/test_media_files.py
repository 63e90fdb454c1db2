from __future__ import annotations

import asyncio
import os
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from stream.decoder import Decoder
from stream.ingest.media import MediaIngest
from stream.limits import SECOND
from stream.media.source import Allowed, Source
from tests.stream.ingest.playing import Played, play, readers
from tests.stream.media.films import FPS, SIZE, film

B_FRAMES = {"bf": "2", "g": "15"}
X265 = {"x265-params": "log-level=none"}
STEP = 90_000 // FPS

FILMS = {
    "H264 and AAC in MP4": ("a.mp4", "libx264", "aac", B_FRAMES, "H264", "AAC"),
    "H264 and AAC in MPEG-TS": ("a.ts", "libx264", "aac", B_FRAMES, "H264", "AAC"),
    "H264 and AAC in FLV": ("a.flv", "libx264", "aac", B_FRAMES, "H264", "AAC"),
    "H264 and FLAC in Matroska": ("a.mkv", "libx264", "flac", B_FRAMES, "H264", "OPUS"),
    "HEVC and AAC in MP4": ("a.mp4", "libx265", "aac", X265, "HEVC", "AAC"),
    "VP8 and MP3 in Matroska": ("a.mkv", "libvpx", "mp3", {}, "VP8", "OPUS"),
    "VP9 and Opus in WebM": ("a.webm", "libvpx-vp9", "libopus", {}, "VP9", "OPUS"),
    "AV1 and Opus in MP4": ("a.mp4", "libsvtav1", "libopus", {}, "AV1", "OPUS"),
    "H264 alone": ("a.mp4", "libx264", None, B_FRAMES, "H264", ""),
    "Opus alone": ("a.ogg", None, "libopus", {}, "", "OPUS"),
    "samples alone": ("a.wav", None, "pcm_s16le", {}, "", "OPUS"),
}


def found(path: Path) -> Source:
    return Allowed((), path.parent).source(path.name)


@pytest.mark.parametrize("kind", FILMS)
async def test_a_file_is_played_to_its_end(tmp_path: Path, kind: str) -> None:
    name, video, audio, options, codec, sound = FILMS[kind]
    played = await play(found(film(tmp_path / name, video, audio, options=options)))
    assert played.reason == "the file has ended"
    assert len(played.pictures) == (FPS if video else 0)
    if video:
        assert {picture.codec for picture in played.pictures} == {codec}
        assert {(picture.width, picture.height) for picture in played.pictures} == {SIZE}
        assert played.pictures[0].keyframe
        times = sorted(picture.pts for picture in played.pictures)
        assert all(abs(later - earlier - STEP) <= 90 for earlier, later in pairwise(times))
        decoder = Decoder(codec, SIZE[0] * SIZE[1])
        frames = [frame for picture in played.pictures for frame in decoder.decode(picture)] + list(decoder.flush())
        assert len(frames) == FPS
        assert [frame.pts for frame in frames] == times
    if audio:
        assert {packet.codec for packet in played.sound} == {sound}
        # Matroska and FLV round to 1 ms.
        assert all(900 <= later.pts - earlier.pts <= 1100 for earlier, later in pairwise(played.sound))
        assert 45 <= len(played.sound) <= 53
        assert hears(played) > 0.05
    if video and audio:
        assert abs(times[0] / 90_000 - played.sound[0].pts / 48_000) < 0.05


def hears(played: Played) -> float:
    """How loud the sound is, once decoded."""
    first = played.sound[0]
    decoder = av.CodecContext.create("libopus" if first.codec == "OPUS" else "aac", "r")
    assert isinstance(decoder, av.AudioCodecContext)
    decoder.extradata = first.configuration
    frames = [frame for packet in played.sound for frame in decoder.decode(av.Packet(packet.data))]
    return float(np.abs(frames[len(frames) // 2].to_ndarray()).max())


@pytest.mark.parametrize("name", ["a.mp4", "a.ts", "a.mkv"])
async def test_each_keyframe_can_be_begun_with(tmp_path: Path, name: str) -> None:
    played = await play(found(film(tmp_path / name, "libx264", None, options={"bf": "0", "g": "10", "sc_threshold": "0"})))
    keyframes = [number for number, picture in enumerate(played.pictures) if picture.keyframe]
    assert keyframes == [0, 10, 20]
    for number in keyframes:
        assert list(Decoder("H264", 1 << 20).decode(played.pictures[number]))


async def test_a_file_comes_at_the_pace_of_its_time_stamps(tmp_path: Path) -> None:
    played = await play(found(film(tmp_path / "a.mp4", "libx264", "aac", options={"bf": "0"})))
    first = played.pictures[0]
    for picture in played.pictures:
        since = (picture.timeline.received - first.timeline.received) / SECOND
        assert since == pytest.approx((picture.pts - first.pts) / 90_000, abs=0.001)
    assert sum(played.time.slept) == pytest.approx(1, abs=0.1)


async def test_a_loop_goes_on_without_gap_or_overlap(tmp_path: Path) -> None:
    played = await play(found(film(tmp_path / "a.mp4", "libx264", "aac", options=B_FRAMES)), enough=3 * FPS, loop=True)
    assert played.reason == "enough was seen"
    times = sorted(picture.pts for picture in played.pictures)
    steps = [later - earlier for earlier, later in pairwise(times)]
    assert all(step in (STEP - 1, STEP, STEP + 1) for number, step in enumerate(steps, 1) if number % FPS)
    # The sound is longer than the pictures by what AAC puts before it, and by less than a frame after it.
    assert all(STEP - 1 <= steps[number] <= 2 * STEP for number in (FPS - 1, 2 * FPS - 1))
    heard = [later.pts - earlier.pts for earlier, later in pairwise(played.sound)]
    assert all(1023 <= step <= 1025 for step in heard)
    rounds = [times[number * FPS] for number in range(3)]
    assert rounds[2] - rounds[1] == pytest.approx(rounds[1] - rounds[0], abs=1)


@pytest.mark.parametrize("cut", [0.3, 0.6])
async def test_a_file_that_is_cut_off_is_played_as_far_as_it_goes(tmp_path: Path, cut: float) -> None:
    path = film(tmp_path / "a.ts", "libx264", "aac", options=B_FRAMES)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * cut)])
    played = await play(found(path))
    assert played.reason == "the file has ended"
    assert 0 < len(played.pictures) < FPS


async def test_what_is_no_film_is_refused(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", "libx264", "aac")
    whole = path.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "noise.mp4").write_bytes(bytes(range(256)) * 400)
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n")
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile 'a.mp4'\n")
    (tmp_path / "list.sdp").write_text("v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n")
    for name in ("cut.mp4", "empty.mp4", "noise.mp4", "list.m3u8", "list.mp4", "list.sdp"):
        played = await play(Allowed((), tmp_path).source(name), loop=True)
        assert played.reason.startswith("the source cannot be read: "), name
        assert not played.pictures


async def test_pictures_of_other_codecs_are_refused_in_words(tmp_path: Path) -> None:
    played = await play(found(film(tmp_path / "a.mp4", "mpeg4", "aac")))
    assert played.reason == "the source's pictures are mpeg4, which is not taken; send H264, HEVC, VP8, VP9, AV1"


async def test_pictures_that_are_too_large_are_refused(tmp_path: Path) -> None:
    played = await play(found(film(tmp_path / "a.mp4", seconds=0.1)), max_pixels=SIZE[0] * SIZE[1] - 1)
    assert "max_pixels" in played.reason


@pytest.mark.parametrize(("tracks", "words"), [(17, "17 tracks"), (80, "tracks|read")])
async def test_a_file_of_many_tracks_is_refused(tmp_path: Path, tracks: int, words: str) -> None:
    played = await play(found(film(tmp_path / "a.mkv", "libvpx", None, seconds=0.1, tracks=tracks)))
    assert any(word in played.reason for word in words.split("|")), played.reason
    assert not played.pictures


async def test_a_file_that_lies_about_its_size_takes_no_memory(tmp_path: Path) -> None:
    # An index of a thousand million pictures, of which nothing is there.
    path = film(tmp_path / "a.mp4", "libx264", None)
    data = bytearray(path.read_bytes())
    table = data.index(b"stsz")
    data[table + 8 : table + 12] = (1 << 30).to_bytes(4)
    path.write_bytes(data)
    played = await play(found(path))
    assert played.reason
    assert not played.pictures


async def test_it_is_closed_at_once_and_says_so_once(tmp_path: Path) -> None:
    played = Played()
    ingest = played.ingest(found(film(tmp_path / "a.mp4")), loop=True)
    ingest.start()
    await asyncio.sleep(0)
    await ingest.close("one reason")
    await ingest.close("another")
    assert played.reason == "one reason"
    assert not readers()


async def test_nothing_stays_open_of_a_source_that_waited_for_its_time(tmp_path: Path) -> None:
    source = found(film(tmp_path / "a.wav", None, "pcm_s16le", seconds=30))

    async def for_ever(seconds: float) -> None:
        await asyncio.Event().wait()

    async def once() -> int:
        ingest = MediaIngest(source, on_video=lambda _: None, sleep=for_ever)
        ingest.start()
        async with asyncio.timeout(20):
            while ingest.format is None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        # Until the pipe is full, and nobody looks at its end any more.
        await asyncio.sleep(0.3)
        await ingest.close("enough")
        await asyncio.sleep(0.05)
        return len(os.listdir("/proc/self/fd"))

    assert await once() == await once()


async def test_it_may_be_closed_before_it_begins(tmp_path: Path) -> None:
    played = Played()
    await played.ingest(found(film(tmp_path / "a.mp4", seconds=0.1))).close("never mind")
    assert played.reason == "never mind"


async def test_what_reads_has_none_of_our_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOPPEL_ACCESS_KEY", "a-secret-of-ours")
    played = Played(enough=1)
    ingest: MediaIngest = played.ingest(found(film(tmp_path / "a.mp4")), loop=True)
    ingest.start()
    async with asyncio.timeout(20):
        await played.over.wait()
    (process,) = readers()
    environment = await asyncio.to_thread(Path(f"/proc/{process}/environ").read_bytes)
    await ingest.close("enough")
    assert b"a-secret-of-ours" not in environment
