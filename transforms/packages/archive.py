"""A package as somebody hands it over, a folder or a zip, read as if its sender meant harm.

Packages are flat: ``model.toml`` and the files that it names. A zip may have them all in one folder.
"""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from typing import IO

from transforms.errors import ModelRefused, ModelUnavailable
from transforms.packages.limits import CHUNK, MAX_BYTES, MAX_FILES, MAX_MANIFEST
from transforms.packages.manifest import FILE, Manifest, parse

Open = Callable[[], AbstractContextManager[IO[bytes]]]

Progress = Callable[[int, int], None]
"""Told the bytes that were read, and how many there are."""

KEPT = {FILE, "bench.json"}
"""What an installed package has beside the files that its manifest names."""

_TROUBLE = (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, UnicodeDecodeError)
"""What a broken zip raises; RuntimeError is an encrypted one."""


class Archive:
    """What a folder or a zip holds, by name. Close it."""

    def __init__(self, path: Path) -> None:
        """Raises ModelUnavailable where there is nothing, ModelRefused where a name, a kind or a size is not to be had."""
        self._stack = ExitStack()
        self.files: dict[str, Open] = {}
        self.sizes: dict[str, int] = {}
        try:
            if path.is_dir():
                self._list_folder(path)
            elif path.is_file():
                self._list_zip(path)
            else:
                raise ModelUnavailable(f"there is no {path}; name a folder or a zip with {FILE} in it")
            if sum(self.sizes.values()) > MAX_BYTES:
                raise ModelRefused(f"{path.name} unpacks to more than the {MAX_BYTES >> 20} MiB that a package may have")
            if FILE not in self.files:
                raise ModelRefused(f"{path.name} has no {FILE}; docs/models.md shows one of ten lines")
        except BaseException as error:
            self.close()
            if isinstance(error, _TROUBLE):
                raise ModelRefused(f"{path.name} cannot be read as a package: {error or type(error).__name__}") from error
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._stack.close()

    def manifest(self) -> tuple[Manifest, bytes]:
        """``model.toml``, whose files are those that are here, and its bytes. Raises ModelRefused."""
        data = self._read_manifest()
        manifest = parse(data)
        missing = sorted(manifest.files.keys() - self.files.keys())
        further = sorted(self.files.keys() - manifest.files.keys() - KEPT)
        if missing:
            raise ModelRefused(f"{manifest.id} lacks {', '.join(missing)}, which its {FILE} names")
        if further:
            raise ModelRefused(f"{manifest.id} has {', '.join(further)}, which its {FILE} does not name; name or remove them")
        return manifest, data

    def copy(self, manifest: Manifest, target: Path | None, progress: Progress | None = None) -> None:
        """Reads every file that the manifest names, into a folder where one is given, and checks each hash.

        Raises ModelRefused for one whose content is not what its hash, its suffix or its size says.
        """
        total = sum(self.sizes[name] for name in manifest.files)
        done = 0
        for name, wanted in manifest.files.items():
            digest = hashlib.sha256()
            size = 0
            with ExitStack() as stack:
                out = stack.enter_context((target / name).open("xb")) if target else None
                try:
                    file = stack.enter_context(self.files[name]())
                    while chunk := file.read(CHUNK):
                        if size == 0:
                            _refuse_pickles(name, chunk)
                        size += len(chunk)
                        if size > self.sizes[name]:
                            raise ModelRefused(f"{name} is longer than it says")
                        digest.update(chunk)
                        if out:
                            out.write(chunk)
                        if progress:
                            progress(done + size, total)
                except _TROUBLE as error:
                    raise ModelRefused(f"{name} cannot be read: {error or type(error).__name__}") from error
            done += size
            if digest.hexdigest() != wanted:
                raise ModelRefused(
                    f"{name} has sha256 {digest.hexdigest()}, not {wanted} as {FILE} says: fetch it again, or if you changed it, "
                    f"write its new hash into {FILE}"
                )

    def _read_manifest(self) -> bytes:
        if self.sizes[FILE] > MAX_MANIFEST:
            raise ModelRefused(f"{FILE} has {self.sizes[FILE]} bytes; {MAX_MANIFEST} are enough for any")
        try:
            with self.files[FILE]() as file:
                return file.read(MAX_MANIFEST + 1)
        except _TROUBLE as error:
            raise ModelRefused(f"{FILE} cannot be read: {error or type(error).__name__}") from error

    def _list_folder(self, folder: Path) -> None:
        with os.scandir(folder) as entries:
            for entry in entries:
                self._count(folder)
                facts = entry.stat(follow_symlinks=False)
                if stat.S_ISLNK(facts.st_mode):
                    raise ModelRefused(f"{entry.name} is a link; a package holds the files themselves")
                if not stat.S_ISREG(facts.st_mode):
                    raise ModelRefused(f"{entry.name} is no file; a package is flat, without folders")
                self.files[entry.name] = partial(_open, Path(entry.path))
                self.sizes[entry.name] = facts.st_size

    def _list_zip(self, path: Path) -> None:
        archive = self._stack.enter_context(zipfile.ZipFile(path))
        if len(archive.infolist()) > MAX_FILES + 2:
            raise ModelRefused(f"{path.name} holds more than the {MAX_FILES} files that a package may have")
        members = [info for info in archive.infolist() if not info.is_dir()]
        top = _top([info.filename for info in members])
        for info in archive.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind == stat.S_IFLNK:
                raise ModelRefused(f"{info.filename!r} is a link; a package holds the files themselves")
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise ModelRefused(f"{info.filename!r} is neither file nor folder")
            if info.flag_bits & 1:
                raise ModelRefused(f"{info.filename!r} is encrypted; pack it without a password")
            if info.is_dir() and info.filename == top:
                continue
            name = info.filename.removeprefix(top)
            if not name or name in (".", "..") or any(character in name for character in "/\\:\0"):
                raise ModelRefused(f"{info.filename!r} is no name of a file in a flat package; a path may not lead elsewhere")
            if name in self.files:
                raise ModelRefused(f"{info.filename!r} is there twice")
            self._count(path)
            self.files[name] = partial(archive.open, info)
            self.sizes[name] = info.file_size

    def _count(self, path: Path) -> None:
        if len(self.files) >= MAX_FILES + len(KEPT):
            raise ModelRefused(f"{path.name} holds more than the {MAX_FILES} files that a package may have")


def _top(names: list[str]) -> str:
    """The one folder that all of a zip's files are in, with its slash; nothing where there is none."""
    folders = {name.partition("/")[0] if "/" in name else "" for name in names}
    only = folders.pop() if len(folders) == 1 else ""
    return f"{only}/" if only not in ("", ".", "..") else ""


def _open(path: Path) -> IO[bytes]:
    # Not followed, should a file have become a link meanwhile.
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")


def _refuse_pickles(name: str, start: bytes) -> None:
    """A pickle runs code when it is read, whatever its file is called. torch.save writes a zip with one inside."""
    if (start[:1] == b"\x80" and start[1:2] in b"\x02\x03\x04\x05") or start[:4] == b"PK\x03\x04":
        raise ModelRefused(
            f"{name} is a pickle (or a zip that may hold one), which runs code when it is read; "
            "export the network as ONNX, or save its state as safetensors"
        )
