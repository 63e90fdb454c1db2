"""Packages put where they are installed, without the trial that ``add`` makes of each: a process that imports torch."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from transforms.models.store import Store, default_root
from transforms.packages.store import FOLDER, Packages


class Shelf:
    """A store of weights of a test's own, with the user's face tracker and no packages yet."""

    def __init__(self, root: Path) -> None:
        self.store = Store(root)
        self.packages = Packages(root / FOLDER)
        self._root = root

    def put(self, *folders: Path) -> Packages:
        for folder in folders:
            shutil.copytree(folder, self._root / FOLDER / folder.name)
        return self.packages

    def with_tracker(self) -> Shelf:
        theirs = Store(default_root()).path("face_landmarker").parents[1]
        (self._root / theirs.name).symlink_to(theirs)
        return self


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    root = tmp_path / "models"
    root.mkdir()
    return Shelf(root)
