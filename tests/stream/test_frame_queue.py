from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

import pytest

from stream.frame_queue import Drops, NewestSlot, PictureQueue
from stream.picture import EncodedPicture
from transforms.frame import Timeline

LENGTH = 4


def picture(number: int, keyframe: bool = False) -> EncodedPicture:
    return EncodedPicture(b"", number, keyframe, "H264", Timeline())


class Asked:
    """Counts keyframe requests."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


@pytest.fixture
def drops() -> Drops:
    return Drops()


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def queue(drops: Drops, asked: Asked) -> PictureQueue:
    return PictureQueue(drops, asked, LENGTH)


def put(queue: PictureQueue, numbers: Iterable[int], keyframe: bool = False) -> None:
    for number in numbers:
        queue.put(picture(number, keyframe))


def taken(queue: PictureQueue, count: int) -> list[int]:
    return [each.pts for each in (queue.get() for _ in range(count)) if each is not None]


def test_pictures_come_out_in_order(queue: PictureQueue, drops: Drops, asked: Asked) -> None:
    put(queue, [0], keyframe=True)
    put(queue, range(1, LENGTH))
    assert taken(queue, LENGTH) == [0, 1, 2, 3]
    assert (drops.snapshot(), asked.count) == ({}, 0)


def test_a_full_queue_is_emptied_up_to_the_next_keyframe(queue: PictureQueue, drops: Drops, asked: Asked) -> None:
    put(queue, range(LENGTH))
    assert asked.count == 0
    put(queue, [4])
    assert asked.count == 1
    assert drops.snapshot() == {"decoder_behind": 5}
    put(queue, [5, 6])
    put(queue, [7], keyframe=True)
    put(queue, [8])
    assert taken(queue, 2) == [7, 8]
    assert drops.snapshot() == {"decoder_behind": 7}


def test_a_keyframe_makes_what_waits_before_it_useless(queue: PictureQueue, drops: Drops, asked: Asked) -> None:
    put(queue, [0, 1])
    put(queue, [2], keyframe=True)
    assert taken(queue, 1) == [2]
    assert (drops.snapshot(), asked.count) == ({"decoder_behind": 2}, 0)


def test_a_decoder_without_references_gets_a_keyframe_next(queue: PictureQueue, drops: Drops, asked: Asked) -> None:
    put(queue, [0, 1])
    queue.await_keyframe()
    assert (drops.snapshot(), asked.count) == ({"decoder_behind": 2}, 1)
    put(queue, [2])
    put(queue, [3], keyframe=True)
    assert taken(queue, 1) == [3]


def test_a_decoder_without_references_goes_on_with_the_keyframe_that_waits(queue: PictureQueue, drops: Drops) -> None:
    put(queue, [2], keyframe=True)
    put(queue, [3])
    queue.await_keyframe()
    assert taken(queue, 2) == [2, 3]
    assert drops.snapshot() == {}


def test_every_picture_is_either_taken_or_counted(queue: PictureQueue, drops: Drops) -> None:
    came = 0
    for number in range(1000):
        put(queue, [number], keyframe=number % 37 == 0)
        if number % 3 == 0 and number % 37 != 36 and not queue._waiting:
            came += len(taken(queue, 1))
    left = len(queue._pictures)
    assert came + left + drops.snapshot()["decoder_behind"] == 1000


def test_the_newest_replaces_what_was_not_taken(drops: Drops) -> None:
    slot: NewestSlot[int] = NewestSlot(drops, "busy")
    for number in range(1, 6):
        slot.put(number)
    assert slot.get() == 5
    slot.put(6)
    assert slot.get() == 6
    assert drops.snapshot() == {"busy": 4}


def test_who_was_in_time_may_be_held_up_once(drops: Drops) -> None:
    slot: NewestSlot[int] = NewestSlot(drops, "busy")
    (taker, got) = waiting(slot.get)
    while not slot._in_time:  # until it waits
        pass
    slot.put(0)
    taker.join(10)
    slot.put(1)
    slot.put(2)
    assert (got, slot.get(), slot.get()) == ([0], 1, 2)
    # It has not waited since, so it has not caught up.
    slot.put(3)
    slot.put(4)
    assert slot.get() == 4
    assert drops.snapshot() == {"busy": 1}


def test_held_up_for_longer_only_the_newest_is_left(drops: Drops) -> None:
    slot: NewestSlot[int] = NewestSlot(drops, "busy")
    slot._in_time = True
    for number in range(1, 5):
        slot.put(number)
    assert slot.get() == 4
    assert drops.snapshot() == {"busy": 3}


def waiting(get: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    got: list[object] = []
    thread = threading.Thread(target=lambda: got.append(get()))
    thread.start()
    return thread, got


def test_who_waits_is_woken_by_what_comes(queue: PictureQueue, drops: Drops) -> None:
    slot: NewestSlot[int] = NewestSlot(drops, "busy")
    (one, first), (two, second) = waiting(slot.get), waiting(queue.get)
    slot.put(7)
    queue.put(picture(8))
    one.join(10)
    two.join(10)
    assert (first, second) == ([7], [picture(8)])


def test_who_waits_is_woken_by_the_end(queue: PictureQueue, drops: Drops) -> None:
    slot: NewestSlot[int] = NewestSlot(drops, "busy")
    (one, first), (two, second) = waiting(slot.get), waiting(queue.get)
    slot.close()
    queue.close()
    one.join(10)
    two.join(10)
    assert (first, second) == ([None], [None])


def test_nothing_comes_out_after_the_end(queue: PictureQueue, drops: Drops) -> None:
    slot: NewestSlot[int] = NewestSlot(drops, "busy")
    slot.put(1)
    queue.put(picture(1))
    for closed in (slot, queue):
        closed.close()
        closed.close()
    slot.put(2)
    queue.put(picture(2))
    queue.await_keyframe()
    assert (slot.get(), queue.get()) == (None, None)


def test_drops_are_counted_from_many_threads(drops: Drops) -> None:
    def count() -> None:
        for _ in range(1000):
            drops.add("a")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    drops.add("b", 3)
    counted = drops.snapshot()
    drops.add("b")
    assert counted == {"a": 4000, "b": 3}
