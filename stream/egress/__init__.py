"""How pictures go out: one file per protocol, behind ``Egress``."""

from __future__ import annotations

from typing import Protocol

from stream.picture import EncodedPicture


class Egress(Protocol):
    """A receiver of encoded pictures."""

    codec: str
    """"H264" or "VP8": what ``send`` takes."""

    @property
    def ready(self) -> bool:
        """Whether it can take a picture now. If not, none is encoded for it: to drop one after encoding would break
        those that follow. Called from the encoder's thread."""

    def send(self, picture: EncodedPicture) -> None:
        """Takes a picture. Called from the encoder's thread; returns at once."""
