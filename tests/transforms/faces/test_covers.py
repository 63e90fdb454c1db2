from __future__ import annotations

import pytest

from tests.transforms.faces.fakes import detection, face, tracking
from transforms.faces.covers import COASTING, GUESS_HOLD, MOST_COVERS, MOST_EFFORT, MOST_PATIENCE, PATIENCE, Covers
from transforms.faces.detector import CLOSE_UP, close_ups
from transforms.faces.face import Tracking
from transforms.faces.head import head_of

HOLD = 1.0
SIZE = (640, 360)


def test_a_resting_head_gets_no_more_room_than_it_needs() -> None:
    covers = Covers()
    for number in range(10):
        (cover,) = covers.update(tracking(face(300, 150, 100)), number / 30, HOLD)
    assert cover.area(9 / 30) == head_of(face(300, 150, 100).outline)


def test_a_quick_head_is_covered_where_it_was_and_where_it_is_going() -> None:
    covers = Covers()
    covers.update(tracking(face(300, 150, 100)), 0.0, HOLD)
    (cover,) = covers.update(tracking(face(330, 150, 100)), 1 / 30, HOLD)
    before, after = (head_of(face(x, 150, 100).outline) for x in (300, 360))
    area = cover.area(1 / 30)
    assert area.x - area.across <= before.x - before.across
    assert area.x + area.across >= after.x + after.across
    for number in range(2, 40):
        (cover,) = covers.update(tracking(face(330, 150, 100)), number / 30, HOLD)
    assert cover.area(39 / 30).across == pytest.approx(after.across, abs=0.1)


def test_a_lost_face_stays_covered_for_a_second_and_its_place_grows() -> None:
    covers = Covers()
    covers.update(tracking(face(300, 150, 100)), 0.0, HOLD)
    widths = []
    for number in range(1, 31):
        (cover,) = covers.update(tracking(), number / 30, HOLD)
        widths.append(cover.area(number / 30).across)
    assert widths == sorted(widths)
    assert widths[-1] > 1.4 * head_of(face(300, 150, 100).outline).across
    assert covers.update(tracking(), 31 / 30, HOLD) == []


def test_hold_can_be_longer() -> None:
    covers = Covers()
    covers.update(tracking(face(300, 150, 100)), 0.0, 3.0)
    assert len(covers.update(tracking(), 2.9, 3.0)) == 1


def test_a_face_that_comes_back_shrinks_to_its_head() -> None:
    covers = Covers()
    covers.update(tracking(face(300, 150, 100)), 0.0, HOLD)
    covers.update(tracking(), 0.5, HOLD)
    (cover,) = covers.update(tracking(face(300, 150, 100, id=7)), 0.6, HOLD)
    assert cover.id == 7
    assert cover.area(0.6) == head_of(face(300, 150, 100).outline)


def test_a_doubtful_detection_is_covered_and_forgotten_sooner() -> None:
    covers = Covers()
    (cover,) = covers.update(tracking(detection(300, 150, 80, 0.42)), 0.0, HOLD)
    assert cover.area(0.0).contains(300, 150)
    assert len(covers.update(tracking(), GUESS_HOLD - 0.01, HOLD)) == 1
    assert covers.update(tracking(), GUESS_HOLD + 0.01, HOLD) == []


def test_the_longer_it_was_seen_the_longer_it_is_held() -> None:
    covers = Covers()
    for number in range(31):
        covers.update(tracking(detection(300, 150, 80, 0.42)), number / 30, HOLD)
    assert len(covers.update(tracking(), 1.0 + 0.99, HOLD)) == 1
    assert covers.update(tracking(), 1.0 + 1.01, HOLD) == []


def test_a_detection_on_a_followed_face_adds_nothing() -> None:
    assert len(Covers().update(tracking(face(300, 150, 100), detection(300, 155, 90)), 0.0, HOLD)) == 1


def test_a_guess_that_landmarks_confirm_becomes_the_face() -> None:
    covers = Covers()
    covers.update(tracking(detection(300, 150, 80)), 0.0, HOLD)
    (cover,) = covers.update(tracking(face(300, 150, 100)), 0.1, HOLD)
    assert cover.id == 1


def test_a_doubt_as_large_as_the_picture_is_none() -> None:
    assert Covers().update(tracking(detection(300, 180, 300, 0.45)), 0.0, HOLD) == []
    assert len(Covers().update(tracking(detection(300, 180, 300, 0.6)), 0.0, HOLD)) == 1


def test_what_the_detector_sees_besides_is_covered_as_well() -> None:
    covers = Covers()
    covers.update(tracking(face(300, 150, 100)), 0.0, HOLD)
    (new,) = covers.check([detection(500, 150, 60, 0.6)], SIZE, 0.0)
    assert new.area(0.0).contains(500, 150)
    assert len(covers.update(tracking(face(300, 150, 100)), 0.1, HOLD)) == 2


def test_what_is_still_seen_is_hidden_better_and_later_less() -> None:
    covers = Covers()
    here = tracking(face(300, 150, 100))
    covers.update(here, 0.0, HOLD)
    assert covers.check([detection(300, 150, 90, 0.44)], SIZE, 0.0) == []
    for effort in range(1, MOST_EFFORT + 2):
        (cover,) = covers.check([detection(300, 150, 90, 0.5)], SIZE, 0.0)
        assert cover.effort == min(effort, MOST_EFFORT)
    covers.update(here, PATIENCE - 0.1, 10.0)
    assert cover.effort == MOST_EFFORT
    covers.update(here, PATIENCE + 0.1, 10.0)
    assert cover.effort == MOST_EFFORT - 1


def test_patience_grows_when_it_was_too_early_and_is_bounded() -> None:
    covers = Covers()
    now = 0.0
    here = tracking(face(300, 150, 100))
    waits = []
    for _ in range(8):
        (cover,) = covers.update(here, now, HOLD)
        covers.check([detection(300, 150, 90, 0.5)], SIZE, now)
        began = now
        while cover.effort:
            now += 0.5
            covers.update(here, now, HOLD)
        waits.append(now - began)
    assert waits[:3] == pytest.approx([PATIENCE, 2 * PATIENCE, 4 * PATIENCE], abs=0.6)
    assert waits[-1] == pytest.approx(MOST_PATIENCE, abs=0.6)


def test_more_than_it_can_tell_apart_is_everything_and_stays_bounded() -> None:
    covers = Covers()
    crowd = [detection(30 * i, 100, 12) for i in range(40)]
    assert len(covers.update(tracking(*crowd), 0.0, HOLD)) == MOST_COVERS
    assert covers.overflowing
    covers.check([detection(30 * i, 300, 12) for i in range(40)], SIZE, 0.0)
    assert len(covers.update(tracking(*crowd), 0.1, HOLD)) == MOST_COVERS


def test_the_picture_and_its_small_covers_are_looked_at_closely_in_turn() -> None:
    covers = Covers()
    covers.update(tracking(face(100, 150, 40), face(500, 150, 40, id=2)), 0.0, HOLD)
    boxes = [covers.inspect(SIZE)[0] for _ in range(16)]
    assert boxes[1::4] == [boxes[1]] * 4
    assert boxes[3::4] == [boxes[3]] * 4
    for box, x in ((boxes[1], 500), (boxes[3], 100)):
        assert box.left < x < box.right
        assert box.top < 150 < box.bottom
    assert set(boxes[::2]) == set(close_ups(*SIZE, CLOSE_UP))
    covers.clear()
    covers.update(tracking(face(300, 150, 250)), 0.0, HOLD)
    assert [len(covers.inspect(SIZE)) for _ in range(4)] == [1, 0, 1, 0]


def test_a_calm_head_goes_on_as_it_did_where_nobody_looked() -> None:
    covers = Covers()
    for number in range(2):
        covers.update(tracking(face(300 + 3 * number, 150, 100)), number / 30, HOLD)
    assert covers.calm(2 / 30)
    (cover,) = covers.coast(2 / 30)
    assert cover.area(2 / 30).x == pytest.approx(head_of(face(306, 150, 100).outline).x)
    (cover,) = covers.update(tracking(face(303, 150, 100)), 3 / 30, HOLD)
    assert cover.area(3 / 30).x == head_of(face(303, 150, 100).outline).x


@pytest.mark.parametrize(
    ("last", "now"),
    [(tracking(face(320, 150, 100)), 2 / 30), (tracking(), 2 / 30), (tracking(face(301, 150, 100)), 1 / 30 + COASTING + 0.001)],
    ids=["quick", "lost", "too long ago"],
)
def test_what_is_not_calm_is_looked_for(last: Tracking, now: float) -> None:
    covers = Covers()
    covers.update(tracking(face(300, 150, 100)), 0.0, HOLD)
    covers.update(last, 1 / 30, HOLD)
    assert not covers.calm(now)


def test_without_faces_there_is_nothing_to_go_on_with() -> None:
    covers = Covers()
    covers.update(tracking(detection(300, 150, 80)), 0.0, HOLD)
    assert not covers.calm(1 / 30)


def test_a_head_that_trembles_is_drawn_where_it_was() -> None:
    covers = Covers()
    (cover,) = covers.update(tracking(face(300, 150, 100)), 0.0, HOLD)
    drawn = cover.outline(0.0)
    covers.update(tracking(face(300.1, 150, 100)), 1.0, HOLD)
    assert cover.outline(1.0) is drawn
    covers.update(tracking(face(303, 150, 100)), 2.0, HOLD)
    assert cover.outline(2.0) == cover.area(2.0) != drawn
