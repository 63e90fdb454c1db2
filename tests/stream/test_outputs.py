from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from stream.egress import Egress
from stream.egress.recording import RecordingEgress
from stream.egress.rtmp import RtmpPushEgress
from stream.outputs import MAX_OUTPUTS, OutputRefused, OutputRules, Outputs, PushWanted, RecordingWanted, UnknownOutput

WALL = 1_893_553_445.0
"""s since 1970: 2030-01-02 03:04:05."""

SECRET = "s3cret-key"
URL = f"rtmp://127.0.0.1:9/live/{SECRET}?token={SECRET}"
"""Nobody listens there."""


class House:
    """The stream whose outputs they are."""

    def __init__(self, folder: Path | None, hosts: frozenset[str] = frozenset()) -> None:
        self.attached: list[Egress] = []
        self.detached: list[tuple[Egress, str]] = []
        self.told = asyncio.Event()
        self.outputs = Outputs(
            "alice", OutputRules(folder, hosts), attach=self.attached.append, detach=self.detach, wall=lambda: WALL
        )

    async def detach(self, egress: Egress, reason: str) -> None:
        self.detached.append((egress, reason))
        self.told.set()
        await egress.close(reason)

    def states(self) -> list[tuple[str, str, str]]:
        return [(report.kind, report.state, report.target) for report in self.outputs.reports()]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def make_file(path: Path) -> None:
    path.write_bytes(b"")


async def test_a_recording_begins_is_listed_and_ends(tmp_path: Path) -> None:
    house = House(tmp_path)
    report = await house.outputs.add(RecordingWanted())
    assert (report.kind, report.state, report.target, report.reason) == ("recording", "waiting", "alice-20300102-030405.mp4", "")
    assert list(house.outputs.reports()) == [report]
    (egress,) = house.attached
    assert isinstance(egress, RecordingEgress)
    await house.outputs.end(report.id)
    assert house.detached == [(egress, "it was ended by request")]
    assert not egress.ready
    assert house.states() == []
    with pytest.raises(UnknownOutput, match=report.id):
        await house.outputs.end(report.id)


async def test_two_in_the_same_second_are_two_files(tmp_path: Path) -> None:
    house = House(tmp_path)
    targets = {(await house.outputs.add(RecordingWanted())).target for _ in range(3)}
    assert len(targets) == 3
    assert all(target.startswith("alice-20300102-030405") for target in targets)
    await house.outputs.close("the stream is over")
    assert len(house.detached) == 3


async def test_recording_that_is_off_is_refused_with_what_to_do() -> None:
    house = House(None)
    with pytest.raises(OutputRefused, match="--recordings-dir DIR"):
        await house.outputs.add(RecordingWanted())
    assert house.attached == []


async def test_a_folder_that_is_not_there_is_refused_and_not_named(tmp_path: Path) -> None:
    with pytest.raises(OutputRefused, match="make that folder") as refused:
        await House(tmp_path / "gone").outputs.add(RecordingWanted())
    assert str(tmp_path) not in str(refused.value)


async def test_one_that_fails_is_let_go_and_stays_listed_with_the_reason(tmp_path: Path) -> None:
    make_file(tmp_path / "alice-20300102-030405.mp4")
    house = House(tmp_path)
    report = await house.outputs.add(RecordingWanted())
    async with asyncio.timeout(10):
        await house.told.wait()
    assert [egress for egress, _ in house.detached] == house.attached
    assert house.states() == [("recording", "failed", report.target)]
    assert "File exists" in house.outputs.reports()[0].reason
    await house.outputs.end(report.id)
    assert house.states() == []


async def test_there_are_so_many_and_those_that_failed_make_room(tmp_path: Path) -> None:
    make_file(tmp_path / "alice-20300102-030405.mp4")
    house = House(tmp_path)
    failed = await house.outputs.add(RecordingWanted())
    async with asyncio.timeout(10):
        await house.told.wait()
    for _ in range(MAX_OUTPUTS):
        await house.outputs.add(RecordingWanted())
    assert failed.id not in [report.id for report in house.outputs.reports()]
    with pytest.raises(OutputRefused, match=str(MAX_OUTPUTS)):
        await house.outputs.add(RecordingWanted())
    await house.outputs.close("the stream is over")
    assert names(tmp_path) == ["alice-20300102-030405.mp4"]


async def test_several_at_once_are_counted_too(tmp_path: Path) -> None:
    house = House(tmp_path)
    added = await asyncio.gather(*(house.outputs.add(RecordingWanted()) for _ in range(2 * MAX_OUTPUTS)), return_exceptions=True)
    assert len(house.attached) == MAX_OUTPUTS
    assert sum(isinstance(each, OutputRefused) for each in added) == MAX_OUTPUTS
    await house.outputs.close("the stream is over")


async def test_a_push_begins_and_its_key_is_told_nobody(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    house = House(None, frozenset({"127.0.0.1"}))
    wanted = PushWanted(URL)
    report = await house.outputs.add(wanted)
    (egress,) = house.attached
    assert isinstance(egress, RtmpPushEgress)
    assert report.kind == "rtmp"
    assert report.state == "connecting"
    assert report.target.startswith("rtmp://127.0.0.1:9/live/")
    await house.outputs.end(report.id)
    assert [ended for ended, _ in house.detached] == [egress]
    for told in (repr(wanted), repr(report), caplog.text):
        assert SECRET not in told


@pytest.mark.parametrize(
    ("state", "reported", "reason"),
    [("live", "running", ""), ("waiting", "waiting", "why"), ("refused", "waiting", "why"), ("connecting", "connecting", "why")],
)
async def test_the_states_of_a_push(state: str, reported: str, reason: str) -> None:
    house = House(None, frozenset({"127.0.0.1"}))
    await house.outputs.add(PushWanted(URL))
    (egress,) = house.attached
    assert isinstance(egress, RtmpPushEgress)
    egress.state, egress.reason = state, "why"
    told = house.outputs.reports()[0]
    assert (told.state, told.reason) == (reported, reason)
    await house.outputs.close("the stream is over")


async def test_pushing_that_is_off_is_refused_with_what_to_do() -> None:
    with pytest.raises(OutputRefused, match="--push-hosts"):
        await House(None).outputs.add(PushWanted(URL))


@pytest.mark.parametrize(
    ("url", "word"),
    [
        (f"rtmp://elsewhere.example/live/{SECRET}", "elsewhere.example"),
        (f"rtmp://127.0.0.1@elsewhere.example/live/{SECRET}", "user"),
        (f"rtmp://127.0.0.1.elsewhere.example/live/{SECRET}", "elsewhere.example"),
        (f"http://127.0.0.1/live/{SECRET}", "rtmp://"),
        (f"file:///live/{SECRET}", "rtmp://"),
        ("rtmp://127.0.0.1/live", "key"),
        ("", "rtmp://"),
    ],
)
async def test_a_push_elsewhere_is_refused_without_its_key(url: str, word: str) -> None:
    house = House(None, frozenset({"127.0.0.1"}))
    with pytest.raises(OutputRefused, match=word) as refused:
        await house.outputs.add(PushWanted(url))
    assert SECRET not in str(refused.value)
    assert house.attached == []


async def test_none_begins_once_the_stream_has_ended(tmp_path: Path) -> None:
    house = House(tmp_path)
    adding = asyncio.create_task(house.outputs.add(RecordingWanted()))
    await asyncio.sleep(0)
    await house.outputs.close("the stream is over")
    await house.outputs.close("the stream is over")
    with pytest.raises(OutputRefused, match="ending"):
        await adding
    with pytest.raises(OutputRefused, match="ending"):
        await house.outputs.add(RecordingWanted())
    assert house.attached == []
    assert names(tmp_path) == []


def test_one_that_fails_after_the_loop_has_ended_tells_nobody(tmp_path: Path) -> None:
    async def life() -> Callable[[str], None]:
        return House(tmp_path).outputs._failing("id")

    asyncio.run(life())("for a reason")
