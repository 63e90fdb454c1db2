from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from aiortc.sdp import SessionDescription
from hypothesis import example, given, settings
from hypothesis import strategies as st

from signaling import answer
from signaling.errors import BadRequest, SignalingError, Unacceptable
from signaling.offer import MAX_BYTES, MAX_CANDIDATES, Offer, read
from signaling.section import Role
from stream.rtc.parameters import VideoParameters
from tests.signaling.fakes import LOCAL
from tests.signaling.offers import BARE, CHROMIUM, DATA, FINGERPRINT, FIREFOX, OBS, directed, only

ROLES: tuple[Role, ...] = ("loop", "publish", "watch")
OFFERS = {"chromium": CHROMIUM, "firefox": FIREFOX, "obs": OBS, "bare": BARE}


def taken(sdp: str, codecs: tuple[str, ...] = ("H264", "VP8"), role: Role = "loop") -> Offer:
    return read(sdp, codecs, 1_500_000, role)


def video_of(offer: Offer) -> VideoParameters:
    assert offer.media.video is not None
    return offer.media.video


def answered(sdp: str, codecs: tuple[str, ...] = ("H264", "VP8"), role: Role = "loop") -> str:
    offer = taken(sdp, codecs, role)
    video, audio = offer.media.video, offer.media.audio
    ssrcs: dict[str, tuple[int, ...]] = {}
    if video is not None and video.send:
        ssrcs[video.mid] = (1001, 1002) if video.rtx_payload_type is not None else (1001,)
        if video.fec is not None:
            ssrcs[video.mid] += (1003,)
    if audio is not None and audio.send:
        ssrcs[audio.mid] = (2001,)
    return answer.write(offer, LOCAL, ssrcs, "cname")


def section(sdp: str, index: int) -> list[str]:
    return ("m=" + sdp.split("m=")[index + 1]).splitlines()


def test_chromiums_offer() -> None:
    offer = taken(CHROMIUM)
    video, audio = video_of(offer), offer.media.audio
    # Constrained baseline first; packetization mode 0, AV1, VP9, RED and FEC not at all.
    assert dict(video.codecs) == {107: "H264", 103: "H264", 96: "VP8"}
    assert (video.mid, video.payload_type, video.codec, video.rtx_payload_type) == ("1", 107, "H264", 108)
    assert dict(video.rtx) == {97: 96, 104: 103, 108: 107}
    extensions = video.extensions
    assert (extensions.mid, extensions.abs_send_time, extensions.transport_cc) == (4, 2, 3)
    assert audio is not None
    assert (audio.mid, audio.payload_type, audio.receive, audio.send, audio.extensions.mid) == ("0", 111, True, True, 4)
    remote = offer.remote
    assert (remote.ufrag, remote.password, remote.lite, remote.dtls_client) == ("9uB6", "bbgWfLT5MMuWhZ4ZJ2RaU9GA", False, True)
    assert remote.fingerprints == [("sha-256", FINGERPRINT)]
    assert [(each.address, each.port, each.type) for each in remote.candidates] == [("192.0.2.7", 51234, "srflx")]


def test_flexfec_is_taken_where_it_is_offered_beside_retransmissions() -> None:
    offered = CHROMIUM.replace("a=rtpmap:116 ulpfec/90000", "a=rtpmap:116 flexfec-03/90000")
    assert offered != CHROMIUM
    assert video_of(taken(CHROMIUM)).fec is None
    assert video_of(taken(offered)).fec == 116
    video = section(answered(offered), 1)
    assert "a=rtpmap:116 flexfec-03/90000" in video
    assert "a=ssrc-group:FEC-FR 1001 1003" in video
    assert "a=ssrc:1003 cname:cname" in video
    bare = "\r\n".join(line for line in offered.splitlines() if "rtx" not in line and "apt=" not in line) + "\r\n"
    assert video_of(taken(bare)).fec is None


def test_firefoxs_bundle_only_video_is_taken_on_the_transport_it_was_bundled_with() -> None:
    offer = taken(FIREFOX)
    assert dict(video_of(offer).codecs) == {126: "H264", 120: "VP8"}
    assert offer.media.audio is not None
    assert offer.remote.ufrag == "e3b1f5a2"
    assert [(each.address, each.port) for each in offer.remote.candidates] == [("192.0.2.9", 52345)]
    assert section(answered(FIREFOX), 1)[0] == "m=video 9 UDP/TLS/RTP/SAVPF 126 120 124 127"


def test_a_declined_section_is_not_taken_for_bundle_only() -> None:
    with pytest.raises(Unacceptable, match="exactly one video"):
        taken(FIREFOX.replace("a=bundle-only\r\n", ""))
    with pytest.raises(Unacceptable, match="exactly one video"):
        taken(FIREFOX.replace("a=group:BUNDLE 0 1", "a=group:BUNDLE 0"))


def test_obs_names_no_candidates_and_its_transport_once() -> None:
    offer = taken(OBS)
    assert (offer.remote.ufrag, offer.remote.candidates) == ("7mUi", [])
    assert dict(video_of(offer).codecs) == {96: "H264"}
    assert video_of(offer).rtx_payload_type is None
    assert video_of(offer).extensions.transport_cc is None


def test_a_bare_offer_is_answered_as_barely() -> None:
    offer = taken(BARE)
    assert (video_of(offer).mid, offer.media.audio, offer.remote.dtls_client) == ("", None, False)
    text = answered(BARE)
    assert "a=mid" not in text
    assert "BUNDLE" not in text
    assert "a=setup:passive" in text
    assert "a=sendrecv" in text


def test_the_servers_order_of_codecs_decides() -> None:
    assert video_of(taken(CHROMIUM, ("VP8", "H264"))).payload_type == 96
    assert dict(video_of(taken(CHROMIUM, ("VP8",))).codecs) == {96: "VP8"}


def test_a_lite_peer_is_known() -> None:
    assert taken(CHROMIUM.replace("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n")).remote.lite


def test_sound_that_is_not_taken_leaves_the_video_its_transport() -> None:
    """The video is on its own, as under the balanced policy, and the sound of a kind that nobody here knows."""
    head, audio, video = CHROMIUM.split("m=")
    audio = audio.replace("9uB6", "else").replace("opus", "speex").replace("192.0.2.7", "192.0.2.8")
    video = video.replace("a=mid:1", "a=mid:1\r\na=candidate:1 1 udp 1 192.0.2.3 99 typ host")
    offer = taken("m=".join((head, audio, video)))
    assert offer.media.audio is None
    assert offer.remote.ufrag == "9uB6"
    assert [each.address for each in offer.remote.candidates] == ["192.0.2.3"]


def test_sound_that_is_not_taken_keeps_the_candidates_it_holds_for_the_bundle() -> None:
    offer = taken(CHROMIUM.replace("opus", "speex"))
    assert offer.media.audio is None
    assert [each.address for each in offer.remote.candidates] == ["192.0.2.7"]


@pytest.mark.parametrize(
    ("direction", "receive", "send", "back"),
    [("sendrecv", True, True, "sendrecv"), ("sendonly", True, False, "recvonly"), ("recvonly", False, False, "inactive")],
)
def test_sound_goes_the_ways_that_were_offered(direction: str, receive: bool, send: bool, back: str) -> None:
    sdp = CHROMIUM.replace("a=sendrecv", f"a={direction}", 1)
    audio = taken(sdp).media.audio
    assert audio is not None
    assert (audio.receive, audio.send) == (receive, send)
    assert f"a={back}" in section(answered(sdp), 0)


def without(*lines: str) -> Callable[[str], str]:
    return lambda sdp: "".join(line for line in sdp.splitlines(keepends=True) if not line.startswith(lines))


def instead(old: str, new: str) -> Callable[[str], str]:
    def change(sdp: str) -> str:
        assert old in sdp
        return sdp.replace(old, new)

    return change


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (lambda sdp: sdp + "a=x:" + "x" * MAX_BYTES, BadRequest, "larger"),
        (lambda sdp: "hello", BadRequest, "no media section"),
        (lambda sdp: "", BadRequest, "no media section"),
        (lambda sdp: '{"type": "offer"}', BadRequest, "no media section"),
        (instead("m=video 9", "m=video nine"), BadRequest, "no valid SDP"),
        (instead("a=rtpmap:96 VP8/90000", "a=rtpmap:VP8"), BadRequest, "no valid SDP"),
        (instead("a=setup:actpass", "a=setup:whatever"), BadRequest, "no valid SDP"),
        (without("a=ice-ufrag"), BadRequest, "ICE credentials"),
        (without("a=ice-pwd"), BadRequest, "ICE credentials"),
        (without("a=fingerprint"), BadRequest, "DTLS fingerprint"),
        (without("a=setup"), BadRequest, "DTLS fingerprint"),
        (instead("a=mid:1", "a=mid:0"), BadRequest, "a=mid"),
        (instead("a=mid:1", "a=mid:1 2"), BadRequest, "a=mid"),
        (without("a=rtcp-mux"), Unacceptable, "rtcp-mux"),
        (without("a=group"), Unacceptable, "BUNDLE"),
        (instead("a=group:BUNDLE 0 1", "a=group:BUNDLE 0 2"), Unacceptable, "BUNDLE"),
        (instead("a=rid:hi send", "a=rid:hi send\r\na=simulcast:send hi"), Unacceptable, "simulcast"),
        (instead("m=video 9", "m=video 0"), Unacceptable, "exactly one video"),
        (lambda sdp: sdp + "".join(DATA.replace("mid:2", f"mid:{n}") for n in range(2, 9)), Unacceptable, "9 media sections"),
        (lambda sdp: sdp + BARE[BARE.index("m=") :], Unacceptable, "exactly one video"),
        (instead("a=sendrecv", "a=sendonly"), Unacceptable, "sendrecv, not sendonly"),
        (instead("a=sendrecv", "a=inactive"), Unacceptable, "sendrecv, not inactive"),
        (lambda sdp: sdp.replace("H264", "H265").replace("VP8", "VP7"), Unacceptable, "none of the offered"),
        (lambda sdp: sdp.replace("/90000", "/45000"), Unacceptable, "none of the offered"),
    ],
)
def test_refusals_say_what_to_do(change: Callable[[str], str], kind: type[SignalingError], words: str) -> None:
    with pytest.raises(kind, match=words) as refusal:
        taken(change(CHROMIUM))
    assert refusal.value.status == {BadRequest: 400, Unacceptable: 422}[kind]


@pytest.mark.parametrize("number", [64, 71, 77, 95, 128, 200, 255])
def test_a_payload_type_that_cannot_be_one_is_not_taken(number: int) -> None:
    sdp = BARE.replace("SAVPF 96", f"SAVPF {number}").replace("rtpmap:96", f"rtpmap:{number}")
    with pytest.raises(SignalingError):
        taken(sdp)


def test_a_codec_that_the_section_does_not_list_is_not_taken() -> None:
    with pytest.raises(Unacceptable, match="none of the offered"):
        taken(BARE.replace("rtpmap:96", "rtpmap:97"))


@pytest.mark.parametrize(
    "candidate",
    [
        "1 1 tcp 1 192.0.2.1 9 typ host tcptype active",
        "1 2 udp 1 192.0.2.1 9 typ host",
        "1 1 udp 1 192.0.2.1 0 typ host",
        "1 1 udp 1 192.0.2.1 70000 typ host",
        "1 1 udp 1 example.org 9 typ host",
        "1 1 udp 1 192.0.2.1 9 typ prflx",
    ],
)
def test_candidates_that_cannot_be_used_are_passed_over(candidate: str) -> None:
    assert taken(BARE + f"a=candidate:{candidate}\r\n").remote.candidates == []


def test_candidates_are_bounded() -> None:
    many = "".join(f"a=candidate:{n} 1 udp {n} 192.0.2.1 {1000 + n} typ host\r\n" for n in range(100))
    assert len(taken(BARE + many).remote.candidates) == MAX_CANDIDATES


# ---- one way only


@pytest.mark.parametrize(("direction", "role", "back"), [("sendonly", "publish", "recvonly"), ("recvonly", "watch", "sendonly")])
@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize("name", ["chromium", "firefox", "obs"])
def test_each_role_is_answered_with_its_other_half(name: str, direction: str, role: Role, back: str, both: bool) -> None:
    """What could go both ways too goes the one way that there is (RFC 9725 section 4.2)."""
    sdp = directed(OFFERS[name], "sendrecv" if both else direction)
    media = taken(sdp, role=role).media
    assert media.video is not None
    assert media.audio is not None
    for part in (media.video, media.audio):
        assert (part.receive, part.send) == (role == "publish", role == "watch")
    for index in (0, 1):
        lines = section(answered(sdp, role=role), index)
        assert f"a={back}" in lines
        assert "a=rtcp-mux-only" in lines
        assert any(line.startswith("a=ssrc:") for line in lines) == (role == "watch")
        assert any(line.startswith("a=msid:doppel ") for line in lines) == (role == "watch")


@pytest.mark.parametrize("role", ["publish", "watch"])
@pytest.mark.parametrize("kind", ["audio", "video"])
@pytest.mark.parametrize("name", ["chromium", "obs"])
def test_one_of_the_two_is_enough(name: str, kind: str, role: Role) -> None:
    sdp = only(OFFERS[name], kind)
    media = taken(sdp, role=role).media
    assert (media.video is None, media.audio is None) == (kind == "audio", kind == "video")
    read_back = SessionDescription.parse(answered(sdp, role=role))
    assert [(each.kind, each.port) for each in read_back.media] == [(kind, 9)]
    assert read_back.media[0].ice_candidates


def test_a_loop_needs_its_video() -> None:
    with pytest.raises(Unacceptable, match="exactly one video"):
        taken(only(CHROMIUM, "audio"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda sdp: directed(sdp, "recvonly"), "a publisher sends, so offer the video sendonly or sendrecv, not recvonly"),
        (lambda sdp: sdp.replace("a=sendrecv", "a=inactive", 1), "audio sendonly or sendrecv, not inactive"),
        (lambda sdp: sdp.replace("opus", "speex"), "audio nothing is taken"),
        (lambda sdp: sdp.replace("opus/48000", "opus/16000"), "audio nothing is taken"),
        (lambda sdp: sdp.replace("H264", "H265").replace("VP8", "VP7"), "none of the offered video codecs"),
        (lambda sdp: sdp.replace("a=group:BUNDLE 0 1", "a=group:BUNDLE 1"), "audio nothing is taken"),
        (lambda sdp: sdp.replace("a=group:BUNDLE 0 1\r\n", ""), "BUNDLE"),
        (lambda sdp: sdp + DATA, "application nothing is taken"),
        (
            lambda sdp: sdp + only(sdp, "audio")[only(sdp, "audio").index("m=") :].replace("a=mid:0", "a=mid:7"),
            "at most one video",
        ),
        (lambda sdp: sdp.replace("a=msid:9b7d video", "a=msid:other video"), "more than one MediaStream"),
        (lambda sdp: sdp.replace("m=audio 9", "m=audio 0").replace("m=video 9", "m=video 0"), "0 and 0"),
        (lambda sdp: sdp.replace("a=rid:hi send", "a=rid:hi send\r\na=simulcast:send hi"), "simulcast"),
    ],
)
def test_of_a_publisher_all_is_taken_or_nothing(change: Callable[[str], str], words: str) -> None:
    """RFC 9725 sections 4.2, 4.4.2 and 4.4.3."""
    with pytest.raises(Unacceptable, match=words):
        taken(change(CHROMIUM), role="publish")


def test_a_track_of_no_stream_is_of_any() -> None:
    assert taken(CHROMIUM.replace("a=msid:9b7d video", "a=msid:- video"), role="publish").media.video is not None


def test_a_viewer_without_our_sound_still_sees() -> None:
    sdp = directed(CHROMIUM, "recvonly").replace("opus", "speex") + DATA
    media = taken(sdp, role="watch").media
    assert media.audio is None
    assert media.video is not None
    assert [line.split()[1] for line in answered(sdp, role="watch").splitlines() if line.startswith("m=")] == ["0", "9", "0"]


@pytest.mark.parametrize("direction", ["sendonly", "inactive"])
def test_a_viewer_receives(direction: str) -> None:
    with pytest.raises(Unacceptable, match="recvonly or sendrecv"):
        taken(directed(CHROMIUM, direction), role="watch")


def test_sound_of_publishers_and_viewers_is_stereo() -> None:
    assert "a=fmtp:111 minptime=10;useinbandfec=1;stereo=1" in section(answered(CHROMIUM, role="publish"), 0)
    assert "a=fmtp:111 minptime=10;useinbandfec=1;stereo=1;sprop-stereo=1" in section(answered(CHROMIUM, role="watch"), 0)


def test_only_who_sends_is_asked_for_a_bitrate_to_begin_with() -> None:
    assert "x-google-start-bitrate=1500" in answered(CHROMIUM, role="publish")
    assert "x-google" not in answered(CHROMIUM, role="watch")


def test_what_repairs_a_line_is_agreed_on_in_every_role() -> None:
    offered = CHROMIUM.replace("a=rtpmap:116 ulpfec/90000", "a=rtpmap:116 flexfec-03/90000")
    for role in ROLES:
        video = video_of(taken(offered, role=role))
        assert (video.fec, video.rtx_payload_type, video.extensions.transport_cc) == (116, 108, 3)
        assert video.extensions.abs_send_time == 2


def test_a_client_that_opens_the_handshake_itself_is_let() -> None:
    """RFC 9725 section 4.4.4."""
    for name, setup in (("actpass", "active"), ("active", "passive"), ("passive", "active")):
        sdp = CHROMIUM.replace("a=setup:actpass", f"a=setup:{name}")
        assert f"a=setup:{setup}" in answered(sdp, role="publish")


# ---- the answer


@pytest.mark.parametrize("name", OFFERS)
def test_the_answer_is_read_by_another_parser(name: str) -> None:
    text = answered(OFFERS[name])
    read_back = SessionDescription.parse(text)
    assert [media.kind for media in read_back.media] == [m.kind for m in SessionDescription.parse(OFFERS[name]).media]
    for media in read_back.media:
        assert media.rtcp_mux
        assert media.ice is not None
        assert media.dtls is not None
        assert (media.ice.usernameFragment, media.ice.password) == ("user", "p" * 22)
        assert [(f.algorithm, f.value) for f in media.dtls.fingerprints] == [("sha-256", "EF:" * 31 + "01")]
        assert media.port == 9
    assert [len(media.ice_candidates) for media in read_back.media] == [1] + [0] * (len(read_back.media) - 1)
    assert read_back.media[0].ice_candidates_complete


def test_the_answer_to_chromium() -> None:
    text = answered(CHROMIUM)
    assert "a=group:BUNDLE 0 1\r\n" in text
    audio, video = section(text, 0), section(text, 1)
    assert audio[0] == "m=audio 9 UDP/TLS/RTP/SAVPF 111"
    assert video[0] == "m=video 9 UDP/TLS/RTP/SAVPF 107 103 96 97 104 108"
    assert "a=fmtp:111 minptime=10;useinbandfec=1" in audio
    assert "a=setup:active" in video
    assert "a=ssrc-group:FID 1001 1002" in video
    assert {"a=ssrc:1001 cname:cname", "a=ssrc:1002 cname:cname"} <= set(video)
    assert "a=ssrc:2001 cname:cname" in audio
    assert {f"a=rtcp-fb:107 {feedback}" for feedback in ("nack", "nack pli", "transport-cc")} <= set(video)
    assert "a=rtcp-fb:107 ccm fir" not in video
    assert "a=fmtp:108 apt=107" in video
    fmtp = next(line for line in video if line.startswith("a=fmtp:107"))
    assert "profile-level-id=42e02a" in fmtp
    assert "packetization-mode=1" in fmtp
    assert "x-google-start-bitrate=1500" in fmtp
    extensions = [line.split()[0] for line in video if line.startswith("a=extmap:")]
    assert sorted(extensions) == ["a=extmap:2", "a=extmap:3", "a=extmap:4"]
    assert not any(line.startswith(("a=rid", "a=simulcast", "a=bundle-only")) for line in video)


def test_without_transport_feedback_its_extension_is_not_answered() -> None:
    sdp = "".join(line for line in CHROMIUM.splitlines(keepends=True) if "transport-cc" not in line)
    assert "transport-wide-cc" not in answered(sdp)
    assert video_of(taken(sdp)).extensions.transport_cc is None


def test_where_levels_may_not_differ_the_offered_one_is_answered() -> None:
    sdp = OBS.replace(";level-asymmetry-allowed=1", "")
    assert "profile-level-id=42e01f" in answered(sdp)


def test_a_data_channel_is_declined_in_its_place() -> None:
    between = CHROMIUM[: CHROMIUM.index("m=video")] + DATA + CHROMIUM[CHROMIUM.index("m=video") :]
    for sdp, place in ((CHROMIUM + DATA, 2), (between, 1)):
        text = answered(sdp)
        assert [line.split()[0] for line in text.splitlines() if line.startswith("m=")] == [
            line.split()[0] for line in sdp.splitlines() if line.startswith("m=")
        ]
        data = section(text, place)
        assert data[0] == "m=application 0 UDP/DTLS/SCTP webrtc-datachannel"
        assert "a=mid:2" in data
        assert "a=group:BUNDLE 0 1\r\n" in text


def test_a_section_that_the_client_declined_is_declined() -> None:
    sdp = CHROMIUM.replace("m=audio 9", "m=audio 0")
    assert taken(sdp).media.audio is None
    assert section(answered(sdp), 0)[0].startswith("m=audio 0 ")


def broken(sdp: str, seed: int) -> str:
    """Some lines of an offer lost, doubled, moved, or damaged."""
    chance = random.Random(seed)
    lines = sdp.split("\r\n")
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(lines))
        match chance.randrange(6):
            case 0:
                del lines[at]
            case 1:
                lines.insert(chance.randrange(len(lines)), lines[at])
            case 2:
                words = lines[at].split(" ")
                words[chance.randrange(len(words))] = chance.choice(
                    ["", "-1", "65536", "9" * 30, "é", "x", "0", "1/2/3", "a=b;c"]
                )
                lines[at] = " ".join(words)
            case 3:
                cut = chance.randint(0, len(lines[at]))
                lines[at] = lines[at][:cut]
            case 4:
                other = chance.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
            case _:
                head, colon, _ = lines[at].partition(":")
                lines[at] = (
                    head + colon + chance.choice(["", " ", "96", "96 ", "* nack", "255 VP8/90000", "96 apt=x", "\x00", "::"])
                )
        if not lines:
            break
    return "\r\n".join(lines)


@settings(max_examples=500)
@given(st.sampled_from(sorted(OFFERS)), st.integers(0, 1 << 32))
@example("chromium", 3)
def test_a_damaged_offer_is_refused_in_words_or_answered_well(name: str, seed: int) -> None:
    role = ROLES[seed % 3]
    sdp = broken(OFFERS[name], seed)
    try:
        offer = taken(sdp, role=role)
        text = answered(sdp, role=role)
    except SignalingError:
        return
    read_back = SessionDescription.parse(text)
    assert len(read_back.media) == len(offer.sections)
    video = offer.media.video
    for payload_type in () if video is None else (*video.codecs, *video.rtx):
        assert 0 <= payload_type < 64 or 96 <= payload_type < 128


@given(st.text(max_size=300))
def test_any_text_is_refused(text: str) -> None:
    for sdp in (text, "v=0\r\n" + text, CHROMIUM[:200] + text, "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n" + text):
        with pytest.raises(SignalingError):
            taken(sdp)
