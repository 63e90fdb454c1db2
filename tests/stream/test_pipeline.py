from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import pytest
import torch
from prometheus_client import CollectorRegistry

from stream.decoder import Decoder
from stream.limits import KEYFRAME_ANSWER, PICTURE_QUEUE, Limits
from stream.load import LEVELS, Load
from stream.metrics import Metrics
from stream.picture import EncodedPicture
from stream.pipeline import Pipeline
from stream.rendition import MAIN, SMALL, STEADY, Kind, Rendition
from stream.sound.packet import SoundPacket
from stream.statistics import Statistics
from tests.stream.pictures import FRAME, encoded
from transforms.base import Settings, Transform
from transforms.chain import Chain, Step
from transforms.context import Context
from transforms.frame import Frame
from transforms.models.store import Store
from transforms.registry import AnyTransform

PATIENCE = 10.0
"""s to wait for another thread before the test fails."""


class Nothing(Settings):
    pass


class Controlled(Transform[Nothing]):
    """Does what the test says."""

    title = "Controlled"
    summary = "For tests."
    settings_type = Nothing
    seen: list[int]
    act: Callable[[Frame], Frame] = staticmethod(lambda frame: frame)
    closed = 0

    def process(self, frame: Frame) -> Frame:
        type(self).seen.append(frame.pts)
        return type(self).act(frame)

    def close(self) -> None:
        type(self).closed += 1


@pytest.fixture
def transform(monkeypatch: pytest.MonkeyPatch) -> type[Controlled]:
    kind: type[Controlled] = type("Own", (Controlled,), {"seen": [], "closed": 0})

    def load(key: str) -> type[AnyTransform]:
        assert key == "own"
        return kind

    monkeypatch.setattr("transforms.registry.load", load)
    return kind


@dataclass
class FakeEgress:
    codec: str = "H264"
    ready: bool = True
    pictures: list[EncodedPicture] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._arrived = threading.Condition()

    def send(self, picture: EncodedPicture) -> None:
        with self._arrived:
            self.pictures.append(picture)
            self._arrived.notify_all()

    def sound(self, packet: SoundPacket) -> None:
        raise AssertionError("a pipeline has no sound")

    async def close(self, reason: str) -> None:
        pass

    def wait(self, count: int) -> Sequence[EncodedPicture]:
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.pictures) >= count, PATIENCE), f"{len(self.pictures)} of {count}"
            return list(self.pictures)


@dataclass
class House:
    """A pipeline with everything around it."""

    store: Store
    limits: Limits = field(default_factory=Limits)
    codec: str = "H264"
    asked: int = 0
    broken: list[str] = field(default_factory=list)
    clock: Callable[[], int] = time.monotonic_ns

    def __post_init__(self) -> None:
        self.egress = FakeEgress(self.codec)
        self.chain = Chain(Context(torch.device("cpu"), self.store))
        self.statistics = Statistics(Metrics(CollectorRegistry()))
        self.load = Load()
        self.pipeline = Pipeline(
            "test",
            chain=self.chain,
            statistics=self.statistics,
            limits=self.limits,
            load=self.load,
            ask_publisher=self._ask,
            on_broken=self.broken.append,
        )
        self.rendition = self.add(MAIN, self.egress)

    def add(self, kind: Kind, egress: FakeEgress) -> Rendition:
        rendition = Rendition(
            kind,
            egress,
            drops=self.statistics.drops,
            limits=self.limits,
            load=self.load,
            on_broken=self.broken.append,
            clock=lambda: self.clock(),
        )
        self.pipeline.add(rendition)
        return rendition

    def _ask(self) -> None:
        self.asked += 1

    def use(self, count: int = 1) -> None:
        self.chain.swap(self.chain.prepare([Step("own", Nothing())] * count))

    def put(self, pictures: Sequence[EncodedPicture]) -> None:
        """One at a time, so that nothing is dropped on the way."""
        for picture in pictures:
            before = len(self.egress.pictures)
            self.pipeline.put(picture)
            self.egress.wait(before + 1)

    @property
    def drops(self) -> dict[str, int]:
        return self.statistics.drops.snapshot()

    def until(self, true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < deadline, self.drops
            time.sleep(0.001)


Open = Callable[..., House]


@pytest.fixture
def opened(store: Store) -> Iterator[Open]:
    houses: list[House] = []

    def make(**options: object) -> House:
        house = House(store, **options)  # type: ignore[arg-type]
        houses.append(house)
        house.pipeline.start()
        return house

    yield make
    for house in houses:
        house.pipeline.close()
        assert not any(thread.is_alive() for thread in (*house.pipeline._stages, *house.pipeline._encoders))
        assert house.broken == []


@pytest.mark.parametrize("codec", ["H264", "VP8"])
def test_an_empty_chain_sends_pictures_on_as_they_come(opened: Open, codec: str) -> None:
    house = opened(codec=codec)
    house.put(encoded(5))
    decoder = Decoder(codec, 1 << 20)
    for number, picture in enumerate(house.egress.pictures):
        assert (picture.pts, picture.codec, picture.keyframe) == (number * FRAME, codec, number == 0)
        assert len(list(decoder.decode(picture))) == 1
    assert house.drops == {}
    assert (house.pipeline.size_in, house.rendition.size) == ((64, 48), (64, 48))


def test_a_pictures_timeline_goes_through_every_stage(opened: Open) -> None:
    house = opened()
    house.put(encoded(1))
    line = house.egress.pictures[0].timeline
    assert 0 < line.received < line.decoded <= line.taken <= line.transformed <= line.encoded
    assert line.sent == 0


def test_a_transform_that_raises_is_passed_by(opened: Open, transform: type[Controlled]) -> None:
    def fail(frame: Frame) -> Frame:
        raise RuntimeError("broken")

    transform.act = staticmethod(fail)
    house = opened()
    house.use()
    house.put(encoded(4))
    assert house.chain.report()[0].errors == 4
    assert house.drops == {}


def test_a_transform_that_returns_nothing_is_passed_by(opened: Open, transform: type[Controlled]) -> None:
    transform.act = staticmethod(lambda frame: None)  # type: ignore[assignment]
    house = opened()
    house.use(2)
    house.put(encoded(4))
    assert [step.errors for step in house.chain.report()] == [4, 4]


def test_a_chain_that_fails_altogether_costs_its_frame_and_no_more(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    house = opened()
    process, failing = house.chain.process, [True]

    def fail_once(frame: Frame) -> Frame:
        if failing:
            failing.pop()
            raise MemoryError("the device is full")
        return process(frame)

    monkeypatch.setattr(house.chain, "process", fail_once)
    first, second = encoded(2)
    house.pipeline.put(first)
    house.until(lambda: house.drops == {"chain_failed": 1})
    house.put([second])


def test_a_slow_transform_gets_the_newest_frame_and_no_other(opened: Open, transform: type[Controlled]) -> None:
    entered, leave = threading.Event(), threading.Semaphore(0)

    def slow(frame: Frame) -> Frame:
        entered.set()
        assert leave.acquire(timeout=PATIENCE)
        return frame

    transform.act = staticmethod(slow)
    house = opened()
    house.use()
    pictures = encoded(10)
    house.pipeline.put(pictures[0])
    assert entered.wait(PATIENCE)
    for number, picture in enumerate(pictures[1:], 1):
        house.pipeline.put(picture)
        # It was in time so far, so a second frame waits with the first.
        dropped = number - 1 if number > 2 else 0
        house.until(lambda dropped=dropped: house.statistics.drops.snapshot().get("chain_busy", 0) == dropped)  # type: ignore[misc]
    for count in (1, 2):
        leave.release()
        house.egress.wait(count)
    assert transform.seen == [0, 9 * FRAME]
    assert [picture.pts for picture in house.egress.pictures] == [0, 9 * FRAME]
    assert house.drops == {"chain_busy": 8}


def test_an_egress_that_is_not_ready_gets_nothing_and_then_goes_on(opened: Open) -> None:
    house = opened()
    pictures = encoded(6)
    house.put(pictures[:2])
    house.egress.ready = False
    for number, picture in enumerate(pictures[2:4], 1):
        house.pipeline.put(picture)
        house.until(lambda number=number: house.drops == {"egress_busy": number})  # type: ignore[misc]
    house.egress.ready = True
    house.put(pictures[4:])
    decoder = Decoder("H264", 1 << 20)
    assert [frame.pts // FRAME for picture in house.egress.pictures for frame in decoder.decode(picture)] == [0, 1, 4, 5]


def test_what_cannot_be_decoded_is_dropped_up_to_the_next_keyframe(opened: Open) -> None:
    house = opened()
    pictures = encoded(5, keyframes=4)
    assert [picture.keyframe for picture in pictures] == [True, False, False, False, True]
    house.put(pictures[:1])
    house.pipeline.put(replace(pictures[1], data=b""))
    house.until(lambda: house.asked == 1)
    house.pipeline.put(pictures[2])
    house.pipeline.put(pictures[3])
    house.put(pictures[4:])
    assert [picture.pts // FRAME for picture in house.egress.pictures] == [0, 4]
    assert house.drops == {"undecodable": 1, "decoder_behind": 2}


def test_a_decoder_that_lags_drops_to_a_keyframe_and_asks_for_one(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, entered = threading.Event(), threading.Event()
    decode = Decoder.decode

    def lagging(self: Decoder, picture: EncodedPicture) -> Iterator[Frame]:
        entered.set()
        assert go_on.wait(PATIENCE)
        yield from decode(self, picture)

    monkeypatch.setattr(Decoder, "decode", lagging)
    house = opened()
    pictures = encoded(PICTURE_QUEUE + 3)
    house.pipeline.put(pictures[0])
    assert entered.wait(PATIENCE)
    for picture in pictures[1:]:
        house.pipeline.put(picture)
    assert house.asked >= 1
    assert house.drops == {"decoder_behind": PICTURE_QUEUE + 2}
    go_on.set()
    house.egress.wait(1)
    (key,) = encoded(1)
    house.put([replace(key, pts=100 * FRAME)])
    assert [picture.pts // FRAME for picture in house.egress.pictures] == [0, 100]


def test_more_frames_than_allowed_are_dropped_before_the_chain(opened: Open) -> None:
    house = opened(limits=Limits(max_fps=15))
    for number, picture in enumerate(encoded(20)):
        house.pipeline.put(picture)
        house.until(lambda number=number: len(house.egress.pictures) + house.drops.get("over_max_fps", 0) == number + 1)  # type: ignore[misc]
    assert 9 <= house.drops["over_max_fps"] <= 10


@pytest.mark.parametrize("level", range(2, len(LEVELS)))
def test_on_a_busy_machine_frames_are_left_out_evenly_before_the_chain(
    opened: Open, transform: type[Controlled], level: int
) -> None:
    house = opened()
    house.use()
    house.load.level = level
    for number, picture in enumerate(encoded(36)):
        house.pipeline.put(picture)
        house.until(lambda number=number: len(house.egress.pictures) + house.drops.get("busy_machine", 0) == number + 1)  # type: ignore[misc]
    share = LEVELS[level].share
    assert house.drops == {"busy_machine": 36 - 36 * share}
    gaps = {after - before for before, after in itertools.pairwise(transform.seen)}
    assert gaps <= {int(1 / share) * FRAME, -(-1 // share) * FRAME}
    assert [picture.pts for picture in house.egress.pictures] == transform.seen


@pytest.mark.parametrize(("codec", "built"), [("H264", 3), ("VP8", 1)])
def test_a_busy_machine_gets_a_cheaper_encoder_and_an_idle_one_the_better(opened: Open, codec: str, built: int) -> None:
    house = opened(codec=codec)
    pictures = encoded(9)
    for level, some in ((0, pictures[:3]), (1, pictures[3:6]), (0, pictures[6:])):
        house.load.level = level
        house.put(some)
    assert house.rendition.encoders_built == built
    assert [picture.keyframe for picture in house.egress.pictures].count(True) == built
    assert house.drops == {}


def test_pictures_larger_than_allowed_are_not_decoded(opened: Open) -> None:
    house = opened(limits=Limits(max_pixels=64 * 48))
    house.pipeline.put(encoded(1, width=128, height=96)[0])
    house.until(lambda: house.drops == {"undecodable": 1})
    house.put(encoded(1))


def test_a_size_that_changes_makes_one_new_encoder(opened: Open) -> None:
    house = opened()
    house.put(encoded(3))
    house.put([replace(picture, pts=picture.pts + 10 * FRAME) for picture in encoded(3, width=96, height=64)])
    assert [picture.keyframe for picture in house.egress.pictures] == [True, False, False] * 2
    assert [picture.width for picture in house.egress.pictures] == [64] * 3 + [96] * 3
    assert house.rendition.encoders_built == 2


def test_a_frame_too_small_to_encode_is_dropped(opened: Open) -> None:
    house = opened(codec="VP8")
    house.pipeline.put(encoded(1, encoder="libvpx", width=1, height=1, options={})[0])
    house.until(lambda: house.drops == {"unencodable": 1})
    house.put([replace(encoded(1)[0], pts=10 * FRAME)])


def test_a_keyframe_request_is_answered_by_the_next_frame(opened: Open) -> None:
    house = opened()
    pictures = encoded(8)
    house.put(pictures[:4])
    house.rendition.request_keyframe()
    house.put(pictures[4:])
    assert [picture.keyframe for picture in house.egress.pictures] == [True, False, False, False, True, False, False, False]
    assert house.rendition.encoders_built == 1


def test_a_storm_of_requests_makes_no_storm_of_keyframes(store: Store) -> None:
    now = [KEYFRAME_ANSWER]
    house = House(store, clock=lambda: now[0])
    house.pipeline.start()
    pictures = encoded(31)
    try:
        house.put(pictures[:1])
        for picture in pictures[1:]:
            now[0] += KEYFRAME_ANSWER // 10
            house.rendition.request_keyframe()
            house.rendition.request_keyframe()
            house.put([picture])
        assert sum(picture.keyframe for picture in house.egress.pictures) == 1 + 3
        assert house.rendition.encoders_built == 1
    finally:
        house.pipeline.close()


def test_the_codec_of_what_comes_may_change(opened: Open) -> None:
    house = opened()
    house.put(encoded(2))
    house.put([replace(p, pts=p.pts + 10 * FRAME) for p in encoded(2, encoder="libvpx", options={"lag-in-frames": "0"})])
    assert len(house.egress.pictures) == 4
    assert house.drops == {}


def test_a_chain_is_changed_between_two_frames(opened: Open, transform: type[Controlled]) -> None:
    house = opened()
    pictures = encoded(6)
    house.put(pictures[:2])
    house.use()
    house.put(pictures[2:4])
    house.chain.swap(house.chain.prepare([]))
    house.put(pictures[4:])
    assert transform.seen == [2 * FRAME, 3 * FRAME]
    assert transform.closed == 1


def test_the_end_closes_the_chain_and_can_come_twice(opened: Open, transform: type[Controlled]) -> None:
    house = opened()
    house.use(2)
    house.put(encoded(1))
    house.pipeline.close()
    house.pipeline.close()
    house.pipeline.put(encoded(1)[0])
    assert transform.closed == 2


def test_the_end_comes_though_a_frame_is_in_every_stage(opened: Open, transform: type[Controlled]) -> None:
    entered = threading.Event()
    closing = threading.Event()

    def slow(frame: Frame) -> Frame:
        entered.set()
        assert closing.wait(PATIENCE)
        return frame

    transform.act = staticmethod(slow)
    house = opened()
    house.use()
    for picture in encoded(3):
        house.pipeline.put(picture)
    assert entered.wait(PATIENCE)
    closer = threading.Thread(target=house.pipeline.close)
    closer.start()
    closing.set()
    closer.join(PATIENCE)
    assert not closer.is_alive()
    assert transform.closed == 1


def test_a_stage_that_dies_says_so(store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def die(self: Decoder, picture: EncodedPicture) -> Iterator[Frame]:
        raise AssertionError("never foreseen")

    monkeypatch.setattr(Decoder, "decode", die)
    house = House(store)
    house.pipeline.start()
    house.pipeline.put(encoded(1)[0])
    house.until(lambda: bool(house.broken))
    house.pipeline.close()
    assert "never foreseen" in caplog.text
    assert not any(thread.is_alive() for thread in (*house.pipeline._stages, *house.pipeline._encoders))


def test_two_renditions_of_one_decode(opened: Open) -> None:
    house = opened()
    small, steady = FakeEgress(), FakeEgress("VP8")
    house.add(SMALL, small)
    house.add(STEADY, steady)
    for number, picture in enumerate(encoded(5), 1):
        house.put([picture])
        small.wait(number)
        steady.wait(number)
    for egress, codec, size in ((house.egress, "H264", (64, 48)), (small, "H264", (32, 24)), (steady, "VP8", (64, 48))):
        assert [picture.pts for picture in egress.pictures] == [number * FRAME for number in range(5)]
        assert {(picture.codec, picture.width, picture.height) for picture in egress.pictures} == {(codec, *size)}
        decoder = Decoder(codec, 1 << 20)
        assert sum(len(list(decoder.decode(picture))) for picture in egress.pictures) == 5
    lines = [egress.pictures[-1].timeline for egress in (house.egress, small, steady)]
    assert len({id(line) for line in lines}) == 3
    assert len({line.transformed for line in lines}) == 1


def test_a_keyframe_of_one_rendition_is_none_of_the_others(opened: Open) -> None:
    house = opened()
    other = FakeEgress("VP8")
    rendition = house.add(MAIN, other)
    pictures = encoded(6)
    for number, picture in enumerate(pictures, 1):
        if number == 4:
            rendition.request_keyframe()
        house.put([picture])
        other.wait(number)
    assert [picture.keyframe for picture in other.pictures] == [True, False, False, True, False, False]
    assert [picture.keyframe for picture in house.egress.pictures] == [True] + [False] * 5


def test_a_rendition_that_is_removed_ends_and_the_rest_goes_on(opened: Open) -> None:
    house = opened()
    other = FakeEgress()
    rendition = house.add(SMALL, other)
    pictures = encoded(4)
    house.put(pictures[:2])
    other.wait(2)
    house.pipeline.remove(rendition)
    house.until(lambda: not rendition.thread.is_alive())
    house.put(pictures[2:])
    assert len(other.pictures) == 2


def test_where_nobody_receives_no_chain_runs(opened: Open, transform: type[Controlled]) -> None:
    house = opened()
    house.use()
    house.pipeline.remove(house.rendition)
    for number, picture in enumerate(encoded(3), 1):
        house.pipeline.put(picture)
        house.until(lambda number=number: house.drops == {"unwatched": number})  # type: ignore[misc]
    assert transform.seen == []


def test_a_steady_rendition_keeps_its_size_and_makes_keyframes_by_itself(opened: Open) -> None:
    house = opened()
    steady = FakeEgress()
    house.add(STEADY, steady)
    house.put(encoded(2))
    house.put([replace(picture, pts=picture.pts + 60 * FRAME) for picture in encoded(2, width=48, height=64)])
    steady.wait(4)
    assert {(picture.width, picture.height) for picture in steady.pictures} == {(64, 48)}
    assert [picture.keyframe for picture in steady.pictures] == [True, False, True, False]


def test_another_publisher_begins_with_its_keyframe(opened: Open) -> None:
    house = opened()
    house.put(encoded(2))
    house.pipeline.begin()
    late = [replace(picture, pts=picture.pts + 30 * FRAME) for picture in encoded(3, width=96, height=64)]
    house.pipeline.put(late[1])
    assert house.drops == {"decoder_behind": 1}
    assert house.asked == 1
    house.put([late[0], *late[1:]])
    assert [picture.width for picture in house.egress.pictures] == [64, 64, 96, 96, 96]


def test_the_last_picture_can_be_had_again(opened: Open) -> None:
    house = opened()
    house.put(encoded(2))
    house.rendition.request_keyframe()
    house.pipeline.repeat(10 * FRAME)
    pictures = house.egress.wait(3)
    assert (pictures[2].pts, pictures[2].keyframe) == (10 * FRAME, True)


def test_a_picture_that_was_overtaken_by_its_repeat_is_left_out(opened: Open, transform: type[Controlled]) -> None:
    house = opened()
    house.use()
    going, go = threading.Event(), threading.Event()

    def wait(frame: Frame) -> Frame:
        going.set()
        assert go.wait(PATIENCE)
        return frame

    house.put(encoded(1))
    transform.act = staticmethod(wait)
    pictures = encoded(3)
    house.pipeline.put(pictures[1])
    assert going.wait(PATIENCE)
    house.pipeline.repeat(10 * FRAME)
    go.set()
    house.until(lambda: house.egress.pictures[-1].pts == 10 * FRAME)
    house.pipeline.put(pictures[2])
    house.until(lambda: house.drops.get("out_of_order") == 1)
    assert house.egress.pictures[-1].pts == 10 * FRAME


def test_a_codec_that_there_is_no_decoder_for_ends_nothing(opened: Open) -> None:
    house = opened()
    house.put(encoded(1))
    house.pipeline.put(replace(encoded(1)[0], codec="DIRAC", pts=FRAME))
    house.until(lambda: house.drops == {"undecodable": 1})
    house.put([replace(picture, pts=picture.pts + 5 * FRAME) for picture in encoded(1)])
    assert house.broken == []
