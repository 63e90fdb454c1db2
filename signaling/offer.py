"""Reading an SDP offer (RFC 8866, JSEP: RFC 9429): what of it this server takes, and how to reach who sent it."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.sdp import MediaDescription, SessionDescription

from signaling.errors import BadRequest, Unacceptable
from stream.rtc import flexfec, transport_cc
from stream.rtc.parameters import AudioParameters, Candidate, HeaderExtensions, Media, RemoteTransport, VideoParameters
from stream.rtc.payload import FORMATS

MAX_BYTES = 65_536
"""Of an offer: browsers send under 10 kB."""

MAX_SECTIONS = 8
"""Media sections: one of video, one of sound, and what we decline."""

MAX_CANDIDATES = 32
"""ICE candidates taken of one offer; the rest is passed over, as each costs connectivity checks."""

PAYLOAD_TYPES = frozenset((*range(64), *range(96, 128)))
"""7 bits, without those that RTCP packet types look like."""

MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"

FEEDBACK = ("nack", "nack pli", "ccm fir", "goog-remb", "transport-cc")
"""RTCP feedback that this server gives or heeds."""


@dataclass(frozen=True, slots=True)
class Format:
    """A payload format of the offer that is taken, for the answer's rtpmap, fmtp and rtcp-fb lines."""

    payload_type: int
    rtpmap: str
    fmtp: str
    feedback: Sequence[str]


@dataclass(frozen=True, slots=True)
class Section:
    """One media section of the offer, in its place."""

    kind: str
    protocol: str
    formats: Sequence[str]
    mid: str
    accepted: bool
    direction: str = "inactive"
    """Of the answer."""
    taken: Sequence[Format] = ()
    extensions: Sequence[tuple[int, str]] = ()


@dataclass(frozen=True, slots=True)
class Offer:
    media: Media
    remote: RemoteTransport
    sections: Sequence[Section]


def read(sdp: str, codecs: Sequence[str], start_bitrate: int) -> Offer:
    """Takes an offer of one sendrecv video, and of one sound at most.

    ``codecs`` are encoding names in the server's order of preference; ``start_bitrate`` (b/s) is what a browser is
    asked to begin with. Raises BadRequest, Unacceptable.
    """
    description = _parse(sdp)
    if len(description.media) > MAX_SECTIONS:
        raise Unacceptable(f"the offer has {len(description.media)} media sections; offer one of video and one of sound")
    if "\na=simulcast:" in sdp:
        raise Unacceptable("the offer is for simulcast, which is not taken; offer one encoding")
    bundle = _bundle(description)
    offered = _offered(description, bundle, sdp)
    videos = [m for m in offered if m.kind == "video"]
    sounds = [m for m in offered if m.kind == "audio"]
    if len(videos) != 1 or len(sounds) > 1:
        raise Unacceptable(f"offer exactly one video and at most one sound; this offer has {len(videos)} and {len(sounds)}")
    sections: list[Section] = []
    video: VideoParameters | None = None
    audio: AudioParameters | None = None
    for section in description.media:
        if section in videos:
            video, written = _video(section, codecs, start_bitrate)
        elif section in sounds and (not bundle or section.rtp.muxId in bundle):
            audio, written = _audio(section)
        else:
            written = _declined(section)
        sections.append(written)
    assert video is not None
    if audio is not None and not {video.mid, audio.mid} <= set(bundle):
        raise Unacceptable("sound and video must share one transport: offer them with BUNDLE (bundlePolicy max-bundle)")
    taken = [media for media, written in zip(description.media, sections, strict=True) if written.accepted]
    return Offer(Media(video, audio), _remote(taken, offered, sdp), sections)


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


def _video(media: MediaDescription, codecs: Sequence[str], start_bitrate: int) -> tuple[VideoParameters, Section]:
    if media.direction != "sendrecv":
        raise Unacceptable(f"a loop sends the video back, so offer it sendrecv, not {media.direction}")
    offered = _usable(media)
    chosen = [codec for name in codecs for codec in offered if _takes(name, codec)]
    # Constrained baseline before the rest: it is what is sent, and every client decodes it.
    chosen.sort(key=lambda codec: (codecs.index(codec.name.upper()), _profile(codec)[:4].lower() != "42e0"))
    if not chosen:
        raise Unacceptable(
            f"none of the offered video codecs is taken; offer {' or '.join(codecs)} (H264 with packetization-mode=1)"
        )
    kept = {_number(codec): codec.name.upper() for codec in chosen}
    rtx = {
        _number(codec): apt
        for codec in offered
        if codec.name.lower() == "rtx" and isinstance(apt := codec.parameters.get("apt"), int) and apt in kept
    }
    formats = [
        Format(
            _number(codec),
            f"{codec.name}/90000",
            _fmtp(codec, start_bitrate),
            [text for text in FEEDBACK if any(text == f"{f.type} {f.parameter or ''}".strip() for f in codec.rtcpFeedback)],
        )
        for codec in chosen
    ] + [Format(payload_type, "rtx/90000", f"apt={apt}", ()) for payload_type, apt in rtx.items()]
    fec = next((_number(codec) for codec in offered if codec.name.lower() == flexfec.NAME), None) if rtx else None
    if fec is not None:
        formats.append(Format(fec, f"{flexfec.NAME}/90000", "repair-window=10000000", ()))
    has_feedback = any("transport-cc" in form.feedback for form in formats)
    wanted = (MID, ABS_SEND_TIME, transport_cc.URI) if has_feedback else (MID, ABS_SEND_TIME)
    extensions = _extensions(media, wanted)
    mid = media.rtp.muxId
    return (
        VideoParameters(mid, receive=True, send=True, codecs=kept, rtx=rtx, extensions=_ids(extensions), fec=fec),
        _taken(media, "sendrecv", formats, extensions),
    )


def _audio(media: MediaDescription) -> tuple[AudioParameters | None, Section]:
    opus = next((codec for codec in _usable(media) if codec.name.lower() == "opus" and codec.clockRate == 48_000), None)
    if opus is None or media.direction == "inactive":
        return None, _declined(media)
    receive, send = media.direction in ("sendrecv", "sendonly"), media.direction == "sendrecv"
    extensions = _extensions(media, (MID,))
    fmtp = ";".join(f"{key}={value}" for key, value in opus.parameters.items() if key in ("minptime", "useinbandfec", "stereo"))
    formats = [Format(_number(opus), "opus/48000/2", fmtp, ())]
    direction = "sendrecv" if send else "recvonly" if receive else "inactive"
    return (
        AudioParameters(media.rtp.muxId, receive=receive, send=send, payload_type=_number(opus), extensions=_ids(extensions)),
        _taken(media, direction, formats, extensions),
    )


def _taken(media: MediaDescription, direction: str, formats: Sequence[Format], extensions: Sequence[tuple[int, str]]) -> Section:
    return Section(media.kind, media.profile, [str(f) for f in media.fmt], media.rtp.muxId, True, direction, formats, extensions)


def _declined(media: MediaDescription) -> Section:
    return Section(media.kind, media.profile, [str(f) for f in media.fmt], media.rtp.muxId, False)


def _usable(media: MediaDescription) -> list[RTCRtpCodecParameters]:
    """Codecs of the section's own formats, with a payload type that cannot be taken for RTCP (RFC 5761 section 4)."""
    return [codec for codec in media.rtp.codecs if codec.payloadType in media.fmt and _number(codec) in PAYLOAD_TYPES]


def _number(codec: RTCRtpCodecParameters) -> int:
    if codec.payloadType is None:
        raise BadRequest("the offer has a codec without a payload type")
    return codec.payloadType


def _takes(name: str, codec: RTCRtpCodecParameters) -> bool:
    if codec.name.upper() != name or name not in FORMATS or codec.clockRate != 90_000:
        return False
    # Mode 0 has no fragmentation: a frame would not fit a packet.
    return name != "H264" or str(codec.parameters.get("packetization-mode", "0")) == "1"


def _profile(codec: RTCRtpCodecParameters) -> str:
    """profile-level-id; absent means constrained baseline 1.0 (RFC 6184 section 8.1), which old clients mean as 3.1."""
    return str(codec.parameters.get("profile-level-id", "42e01f"))


def _fmtp(codec: RTCRtpCodecParameters, start_bitrate: int) -> str:
    """Echoes what identifies the format, and asks libwebrtc to begin at a useful rate instead of 300 kb/s."""
    start = f"x-google-start-bitrate={start_bitrate // 1000}"
    if codec.name.upper() != "H264":
        return start
    profile = _profile(codec)
    if str(codec.parameters.get("level-asymmetry-allowed")) == "1":
        # What we receive may be of a higher level than what the client does: 4.2 is 1080p at 60 fps.
        return f"level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={profile[:4]}2a;{start}"
    return f"packetization-mode=1;profile-level-id={profile};{start}"


def _extensions(media: MediaDescription, wanted: Sequence[str]) -> list[tuple[int, str]]:
    return [(ext.id, ext.uri) for ext in media.rtp.headerExtensions if ext.uri in wanted and 0 < ext.id < 15]


def _ids(extensions: Sequence[tuple[int, str]]) -> HeaderExtensions:
    ids = {uri: number for number, uri in extensions}
    return HeaderExtensions(ids.get(MID), ids.get(ABS_SEND_TIME), ids.get(transport_cc.URI))


def _remote(taken: Sequence[MediaDescription], offered: Sequence[MediaDescription], sdp: str) -> RemoteTransport:
    """The transport of what is taken; where that is bundle-only, that of the section it was bundled with."""
    media = next((m for m in (*taken, *offered) if _has_ice(m) and m.dtls is not None and m.dtls.fingerprints), None)
    if media is None or media.ice is None or media.dtls is None:
        raise BadRequest("the offer has no section with ICE credentials and a DTLS fingerprint")
    ice, dtls = media.ice, media.dtls
    candidates: list[Candidate] = []
    # A browser writes them into one section of a bundle, which may be one that is not taken.
    same = [m for m in offered if m.ice is not None and m.ice.usernameFragment == ice.usernameFragment]
    for candidate in (candidate for m in same for candidate in m.ice_candidates):
        if len(candidates) == MAX_CANDIDATES:
            break
        try:
            address = str(ipaddress.ip_address(candidate.ip))
        except ValueError:
            # mDNS names are not looked up: the browser's own checks tell its address sooner, without any multicast.
            continue
        if candidate.protocol.lower() != "udp" or candidate.component != 1 or candidate.type not in ("host", "srflx", "relay"):
            continue
        if not 0 < candidate.port < 65_536:
            continue
        candidates.append(
            Candidate(str(candidate.foundation), 1, int(candidate.priority), address, candidate.port, candidate.type)
        )
    return RemoteTransport(
        ufrag=ice.usernameFragment or "",
        password=ice.password or "",
        lite="\na=ice-lite" in sdp,
        candidates=candidates,
        candidates_complete=media.ice_candidates_complete,
        fingerprints=[(f.algorithm, f.value) for f in dtls.fingerprints],
        dtls_client=dtls.role != "client",
    )
