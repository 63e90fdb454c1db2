"""What models there are, told without reading a weight: the catalogue's and the packages that somebody added."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict

from transforms.errors import ModelError
from transforms.models.store import Store
from transforms.packages import bench
from transforms.packages.bench import Measurement
from transforms.packages.store import Packages


class ShelfEntry(BaseModel):
    """One model. Nothing is hashed here: ``doppel models verify`` does that, and so does whoever loads one."""

    model_config = ConfigDict(frozen=True)

    id: str
    kind: Literal["catalogue", "package"]
    version: str
    licence: str
    source: str
    task: Literal["face", "frame", "embedding"] | None
    """Of a package: what it draws again; ``onnx_face`` and ``onnx_frame`` take those of their own."""
    present: bool
    """Whether its file is in the store, with the size it must have."""
    size: int
    """Bytes."""
    measured: tuple[Measurement, ...]
    """What ``doppel models bench`` found on this machine."""


def entries(store: Store) -> Iterator[ShelfEntry]:
    """All of them, the catalogue's first. Reads the disk. A package whose model.toml cannot be read is left out."""
    for package in store.catalogue.packages.values():
        folder = store.root / package.id / package.version
        try:
            present = (folder / package.file).stat().st_size == package.size
        except OSError:
            present = False
        results = bench.read(folder, package.sha256) if present else None
        yield ShelfEntry(
            id=package.id,
            kind="catalogue",
            version=package.version,
            licence=package.licence,
            source=package.source,
            task=None,
            present=present,
            size=package.size,
            measured=results.measurements if results else (),
        )
    packages = Packages.of(store)
    for package_id in packages.ids():
        try:
            installed = packages.get(package_id)
            size = sum((installed.folder / name).stat().st_size for name in installed.manifest.files)
        except (ModelError, OSError):
            continue
        results = bench.read(installed.folder, installed.sha256)
        yield ShelfEntry(
            id=package_id,
            kind="package",
            version=installed.manifest.version,
            licence=installed.manifest.licence,
            source=installed.manifest.source,
            task=installed.manifest.task,
            present=True,
            size=size,
            measured=results.measurements if results else (),
        )
