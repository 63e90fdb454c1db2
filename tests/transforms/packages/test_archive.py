"""Packages from somebody who means harm: each is refused in words, and nothing is written."""

from __future__ import annotations

import io
import os
import pickle
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.transforms.packages.networks import inverting, negative
from transforms.errors import ModelRefused, ModelUnavailable
from transforms.packages import archive as archive_module
from transforms.packages.archive import Archive

Edit = Callable[[zipfile.ZipFile], None]


def zipped(folder: Path, path: Path, top: str = "", edit: Edit | None = None) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, top + file.name)
        if edit:
            edit(archive)
    return path


def taken(path: Path, target: Path) -> dict[str, bytes]:
    """What is copied out of a package."""
    target.mkdir(exist_ok=True)
    with Archive(path) as archive:
        manifest, _ = archive.manifest()
        archive.copy(manifest, target)
    return {file.name: file.read_bytes() for file in target.iterdir()}


def outside(folder: Path, target: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if target not in (file, *file.parents))


def refusal(path: Path, tmp_path: Path) -> str:
    target = tmp_path / "target"
    before = outside(tmp_path, target)
    with pytest.raises(ModelRefused) as caught:
        taken(path, target)
    assert outside(tmp_path, target) == before
    return str(caught.value)


@pytest.mark.parametrize("top", ["", "negative-1/"])
def test_a_zip_is_as_good_as_a_folder(top: str, tmp_path: Path) -> None:
    folder = negative(tmp_path)
    assert taken(folder, tmp_path / "a") == {"negative.onnx": inverting()}
    assert taken(zipped(folder, tmp_path / "it.zip", top), tmp_path / "b") == {"negative.onnx": inverting()}


def link(archive: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("evil.onnx")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(info, "/etc/passwd")


def device(archive: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("evil.onnx")
    info.external_attr = (stat.S_IFIFO | 0o777) << 16
    archive.writestr(info, "")


def twice(archive: zipfile.ZipFile) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("negative.onnx", b"another")


def many(archive: zipfile.ZipFile) -> None:
    for number in range(60):
        archive.writestr(f"{number}.txt", b"")


def written(name: str) -> Edit:
    return lambda archive: archive.writestr(name, b"content")


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (written("../evil.onnx"), "a path may not lead elsewhere"),
        (written("/etc/cron.d/evil"), "a path may not lead elsewhere"),
        (written("..\\evil.onnx"), "a path may not lead elsewhere"),
        (written("C:evil.onnx"), "a path may not lead elsewhere"),
        (written("folder/evil.onnx"), "a path may not lead elsewhere"),
        (written("folder/"), "a path may not lead elsewhere"),
        (written(".."), "a path may not lead elsewhere"),
        (link, "is a link"),
        (device, "neither file nor folder"),
        (twice, "is there twice"),
        (many, "more than the 32 files"),
        (written("further.onnx"), "has further.onnx, which its model.toml does not name"),
    ],
)
def test_a_hostile_zip(edit: Edit, told: str, tmp_path: Path) -> None:
    assert told in refusal(zipped(negative(tmp_path), tmp_path / "it.zip", edit=edit), tmp_path)


def test_an_encrypted_zip(tmp_path: Path) -> None:
    path = zipped(negative(tmp_path), tmp_path / "it.zip")
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    path.write_bytes(data)
    assert "is encrypted" in refusal(path, tmp_path)


def test_a_bomb_is_never_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_module, "MAX_BYTES", 1 << 20)
    folder = negative(tmp_path, b"\0" * (2 << 20))
    path = zipped(folder, tmp_path / "it.zip")
    assert path.stat().st_size < 1 << 14
    assert "unpacks to more than the 1 MiB" in refusal(path, tmp_path)


def test_a_bomb_that_lies_about_its_size(tmp_path: Path) -> None:
    path = zipped(negative(tmp_path, b"\0" * (1 << 20)), tmp_path / "it.zip")
    data = path.read_bytes().replace((1 << 20).to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    path.write_bytes(data)
    refusal(path, tmp_path)
    assert sum(file.stat().st_size for file in (tmp_path / "target").iterdir()) <= 1000


@pytest.mark.parametrize("cut", [1, 30, 200])
def test_a_zip_that_is_cut_short(cut: int, tmp_path: Path) -> None:
    path = zipped(negative(tmp_path), tmp_path / "it.zip")
    path.write_bytes(path.read_bytes()[:-cut])
    assert "it.zip cannot be read as a package" in refusal(path, tmp_path)


def test_a_damaged_member(tmp_path: Path) -> None:
    path = zipped(negative(tmp_path), tmp_path / "it.zip")
    data = bytearray(path.read_bytes())
    at = data.index(b"negative.onnx") + 40
    data[at] ^= 0xFF
    path.write_bytes(data)
    assert "negative.onnx" in refusal(path, tmp_path)


def test_links_and_folders_in_a_folder(tmp_path: Path) -> None:
    folder = negative(tmp_path)
    (folder / "passwd.txt").symlink_to("/etc/passwd")
    assert "passwd.txt is a link" in refusal(folder, tmp_path)
    (folder / "passwd.txt").unlink()
    (folder / "more").mkdir()
    assert "more is no file" in refusal(folder, tmp_path)
    (folder / "more").rmdir()
    os.mkfifo(folder / "pipe.txt")
    assert "pipe.txt is no file" in refusal(folder, tmp_path)


def test_a_link_in_the_place_of_weights(tmp_path: Path) -> None:
    folder = negative(tmp_path)
    (folder / "negative.onnx").rename(tmp_path / "elsewhere.onnx")
    (folder / "negative.onnx").symlink_to(tmp_path / "elsewhere.onnx")
    assert "negative.onnx is a link" in refusal(folder, tmp_path)


def test_another_hash(tmp_path: Path) -> None:
    folder = negative(tmp_path)
    (folder / "negative.onnx").write_bytes(inverting()[:-1] + b"x")
    told = refusal(folder, tmp_path)
    assert "negative.onnx has sha256" in told
    assert "write its new hash into model.toml" in told


class Harm:
    """A pickle of it makes a folder when it is read."""

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, ("harm",)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_under_another_name(protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "is a pickle" in refusal(negative(tmp_path, pickle.dumps(Harm(), protocol)), tmp_path)
    assert not Path("harm").exists()


def test_what_torch_save_writes(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Harm()))
    assert "is a pickle (or a zip that may hold one)" in refusal(negative(tmp_path, file.getvalue()), tmp_path)


def test_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="there is no"):
        Archive(tmp_path / "nothing")
    folder = negative(tmp_path)
    (folder / "negative.onnx").unlink()
    assert "lacks negative.onnx" in refusal(folder, tmp_path)
    (folder / "model.toml").unlink()
    assert "has no model.toml; docs/models.md" in refusal(folder, tmp_path)


def test_a_folder_of_thousands_is_not_listed_to_its_end(tmp_path: Path) -> None:
    folder = negative(tmp_path)
    for number in range(100):
        (folder / f"{number}.txt").touch()
    assert "more than the 32 files" in refusal(folder, tmp_path)
