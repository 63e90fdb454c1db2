"""What a transform costs a frame, by itself: no stream, no codec, tracking apart."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch

from bench.clip import FPS
from bench.portrait import PATH, frame, pictures, reference
from transforms import registry
from transforms.chain import Step
from transforms.context import Context
from transforms.frame import Planes
from transforms.models.store import Store, default_root

MESH_MS = {"cpu": 8.0, "cuda": 0.5}
"""The target for what needs no network of its own, a 720p frame."""

WARM = 12
"""Frames that are not counted: the first ones allocate, find the face, and settle what eases."""

SLIDE = FPS // 2
"""Frames after which a slider is pushed the other way: what eases never comes to rest."""

Settings = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Case:
    """A transform as it is used."""

    how: str = ""
    settings: Settings = field(default_factory=dict)
    slider: Settings | None = None
    """Settings that it is pushed to and back from, all the while."""
    dim: bool = False
    """In bad light."""
    network: bool = False
    """It runs a network of its own besides the tracker's, and has no target."""
    portrait: bool = False
    """It is given somebody's portrait, with consent."""

    def steps(self, key: str) -> list[Step]:
        """Its settings, and those that the slider is pushed to."""
        more = {"portrait": reference(), "consent": True} if self.portrait else {}
        return [Step.parse(key, {**given, **more}) for given in (self.settings, self.slider or self.settings)]


CASES: dict[str, tuple[Case, ...]] = {
    "anonymize": (Case("pixelate", network=True),),
    "avatar": (Case("driven by a face", {"driver": "face"}, portrait=True),),
    "background": (Case("blur", network=True),),
    "expression": (
        Case("happy", {"mood": "happy"}),
        Case("open jaw", {"mood": "none", "jaw": {"jawOpen": 1.0}}),
        Case("surprised", {"mood": "surprised"}),
    ),
    "faceswap": (Case(portrait=True),),
    "grade": (
        Case("look, vignette", {"look": "film", "exposure": 0.5, "vignette": 30}),
        Case("slider moving", {"look": "film", "exposure": 0.5}, {"look": "film", "exposure": -0.5, "temperature": 5000}),
    ),
    "lipsync": (Case("own voice", {"source": "own"}),),
    "makeup": (Case("all products", {"foundation": {"opacity": 40}}), Case("lipstick", {"blush": {"opacity": 0}})),
    "onnx_face": (),
    "onnx_frame": (),
    "overlay": (Case("sunglasses", {"sticker": "sunglasses"}), Case("mesh", {"style": "mesh"})),
    "reshape": (Case("", {"slim": 40, "eyes": 25, "chin": 20, "nose": 20, "jaw": 20, "lips": 20}),),
    "restore_light": (Case("changing light", dim=True),),
    "stylize": (Case("painting", network=True),),
}
"""By key; of those that run what a user brings, none. What is not in it is measured with its default settings."""


@dataclass(frozen=True, slots=True)
class Cost:
    transform: list[float]
    """ms of each frame."""
    tracking: list[float]


def cases(key: str) -> tuple[Case, ...]:
    return CASES.get(key, (Case("as by default"),))


def measure(key: str, case: Case, device: torch.device, planes: list[Planes], count: int) -> Cost:
    """Raises TransformError or ModelError where it cannot be prepared."""
    context = Context(device, Store(default_root()))
    steps = [step.settings for step in case.steps(key)]
    transform = registry.load(key)(steps[0], context)
    transform.prepare()
    faces = context.faces
    cost = Cost([], [])
    clock, done = _clock(device)
    try:
        for number in range(WARM + count):
            if case.slider is not None and number % SLIDE == 0:
                transform.update(steps[number // SLIDE % 2])
            picture = frame(planes[number % len(planes)], number).to(device)
            done()
            start = clock()
            faces.track(picture)
            done()
            tracked = clock()
            transform.process(picture)
            done()
            end = clock()
            if number >= WARM:
                cost.tracking.append((tracked - start) * 1e3)
                cost.transform.append((end - tracked) * 1e3)
    finally:
        transform.close()
        context.close()
    return cost


def devices() -> list[torch.device]:
    """The CPU, and a GPU when there is one."""
    return [torch.device("cpu"), *([torch.device("cuda", 0)] if torch.cuda.is_available() else [])]


def scenes(dim: bool, device: torch.device, count: int) -> list[Planes]:
    """What so many measured frames need."""
    return [Planes(*(plane.to(device) for plane in planes)) for planes in pictures(dim, min(PATH, WARM + count))]


def _clock(device: torch.device) -> tuple[Callable[[], float], Callable[[], None]]:
    """The time to take, and what waits for the device: on a CPU the process's own time, which others do not disturb."""
    if device.type == "cuda":
        return time.perf_counter, lambda: torch.cuda.synchronize(device)
    return time.process_time, lambda: None
