"""What is told of models without reading their weights."""

from __future__ import annotations

from pathlib import Path

from tests.transforms.packages.conftest import Shelf
from tests.transforms.packages.networks import negative
from transforms.packages.manifest import FILE
from transforms.packages.shelf import entries


def test_the_catalogue_and_what_was_added(shelf: Shelf, tmp_path: Path) -> None:
    shelf.put(negative(tmp_path))
    found = {entry.id: entry for entry in entries(shelf.store)}
    assert found.keys() == {*shelf.store.catalogue.packages, "negative"}
    assert not found["face_landmarker"].present
    added = found["negative"]
    assert (added.kind, added.task, added.present) == ("package", "face", True)
    assert added.size == sum(path.stat().st_size for path in (tmp_path / "negative").iterdir() if path.name != FILE)


def test_present_is_what_has_the_right_size(shelf: Shelf) -> None:
    shelf.with_tracker()
    assert {entry.id for entry in entries(shelf.store) if entry.present} == {"face_landmarker"}


def test_one_that_cannot_be_read_hides_no_other(shelf: Shelf, tmp_path: Path) -> None:
    shelf.put(negative(tmp_path))
    broken = shelf.packages.root / "broken"
    broken.mkdir()
    (broken / FILE).write_text("id = 3")
    assert [entry.id for entry in entries(shelf.store) if entry.kind == "package"] == ["negative"]
