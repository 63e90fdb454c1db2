from __future__ import annotations

from pathlib import Path

import pytest

from transforms.errors import ModelRefused, UnknownModel
from transforms.models.catalogue import Catalogue

TOML = """
id = "weights"
version = "1"
licence = "Apache-2.0"
source = "a test"
file = "weights.bin"
sha256 = "{sha}"
size = 12
{more}
[networks]
net = "{member}"
"""


def read(folder: Path, more: str = "", member: str = "net.tflite", sha: str = "0" * 64) -> Catalogue:
    (folder / "weights.toml").write_text(TOML.format(more=more, member=member, sha=sha))
    return Catalogue.read(folder)


def test_the_networks_are_known() -> None:
    catalogue = Catalogue.read()
    owners = {
        "face_detector": "face_landmarker",
        "face_landmarks": "face_landmarker",
        "face_blendshapes": "face_landmarker",
        "selfie_segmentation": "selfie_segmentation",
        "selfie_segmentation_landscape": "selfie_segmentation_landscape",
        "face_stylizer_sketch": "face_stylizer_sketch",
        "face_stylizer_ink": "face_stylizer_ink",
        "face_stylizer_oil": "face_stylizer_oil",
        "multistyle26": "multistyle26",
    }
    assert {name: catalogue.owner(name).id for name in owners} == owners
    assert all(package.carriers and package.licence for package in catalogue.packages.values())


def test_what_has_no_licence_is_not_fetched_unasked() -> None:
    catalogue = Catalogue.read()
    unasked = [catalogue.package(model_id) for model_id in catalogue.usual]
    assert all(package.licence != "NOASSERTION" for package in unasked)
    assert sum(package.size for package in unasked) < 10_000_000, "every install fetches this"
    assert {package.id for package in catalogue.packages.values()} - {package.id for package in unasked} == {
        "face_stylizer_sketch",
        "face_stylizer_ink",
        "face_stylizer_oil",
    }


def test_names_that_are_not_there_are_told_with_those_that_are() -> None:
    catalogue = Catalogue.read()
    with pytest.raises(UnknownModel, match="face_landmarker"):
        catalogue.package("face_landmarked")
    with pytest.raises(UnknownModel, match="face_detector"):
        catalogue.owner("nose_detector")


def test_a_sound_file_is_read(tmp_path: Path) -> None:
    assert read(tmp_path).owner("net").size == 12


@pytest.mark.parametrize(
    "broken",
    [
        {"more": "color = 'red'"},
        {"more": "urls = ['file:///etc/passwd']"},
        {"member": "../net.tflite"},
        {"member": "/net.tflite"},
        {"member": "a/../../net.tflite"},
        {"sha": "abc"},
        {"more": "size = 13"},
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, broken: dict[str, str]) -> None:
    with pytest.raises(ModelRefused, match=r"weights\.toml"):
        read(tmp_path, **broken)


def test_a_network_has_one_owner() -> None:
    package = Catalogue.read().package("face_landmarker")
    with pytest.raises(ModelRefused, match="share"):
        Catalogue([package, package.model_copy(update={"id": "another"})])
