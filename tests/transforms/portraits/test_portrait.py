from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tests.footage import clip, frames
from tests.transforms.portraits.pictures import made_smaller, png_of, rgb_of, url_of
from transforms.context import Context
from transforms.errors import NotPrepared
from transforms.faces.mesh import TRIANGLES
from transforms.models.store import Store
from transforms.portraits import portrait as module
from transforms.portraits.drawn import drawn
from transforms.portraits.portrait import KEPT, check, decoded, load_portrait


@pytest.fixture(scope="module")
def context(store: Store) -> Context:
    return Context(torch.device("cpu"), store)


def test_a_portrait_is_read_with_its_face(context: Context) -> None:
    rgb = rgb_of("astronaut")
    portrait = load_portrait(png_of(rgb), context)
    assert portrait.size == (260, 260)
    assert float((portrait.rgb - rgb).abs().max()) <= 0.5 / 255 + 1e-6
    assert portrait.landmarks.shape == (478, 3)
    assert portrait.blendshapes.shape == (52,)
    yaw, pitch, _ = portrait.pose.degrees
    assert abs(yaw) < 15
    assert abs(pitch) < 20
    assert not portrait.drawn


def test_the_same_file_is_the_same_portrait_by_whatever_way(context: Context) -> None:
    rgb = rgb_of("astronaut")
    assert load_portrait(png_of(rgb), context) is load_portrait(url_of(rgb), context)


def test_only_so_many_are_kept(context: Context) -> None:
    rgb = rgb_of("astronaut")
    for number in range(KEPT + 1):
        load_portrait(png_of(rgb * (1 - 0.02 * number)), context)
    assert len(module._known) == KEPT


def test_the_landmarks_are_of_the_given_picture_whatever_its_size(context: Context) -> None:
    rgb = rgb_of("talkingface")
    large, small = load_portrait(png_of(rgb), context), load_portrait(png_of(made_smaller(rgb)), context)
    eyes = float((large.landmarks[468] - large.landmarks[473]).norm())
    assert float((small.landmarks * large.size[0] / small.size[0] - large.landmarks)[:, :2].norm(dim=1).mean()) < 0.03 * eyes


def test_refusals_say_what_to_do(context: Context) -> None:
    def refusal(rgb: torch.Tensor) -> str:
        with pytest.raises(NotPrepared) as refused:
            load_portrait(png_of(rgb), context)
        return str(refused.value)

    assert "no face" in refusal(torch.full((3, 200, 200), 0.5))
    people = next(frames(clip("multi_face"))).rgb()
    assert "faces in the portrait" in refusal(people)
    face = rgb_of("astronaut")
    assert "px high" in refusal(made_smaller(face, 150))
    assert "edge" in refusal(face[:, 88:])
    squeezed = F.interpolate(face[None], (260, 90), mode="bilinear", antialias=True)[0]
    assert refusal(squeezed)


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="PNG"):
        check("data:image/png;base64,AAAA")
    with pytest.raises(ValueError, match="base64"):
        decoded("data:image/png;base64,A")
    assert check("mask") == "mask"


def test_the_built_in_one_is_nobodys_and_always_the_same(context: Context) -> None:
    mask = load_portrait("mask", context)
    assert mask is drawn()
    assert mask.drawn
    assert mask.rgb.shape == (3, 480, 480)
    assert 0 <= float(mask.rgb.min()) <= float(mask.rgb.max()) <= 1
    inside = mask.landmarks[:, :2]
    assert 0 <= float(inside.min()) <= float(inside.max()) < 480
    assert all(abs(angle) < 1 for angle in mask.pose.degrees)
    # The face is drawn where its landmarks say it is: skin on both cheeks, lips redder than these.
    cheek, lip = (mask.rgb[:, int(y), int(x)] for x, y in (inside[50], inside[17] - torch.tensor([0.0, 6.0])))
    assert float(cheek[0]) > float(cheek[2])
    assert float(lip[0] / lip[1]) > 1.2 * float(cheek[0] / cheek[1])
    assert TRIANGLES.max() < len(inside)


def test_the_detector_takes_the_drawn_one_for_a_face(context: Context) -> None:
    seen = load_portrait(png_of(drawn().rgb), context)
    assert float((seen.landmarks - drawn().landmarks)[:, :2].norm(dim=1).mean()) < 0.02 * 480
