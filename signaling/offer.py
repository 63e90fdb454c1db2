"""Reading an SDP offer (RFC 8866, JSEP: RFC 9429): what of it this server takes, and how to reach who sent it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiortc.sdp import MediaDescription, SessionDescription

from signaling import section
from signaling.candidates import usable
from signaling.errors import BadRequest, Unacceptable
from signaling.section import Role, Section
from stream.rtc.parameters import AudioParameters, Media, RemoteTransport, VideoParameters

MAX_BYTES = 65_536
"""Of an offer: browsers send under 10 kB."""

MAX_SECTIONS = 8
"""Media sections: one of video, one of sound, and what we decline."""

MAX_CANDIDATES = 32
"""ICE candidates taken of one offer; the rest is passed over, as each costs connectivity checks."""

DIRECTIONS: dict[Role, tuple[str, ...]] = {
    "loop": ("sendrecv",),
    "publish": ("sendonly", "sendrecv"),
    "watch": ("recvonly", "sendrecv"),
}
"""What may be offered (RFC 9725 section 4.2, draft-ietf-wish-whep-03 section 4.2.5); a loop's sound may go any way."""


@dataclass(frozen=True, slots=True)
class Offer:
    media: Media
    remote: RemoteTransport
    sections: Sequence[Section]


def read(sdp: str, codecs: Sequence[str], start_bitrate: int, role: Role) -> Offer:
    """Takes an offer of one video and one sound at most.

    A loop needs its video. Of a publisher all is taken or nothing (RFC 9725 section 4.4.3); of the others, sound that cannot
    be had is declined. ``codecs`` are encoding names in the server's order of preference; ``start_bitrate`` (b/s) is what a
    browser is asked to begin with. Raises BadRequest, Unacceptable.
    """
    description = _parse(sdp)
    if len(description.media) > MAX_SECTIONS:
        raise Unacceptable(f"the offer has {len(description.media)} media sections; offer one of video and one of sound")
    if "\na=simulcast:" in sdp:
        raise Unacceptable("the offer is for simulcast, which is not taken; offer one encoding")
    bundle = _bundle(description)
    offered = _offered(description, bundle, sdp)
    _judge(offered, role)
    sections: list[Section] = []
    video: VideoParameters | None = None
    audio: AudioParameters | None = None
    for media in description.media:
        written = section.declined(media)
        mux_only = role != "loop" and media.rtp.muxId in bundle
        if media in offered and media.kind == "video":
            video, written = section.video(media, role, codecs, start_bitrate, mux_only=mux_only)
            if video is None:
                raise Unacceptable(
                    f"none of the offered video codecs is taken; offer {' or '.join(codecs)} (H264 with packetization-mode=1)"
                )
        elif media in offered and media.kind == "audio" and (not bundle or media.rtp.muxId in bundle):
            audio, written = section.audio(media, role, mux_only=mux_only)
        if role == "publish" and media in offered and not written.accepted:
            raise Unacceptable(f"of this offer's {media.kind} nothing is taken, and half an offer is not taken; {_HOW}")
        sections.append(written)
    if video is None and audio is None:
        raise Unacceptable(f"nothing of this offer is taken; {_HOW}")
    if video is not None and audio is not None and not {video.mid, audio.mid} <= set(bundle):
        raise Unacceptable("sound and video must share one transport: offer them with BUNDLE (bundlePolicy max-bundle)")
    taken = [media for media, written in zip(description.media, sections, strict=True) if written.accepted]
    return Offer(Media(video, audio), _remote(taken, offered, sdp), sections)


_HOW = "offer one video, one sound (Opus), or both in one BUNDLE group, and nothing else"


def _judge(offered: Sequence[MediaDescription], role: Role) -> None:
    """Raises Unacceptable for what cannot be of this role."""
    videos = [m for m in offered if m.kind == "video"]
    sounds = [m for m in offered if m.kind == "audio"]
    if role == "loop" and len(videos) != 1:
        raise Unacceptable(f"offer exactly one video and at most one sound; this offer has {len(videos)} and {len(sounds)}")
    if not (videos or sounds) or len(videos) > 1 or len(sounds) > 1:
        raise Unacceptable(f"offer at most one video and one sound; this offer has {len(videos)} and {len(sounds)}")
    for media in (*videos, *(() if role == "loop" else sounds)):
        if media.direction not in DIRECTIONS[role]:
            what = {"loop": "a loop sends the video back", "publish": "a publisher sends", "watch": "a viewer receives"}[role]
            ways = " or ".join(DIRECTIONS[role])
            raise Unacceptable(f"{what}, so offer the {media.kind} {ways}, not {media.direction}")
    # RFC 8830 section 2: a "-" is a track of no stream.
    streams = {media.msid.split()[0] for media in (*videos, *sounds) if media.msid and media.msid.split()} - {"-"}
    if role == "publish" and len(streams) > 1:
        raise Unacceptable("the offer has more than one MediaStream; put its video and its sound into one (the same msid)")


def _parse(sdp: str) -> SessionDescription:
    if len(sdp) > MAX_BYTES:
        raise BadRequest(f"the offer is larger than {MAX_BYTES} bytes")
    try:
        description = SessionDescription.parse(sdp)
    except Exception as error:  # the parser meets hostile text with whatever its regular expressions and indices raise
        raise BadRequest(f"the offer is no valid SDP ({type(error).__name__}); send the offer's sdp as it was created") from error
    if not description.media:
        raise BadRequest("the offer has no media section; send the sdp of an RTCPeerConnection's offer")
    for media in description.media:
        # RFC 8866 section 6.7: a section that says nothing of its direction goes both ways.
        media.direction = media.direction or "sendrecv"
        if media.kind in ("audio", "video") and media.port:
            if not _has_ice(media):
                raise BadRequest(f"the offer's {media.kind} section has no ICE credentials")
            if media.dtls is None or not media.dtls.fingerprints:
                raise BadRequest(f"the offer's {media.kind} section has no DTLS fingerprint")
            if not media.rtcp_mux:
                raise Unacceptable("RTP and RTCP must share one port: offer rtcp-mux")
    mids = [media.rtp.muxId for media in description.media if media.rtp.muxId]
    if len(set(mids)) < len(mids) or any(len(mid.split()) != 1 for mid in mids):
        raise BadRequest("the offer's media sections need an a=mid each, of one word, and none twice")
    return description


def _has_ice(media: MediaDescription) -> bool:
    return media.ice is not None and bool(media.ice.usernameFragment) and bool(media.ice.password)


def _bundle(description: SessionDescription) -> Sequence[str]:
    """The mids that share a transport."""
    return next(([str(mid) for mid in group.items] for group in description.group if group.semantic == "BUNDLE"), [])


def _offered(description: SessionDescription, bundle: Sequence[str], sdp: str) -> list[MediaDescription]:
    """The sections that are not declined. Port 0 declines, but for one that is bundle-only (RFC 8843 section 6): it has no
    transport of its own, as Firefox writes all but the first under max-bundle.
    """
    only: set[int] = set()
    index = -1
    for line in sdp.splitlines():
        if line.startswith("m="):
            index += 1
        elif line.strip() == "a=bundle-only":
            only.add(index)
    return [
        media
        for index, media in enumerate(description.media)
        if media.port or (index in only and media.rtp.muxId and media.rtp.muxId in bundle)
    ]


def _remote(taken: Sequence[MediaDescription], offered: Sequence[MediaDescription], sdp: str) -> RemoteTransport:
    """The transport of what is taken; where that is bundle-only, that of the section it was bundled with."""
    media = next((m for m in (*taken, *offered) if _has_ice(m) and m.dtls is not None and m.dtls.fingerprints), None)
    if media is None or media.ice is None or media.dtls is None:
        raise BadRequest("the offer has no section with ICE credentials and a DTLS fingerprint")
    ice, dtls = media.ice, media.dtls
    # A browser writes them into one section of a bundle, which may be one that is not taken.
    same = [m for m in offered if m.ice is not None and m.ice.usernameFragment == ice.usernameFragment]
    return RemoteTransport(
        ufrag=ice.usernameFragment or "",
        password=ice.password or "",
        lite="\na=ice-lite" in sdp,
        candidates=usable(candidate for m in same for candidate in m.ice_candidates)[:MAX_CANDIDATES],
        fingerprints=[(f.algorithm, f.value) for f in dtls.fingerprints],
        dtls_client=dtls.role != "client",
    )
