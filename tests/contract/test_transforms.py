"""What holds for every transform in the library: the promises of ``transforms.base.Transform``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch

from tests.footage import clip, frames
from tests.transforms.pictures import copied, noise, same
from transforms import registry
from transforms.base import Settings
from transforms.chain import Step
from transforms.color import Color
from transforms.context import Context
from transforms.frame import Frame, Planes
from transforms.models.store import Store
from transforms.registry import AnyTransform

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
SIZES = [(2, 2), (3, 5), (17, 2), (320, 180), (181, 319), (1280, 720), (1920, 1080)]

pytestmark = pytest.mark.parametrize("key", registry.keys())


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> torch.device:
    return torch.device(request.param)


@pytest.fixture
def transform(key: str, device: torch.device, store: Store) -> Iterator[AnyTransform]:
    made = make(key, device, store)
    yield made
    made.close()


def make(key: str, device: torch.device, store: Store) -> AnyTransform:
    made = registry.load(key)(Step.parse(key, {}).settings, Context(device, store))
    made.prepare()
    return made


def face(limit: int) -> list[Frame]:
    return list(frames(clip("talkingface"), limit))


def copy_of(frame: Frame, device: torch.device) -> Frame:
    return Frame(copied(frame), pts=frame.pts, time_base=frame.time_base, color=frame.color).to(device)


def test_its_settings_explain_themselves(key: str) -> None:
    kind = registry.load(key)
    assert issubclass(kind.settings_type, Settings)
    kind.settings_type()
    assert kind.title
    assert kind.summary.endswith(".")
    for name, field in kind.settings_type.model_fields.items():
        assert field.title, f"{name} has no title"
        assert field.description, f"{name} has no description"
    for name, schema in kind.settings_type.model_json_schema().get("properties", {}).items():
        if schema.get("type") in ("number", "integer"):
            assert {"minimum", "maximum"} <= schema.keys(), f"{name} has no bounds"


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_any_size(transform: AnyTransform, device: torch.device, size: tuple[int, int]) -> None:
    for index in range(2):
        out = transform.process(noise(*size, seed=index, pts=index * 3000).to(device))
        assert (out.width, out.height) == size


def test_a_size_that_changes_between_two_frames(transform: AnyTransform, device: torch.device) -> None:
    pts = 0
    for source in face(3):
        for frame in (source, noise(90, 160), noise(321, 241)):
            pts += 3000
            frame = copy_of(frame, device)
            frame.pts = pts
            size = (frame.width, frame.height)
            out = transform.process(frame)
            assert (out.width, out.height) == size


def test_it_never_writes_into_the_decoders_planes(transform: AnyTransform, device: torch.device) -> None:
    for source in face(4):
        frame = copy_of(source, device)
        theirs, before = frame.planes, copied(frame)
        transform.process(frame)
        assert same(theirs, before)


def test_time_and_colour_are_carried(transform: AnyTransform, device: torch.device) -> None:
    color = Color(matrix=1, full_range=True)
    frame = noise(320, 180, pts=4711, color=color).to(device)
    out = transform.process(frame)
    assert (out.pts, out.color) == (4711, color)
    assert out.device.type == device.type


def test_the_same_frames_give_the_same_output(key: str, device: torch.device, store: Store) -> None:
    outputs: list[list[Planes]] = []
    for _ in range(2):
        transform = make(key, device, store)
        outputs.append([copied(transform.process(copy_of(frame, device))) for frame in face(5)])
        transform.close()
    for one, other in zip(*outputs, strict=True):
        assert same(one, other)


def test_a_gap_or_a_step_back_in_time_does_no_harm(transform: AnyTransform, device: torch.device) -> None:
    for source, pts in zip(face(6), (0, 3000, 900_000_000, 900_003_000, 0, 3000), strict=True):
        frame = copy_of(source, device)
        frame.pts = pts
        transform.process(frame)


def test_new_settings_between_two_frames(transform: AnyTransform, key: str, device: torch.device) -> None:
    """Each bound of each number, and each choice, one after the other, on a running transform."""
    sources = face(2)
    kind = registry.load(key).settings_type
    pts = 0
    for name, schema in kind.model_json_schema().get("properties", {}).items():
        for value in [schema[bound] for bound in ("minimum", "maximum") if bound in schema] + schema.get("enum", []):
            try:
                settings = Step.parse(key, {name: value}).settings
            except Exception:
                pytest.fail(f"{name}={value!r} is in the schema and refused")
            if transform.accepts(settings):
                transform.update(settings)
                for source in sources:
                    pts += 3000
                    frame = copy_of(source, device)
                    frame.pts = pts
                    transform.process(frame)


ALONE = """
import os, sys, traceback
for name in {absent!r}:
    sys.modules[name] = None
import torch, pydantic
from transforms import chain, registry

for key in registry.keys():
    child = os.fork()
    if not child:
        try:
            assert registry.load(key).settings_type()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        print(key)
"""
"""Imports each transform in a process of its own, forked where only what they all share is imported; prints those that can."""


@pytest.fixture(scope="module")
def imported() -> subprocess.CompletedProcess[str]:
    """What came of importing them where only torch, numpy and pydantic are."""
    media = ("av", "aiortc", "aioice", "aiohttp", "uvloop", "pylibsrtp")
    fetching = ("ai_edge_litert", "tflite", "pypi_simple", "remotezip", "requests")
    code = ALONE.format(absent=media + fetching)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)


def test_it_is_imported_without_any_media_or_network_library(key: str, imported: subprocess.CompletedProcess[str]) -> None:
    assert key in imported.stdout.split(), imported.stderr
