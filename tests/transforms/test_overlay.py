from __future__ import annotations

import base64
import io
from fractions import Fraction
from itertools import pairwise

import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from tests.footage import clip, frames
from tests.transforms.faces.test_pose import turned
from tests.transforms.pictures import flat
from transforms.context import Context
from transforms.faces.pose import pose_of
from transforms.frame import Frame
from transforms.library.overlay import DATA_URL, MOST_LAYERS, Overlay, OverlaySettings
from transforms.models.store import Store
from transforms.overlays.stickers import NEEDS, pieces

RATE = 30


@pytest.fixture(scope="module")
def portrait() -> Frame:
    return next(frames(clip("astronaut")))


@pytest.fixture
def context(store: Store) -> Context:
    return Context(torch.device("cpu"), store)


def shot(frame: Frame, number: int = 0) -> Frame:
    return Frame(frame.planes, pts=number, time_base=Fraction(1, RATE), color=frame.color, source=object())


def make(context: Context, **settings: object) -> Overlay:
    overlay = Overlay(OverlaySettings.model_validate(settings), context)
    overlay.prepare()
    return overlay


def png_of(color: tuple[int, int, int, int], size: tuple[int, int] = (32, 16)) -> str:
    file = io.BytesIO()
    Image.new("RGBA", size, color).save(file, "png")
    return DATA_URL + base64.b64encode(file.getvalue()).decode()


def changed(out: Frame, frame: Frame) -> torch.Tensor:
    """Rows and columns (N, 2) of the luma that is not what it was."""
    return (out.planes.y != frame.planes.y).nonzero()


@pytest.mark.parametrize("sticker", [*NEEDS])
def test_a_sticker_is_drawn_near_the_face_and_nowhere_else(context: Context, portrait: Frame, sticker: str) -> None:
    out = make(context, sticker=sticker).process(shot(portrait))
    touched = changed(out, portrait)
    box = context.faces.track(shot(portrait)).faces[0].box
    assert len(touched) > 0.02 * box.width * box.height
    low, high = touched.amin(0), touched.amax(0)
    assert low[1] > box.left - 0.7 * box.width
    assert high[1] < box.right + 0.7 * box.width
    assert high[0] < box.bottom
    middle = {"hat": box.top, "moustache": box.top + 0.65 * box.height, "nose": box.top + 0.5 * box.height}
    expected = middle.get(sticker, box.top + 0.35 * box.height)
    if sticker != "hat":
        assert abs(float(touched[:, 0].float().mean()) - expected) < 0.15 * box.height


def test_glasses_turn_with_the_head() -> None:
    """The half that is turned away gets narrower, and the arm of the nearer side comes into sight."""

    def widths(yaw: float) -> tuple[list[float], int]:
        landmarks = turned(yaw, 0, 0)
        found = pieces("glasses", pose_of(landmarks), landmarks, 1.0, 0.0)
        return [place.along[0] for name, _, place in found if name == "glasses"], sum(
            name == "glasses_arm" for name, _, _ in found
        )

    (left, right), _ = widths(0)
    assert left == pytest.approx(right, rel=0.01)
    (left, right), arms = widths(30)
    assert right < 0.75 * left
    assert arms == 1
    (left, right), arms = widths(-30)
    assert left < 0.75 * right
    assert arms == 1


def test_a_roll_tilts_the_sticker() -> None:
    landmarks = turned(0, 0, 20)
    place = pieces("moustache", pose_of(landmarks), landmarks, 1.0, 0.0)[0][2]
    assert place.along[1] / place.along[0] == pytest.approx(0.364, abs=0.02)


def test_a_picture_of_ones_own_at_a_place(context: Context) -> None:
    overlay = make(context, style="picture", image=png_of((255, 0, 0, 255)), x=25, y=50, width=20)
    frame = flat(320, 180, 120)
    touched = changed(overlay.process(shot(frame)), frame)
    assert (touched.amin(0) - torch.tensor([74, 48])).abs().max() <= 1
    assert (touched.amax(0) - torch.tensor([105, 111])).abs().max() <= 1


def test_a_sticker_of_ones_own_is_as_wide_as_the_face(context: Context, portrait: Frame) -> None:
    overlay = make(context, sticker="own", anchor="mouth", image=png_of((0, 0, 255, 255)))
    touched = changed(overlay.process(shot(portrait)), portrait)
    box = context.faces.track(shot(portrait)).faces[0].box
    width = float(touched[:, 1].amax() - touched[:, 1].amin())
    assert 0.85 * box.width < width < 1.2 * box.width


def test_what_is_transparent_leaves_the_picture_alone(context: Context) -> None:
    frame = flat(320, 180, 120)
    out = make(context, style="picture", image=png_of((255, 0, 0, 0))).process(shot(frame))
    assert len(changed(out, frame)) == 0


def test_text_stays_in_the_picture_and_is_broken_into_lines(context: Context) -> None:
    frame = flat(320, 180, 120)
    one = changed(make(context, style="text", text="short", x=0, y=100).process(shot(frame)), frame)
    assert one.amin(0).tolist()[1] <= 1
    assert one.amax(0).tolist()[0] >= 178
    many = changed(make(context, style="text", text="word " * 30, y=50).process(shot(frame)), frame)
    assert many[:, 0].amax() - many[:, 0].amin() > 3 * (one[:, 0].amax() - one[:, 0].amin())
    assert not make(context, style="text", text="").process(shot(frame)).changed


def test_the_trackers_view_covers_the_face(context: Context, portrait: Frame) -> None:
    touched = changed(make(context, style="mesh").process(shot(portrait)), portrait)
    box = context.faces.track(shot(portrait)).faces[0].box
    assert abs(float(touched[:, 0].amax()) - box.bottom) < 5
    assert len(touched) > 0.1 * box.width * box.height


def test_another_sticker_fades_in_while_the_first_fades_out(context: Context, portrait: Frame) -> None:
    overlay = make(context, sticker="sunglasses")
    first = overlay.process(shot(portrait))
    overlay.update(OverlaySettings(sticker="nose"))
    change = [first, *(overlay.process(shot(portrait, number)) for number in range(1, 40))]
    steps = [float((b.planes.y.float() - a.planes.y.float()).abs().max()) for a, b in pairwise(change)]
    assert max(steps) < 60
    assert steps[-1] == 0
    assert len(overlay._layers) == 1


def test_however_often_it_is_changed_little_is_drawn(context: Context) -> None:
    overlay = make(context)
    for number in range(30):
        overlay.update(OverlaySettings(style="text", text=f"number {number}"))
    assert len(overlay._layers) <= MOST_LAYERS
    assert overlay.settings.text == "number 29"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"image": "https://example.org/a.png"}, "pattern"),
        ({"image": DATA_URL + "AAAA"}, "no PNG picture"),
        ({"text": "a\x00b"}, "pattern"),
        ({"text": "x" * 201}, "at most 200"),
        ({"color": "red"}, "pattern"),
    ],
)
def test_what_does_not_fit_is_refused(settings: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        OverlaySettings.model_validate(settings)
