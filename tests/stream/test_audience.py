"""Who is sent which rendition, at which rate, on a fake clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import pytest

from stream.audience import Audience
from stream.frame_queue import Drops
from stream.limits import FAST_AFTER, MIN_BITRATE, SECOND, SLOW_AFTER, VIEWER_KEYFRAME, Limits
from stream.viewer import Viewer


class FakeRendition:
    def __init__(self, name: str, codec: str) -> None:
        self.name, self.codec = name, codec
        self.bitrate = 1_500_000
        self.keyframes = 0

    def request_keyframe(self) -> None:
        self.keyframes += 1


class FakePipeline:
    def __init__(self) -> None:
        self.renditions: list[FakeRendition] = []

    def add(self, rendition: FakeRendition) -> None:
        self.renditions.append(rendition)

    def remove(self, rendition: FakeRendition) -> None:
        self.renditions.remove(rendition)


class FakeEgress:
    def __init__(self) -> None:
        self.members: list[object] = []
        self.new: list[object] = []
        self.sounds: list[object] = []

    def add(self, member: object) -> None:
        self.members.append(member)

    def remove(self, member: object) -> None:
        self.members.remove(member)

    def awaits_keyframe(self, member: object) -> bool:
        return member in self.new

    def sound(self, packet: object) -> None:
        self.sounds.append(packet)


@dataclass(eq=False)
class FakeViewer:
    estimate: int | None = 2_000_000
    codec: str = "H264"
    rendition: str = ""
    changing_since: int | None = None
    keyframe_asked: int | None = None
    keyframe_owed: bool = False
    dropped: int = 0

    def __post_init__(self) -> None:
        self.peer = object()

    def look(self) -> int:
        dropped, self.dropped = self.dropped, 0
        return dropped


class Theatre:
    def __init__(self, limits: Limits) -> None:
        self.now = 100 * SECOND
        self.pipeline = FakePipeline()
        self.drops = Drops()
        self.egresses: dict[str, list[FakeEgress]] = {}
        self.audience = Audience(
            cast(Any, self.pipeline),
            limits=limits,
            drops=self.drops,
            make_egress=self._egress,
            make_rendition=lambda kind, egress: cast(Any, FakeRendition(kind.name, cast(Any, egress).codec)),
            clock=lambda: self.now,
        )

    def _egress(self, codec: str) -> Any:
        egress: Any = FakeEgress()
        egress.codec = codec
        self.egresses.setdefault(codec, []).append(egress)
        return egress

    def enter(self, *viewers: FakeViewer) -> None:
        for viewer in viewers:
            self.audience.add(cast(Viewer, viewer))

    def look(self, seconds: float) -> None:
        for _ in range(int(seconds * 2)):
            self.now += SECOND // 2
            self.audience.look()

    @property
    def renditions(self) -> dict[str, FakeRendition]:
        return {rendition.name: rendition for rendition in self.pipeline.renditions}


@pytest.fixture
def theatre() -> Theatre:
    return Theatre(Limits())


def test_all_of_one_codec_share_an_encode_and_each_gets_a_keyframe(theatre: Theatre) -> None:
    theatre.enter(FakeViewer(), FakeViewer(), FakeViewer())
    (rendition,) = theatre.pipeline.renditions
    assert (rendition.name, rendition.codec, rendition.keyframes) == ("main", "H264", 3)
    theatre.enter(FakeViewer(codec="VP8"))
    assert [rendition.codec for rendition in theatre.pipeline.renditions] == ["H264", "VP8"]


def test_the_last_to_leave_ends_the_encode(theatre: Theatre) -> None:
    one, two = FakeViewer(), FakeViewer()
    theatre.enter(one, two)
    theatre.audience.remove(cast(Viewer, one))
    theatre.audience.remove(cast(Viewer, one))
    assert len(theatre.pipeline.renditions) == 1
    theatre.audience.remove(cast(Viewer, two))
    assert theatre.pipeline.renditions == []


def test_the_slowest_of_similar_lines_decides_the_rate(theatre: Theatre) -> None:
    theatre.enter(FakeViewer(2_000_000), FakeViewer(1_800_000), FakeViewer(2_400_000))
    assert theatre.renditions["main"].bitrate == 1_800_000


def test_one_bad_line_takes_little_from_the_others(theatre: Theatre) -> None:
    theatre.enter(FakeViewer(2_000_000), FakeViewer(2_000_000), FakeViewer(100_000))
    assert theatre.renditions["main"].bitrate == 1_200_000


def test_the_rate_is_kept_within_bounds(theatre: Theatre) -> None:
    viewer = FakeViewer(1)
    theatre.enter(viewer)
    assert theatre.renditions["main"].bitrate == MIN_BITRATE
    viewer.estimate = 10**9
    theatre.audience.estimated(cast(Viewer, viewer))
    assert theatre.renditions["main"].bitrate == Limits().max_bitrate


def test_a_line_that_is_slow_for_long_gets_the_small_rendition_and_later_the_main_one(theatre: Theatre) -> None:
    slow = FakeViewer(300_000)
    theatre.enter(FakeViewer(), FakeViewer(), slow)
    theatre.look(SLOW_AFTER / SECOND)
    assert slow.rendition == "main"
    theatre.look(1)
    assert slow.rendition == "small"
    assert theatre.renditions["main"].bitrate == 2_000_000
    assert theatre.renditions["small"].bitrate == 300_000
    assert theatre.renditions["small"].keyframes == 1
    slow.estimate = 2_500_000
    theatre.look(FAST_AFTER / SECOND)
    assert slow.rendition == "small"
    theatre.look(1)
    assert slow.rendition == "main"
    assert list(theatre.renditions) == ["main"]


def test_a_line_that_recovers_in_time_stays(theatre: Theatre) -> None:
    wavering = FakeViewer(300_000)
    theatre.enter(FakeViewer(), FakeViewer(), wavering)
    for _ in range(10):
        wavering.estimate = 300_000
        theatre.look(2)
        wavering.estimate = 2_000_000
        theatre.look(1)
    assert list(theatre.renditions) == ["main"]


def test_no_more_renditions_than_configured() -> None:
    theatre = Theatre(Limits(max_renditions=1))
    theatre.enter(FakeViewer(), FakeViewer(), FakeViewer(100_000))
    theatre.look(10)
    assert list(theatre.renditions) == ["main"]


def test_when_the_fast_ones_have_left_the_slow_ones_are_the_audience(theatre: Theatre) -> None:
    fast, slow = [FakeViewer(), FakeViewer()], FakeViewer(300_000)
    theatre.enter(*fast, slow)
    theatre.look(4)
    assert slow.rendition == "small"
    for viewer in fast:
        theatre.audience.remove(cast(Viewer, viewer))
    assert slow.rendition == "main"
    assert theatre.renditions["main"].bitrate == 300_000
    assert list(theatre.renditions) == ["main"]


def test_one_of_several_gets_a_keyframe_now_and_then_and_none_is_forgotten(theatre: Theatre) -> None:
    bad, good = FakeViewer(), FakeViewer()
    theatre.enter(good, bad)
    theatre.look(2)
    rendition = theatre.renditions["main"]
    before = rendition.keyframes
    for _ in range(20):
        theatre.audience.keyframe_requested(cast(Viewer, bad))
    assert rendition.keyframes == before + 1
    theatre.look(VIEWER_KEYFRAME / SECOND + 0.5)
    assert rendition.keyframes == before + 2
    theatre.look(5)
    assert rendition.keyframes == before + 2


def test_one_alone_gets_as_many_as_it_asks_for(theatre: Theatre) -> None:
    viewer = FakeViewer()
    theatre.enter(viewer)
    before = theatre.renditions["main"].keyframes
    for _ in range(5):
        theatre.audience.keyframe_requested(cast(Viewer, viewer))
    assert theatre.renditions["main"].keyframes == before + 5


def test_sound_goes_to_everybody_and_to_those_who_only_listen(theatre: Theatre) -> None:
    listener = FakeViewer(None, codec="")
    theatre.enter(FakeViewer(), FakeViewer(codec="VP8"), listener)
    theatre.audience.sound(cast(Any, "packet"))
    assert [egress.sounds for some in theatre.egresses.values() for egress in some] == [["packet"]] * 3
    theatre.look(5)
    theatre.audience.keyframe_requested(cast(Viewer, listener))
    theatre.audience.estimated(cast(Viewer, listener))
    theatre.audience.remove(cast(Viewer, listener))
    assert theatre.egresses[""][0].members == []


def test_one_whose_first_keyframe_was_none_for_it_gets_another(theatre: Theatre) -> None:
    one, two = FakeViewer(), FakeViewer()
    theatre.enter(one, two)
    (rendition,), (egress,) = theatre.renditions.values(), theatre.egresses["H264"]
    egress.new.append(two.peer)
    theatre.look(VIEWER_KEYFRAME / SECOND - 0.5)
    assert rendition.keyframes == 2
    theatre.look(0.5)
    assert rendition.keyframes == 3
    egress.new.clear()
    theatre.look(5)
    assert rendition.keyframes == 3


def test_another_codec_comes_before_slow_lines(theatre: Theatre) -> None:
    slow = FakeViewer(estimate=300_000)
    theatre.enter(slow, FakeViewer(), FakeViewer())
    theatre.look(SLOW_AFTER / SECOND + 1)
    assert slow.rendition == "small"
    theatre.enter(FakeViewer(codec="VP8"))
    assert [(rendition.codec, rendition.name) for rendition in theatre.pipeline.renditions] == [("H264", "main"), ("VP8", "main")]
    assert slow.rendition == "main"
    theatre.look(60)
    assert len(theatre.pipeline.renditions) == 2


def test_slow_ones_who_are_left_alone_fit_beside_another_codec() -> None:
    theatre = Theatre(Limits(max_renditions=3))
    fast, slow = [FakeViewer() for _ in range(4)], [FakeViewer(estimate=300_000) for _ in range(3)]
    theatre.enter(*fast, *slow, FakeViewer(codec="VP8"))
    theatre.look(SLOW_AFTER / SECOND + 1)
    assert [viewer.rendition for viewer in slow] == ["small"] * 3
    theatre.audience._limits = Limits(max_renditions=2)
    for viewer in fast:
        theatre.audience.remove(cast(Viewer, viewer))
    assert [viewer.rendition for viewer in slow] == ["main"] * 3
    assert sorted((each.codec, each.name) for each in theatre.pipeline.renditions) == [("H264", "main"), ("VP8", "main")]
    assert [len(egress.members) for egress in theatre.egresses["H264"]] == [0, 0, 3]


def test_what_a_full_line_costs_is_counted_once_and_not_forgotten_with_the_viewer(theatre: Theatre) -> None:
    one, two = FakeViewer(dropped=3), FakeViewer()
    theatre.enter(one, two)
    theatre.look(1)
    two.dropped = 2
    theatre.audience.remove(cast(Viewer, two))
    theatre.look(1)
    assert theatre.drops.snapshot() == {"line_full": 5}
