"""``doppel models``: what the store of weights has, lacks, and can fetch, and the packages that somebody added."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from doppel.config import Config
from transforms.errors import ModelError, UnknownModel
from transforms.models.catalogue import Package
from transforms.models.store import Report, Store, default_root
from transforms.packages import bench
from transforms.packages.model import Installed
from transforms.packages.store import Packages


def store(config: Config, report: Report | None = None, *, offline: bool = False) -> Store:
    """The configured store, or the user's; ``report`` is told of what is fetched, unless it is ``offline``."""
    return Store(config.models_dir or default_root(), report=report, offline=offline, torch_modules=config.torch_modules)


def show(config: Config) -> int:
    """Lists the catalogue with what is there of it, and the packages."""
    models = store(config)
    print(f"Models in {models.root}")
    for package in models.catalogue.packages.values():
        told = f"{package.id} {package.version}, {_size(package)}, {package.licence}: {package.source}"
        print(f"{_state(models.root, package):9} {told}")
    packages = Packages.of(models)
    ids = packages.ids()
    print(f"Packages in {packages.root}" if ids else "No packages; `doppel models add FOLDER_OR_ZIP` installs one")
    for package_id in ids:
        try:
            print(f"verified  {_told(packages.verify(package_id))}")
        except ModelError as error:
            print(f"damaged   {package_id}: {error}")
    return 0


def fetch(config: Config, ids: Sequence[str]) -> int:
    """Fetches what is absent and checks the hash of everything; where none is named, of all that need no request."""
    models = store(config)
    for model_id in ids or models.catalogue.usual:
        package = models.catalogue.package(model_id)
        with _Bar(package) as bar:
            (path,) = models.fetch([model_id], bar.report)
        print(f"verified {package.id} {package.version}, {_size(package)}: {path}", flush=True)
    return 0


def verify(config: Config, ids: Sequence[str]) -> int:
    """Checks hashes and fetches nothing; 1 where something is absent or another than it should be."""
    models = store(config)
    packages = Packages.of(models)
    known = [*models.catalogue.packages, *packages.ids()]
    bad = absent = 0
    for model_id in ids or [*models.catalogue.usual, *packages.ids()]:
        if model_id not in known:
            raise UnknownModel(f"there is no model {model_id!r}; there are: {', '.join(known)}")
        if model_id in models.catalogue.packages:
            package = models.catalogue.package(model_id)
            state, told = _state(models.root, package), f"{package.id} {package.version}"
            absent += state != "verified"
        else:
            try:
                state, told = "verified", f"{model_id} {packages.verify(model_id).manifest.version}"
            except ModelError as error:
                state, told = "damaged", f"{model_id}: {error}"
        print(f"{state:9} {told}")
        bad += state != "verified"
    if bad:
        print(f"{bad} not usable; {'`doppel models fetch` gets them' if absent else 'add them again'}")
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


def _told(installed: Installed) -> str:
    manifest = installed.manifest
    size = sum((installed.folder / name).stat().st_size for name in manifest.files) / 1e6
    results = bench.read(installed.folder, installed.sha256)
    costs = [
        f"{entry.p50_ms:.1f} ms on {entry.device}" for entry in (results.measurements if results else ()) if entry.batch == 1
    ]
    facts = [
        f"{size:.1f} MB",
        manifest.licence,
        f"for a {manifest.task}" if manifest.task != "embedding" else "an embedding",
        *costs,
    ]
    return f"{manifest.id} {manifest.version}, {', '.join(facts)}: {manifest.source}"
