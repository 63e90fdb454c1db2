from __future__ import annotations

import asyncio
import io
import os
import stat
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from stream.egress import recording
from stream.egress.recording import RecordingEgress
from stream.picture import EncodedPicture
from stream.sound.packet import SoundPacket
from tests.stream.egress.media import FPS, FRAME, PACKET, pictures, sound, ticks, together, watch

ROOT = Path(__file__).parents[3]

LOST = 2 * 90_000
"""90 kHz that a crash may take."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "alice-20300102-030405.mp4"


def give(egress: RecordingEgress, items: Iterable[EncodedPicture | SoundPacket]) -> None:
    for item in items:
        if isinstance(item, EncodedPicture):
            egress.send(item)
        else:
            egress.sound(item)


def there(path: Path) -> bool:
    return path.exists()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def read(path: Path) -> bytes:
    return path.read_bytes()


def write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def refuse(reason: str) -> None:
    raise AssertionError(reason)


async def test_a_stream_is_in_the_file_when_it_is_closed(path: Path) -> None:
    egress = RecordingEgress(path, on_failed=refuse)
    assert (egress.state, egress.codec, egress.ready) == ("waiting", "H264", True)
    items = together(pictures(5), sound(5))
    await asyncio.to_thread(give, egress, items)
    assert egress.state == "running"
    await egress.close("it was ended")
    await egress.close("once more")
    give(egress, items)
    assert not egress.ready
    seen = watch(str(path))
    assert seen.pictures == ticks(5 * FPS, FRAME)
    assert seen.sound[-1] == (5 * 50 - 1) * PACKET
    assert (egress.dropped, egress.reason) == (0, "")
    assert mode(path) & stat.S_IRWXO == 0


def probe(path: Path) -> subprocess.CompletedProcess[str]:
    entries = "stream=codec_name,nb_read_packets"
    command = ["ffprobe", "-v", "warning", "-count_packets", "-show_entries", entries, "-of", "csv=p=0", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True)


async def test_ffprobe_reads_it(path: Path) -> None:
    egress = RecordingEgress(path, on_failed=refuse)
    give(egress, together(pictures(4), sound(4)))
    await egress.close("it was ended")
    told = await asyncio.to_thread(probe, path)
    assert told.stdout.split() == [f"h264,{4 * FPS}", "opus,200"]
    assert told.stderr == ""


async def test_a_file_of_nothing_is_taken_away(path: Path) -> None:
    egress = RecordingEgress(path, on_failed=refuse)
    give(egress, together(pictures(2)[1 : FPS + 1], sound(1)))
    assert egress.state == "waiting"
    assert egress.dropped == 0
    await egress.close("it was ended")
    assert not there(path)


@pytest.mark.parametrize("bound", ["QUEUE_BYTES", "QUEUE_ITEMS"])
async def test_a_disk_that_is_too_slow_costs_pictures_up_to_a_keyframe(
    path: Path, bound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = pictures(6)
    room = sum(len(picture.data) for picture in everything[:FPS]) if bound == "QUEUE_BYTES" else FPS
    monkeypatch.setattr(recording, bound, room)
    monkeypatch.setattr(RecordingEgress, "_run", lambda self: self._ending.wait())
    egress = RecordingEgress(path, on_failed=refuse)
    give(egress, everything[: 2 * FPS])
    assert (egress.ready, egress.dropped) == (False, FPS)
    # There is room again, in the middle of what depends on a lost picture.
    taken = egress._take()
    assert [item.pts for item in taken] == ticks(FPS, FRAME)
    assert (egress.ready, egress.dropped) == (True, FPS)
    give(egress, everything[2 * FPS + 1 : 3 * FPS])
    assert egress.dropped == 2 * FPS - 1
    assert not egress._take()
    give(egress, everything[4 * FPS : 4 * FPS + 3])
    assert [item.pts for item in egress._take()] == ticks(3, FRAME, 4 * FPS * FRAME)
    await egress.close("it was ended")


def test_a_write_that_is_cut_off_anywhere_takes_nothing_written_before(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the process is killed in the middle of it."""
    calls: list[tuple[bytes, int]] = []

    def keep(file: int, data: bytes, position: int) -> int:
        calls.append((bytes(data), position))
        return len(data)

    def written(calls: list[tuple[bytes, int]]) -> io.BytesIO:
        file = io.BytesIO()
        for data, position in calls:
            file.seek(position)
            file.write(data)
        file.seek(0)
        return file

    monkeypatch.setattr(os, "pwrite", keep)

    async def record() -> None:
        egress = RecordingEgress(path, on_failed=refuse)
        give(egress, together(pictures(4), sound(4)))
        await egress.close("it was ended")

    asyncio.run(record())
    assert len(calls) > 8
    for count in range(4, len(calls)):
        before = watch(written(calls[: count - count % 2]))
        data, position = calls[count]
        for left in {1, 7, 40, 300, len(data) // 2, len(data) - 1}:
            seen = watch(written([*calls[:count], (data[:left], position)]))
            assert seen.pictures[: len(before.pictures)] == before.pictures


async def failure(path: Path) -> tuple[RecordingEgress, str]:
    loop = asyncio.get_running_loop()
    told: asyncio.Future[str] = loop.create_future()

    def failed(reason: str) -> None:
        loop.call_soon_threadsafe(told.set_result, reason)

    egress = RecordingEgress(path, on_failed=failed)
    async with asyncio.timeout(10):
        reason = await told
    give(egress, together(pictures(1), sound(1)))
    assert (egress.state, egress.reason, egress.ready) == ("failed", reason, False)
    await egress.close("it failed")
    return egress, reason


async def test_a_file_that_is_there_is_left_alone(path: Path) -> None:
    write(path, b"somebody else's")
    _, reason = await failure(path)
    assert path.name in reason
    assert "File exists" in reason
    assert "move that file away" in reason
    assert str(path.parent) not in reason
    assert read(path) == b"somebody else's"


async def test_a_folder_that_is_not_there(path: Path) -> None:
    _, reason = await failure(path.parent / "gone" / path.name)
    assert "make the folder" in reason


async def test_a_mistake_of_ours_is_told_too(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: RecordingEgress, file: int) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(RecordingEgress, "_record", broken)
    _, reason = await failure(path)
    assert "which is in its log" in reason
    assert not there(path)


def run(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.stream.egress.recorder", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_a_full_disk_ends_the_recording_in_words_and_leaves_what_is_whole(path: Path) -> None:
    room = 60_000
    with run(path, room) as process:
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "File too large" in said
    assert "start another" in said
    assert "failed False True" in said
    assert 0 < path.stat().st_size <= room
    seen = watch(str(path))
    assert seen.pictures == ticks(len(seen.pictures), FRAME)
    assert seen.frames == len(seen.pictures) > 0


def test_a_recording_that_is_killed_plays_up_to_its_last_two_seconds(path: Path) -> None:
    with run(path) as process:
        assert process.stdout is not None
        sent = 0
        while sent < 5 * 90_000:
            sent = int(process.stdout.readline())
        process.kill()
        sent = max([sent, *map(int, process.stdout.read().split())])
    seen = watch(str(path))
    assert sent - seen.pictures[-1] <= LOST
    assert (sent * 8 // 15) - seen.sound[-1] <= LOST * 8 // 15
    assert seen.pictures == ticks(len(seen.pictures), FRAME)
    assert seen.sound == ticks(len(seen.sound), PACKET, seen.sound[0])
    assert seen.frames == len(seen.pictures)
