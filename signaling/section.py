"""One media section of an offer, and what is answered to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.sdp import MediaDescription

from signaling.errors import BadRequest
from stream.rtc import flexfec, transport_cc
from stream.rtc.parameters import AudioParameters, HeaderExtensions, VideoParameters
from stream.rtc.payload import FORMATS

Role = Literal["loop", "publish", "watch"]
"""Of the client: it sends and receives, only sends, or only receives."""

PAYLOAD_TYPES = frozenset((*range(64), *range(96, 128)))
"""7 bits, without those that RTCP packet types look like."""

MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"

FEEDBACK = ("nack", "nack pli", "ccm fir", "goog-remb", "transport-cc")
"""RTCP feedback that this server gives or heeds."""

STEREO = "minptime=10;useinbandfec=1;stereo=1"
"""Opus as this server takes it, and sends it on (RFC 7587 section 6.1): each side says for itself what it likes to get."""


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
    mux_only: bool = False
    """Whether the answer says rtcp-mux-only: RFC 9725 section 4.4.1 and RFC 9143 section 9.3.1.2 ask for it."""


def declined(media: MediaDescription) -> Section:
    return Section(media.kind, media.profile, [str(f) for f in media.fmt], media.rtp.muxId, False)


def video(
    media: MediaDescription, role: Role, codecs: Sequence[str], start_bitrate: int, *, mux_only: bool
) -> tuple[VideoParameters | None, Section]:
    """None where none of its codecs is taken."""
    receive, send = _ways(media, role)
    offered = _usable(media)
    chosen = [codec for name in codecs for codec in offered if _takes(name, codec)]
    # Constrained baseline before the rest: it is what is sent, and every client decodes it.
    chosen.sort(key=lambda codec: (codecs.index(codec.name.upper()), _profile(codec)[:4].lower() != "42e0"))
    if not chosen:
        return None, declined(media)
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
            _fmtp(codec, start_bitrate if receive else None),
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
    return (
        VideoParameters(media.rtp.muxId, receive, send, codecs=kept, rtx=rtx, extensions=_ids(extensions), fec=fec),
        _taken(media, receive, send, formats, extensions, mux_only),
    )


def audio(media: MediaDescription, role: Role, *, mux_only: bool) -> tuple[AudioParameters | None, Section]:
    """None where it is not Opus, or goes no way at all."""
    opus = next((codec for codec in _usable(media) if codec.name.lower() == "opus" and codec.clockRate == 48_000), None)
    if opus is None or media.direction == "inactive":
        return None, declined(media)
    receive, send = _ways(media, role)
    extensions = _extensions(media, (MID,))
    if role == "loop":
        own = ("minptime", "useinbandfec", "stereo")
        fmtp = ";".join(f"{key}={value}" for key, value in opus.parameters.items() if key in own)
    else:
        fmtp = f"{STEREO};sprop-stereo=1" if send else STEREO
    formats = [Format(_number(opus), "opus/48000/2", fmtp, ())]
    return (
        AudioParameters(media.rtp.muxId, receive, send, payload_type=_number(opus), extensions=_ids(extensions)),
        _taken(media, receive, send, formats, extensions, mux_only),
    )


def _ways(media: MediaDescription, role: Role) -> tuple[bool, bool]:
    """Whether the server receives, and whether it sends."""
    return (
        role != "watch" and media.direction in ("sendrecv", "sendonly"),
        role != "publish" and (media.direction == "sendrecv" or (role == "watch" and media.direction == "recvonly")),
    )


def _taken(
    media: MediaDescription,
    receive: bool,
    send: bool,
    formats: Sequence[Format],
    extensions: Sequence[tuple[int, str]],
    mux_only: bool,
) -> Section:
    direction = {(True, True): "sendrecv", (True, False): "recvonly", (False, True): "sendonly"}.get((receive, send), "inactive")
    words = [str(f) for f in media.fmt]
    return Section(media.kind, media.profile, words, media.rtp.muxId, True, direction, formats, extensions, mux_only)


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


def _fmtp(codec: RTCRtpCodecParameters, start_bitrate: int | None) -> str:
    """Echoes what identifies the format, and asks libwebrtc to begin at a useful rate instead of 300 kb/s."""
    start = [] if start_bitrate is None else [f"x-google-start-bitrate={start_bitrate // 1000}"]
    if codec.name.upper() != "H264":
        return ";".join(start)
    profile = _profile(codec)
    if str(codec.parameters.get("level-asymmetry-allowed")) == "1":
        # What we receive may be of a higher level than what the client does: 4.2 is 1080p at 60 fps.
        return ";".join(["level-asymmetry-allowed=1", "packetization-mode=1", f"profile-level-id={profile[:4]}2a", *start])
    return ";".join(["packetization-mode=1", f"profile-level-id={profile}", *start])


def _extensions(media: MediaDescription, wanted: Sequence[str]) -> list[tuple[int, str]]:
    return [(ext.id, ext.uri) for ext in media.rtp.headerExtensions if ext.uri in wanted and 0 < ext.id < 15]


def _ids(extensions: Sequence[tuple[int, str]]) -> HeaderExtensions:
    ids = {uri: number for number, uri in extensions}
    return HeaderExtensions(ids.get(MID), ids.get(ABS_SEND_TIME), ids.get(transport_cc.URI))
