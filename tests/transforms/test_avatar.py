from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from tests.footage import clip, frames
from tests.transforms.faces.referee import Referee
from tests.transforms.pictures import copied, copy_at, flat, noise, same
from transforms.avatars.motion import SHAPES, Motion
from transforms.avatars.puppet import Turn
from transforms.context import Context
from transforms.faces.blendshapes import NAMES
from transforms.faces.pose import pose_of
from transforms.frame import NO_CAMERA, Frame, Planes
from transforms.library.avatar import Avatar, AvatarSettings
from transforms.models.store import Store
from transforms.portraits.portrait import load_portrait
from transforms.speech.mouth_shape import MouthPose

CPU = torch.device("cpu")
TICKS = 3600
"""Of 90 kHz, at 25 fps."""


class Mouth:
    """A voice that says one sound, as loud as it is told to."""

    latency = 0.14
    open = 0.0
    closed = False

    def __init__(self, sound: object) -> None:
        self.heard: list[int] = []

    def hear(self, pts: int, time_base: Fraction) -> None:
        self.heard.append(pts)

    def pose(self, pts: int, time_base: Fraction) -> MouthPose:
        return MouthPose([Mouth.open * (name == "jawOpen") for name in NAMES], Mouth.open)

    def close(self) -> None:
        Mouth.closed = True


@pytest.fixture(autouse=True)
def mouth(monkeypatch: pytest.MonkeyPatch) -> type[Mouth]:
    monkeypatch.setattr("transforms.speech.mouth_shape.Speaker", Mouth)
    Mouth.open, Mouth.closed = 0.0, False
    return Mouth


@pytest.fixture(scope="module")
def referee(store: Store) -> Referee:
    return Referee(store)


def made(store: Store, *, drawn: bool = True, **settings: object) -> Avatar:
    transform = Avatar(AvatarSettings.model_validate(settings), Context(CPU, store))
    if drawn:
        transform.prepare()
        return transform
    with pytest.MonkeyPatch.context() as patched:
        # Its file is larger than one that may be uploaded.
        data = clip("astronaut").read_bytes()
        patched.setattr("transforms.library.avatar.load_portrait", lambda image, context: load_portrait(data, context))
        transform.prepare()
    return transform


def shown(transform: Avatar, motion: Motion, size: tuple[int, int] = (1280, 720)) -> Frame:
    return Frame(transform._drawn(transform._mount(flat(*size)), motion, 0.0))


def correlation(one: Tensor, other: Tensor) -> float:
    return float(torch.corrcoef(torch.stack((one, other)))[0, 1])


def test_not_a_pixel_of_the_camera_is_shown(store: Store) -> None:
    one, other = made(store, driver="voice"), made(store, driver="voice")
    for number, picture in enumerate(frames(clip("talkingface"), 3)):
        own = one.process(copy_at(picture, number * TICKS))
        blank = Frame(flat(picture.width, picture.height).planes, pts=number * TICKS, color=picture.color)
        assert same(own.planes, other.process(blank).planes)


def test_without_a_face_no_camera_is_shown_either(store: Store) -> None:
    pictures = []
    for seed in (1, 2):
        transform = made(store)
        out = transform.process(noise(640, 360, seed=seed))
        pictures.append(copied(transform.process(noise(640, 360, seed=seed + 2, pts=TICKS))))
        assert out.changed
    assert same(*pictures)


def test_what_is_done_by_the_driver_is_seen_on_the_portrait(store: Store, referee: Referee) -> None:
    transform, other = made(store, drawn=False, driver="face"), Context(CPU, store)
    driver, output = [], []
    for number, picture in enumerate(frames(clip("expressions"), 300)):
        if number % 3:
            continue
        frame = Frame(copied(picture), pts=picture.pts, time_base=picture.time_base, color=picture.color)
        faces = transform.context.faces.track(frame).faces
        wanted = torch.cat(
            (transform.context.faces.blendshapes(faces[0]).clone(), torch.tensor(pose_of(faces[0].landmarks).degrees))
        )
        shown = Frame(copied(transform.process(frame)), pts=picture.pts, time_base=picture.time_base, color=picture.color)
        face = max(other.faces.track(shown).faces, key=lambda face: face.box.side)
        driver.append(wanted)
        output.append(torch.cat((other.faces.blendshapes(face).clone(), torch.tensor(pose_of(face.landmarks).degrees))))
    # The first frames show it on its way there.
    theirs, own = torch.stack(driver)[10:].T, torch.stack(output)[10:].T
    names = ["eyeBlinkLeft", "eyeBlinkRight", "mouthSmileLeft", "mouthSmileRight", "browInnerUp"]
    rows = [*(NAMES.index(name) for name in names), SHAPES, SHAPES + 1, SHAPES + 2]
    found = {[*NAMES, "yaw", "pitch", "roll"][row]: correlation(theirs[row], own[row]) for row in rows}
    assert min(found.values()) >= 0.8, found


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_head_turns_as_it_is_told(store: Store, referee: Referee, axis: int) -> None:
    transform = made(store, drawn=False, driver="voice")
    angles = (-12.0, -6.0, 0.0, 6.0, 12.0)
    turns = [Turn(*(angle if number == axis else 0.0 for number in range(3))) for angle in angles]
    seen = [pose_of(referee.face(shown(transform, Motion.of({}, turn))).landmarks).degrees[axis] for turn in turns]
    assert all(2.0 < after - before < 8.0 for before, after in pairwise(seen)), seen


@pytest.mark.parametrize(
    ("names", "least"),
    [
        (("jawOpen",), 0.15),
        (("eyeBlinkLeft", "eyeBlinkRight"), 0.3),
        (("browInnerUp",), 0.15),
        (("eyeLookInLeft", "eyeLookOutRight"), 0.3),
    ],
)
def test_an_expression_is_recognised_on_a_turned_head(
    store: Store, referee: Referee, names: tuple[str, ...], least: float
) -> None:
    transform = made(store, drawn=False, driver="voice")
    turn = Turn(yaw=8.0, roll=5.0)
    before = referee.shapes(shown(transform, Motion.of({}, turn)))
    after = referee.shapes(shown(transform, Motion.of(dict.fromkeys(names, 1.0), turn)))
    for name in names:
        assert float((after - before)[NAMES.index(name)]) > least, name


def test_what_is_behind_stays_as_it_is(store: Store) -> None:
    transform = made(store, drawn=False, driver="voice")
    rest, turned = shown(transform, Motion.of()), shown(transform, Motion.of({"jawOpen": 0.6}, Turn(yaw=15.0, pitch=8.0)))
    mounted = transform._mount(flat(1280, 720))
    box = mounted.puppet.box
    outside = torch.ones((720, 1280), dtype=torch.bool)
    outside[box.top : box.bottom, box.left : box.right] = False
    assert torch.equal(rest.planes.y[outside], turned.planes.y[outside])
    # Within the moving part too: the room to the left of the head.
    change = (rest.planes.y.int() - turned.planes.y.int()).abs()
    assert float(change[100:300, box.left : box.left + 40].float().mean()) < 0.5
    assert float(change.float().mean()) > 1


def test_a_still_driver_leaves_the_portrait_still(store: Store) -> None:
    """Under a camera's noise: less than 0.3 px rms of movement, less than 1 % of flicker."""
    still, transform = next(frames(clip("astronaut"))), made(store, drawn=False, driver="face", idle=False)
    fields: list[Tensor] = []
    brightness = []
    generator = torch.Generator().manual_seed(0)
    for number in range(36):
        grain = torch.randn(still.planes.y.shape, generator=generator) * 2
        y = (still.planes.y + grain).round().clamp(0, 255).to(torch.uint8)
        frame = Frame(Planes(y, still.planes.u, still.planes.v), pts=number * 3000, color=still.color)
        motion: list[Motion] = []
        draw = transform._drawn

        def drawn(mounted: object, wanted: Motion, breath: float, draw: object = draw, motion: list[Motion] = motion) -> Planes:
            motion.append(wanted)
            return draw(mounted, wanted, breath)  # type: ignore[operator,no-any-return]

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(transform, "_drawn", drawn)
            out = transform.process(frame)
        assert transform._mounted is not None
        puppet = transform._mounted.puppet
        fields.append(puppet.show(motion[0].turn, motion[0].values[:SHAPES].tolist(), 0.0).field)
        box = puppet.box
        brightness.append(float(out.planes.y[box.top : box.bottom, box.left : box.right].float().mean()))
    late = torch.stack(fields[20:])
    jitter = (late - late.mean(0)).square().sum(1).mean(0).sqrt()
    assert float(jitter.quantile(0.99)) < 0.3
    assert float(jitter.mean()) < 0.15
    calm = torch.tensor(brightness[20:])
    assert float((calm - calm.mean()).abs().max() / calm.mean()) < 0.01


def test_nobody_there_and_it_still_lives(store: Store) -> None:
    transform = made(store, driver="voice")
    pictures = [copied(transform.process(flat(640, 360, pts=number * TICKS))).y.float() for number in range(100)]
    moves = [float((after - before).abs().mean()) for before, after in pairwise(pictures)]
    assert sum(move > 0.01 for move in moves) > 60
    assert max(moves) < 3


def test_without_idling_it_waits_as_it_is(store: Store) -> None:
    transform = made(store, driver="voice", idle=False)
    first = copied(transform.process(flat(640, 360)))
    assert same(first, transform.process(flat(640, 360, pts=20 * TICKS)).planes)


def test_a_voice_opens_its_mouth(store: Store, referee: Referee, mouth: type[Mouth]) -> None:
    transform = made(store, driver="voice", idle=False)
    assert transform.sound_delay == mouth.latency
    quiet = referee.face(transform.process(flat(640, 360))).landmarks
    mouth.open = 0.8
    loud = referee.face(transform.process(flat(640, 360, pts=TICKS))).landmarks
    assert float(loud[14, 1] - loud[13, 1]) > 2 * float(quiet[14, 1] - quiet[13, 1]) + 3
    transform.close()
    assert mouth.closed


def test_a_face_has_no_use_for_sound(store: Store) -> None:
    assert made(store, driver="face").sound_delay == 0


def test_sound_is_not_held_back_while_a_face_speaks(store: Store, mouth: type[Mouth]) -> None:
    transform = made(store)
    time, delays = 0, []
    for picture in [*frames(clip("talkingface"), 25), *[flat(720, 576)] * 40]:
        time += TICKS
        transform.process(copy_at(picture, time))
        delays.append(transform.sound_delay)
    assert (delays[0], delays[24], delays[-1]) == (mouth.latency, 0, mouth.latency)
    assert sum(after != before for before, after in pairwise(delays)) == 2


def test_a_picture_that_no_camera_made_is_not_searched_for_faces(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    transform = made(store)

    def searched(frame: Frame) -> None:
        raise AssertionError("it was searched")

    monkeypatch.setattr(transform.context.faces, "track", searched)
    frame = flat(320, 180)
    frame.notes[NO_CAMERA] = True
    assert transform.process(frame).changed


def test_it_needs_no_camera_and_fails_closed() -> None:
    assert Avatar.makes_pictures
    assert Avatar.fails_closed


def test_a_face_that_is_lost_lets_go_gradually(store: Store) -> None:
    transform = made(store, drawn=False, idle=False)
    pictures = list(frames(clip("expressions"), 90))[60:]
    time = 0
    for picture in pictures:
        time += TICKS
        transform.process(copy_at(picture, time))
    assert transform._presence > 0.9
    turned: list[Tensor] = []
    for _ in range(60):
        time += TICKS
        turned.append(copied(transform.process(flat(640, 360, pts=time))).y.float())
    assert transform._presence < 0.05
    rest = copied(shown(transform, Motion.of(), (640, 360))).y.float()
    apart = [float((picture - rest).abs().mean()) for picture in turned]
    assert apart[-1] < 0.15 * apart[0]
    assert max(float((after - before).abs().mean()) for before, after in pairwise(turned)) < 0.5 * apart[0]


def test_another_fit_fades_in(store: Store) -> None:
    transform = made(store, drawn=False, driver="voice", idle=False)
    pictures = [copied(transform.process(flat(640, 360))).y.float()]
    transform.update(AvatarSettings(driver="voice", idle=False, fit="whole"))
    pictures += [copied(transform.process(flat(640, 360, pts=number * TICKS))).y.float() for number in range(1, 15)]
    steps = [float((after - before).abs().mean()) for before, after in pairwise(pictures)]
    assert float((pictures[-1] - pictures[0]).abs().mean()) > 10
    assert max(steps) < 0.3 * float((pictures[-1] - pictures[0]).abs().mean())
    assert steps[-1] == 0


def test_a_persons_portrait_needs_consent() -> None:
    image = "data:image/png;base64," + "A" * 8
    with pytest.raises(ValidationError):
        AvatarSettings(portrait=image)
    png = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    with pytest.raises(ValidationError, match="consent"):
        AvatarSettings(portrait=png)
    AvatarSettings(portrait=png, consent=True)


def test_other_settings_need_no_new_one_and_another_portrait_does(store: Store) -> None:
    transform = made(store, driver="voice")
    assert transform.accepts(AvatarSettings(driver="voice", head=20, fit="fill"))
    assert not transform.accepts(AvatarSettings(driver="face"))
