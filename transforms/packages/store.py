"""The packages that are installed: folders beside the other weights, complete and verified, or not there."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

from transforms.errors import ModelError, ModelRefused, ModelUnavailable, UnknownModel
from transforms.models.meter import Meter
from transforms.models.store import Store
from transforms.packages import trial
from transforms.packages.archive import Archive, Progress
from transforms.packages.limits import MAX_INSTALLED
from transforms.packages.manifest import FILE
from transforms.packages.model import Installed, Model
from transforms.packages.runner import open_runner

FOLDER = "packages"
"""Inside the store of weights."""


class Packages:
    """A folder of packages, each in a folder of its id. Any number of threads and processes may share it."""

    def __init__(self, root: Path, modules: Collection[str] = ()) -> None:
        """``modules``: the classes, ``package.module:Class``, whose code packages of safetensors may use."""
        self.root = root
        self.modules = frozenset(modules)

    @classmethod
    def of(cls, store: Store) -> Packages:
        """Those beside a store's weights."""
        return cls(store.root / FOLDER, store.torch_modules)

    def ids(self) -> list[str]:
        """Of everything that is installed, sorted; nothing is checked."""
        try:
            found = [entry.name for entry in os.scandir(self.root) if entry.is_dir() and not entry.name.startswith(".")]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ModelUnavailable(
                f"the model packages in {self.root} cannot be listed: {error.strerror}; set DOPPEL_MODELS_DIR"
            ) from error
        return sorted(found)[:MAX_INSTALLED]

    def get(self, package_id: str) -> Installed:
        """A package by its id; of its files only model.toml is read. Raises UnknownModel, or ModelRefused."""
        with self._archive(package_id) as archive:
            manifest, data = archive.manifest()
        if manifest.id != package_id:
            raise ModelRefused(f"the folder {package_id} holds the package {manifest.id}; rename it, or add the package again")
        return Installed(manifest, self.root / package_id, hashlib.sha256(data).hexdigest())

    def verify(self, package_id: str) -> Installed:
        """Likewise, with every file's hash checked. Raises ModelRefused where one is not what model.toml says."""
        installed = self.get(package_id)
        with self._archive(package_id) as archive:
            archive.copy(installed.manifest, None)
        return installed

    def open(self, package_id: str, device: torch.device, meter: Meter | None = None) -> Model:
        """A package's network on a device; ``meter`` counts what it costs.

        Blocks while it is verified and loaded, which keeps nobody else from running. Raises UnknownModel, ModelRefused, or
        ModelUnavailable.
        """
        installed = self.verify(package_id)
        runner = open_runner(installed.manifest, installed.folder, installed.sha256, device, self.modules)
        return Model(installed, runner, device, meter)

    def add(self, path: Path, *, replace: bool = False, progress: Progress | None = None) -> Installed:
        """Installs a folder or a zip: checks it, copies it, and tries its network out in a process of its own.

        Raises ModelRefused, and has changed nothing, where anything is not as it must be.
        """
        with Archive(path) as archive:
            manifest, data = archive.manifest()
            there = self.root / manifest.id
            if there.exists() and not replace:
                raise ModelRefused(
                    f"{manifest.id} is installed already; `doppel models add --replace` puts this one in its place, "
                    f"`doppel models remove {manifest.id}` removes it"
                )
            if not there.exists() and len(self.ids()) >= MAX_INSTALLED:
                raise ModelRefused(f"{MAX_INSTALLED} packages are installed, which is the most; remove one")
            with self._temporary() as folder:
                archive.copy(manifest, folder, progress)
                (folder / FILE).write_bytes(data)
                trial.run(manifest, folder, self.modules)
                self._place(folder, there)
        return Installed(manifest, there, hashlib.sha256(data).hexdigest())

    def remove(self, package_id: str) -> None:
        """Streams that use it keep it until they end. Raises UnknownModel."""
        if package_id not in self.ids():
            raise self._unknown(package_id)
        with self._temporary() as folder:
            os.replace(self.root / package_id, folder / package_id)

    @contextmanager
    def _temporary(self) -> Iterator[Path]:
        """A folder on the same disk, gone afterwards with whatever is in it."""
        folder = None
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(dir=self.root, prefix=".adding-"))
            yield folder
        except OSError as error:
            raise ModelUnavailable(f"cannot write to {self.root}: {error}; set DOPPEL_MODELS_DIR") from error
        finally:
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)

    def _place(self, folder: Path, there: Path) -> None:
        """Swaps the finished folder in. Whoever looks meanwhile finds the old one, the new one or, for a moment, none."""
        with self._temporary() as aside:
            with suppress(FileNotFoundError):
                os.replace(there, aside / "old")
            folder.chmod(0o755)
            os.replace(folder, there)

    def _archive(self, package_id: str) -> Archive:
        # By what is there, so that no id can be a path to elsewhere.
        if package_id not in self.ids():
            raise self._unknown(package_id)
        try:
            return Archive(self.root / package_id)
        except ModelError as error:
            raise ModelRefused(f"the installed package {package_id} is damaged: {error}") from error

    def _unknown(self, package_id: str) -> UnknownModel:
        there = ", ".join(self.ids()) or "none; `doppel models add PACKAGE` installs one"
        return UnknownModel(f"there is no model package {package_id!r}; there are: {there}")
