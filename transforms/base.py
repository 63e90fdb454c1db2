"""The contract of a transform."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from transforms.audio import Voice
from transforms.context import Context
from transforms.frame import Frame


class Settings(BaseModel):
    """A transform's settings. Their JSON Schema is the API's, and the page builds its controls from it.

    Give every field a ``title``, a ``description``, bounds (``ge``, ``le``) and, where it has one, a unit in
    ``json_schema_extra={"unit": "px"}``. Unknown keys are refused.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


S = TypeVar("S", bound=Settings)


class Transform(ABC, Generic[S]):
    """Changes frames. One file in ``transforms/library/`` holds one transform; the file's name is its key.

    The life of one: constructed, ``prepare()`` in a thread of its own beside the running chain, then
    ``process()`` for every frame and ``update()`` between frames, both in the chain's thread, and ``close()``.
    One transform serves one stream, so it may keep state, and needs no lock.

    What holds for every transform, and is tested for every one:

    - The same frames and settings give the same output: no clock, no unseeded noise.
    - It works on the device of the frame's planes and does not know which that is.
    - Any size from 2x2 up, odd ones too, and a size that changes between two frames.
    - It writes last: when ``process`` raises, the planes hold what they held before.
    """

    title: ClassVar[str]
    """What the page calls it."""
    summary: ClassVar[str]
    """One sentence for the list of transforms."""
    settings_type: ClassVar[type[Settings]]
    fails_closed: ClassVar[bool] = False
    """True for what exists to hide somebody: when it fails, the chain covers the whole frame, not lets it pass."""

    makes_pictures: ClassVar[bool] = False
    """True for what needs no camera: a stream of sound alone makes blank frames for it (``frame.NO_CAMERA`` in their notes)."""

    def __init__(self, settings: S, context: Context) -> None:
        self.settings = settings
        self.context = context

    def prepare(self) -> None:
        """Loads and warms whatever ``process`` needs. May take seconds; never runs on the chain's thread."""

    @property
    def sound_delay(self) -> float:
        """s by which what it shows comes after the sound that it listened to; the stream holds its sound back by as much."""
        return 0.0

    @property
    def voice(self) -> Voice | None:
        """What is heard in place of the publisher's sound, by the time of the pictures; None leaves that as it is. Asked for from
        other threads, at any time between ``prepare`` and ``close``.
        """
        return None

    @abstractmethod
    def process(self, frame: Frame) -> Frame:
        """Returns the frame to show: mostly the same object, changed in place by ``writable()`` or ``replace()``."""

    def accepts(self, settings: S) -> bool:
        """Whether ``update`` can take these without ``prepare``. If not, a new transform is prepared instead."""
        return True

    def update(self, settings: S) -> None:
        """Takes new settings between two frames; what can be seen should ease towards them, not pop."""
        self.settings = settings

    def close(self) -> None:
        """Lets go of what ``prepare`` took. Called once, after the last ``process``."""
