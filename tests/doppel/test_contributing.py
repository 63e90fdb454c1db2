"""The example that a newcomer copies works."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from transforms.context import Context
from transforms.frame import Frame, Planes
from transforms.models.store import Store

GUIDE = Path(__file__).parents[2] / "CONTRIBUTING.md"


def test_the_example_transform_runs(tmp_path: Path) -> None:
    names: dict[str, Any] = {"__name__": "dim"}
    exec(GUIDE.read_text().split("```python\n")[1].split("```")[0], names)
    transform = names["Dim"](names["DimSettings"](strength=0.25), Context(torch.device("cpu"), Store(tmp_path)))
    frame = Frame(Planes(torch.full((4, 4), 200, dtype=torch.uint8), *torch.full((2, 2, 2), 128, dtype=torch.uint8)))
    assert transform.process(frame).planes.y.unique().tolist() == [150]
