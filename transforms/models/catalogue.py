"""What packages of weights there are: one TOML file beside this module each."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from transforms.errors import ModelRefused, UnknownModel

MAX_SIZE = 1 << 30
"""Bytes of one package of weights: no network that keeps up with live video is larger."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$")]
Address = Annotated[str, StringConstraints(pattern=r"^https?://")]


def _inside(path: str) -> str:
    if not path or "\\" in path or any(part in ("", ".", "..") for part in path.split("/")):
        raise ValueError(f"{path!r} is no path inside an archive")
    return path


Member = Annotated[str, AfterValidator(_inside)]
"""A path inside an archive: relative, and no step upwards."""


class Carrier(BaseModel):
    """A package of the Python index that has the file in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    package: str
    version: str
    member: Member


class Package(BaseModel):
    """One file of weights: where it comes from, what it must be, and the networks in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Name
    version: str
    licence: str
    """SPDX; NOASSERTION where none is stated."""
    source: str
    """Who published it, as what."""
    file: FileName
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    size: Annotated[int, Field(gt=0, le=MAX_SIZE)]
    """Bytes."""
    carriers: tuple[Carrier, ...] = ()
    urls: tuple[Address, ...] = ()
    """The publisher's own."""
    on_request: bool = False
    """Whether it is fetched only by those who name it or use it: it is large, or nobody says what its licence is."""
    networks: dict[Name, Member]
    """A network's name -> its flatbuffer: a member where the file is a zip, or the file itself."""


class Catalogue:
    """Packages by id, and which one a network is in."""

    def __init__(self, packages: list[Package]) -> None:
        self.packages = {package.id: package for package in packages}
        self._owners = {network: package for package in packages for network in package.networks}
        if len(self.packages) != len(packages) or len(self._owners) != sum(len(package.networks) for package in packages):
            raise ModelRefused("two packages of weights share an id or the name of a network")

    @classmethod
    def read(cls, folder: Path = Path(__file__).parent) -> Catalogue:
        """Reads every ``*.toml`` of the folder. Raises ModelRefused for one that does not fit the schema."""
        packages = []
        for path in sorted(folder.glob("*.toml")):
            try:
                packages.append(Package.model_validate(tomllib.loads(path.read_text("utf-8"))))
            except (ValidationError, ValueError) as error:
                raise ModelRefused(f"{path.name} does not describe a package of weights: {error}") from error
        return cls(packages)

    @property
    def usual(self) -> list[str]:
        """The ids of what is fetched unasked."""
        return [package.id for package in self.packages.values() if not package.on_request]

    def package(self, model_id: str) -> Package:
        if model_id not in self.packages:
            raise UnknownModel(f"there is no model {model_id!r}; there are: {', '.join(self.packages)}")
        return self.packages[model_id]

    def owner(self, network: str) -> Package:
        """The package that holds the network."""
        if network not in self._owners:
            raise UnknownModel(f"there is no network {network!r}; there are: {', '.join(sorted(self._owners))}")
        return self._owners[network]
