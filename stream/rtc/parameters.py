"""What an offer and its answer agreed on, as the media engine needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HeaderExtensions:
    """Negotiated identifiers of RTP header extensions (RFC 8285), 1-14; None where not agreed."""

    mid: int | None = None
    abs_send_time: int | None = None
    transport_cc: int | None = None


@dataclass(frozen=True, slots=True)
class VideoParameters:
    """One video section."""

    mid: str
    receive: bool
    """Whether the peer sends, and the server takes it."""
    send: bool
    """Whether the server sends."""
    codecs: Mapping[int, str]
    """Payload type to encoding name, in order of preference; the first is what is sent."""
    rtx: Mapping[int, int]
    """Retransmission payload type to the payload type it repeats (RFC 4588)."""
    extensions: HeaderExtensions = HeaderExtensions()
    fec: int | None = None
    """Payload type of flexfec-03; only where there is RTX too."""

    @property
    def payload_type(self) -> int:
        """What is sent."""
        return next(iter(self.codecs))

    @property
    def codec(self) -> str:
        return self.codecs[self.payload_type]

    @property
    def rtx_payload_type(self) -> int | None:
        return next((rtx for rtx, media in self.rtx.items() if media == self.payload_type), None)


@dataclass(frozen=True, slots=True)
class AudioParameters:
    """One audio section: Opus, 48 kHz."""

    mid: str
    receive: bool
    send: bool
    payload_type: int
    extensions: HeaderExtensions = HeaderExtensions()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A remote ICE candidate (RFC 8839 section 5.1), UDP, with an IP address."""

    foundation: str
    component: int
    priority: int
    address: str
    port: int
    type: str


@dataclass(frozen=True, slots=True)
class RemoteTransport:
    """How to reach the peer, and how to know it."""

    ufrag: str
    password: str
    lite: bool
    candidates: Sequence[Candidate]
    fingerprints: Sequence[tuple[str, str]]
    """(hash function, colon-separated hex), RFC 8122."""
    dtls_client: bool
    """Whether we open the DTLS handshake (our answer says setup:active)."""


@dataclass(frozen=True, slots=True)
class LocalTransport:
    """What the answer says of our side."""

    ufrag: str
    password: str
    candidates: Sequence[str]
    """``a=candidate`` values."""
    fingerprints: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Media:
    """What one peer connection carries: one video, one sound, or both. Raises ValueError for neither."""

    video: VideoParameters | None
    audio: AudioParameters | None = None

    def __post_init__(self) -> None:
        if self.video is None and self.audio is None:
            raise ValueError("a connection carries video, sound or both")
