"""What every transform costs a frame."""

from __future__ import annotations

import torch

from bench import transforms as costs
from bench.clip import Clip
from bench.outcome import Bar, Cell, Outcome
from bench.portrait import FACE_PX
from bench.progress import say
from bench.quantiles import quantile
from bench.scale import Scale
from bench.transforms import MESH_MS, Cost
from transforms import registry
from transforms.errors import ModelError, TransformError
from transforms.frame import Planes


def run(scale: Scale, original: Clip) -> Outcome:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _run(scale.transform_frames)
    finally:
        torch.set_num_threads(threads)


def _run(count: int) -> Outcome:
    rows: list[dict[str, Cell]] = []
    bars: list[Bar] = []
    for device in costs.devices():
        scenes: dict[bool, list[Planes]] = {}
        tracking: list[float] = []
        for key in sorted(registry.keys()):
            for case in costs.cases(key):
                name = f"{key}, {case.how}" if case.how else key
                if case.dim not in scenes:
                    scenes[case.dim] = costs.scenes(case.dim, device, count)
                try:
                    cost = costs.measure(key, case, device, scenes[case.dim], count)
                except (TransformError, ModelError) as error:
                    say(f"  {name} on {device.type} is left out: {error}")
                    continue
                tracking += cost.tracking
                say(f"  {name} on {device.type}: {quantile(cost.transform, 0.5):.2f} ms")
                rows.append(_row(name, device, cost.transform, None if case.network else MESH_MS[device.type]))
                if not case.network:
                    bars.append(_bar(name, device, cost))
        rows.append(_row("tracking, beside each", device, tracking, None))
    return Outcome(
        name="transforms",
        title="What a transform costs a frame",
        text=(
            f"{count} frames of 1280x720 with one face, {FACE_PX:.0f} px high, that moves, turns and comes nearer by a script. "
            "On a CPU: milliseconds of CPU time, one thread. On a GPU: milliseconds until the device is done. Tracking the face "
            "is not in it, since a frame is tracked once, whatever is done with it. The target is of the median, for what runs "
            "no network of its own. What runs a user's model (`onnx_face`, `onnx_frame`) is measured by `doppel models bench`."
        ),
        rows=rows,
        bars=bars,
    )


def _row(name: str, device: torch.device, times: list[float], target: float | None) -> dict[str, Cell]:
    return {
        "transform": name,
        "device": device.type,
        "median ms": round(quantile(times, 0.5), 2),
        "p95 ms": round(quantile(times, 0.95), 2),
        "target ms": target,
    }


def _bar(name: str, device: torch.device, cost: Cost) -> Bar:
    target, median = MESH_MS[device.type], quantile(cost.transform, 0.5)
    return Bar(f"{name} takes at most {target:g} ms of a 720p frame on {_called(device)}", f"{median:.2f} ms", median <= target)


def _called(device: torch.device) -> str:
    return "one CPU thread" if device.type == "cpu" else "a GPU"
