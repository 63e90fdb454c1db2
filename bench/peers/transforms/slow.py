"""A transform that takes a known time: what a model too big for the machine looks like to the pipeline."""

from __future__ import annotations

import time
from typing import ClassVar

from pydantic import Field

from transforms.base import Settings, Transform
from transforms.frame import Frame


class SlowSettings(Settings):
    ms: float = Field(
        60.0, ge=0.0, le=1000.0, title="Time", description="How long each frame takes.", json_schema_extra={"unit": "ms"}
    )


class Slow(Transform[SlowSettings]):
    title: ClassVar[str] = "Slow"
    summary: ClassVar[str] = "Takes its time and changes nothing."
    settings_type: ClassVar[type[Settings]] = SlowSettings

    def process(self, frame: Frame) -> Frame:
        time.sleep(self.settings.ms / 1e3)
        return frame
