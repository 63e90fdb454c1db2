"""Ordered transforms, timed, and exchanged at a frame boundary."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

from pydantic import ValidationError

from transforms import registry
from transforms.audio import Voice
from transforms.base import Settings
from transforms.complaint import Complaint
from transforms.context import Context
from transforms.errors import InvalidSettings, ModelError, NotPrepared, TransformError
from transforms.frame import Frame
from transforms.registry import AnyTransform
from transforms.window import Quantiles, Window

logger = logging.getLogger(__name__)

MAX_STEPS = 16
"""Transforms in one chain: more than anybody orders by hand, few enough that a hostile request costs little."""


@dataclass(frozen=True, slots=True)
class Step:
    """A transform by key, with valid settings."""

    key: str
    settings: Settings

    @classmethod
    def parse(cls, key: str, settings: object) -> Step:
        """Checks what a client sent. Raises TransformError with a sentence for the client."""
        kind = registry.load(key).settings_type
        try:
            return cls(key, kind.model_validate(settings))
        except ValidationError as error:
            told = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in error.errors(include_url=False))
            raise InvalidSettings(f"settings of {key!r} do not fit: {told}") from error


@dataclass(frozen=True, slots=True)
class StepReport:
    key: str
    settings: Settings
    duration: Quantiles
    """Of ``process``, ms."""
    errors: int
    """Frames that passed without it (or were covered, where it fails closed)."""


@dataclass(slots=True, eq=False)
class _Link:
    step: Step
    transform: AnyTransform
    durations: Window = field(default_factory=Window)
    errors: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """Prepared transforms in their order, with the settings that each is to have."""

    links: tuple[tuple[_Link, Step], ...]


class Chain:
    """Runs frames through transforms, in one thread; ``prepare`` and ``swap`` are for others, one at a time."""

    def __init__(self, context: Context, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._context = context
        self._clock = clock
        self._lock = threading.Lock()
        self._links: tuple[_Link, ...] = ()
        self._next: Plan | None = None
        self._open: list[_Link] = []
        self._over = False
        self._complaint = Complaint(logger, clock)
        self.covered = 0
        """Frames hidden because a transform that fails closed failed."""

    @property
    def steps(self) -> list[Step]:
        """What was asked for last, though no frame may have come since."""
        with self._lock:
            plan = self._next
            return [step for _, step in plan.links] if plan else [link.step for link in self._links]

    @property
    def sound_delay(self) -> float:
        """s by which pictures come after the sound that a transform made them of: the longest of all. From any thread."""
        return max((link.transform.sound_delay for link in self._links), default=0.0)

    @property
    def voice(self) -> Voice | None:
        """What is heard in place of the publisher's sound: of several, the last one's. From any thread."""
        for link in reversed(self._links):
            try:
                voice = link.transform.voice
            except Exception as error:  # as in process; whoever asks here receives for the whole stream
                self._complaint("transform %s failed to say whether it has a voice", link.step.key, error=error)
                continue
            if voice is not None:
                return voice
        return None

    @property
    def makes_pictures(self) -> bool:
        """Whether it can do without a camera, as it will be before the next frame. From any thread."""
        with self._lock:
            plan = self._next
            links = [link for link, _ in plan.links] if plan else self._links
            return any(link.transform.makes_pictures for link in links)

    def prepare(self, steps: Sequence[Step]) -> Plan:
        """Makes ready what is new, beside the running chain; what is already there is kept. Blocks.

        Raises TransformError or ModelError; nothing has changed then.
        """
        with self._lock:
            at_hand = [link for link, _ in self._next.links] if self._next else list(self._links)
        links: list[tuple[_Link, Step]] = []
        fresh: list[_Link] = []
        try:
            for step in steps:
                same = [link for link in at_hand if link.step.key == step.key and link.transform.accepts(step.settings)]
                if same:
                    # Of several of one kind, the one with these very settings, if there is one.
                    kept = next((link for link in same if link.step.settings == step.settings), same[0])
                    at_hand.remove(kept)
                    links.append((kept, step))
                    continue
                link = self._make(step)
                fresh.append(link)
                links.append((link, step))
        except BaseException:  # an interrupt too: what was prepared must not stay open
            self._close(fresh)
            raise
        with self._lock:
            over = self._over
            if not over:
                self._open.extend(fresh)
        if over:
            self._close(fresh)
            raise NotPrepared("its stream has ended")
        return Plan(tuple(links))

    def swap(self, plan: Plan) -> None:
        """Takes effect before the next frame."""
        with self._lock:
            self._next = plan

    def process(self, frame: Frame) -> Frame:
        """Runs one frame through. Never raises: what fails is passed by, or the frame is covered."""
        if self._next is not None:
            self._adopt()
        if not self._links:
            return frame
        try:
            frame = frame.to(self._context.device)
        except RuntimeError as error:  # the device is full, or lost
            self._complaint("a frame could not be moved to %s", self._context.device, error=error)
            if any(link.transform.fails_closed for link in self._links):
                self._cover(frame)
            return frame
        for link in self._links:
            began = self._clock()
            try:
                shown = cast(object, link.transform.process(frame))
                if not isinstance(shown, Frame):
                    raise TypeError(f"process returned {type(shown).__name__}, not the frame to show")
                frame = shown
            except Exception as error:  # a plugin's fault must cost neither the stream nor the process
                link.errors += 1
                if link.transform.fails_closed:
                    self._cover(frame)
                    self._complaint("transform %s failed, so the frame was covered", link.step.key, error=error)
                else:
                    self._complaint("transform %s failed and was passed by", link.step.key, error=error)
            link.durations.add(self._clock() - began)
        return frame

    def _make(self, step: Step) -> _Link:
        kind = registry.load(step.key)
        link: _Link | None = None
        try:
            link = _Link(step, kind(step.settings, self._context))
            link.transform.prepare()
        except BaseException as error:
            if link is not None:
                self._close([link])
            if isinstance(error, Exception) and not isinstance(error, (TransformError, ModelError)):
                # A plugin's own words, under its name; the cause goes along for the log.
                raise NotPrepared(f"transform {step.key!r} could not be prepared: {error}") from error
            raise
        return link

    def _cover(self, frame: Frame) -> None:
        frame.fill(frame.color.black)
        self.covered += 1

    def report(self) -> list[StepReport]:
        return [StepReport(link.step.key, link.step.settings, link.durations.quantiles(), link.errors) for link in self._links]

    def totals(self) -> list[tuple[str, int, int, int]]:
        """Of each transform its key, frames, ns and errors, so far."""
        return [(link.step.key, link.durations.count, link.durations.total, link.errors) for link in self._links]

    def close(self) -> None:
        """After the last frame. What is being prepared meanwhile is closed as soon as it is ready."""
        with self._lock:
            self._over = True
            self._next = None
            self._links = ()
            closing, self._open = self._open, []
        self._close(closing)
        self._context.close()

    def _adopt(self) -> None:
        with self._lock:
            plan, self._next = self._next, None
            if plan is None:
                return
            self._links = tuple(link for link, _ in plan.links)
            closing = [link for link in self._open if link not in self._links]
            self._open = list(self._links)
        for link, step in plan.links:
            if link.step != step:
                link.step = step
                try:
                    link.transform.update(step.settings)
                except Exception as error:  # as in process
                    self._complaint("transform %s could not take new settings", step.key, error=error)
        self._close(closing)

    def _close(self, links: Sequence[_Link]) -> None:
        for link in links:
            try:
                link.transform.close()
            except Exception as error:  # as in process
                self._complaint("transform %s failed to close", link.step.key, error=error)
