"""``doppel models add``, ``remove`` and ``bench``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch
from tqdm import tqdm

from doppel.config import Config
from doppel.device import choose
from doppel.models import store
from transforms.errors import ModelRefused, UnknownModel
from transforms.models.runtime import load, load_torch
from transforms.models.store import Store
from transforms.packages import bench
from transforms.packages.limits import MAX_BATCH
from transforms.packages.store import Packages

BATCHES = (1, 2, 4)
"""Faces at once that are measured unless somebody asks for others."""


def add(config: Config, path: Path, *, replace: bool) -> int:
    """Installs a folder or a zip."""
    packages = Packages.of(store(config))
    with tqdm(desc=path.name, unit="B", unit_scale=True, leave=False, disable=None) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        installed = packages.add(path, replace=replace, progress=progress)
    manifest = installed.manifest
    print(f"added {manifest.id} {manifest.version}: {installed.folder}")
    if manifest.task != "embedding":
        print(f'use it as {{"transform": "onnx_{manifest.task}", "settings": {{"package": "{manifest.id}"}}}}')
    return 0


def remove(config: Config, ids: Sequence[str]) -> int:
    """Removes packages; what is built in stays."""
    models = store(config)
    packages = Packages.of(models)
    for package_id in ids:
        if package_id in models.catalogue.packages and package_id not in packages.ids():
            raise UnknownModel(f"{package_id} is built in and has no package to remove; packages are those that were added")
        packages.remove(package_id)
        print(f"removed {package_id}")
    return 0


def measure(config: Config, ids: Sequence[str], devices: Sequence[str], batches: Sequence[int]) -> int:
    """Measures packages and models, shows what they cost, and keeps it beside each. Raises ModelError or DeviceError."""
    models = store(config)
    packages = Packages.of(models)
    where = [choose(name) for name in devices] or bench.devices()
    torch.set_num_threads(1)  # as a stream's chain does
    for model_id in ids or packages.ids() or models.catalogue.usual:
        found = _package(packages, model_id) if model_id in packages.ids() else _model(models, model_id)
        for name, version, sha256, folder, open_network in found:
            measurements: list[bench.Measurement] = []
            total = len(where) * len(batches) * (bench.WARM + bench.RUNS)
            with tqdm(total=total, desc=name, unit="run", leave=False, disable=None) as bar:
                for device in where:
                    measurements += bench.measure(open_network, device, batches, bar.update)
            _show(name, version, measurements)
            now = datetime.now(UTC).isoformat(timespec="seconds")
            results = bench.Results(id=name, version=version, sha256=sha256, measured=now, measurements=tuple(measurements))
            print(f"  kept in {bench.write(folder, results)}", flush=True)
    return 0


Subject = tuple[str, str, str, Path, bench.Open]
"""Id, version, hash, where results are kept, and how to load it."""


def _package(packages: Packages, package_id: str) -> list[Subject]:
    installed = packages.verify(package_id)

    def open_network(device: torch.device) -> tuple[str, int, bench.Run]:
        model = packages.open(package_id, device)
        return model.runner.name, model.runner.most, model.rehearse

    _import_runtime(installed.manifest.runtime)
    return [(package_id, installed.manifest.version, installed.sha256, installed.folder, open_network)]


def _model(models: Store, model_id: str) -> list[Subject]:
    """A model of the catalogue: each of its networks."""
    package = models.catalogue.package(model_id)
    folder = models.path(model_id).parent
    _import_runtime("tflite")
    return [
        (name, package.version, package.sha256, _folder(folder, name, model_id), _opener(models, name))
        for name in package.networks
    ]


def _folder(folder: Path, name: str, model_id: str) -> Path:
    if name == model_id:
        return folder
    own = folder / name
    own.mkdir(exist_ok=True)
    return own


def _opener(models: Store, name: str) -> bench.Open:
    def open_network(device: torch.device) -> tuple[str, int, bench.Run]:
        try:
            network, runtime = load(models, name, device), "LiteRT" if device.type == "cpu" else "torch"
        except ModelRefused:  # some have operators that LiteRT lacks
            network, runtime = load_torch(models, name, device), "torch"

        def run(batch: int) -> object:
            return network(*(torch.full((batch, *shape[1:]), 0.5, device=device) for shape in network.inputs))

        return runtime, MAX_BATCH, run

    return open_network


def _import_runtime(runtime: str) -> None:
    """What it weighs itself is not the network's."""
    if runtime == "onnx":
        import onnxruntime  # noqa: F401
    elif runtime == "tflite":
        import ai_edge_litert.interpreter  # noqa: F401


def _show(name: str, version: str, measurements: Sequence[bench.Measurement]) -> None:
    print(f"{name} {version}")
    print(f"  {'device':8} {'batch':>5} {'p50 ms':>9} {'p95 ms':>9} {'ms each':>9} {'MB':>8}  runtime, hardware")
    for entry in measurements:
        each = entry.p50_ms / entry.batch
        figures = f"{entry.p50_ms:9.2f} {entry.p95_ms:9.2f} {each:9.2f} {entry.memory_mb:8.1f}"
        print(f"  {entry.device:8} {entry.batch:5} {figures}  {entry.runtime}, {entry.hardware}")
