"""Installed packages draw faces again, as their manifests say."""

from __future__ import annotations

import base64
import io
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import helper
from PIL import Image

from tests.footage import clip
from tests.transforms.packages import networks
from tests.transforms.packages.conftest import Shelf, shelf
from tests.transforms.packages.faces import Sound, Tracker, around, context, face
from tests.transforms.pictures import copied, copy_at, flat, noise, same
from transforms.chain import Chain, Step
from transforms.errors import InvalidSettings, ModelRefused, NotPrepared, UnknownModel
from transforms.frame import Frame
from transforms.library.onnx_face import OnnxFace, OnnxFaceSettings
from transforms.models.meter import Meter
from transforms.packages.model import Model
from transforms.packages.store import Packages

__all__ = ["shelf"]

SEEN = face(320, 180, 160)


def ready(where: Shelf, settings: dict[str, object], tracker: Tracker | None = None, sound: Sound | None = None) -> OnnxFace:
    made = context(where.store, tracker or Tracker(SEEN), sound.listen if sound else None)
    transform = OnnxFace(OnnxFaceSettings.model_validate(settings), made)
    transform.prepare()
    return transform


def grey(pts: int = 0, code: int = 90) -> Frame:
    return flat(640, 360, code, pts)


def luma(code: float) -> float:
    """RGB of a grey's code, limited range."""
    return (code - 16) / 219


def test_without_a_package_it_is_nothing_at_all(shelf: Shelf) -> None:
    transform = ready(shelf, {})
    frame = noise(64, 64)
    assert not transform.process(frame).changed


def test_a_negative_where_the_face_is_and_nowhere_else(shelf: Shelf, tmp_path: Path) -> None:
    shelf.put(networks.negative(tmp_path))
    transform = ready(shelf, {"package": "negative"})
    frame = transform.process(grey())
    assert around(frame, SEEN, 0.2).tolist() == pytest.approx([1 - luma(90)] * 3, abs=0.01)
    region = frame.planes.y != 90
    rows, columns = region.any(1).nonzero(), region.any(0).nonzero()
    assert 180 - 160 < rows.min() < rows.max() < 180 + 160
    assert 320 - 160 < columns.min() < columns.max() < 320 + 160


def test_several_faces_and_no_more_than_asked_for(shelf: Shelf, tmp_path: Path) -> None:
    shelf.put(networks.negative(tmp_path))
    people = [face(120, 180, 120, 1), face(320, 180, 120, 2), face(520, 180, 120, 3)]
    transform = ready(shelf, {"package": "negative", "faces": 2}, Tracker(*people))
    frame = transform.process(grey())
    drawn = [around(frame, one, 0.1)[0].item() > 0.5 for one in people]
    assert drawn == [True, True, False]


def test_a_face_that_comes_later_is_faded_in(shelf: Shelf, tmp_path: Path) -> None:
    shelf.put(networks.negative(tmp_path))
    tracker = Tracker()
    transform = ready(shelf, {"package": "negative"}, tracker)
    transform.process(grey())
    tracker.faces = [SEEN]
    shown = [around(transform.process(grey(pts)), SEEN, 0.1)[0].item() for pts in range(3000, 90_000, 3000)]
    assert luma(90) < shown[0] < 0.5
    assert shown == sorted(shown)
    assert shown[-1] == pytest.approx(1 - luma(90), abs=0.01)


def test_strength_is_eased(shelf: Shelf, tmp_path: Path) -> None:
    shelf.put(networks.negative(tmp_path))
    transform = ready(shelf, {"package": "negative", "strength": 0})
    assert not transform.process(grey()).changed
    full = OnnxFaceSettings(package="negative")
    assert transform.accepts(full)
    transform.update(full)
    shown = [around(transform.process(grey(pts)), SEEN, 0.1)[0].item() for pts in range(3000, 90_000, 3000)]
    assert max(b - a for a, b in zip([luma(90), *shown], shown, strict=False)) < 0.15
    assert shown[-1] == pytest.approx(1 - luma(90), abs=0.01)


@pytest.mark.parametrize("at", [(0, 0), (640, 360), (-200, 100), (320, 500)])
def test_faces_at_the_pictures_edge(at: tuple[int, int], shelf: Shelf, tmp_path: Path) -> None:
    shelf.put(networks.negative(tmp_path))
    transform = ready(shelf, {"package": "negative"}, Tracker(face(*at, 160)))
    frame = transform.process(grey())
    assert (frame.width, frame.height) == (640, 360)


@pytest.mark.parametrize("size", [(320, 180), (1920, 1080), (181, 319)])
def test_any_size_of_picture(size: tuple[int, int], shelf: Shelf, tmp_path: Path) -> None:
    shelf.put(networks.negative(tmp_path))
    width, height = size
    seen = face(width / 2, height / 2, height / 3)
    transform = ready(shelf, {"package": "negative"}, Tracker(seen))
    frame = transform.process(flat(width, height, 90))
    assert around(frame, seen, 0.1)[0].item() == pytest.approx(1 - luma(90), abs=0.01)


def test_a_network_that_fails_leaves_the_frame_alone(shelf: Shelf, tmp_path: Path) -> None:
    shape: list[int | str] = ["n", 3, 64, 64]
    data = networks.network(
        [
            helper.make_node("Sub", ["input", "half"], ["under"]),
            helper.make_node("Sqrt", ["under"], ["output"]),
        ],
        {"input": shape},
        {"output": shape},
        {"half": np.full(1, 0.45, np.float32)},
    )
    shelf.put(networks.negative(tmp_path, data))
    transform = ready(shelf, {"package": "negative"})
    frame = grey()
    before = copied(frame)
    with pytest.raises(ModelRefused, match="no numbers"):
        transform.process(frame)
    assert same(frame.planes, before)


def test_an_own_mask(shelf: Shelf, tmp_path: Path) -> None:
    """A network that shows its left half only."""
    shape: list[int | str] = ["n", 3, 64, 64]
    half = np.zeros((1, 1, 64, 64), np.float32)
    half[..., :32] = 1
    nodes = [
        helper.make_node("Sub", ["one", "input"], ["output"]),
        helper.make_node("ReduceMean", ["input"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Mul", ["mean", "zero"], ["none"]),
        helper.make_node("Add", ["none", "half"], ["mask"]),
    ]
    weights = {"one": np.ones(1, np.float32), "zero": np.zeros(1, np.float32), "half": half}
    data = networks.network(nodes, {"input": shape}, {"output": shape, "mask": ["n", 1, 64, 64]}, weights)
    outputs = '[{ name = "output", kind = "picture" }, { name = "mask", kind = "mask" }]'
    shelf.put(networks.negative(tmp_path, data, outputs=outputs))
    frame = ready(shelf, {"package": "negative"}).process(grey())
    assert frame.planes.y[180, 300].item() > 150
    assert frame.planes.y[180, 345].item() == 90


def test_the_mesh_as_an_input(shelf: Shelf, tmp_path: Path) -> None:
    """A network that answers with where the tip of the nose is, as red and green."""
    nodes = [
        helper.make_node("Slice", ["mesh", "first", "last", "axis"], ["nose"]),
        helper.make_node("Reshape", ["nose", "place"], ["spot"]),
        helper.make_node("Pad", ["spot", "pads"], ["colour"]),
        helper.make_node("Mul", ["input", "zero"], ["none"]),
        helper.make_node("Add", ["none", "colour"], ["output"]),
    ]
    weights = {
        "first": np.array([1]),
        "last": np.array([2]),
        "axis": np.array([1]),
        "place": np.array([-1, 2, 1, 1]),
        "pads": np.array([0, 0, 0, 0, 0, 1, 0, 0]),
        "zero": np.zeros(1, np.float32),
    }
    shape: list[int | str] = ["n", 3, 64, 64]
    data = networks.network(nodes, {"input": shape, "mesh": ["n", 478, 2]}, {"output": shape}, weights)
    inputs = '[{ name = "input", kind = "picture" }, { name = "mesh", kind = "mesh", range = [0, 1] }]'
    shelf.put(networks.negative(tmp_path, data, inputs=inputs, face='{ template = "crop", size = 64 }'))
    red, green, blue = around(ready(shelf, {"package": "negative"}).process(grey()), SEEN, 0.1).tolist()
    assert (red, green) == pytest.approx((0.5, 0.5), abs=0.06)
    assert blue < 0.02


# The examples, each with a small network of its shapes.


def test_example_portrait_style(shelf: Shelf, tmp_path: Path) -> None:
    shelf.put(networks.example("portrait_style", tmp_path, style_onnx=networks.style()))
    transform = ready(shelf, {"package": "portrait_style"}, Tracker(SEEN, face(520, 180, 100, 2)))
    frame = grey()
    frame.writable().v.fill_(170)
    red, _, blue = around(transform.process(copy_at(frame, 0)), SEEN, 0.1).tolist()
    before = around(frame, SEEN, 0.1)
    assert (red, blue) == pytest.approx((before[2].item(), before[0].item()), abs=0.01)


def test_example_restoration_follows_the_amount(shelf: Shelf, tmp_path: Path) -> None:
    shelf.put(networks.example("restoration", tmp_path, restore_onnx=networks.restorer()))
    transform = ready(shelf, {"package": "restoration", "amount": 40})
    # Its picture spans 2, so the weight counts half.
    assert around(transform.process(grey()), SEEN, 0.2)[0].item() == pytest.approx(luma(90) + 0.2, abs=0.01)


def test_example_lips_follow_the_sound(shelf: Shelf, tmp_path: Path) -> None:
    shelf.put(networks.example("lips", tmp_path, lips_onnx=networks.lips()))
    sound = Sound()
    transform = ready(shelf, {"package": "lips", "sound_offset": 100}, sound=sound)
    assert sound.open == 1
    silent = transform.process(grey(90_000))
    assert same(silent.planes, grey().planes)
    (end, seconds), *_ = sound.windows
    # The window begins half a step of the spectrogram before the picture, here with 100 ms more.
    assert end / 48_000 - seconds == pytest.approx(1.1 - 400 / 16_000, abs=1e-3)
    sound.amplitude = 0.5
    loud = transform.process(grey(93_000))
    lower = loud.planes.y[200:215, 310:330].float().mean()
    assert lower.item() > 110
    assert bool((loud.planes.y[130:150, 300:340] == 90).all())
    transform.close()
    transform.close()
    assert sound.open == 0


def picture(red: int = 0) -> str:
    """The astronaut's face as a data URL, perhaps in a red light."""
    whole = Image.open(clip("astronaut")).convert("RGB").crop((120, 0, 340, 240))
    pixels = np.asarray(whole).astype(np.int32)
    pixels[..., 0] += red
    file = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def swapper(where: Shelf, tmp_path: Path, matrix: np.ndarray) -> None:
    where.with_tracker().put(
        networks.example("identity", tmp_path, identity_onnx=networks.identity()),
        networks.example(
            "swapper", tmp_path, swapper_onnx=networks.swapper(), emap_safetensors=networks.safetensors({"emap": matrix})
        ),
    )


def test_example_swapper_takes_whose_face_it_is_from_the_reference(shelf: Shelf, tmp_path: Path) -> None:
    swapper(shelf, tmp_path, np.eye(512, dtype=np.float32))
    shown = []
    for red in (0, 80):
        transform = ready(shelf, {"package": "swapper", "reference": picture(red)})
        shown.append(around(transform.process(grey()), SEEN, 0.1))
    # The embedding's first number is the reference's mean red, and tints.
    assert shown[1][0] > shown[0][0] + 0.05
    assert shown[1][1:].tolist() == pytest.approx(shown[0][1:].tolist(), abs=0.01)


def test_the_embedding_goes_through_the_projection(shelf: Shelf, tmp_path: Path) -> None:
    """A matrix that moves the fourth number, which is 1, to the first place."""
    matrix = np.zeros((512, 512), np.float32)
    matrix[3, 0] = 1
    swapper(shelf, tmp_path, matrix)
    frame = ready(shelf, {"package": "swapper", "reference": picture(), "strength": 100}).process(grey(code=40))
    # Normalised again afterwards, it is 1 exactly.
    assert around(frame, SEEN, 0.1)[0].item() == pytest.approx(1.0, abs=0.02)


def test_a_reference_is_needed_and_must_show_a_face(shelf: Shelf, tmp_path: Path) -> None:
    swapper(shelf, tmp_path, np.eye(512, dtype=np.float32))
    with pytest.raises(NotPrepared, match="needs a reference picture"):
        ready(shelf, {"package": "swapper"})
    file = io.BytesIO()
    Image.new("RGB", (200, 200), "grey").save(file, "PNG")
    empty = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    with pytest.raises(NotPrepared, match="no face is to be seen"):
        ready(shelf, {"package": "swapper", "reference": empty})


def test_the_package_that_tells_who_it_is_must_be_there(shelf: Shelf, tmp_path: Path) -> None:
    swapper(shelf, tmp_path, np.eye(512, dtype=np.float32))
    shelf.packages.remove("identity")
    with pytest.raises(UnknownModel, match="identity"):
        ready(shelf, {"package": "swapper", "reference": picture()})


def test_a_matrix_of_another_size(shelf: Shelf, tmp_path: Path) -> None:
    swapper(shelf, tmp_path, np.eye(256, dtype=np.float32))
    with pytest.raises(ModelRefused, match="no matrix 'emap' of 512 x 512"):
        ready(shelf, {"package": "swapper", "reference": picture()})


@pytest.mark.parametrize(
    "settings",
    [
        {"package": "../negative"},
        {"package": "Negative"},
        {"reference": "https://example.com/face.png"},
        {"reference": "data:image/png;base64,AAAA"},
        {"strength": 101},
        {"faces": 7},
    ],
)
def test_settings_that_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(InvalidSettings):
        Step.parse("onnx_face", settings)


def test_a_package_for_frames_is_refused(shelf: Shelf, tmp_path: Path) -> None:
    shelf.put(networks.example("frame_style", tmp_path, style_onnx=networks.frame_style()))
    chain = Chain(context(shelf.store, Tracker()))
    with pytest.raises(NotPrepared, match="not for faces"):
        chain.prepare([Step.parse("onnx_face", {"package": "frame_style"})])
    with pytest.raises(UnknownModel, match="there are: frame_style"):
        chain.prepare([Step.parse("onnx_face", {"package": "nobody"})])


def test_a_running_stream_goes_on_while_a_model_is_loaded(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The running model draws frames while another thread is held up in the middle of loading, however long that takes."""
    shelf.put(networks.negative(tmp_path), networks.example("portrait_style", tmp_path, style_onnx=networks.style()))
    chain = Chain(context(shelf.store, Tracker(SEEN)))
    chain.swap(chain.prepare([Step.parse("onnx_face", {"package": "negative"})]))
    loading, go_on = threading.Event(), threading.Event()
    real = Packages.open

    def slow(self: Packages, package_id: str, device: torch.device, meter: Meter | None = None) -> Model:
        loading.set()
        assert go_on.wait(10)
        return real(self, package_id, device, meter)

    monkeypatch.setattr(Packages, "open", slow)
    step = Step.parse("onnx_face", {"package": "portrait_style"})
    thread = threading.Thread(target=lambda: chain.swap(chain.prepare([step])))
    thread.start()
    assert loading.wait(10)
    shown = [around(chain.process(grey(pts)), SEEN, 0.1)[0].item() for pts in range(0, 30_000, 3000)]
    assert shown == pytest.approx([1 - luma(90)] * 10, abs=0.01)
    go_on.set()
    thread.join()
    # Red and blue of a grey change places: it is what it was.
    assert around(chain.process(grey(30_000)), SEEN, 0.1)[0].item() == pytest.approx(luma(90), abs=0.01)
    assert [report.errors for report in chain.report()] == [0]
    chain.close()
