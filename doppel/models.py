"""``doppel models``: what the store of weights has, lacks, and can fetch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from doppel.config import Config
from transforms.models.catalogue import Package
from transforms.models.store import Store, default_root


def store(config: Config) -> Store:
    """The configured store, or the user's."""
    return Store(config.models_dir or default_root())


def show(config: Config) -> int:
    """Lists the catalogue with what is there of it."""
    models = store(config)
    print(f"Models in {models.root}")
    for package in models.catalogue.packages.values():
        told = f"{package.id} {package.version}, {_size(package)}, {package.licence}: {package.source}"
        print(f"{_state(models.root, package):9} {told}")
    return 0


def fetch(config: Config, ids: Sequence[str]) -> int:
    """Fetches what is absent and checks the hash of everything; of all models where none is named."""
    models = store(config)
    for model_id in ids or list(models.catalogue.packages):
        package = models.catalogue.package(model_id)
        with _Bar(package) as bar:
            (path,) = models.fetch([model_id], bar.report)
        print(f"verified {package.id} {package.version}, {_size(package)}: {path}", flush=True)
    return 0


def verify(config: Config, ids: Sequence[str]) -> int:
    """Checks hashes and fetches nothing; 1 where a model is absent or another than the catalogue says."""
    models = store(config)
    bad = 0
    for model_id in ids or list(models.catalogue.packages):
        package = models.catalogue.package(model_id)
        state = _state(models.root, package)
        print(f"{state:9} {package.id} {package.version}")
        bad += state != "verified"
    if bad:
        print(f"{bad} not usable; `doppel models fetch` gets them")
    return 1 if bad else 0


class _Bar:
    """A progress bar that appears when a download begins, and only on a terminal."""

    def __init__(self, package: Package) -> None:
        self._package = package
        self._bar: tqdm[Any] | None = None

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def report(self, model_id: str, done: int, total: int) -> None:
        if self._bar is None:
            size = total or self._package.size
            self._bar = tqdm(total=size, desc=model_id, unit="B", unit_scale=True, leave=False, disable=None)
        self._bar.update(done - self._bar.n)


def _state(root: Path, package: Package) -> str:
    path = root / package.id / package.version / package.file
    try:
        with path.open("rb") as file:
            return "verified" if hashlib.file_digest(file, "sha256").hexdigest() == package.sha256 else "damaged"
    except FileNotFoundError:
        return "absent"


def _size(package: Package) -> str:
    return f"{package.size / 1e6:.1f} MB"
