from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from tests.footage import clip, frames
from tests.transforms.faces.fakes import FakeNetwork
from tests.transforms.pictures import copied, copy_at, flat, same
from transforms.context import Context
from transforms.errors import ModelUnavailable
from transforms.frame import Frame, Planes
from transforms.library.stylize import Stylize, StylizeSettings
from transforms.models.store import Store
from transforms.styles import drawings
from transforms.styles.painter import STYLES

Make = Callable[..., Stylize]


def negative(pictures: Tensor) -> tuple[Tensor, ...]:
    """A style that nobody overlooks."""
    return (0.5 - 0.5 * pictures,)


@pytest.fixture
def make(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """With a network for the drawings that draws negatives."""
    monkeypatch.setattr(drawings, "load_torch", lambda *_: FakeNetwork(negative))
    made: list[Stylize] = []

    def make(**settings: object) -> Stylize:
        transform = Stylize(StylizeSettings.model_validate(settings), Context(torch.device("cpu"), store))
        made.append(transform)
        transform.prepare()
        return transform

    yield make
    for transform in made:
        transform.close()


def portrait() -> Frame:
    return next(frames(clip("astronaut")))


def talking(count: int) -> list[Frame]:
    return list(frames(clip("talkingface"), count))


def luma(planes: Planes) -> Tensor:
    return planes.y.float()


def test_weights_add_up() -> None:
    assert StylizeSettings(painting=3).weights == [float(style == 3) for style in range(STYLES)]
    mixed = StylizeSettings(painting=3, second=7, mix=25).weights
    assert (mixed[3], mixed[7], sum(mixed)) == pytest.approx((0.75, 0.25, 1.0))
    assert StylizeSettings(painting=3, second=3, mix=40).weights[3] == pytest.approx(1.0)
    many = StylizeSettings(mixture={0: 10, 5: 20, 25: 10}).weights
    assert (many[0], many[5], many[25], sum(many)) == pytest.approx((0.25, 0.5, 0.25, 1.0))


@pytest.mark.parametrize("mixture", [{26: 1}, {-1: 1}, {0: -1}, {0: 101}, {0: 0}, {0: float("nan")}])
def test_a_mixture_of_nothing_is_refused(mixture: dict[int, float]) -> None:
    with pytest.raises(ValidationError):
        StylizeSettings.model_validate({"mixture": mixture})


def test_a_painting_is_all_of_the_picture(make: Make) -> None:
    frame = portrait()
    before = copied(frame)
    after = make(painting=16).process(frame).planes
    parts = [
        (after.y[i : i + 128, j : j + 128].float() - before.y[i : i + 128, j : j + 128]).abs().mean()
        for i in (0, 384)
        for j in (0, 384)
    ]
    assert min(parts) > 8
    assert (after.u.float() - before.u).abs().mean() > 4


def test_edges_keep_the_pictures_own_detail(make: Make) -> None:
    def detail(edges: float) -> float:
        frame = portrait()
        before = luma(copied(frame))
        after = luma(make(edges=edges).process(frame).planes)
        fine = [picture.diff(dim=1)[100:200, 150:300].flatten() for picture in (before, after)]
        return float(torch.corrcoef(torch.stack(fine))[0, 1])

    assert detail(100) > detail(50) > detail(0) + 0.1


def test_strength_zero_is_the_picture_itself(make: Make) -> None:
    for settings in ({}, {"style": "ink", "pace": "every"}):
        frame = portrait()
        before = copied(frame)
        assert same(make(strength=0, **settings).process(frame).planes, before)
        assert not frame.changed


def test_a_slider_does_not_pop(make: Make) -> None:
    stylize = make(painting=1)
    frame = portrait()
    shown = [luma(copied(stylize.process(copy_at(frame, pts)))) for pts in range(0, 15_000, 3000)]
    stylize.update(StylizeSettings(painting=8, strength=50))
    shown += [luma(copied(stylize.process(copy_at(frame, pts)))) for pts in range(15_000, 120_000, 3000)]
    steps = torch.stack([(a - b).abs().mean() for a, b in pairwise(shown[4:])])
    whole = (shown[-1] - shown[4]).abs().mean()
    assert whole > 20
    assert steps.max() < 0.35 * whole
    assert steps[-1] < 0.02 * whole


def test_a_still_picture_is_painted_steadily(make: Make) -> None:
    """With a camera's noise on it, and no more flicker than 1 % of luma."""
    stylize = make(painting=12)
    frame, noise = portrait(), torch.Generator().manual_seed(6)
    shown = []
    for number in range(12):
        noisy = copy_at(frame, number * 3000)
        y = noisy.writable().y
        y.copy_((y + 2 * torch.randn(y.shape, generator=noise)).clamp(16, 235).to(torch.uint8))
        shown.append(luma(copied(stylize.process(Frame(noisy.planes, pts=noisy.pts, color=noisy.color)))))
    flicker = [(a.mean() - b.mean()).abs() for a, b in pairwise(shown[5:])]
    assert max(flicker) < 2.2


def test_another_style_is_prepared_anew(make: Make) -> None:
    stylize = make()
    assert stylize.accepts(StylizeSettings(painting=3, mix=50, detail="fine"))
    assert not stylize.accepts(StylizeSettings(style="sketch"))


def test_the_default_asks_for_no_large_download(store: Store) -> None:
    offline = Store(store.root, offline=True)
    Stylize(StylizeSettings(), Context(torch.device("cpu"), offline)).prepare()
    assert store.catalogue.owner("multistyle26").on_request is False


def test_a_style_that_is_not_there_is_told(store: Store, tmp_path_factory: pytest.TempPathFactory) -> None:
    empty = Store(tmp_path_factory.mktemp("models"), offline=True)
    with pytest.raises(ModelUnavailable, match="doppel models fetch"):
        Stylize(StylizeSettings(), Context(torch.device("cpu"), empty)).prepare()


@pytest.mark.parametrize("area", ["face", "head"])
@pytest.mark.parametrize("style", ["sketch", "ink", "oil"])
def test_a_drawing_is_put_on_the_face(make: Make, area: str, style: str) -> None:
    frame = portrait()
    before = luma(copied(frame))
    after = luma(make(style=style, area=area, natural=0, pace="every").process(frame).planes)
    # Her brow and cheeks are bright, so their negative is dark; the suit and the flag are not the face's.
    for there in ((slice(88, 94), slice(222, 230)), (slice(117, 123), slice(188, 194))):
        assert before[there].mean() > 180
        assert after[there].mean() < 110
    assert torch.equal(after[230:], before[230:])
    assert torch.equal(after[:, :120], before[:, :120])
    hair = (after[20:40, 190:250] - before[20:40, 190:250]).abs().mean()
    assert hair > 10 if area == "head" else hair == 0


def test_every_frame_is_drawn_where_that_is_asked_for(make: Make) -> None:
    stylize = make(style="sketch", natural=0, pace="every")
    for frame in talking(3):
        before = copied(frame)
        after = stylize.process(frame).planes
        assert (luma(after) - luma(before)).abs().max() > 60


def test_live_the_newest_drawing_is_shown_and_nobody_waits(make: Make) -> None:
    stylize = make(style="sketch", natural=0)
    sources = talking(40)
    first = copied(sources[0])
    assert same(stylize.process(sources[0]).planes, first), "nothing is drawn yet, and nobody waits"
    studio = stylize._drawings._studio  # type: ignore[union-attr]
    assert studio is not None
    covered = []
    for frame in sources[1:]:
        with studio._changed:
            assert studio._changed.wait_for(lambda: not studio._lot, 5.0)
        before = copied(frame)
        covered.append(float((luma(stylize.process(frame).planes) - luma(before)).abs().mean()))
    # It fades in, and stays.
    assert covered[0] < covered[3] < covered[8]
    assert min(covered[8:]) > 0.6 * max(covered)


def test_where_nobody_is_nothing_is_drawn(make: Make) -> None:
    stylize = make(style="sketch", pace="every")
    frame = stylize.process(flat(320, 180))
    assert not frame.changed


def test_a_face_that_leaves_takes_its_drawing_along(make: Make) -> None:
    stylize = make(style="sketch", pace="every")
    frame = portrait()
    stylize.process(frame)
    for pts in (3000, 6000):
        assert not stylize.process(flat(512, 512, pts=pts)).changed


@pytest.mark.parametrize("size", [(180, 180), (64, 64)])
def test_a_small_face_is_drawn_too(make: Make, size: tuple[int, int]) -> None:
    frame = portrait()
    planes = [
        torch.nn.functional.interpolate(plane[None, None].float(), (size[1] // step, size[0] // step), mode="area")[0, 0].to(
            torch.uint8
        )
        for plane, step in zip(frame.planes, (1, 2, 2), strict=True)
    ]
    out = make(style="sketch", pace="every", natural=0).process(Frame(Planes(*planes), color=frame.color))
    assert (out.width, out.height) == size


def test_of_many_faces_each_has_its_turn(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawings, "MOST_DRAWN", 1)
    stylize = make(style="sketch", natural=0)
    (source,) = frames(clip("multi_face"))
    stylize.process(copy_at(source, 0))
    made = stylize._drawings
    assert made is not None
    assert made._studio is not None
    for number in range(1, 8):
        with made._studio._changed:
            assert made._studio._changed.wait_for(lambda: not made._studio._lot, 5.0)  # type: ignore[union-attr]
        stylize.process(copy_at(source, number * 3000))
    faces = stylize.context.faces.track(copy_at(source, 24_000)).faces
    assert len(faces) >= 3
    assert sum(made._gallery.drawn(face.id) >= 0 for face in faces) == len(faces)
