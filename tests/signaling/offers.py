"""Offers in the shapes that real clients send, written by hand."""

from __future__ import annotations

import re

FINGERPRINT = "AB:" * 31 + "CD"


def _lines(text: str) -> str:
    return "\r\n".join(line.strip() for line in text.strip().splitlines()) + "\r\n"


def directed(sdp: str, direction: str) -> str:
    """The offer with all its sections going that way."""
    return re.sub(r"a=(sendrecv|sendonly|recvonly)\r\n", f"a={direction}\r\n", sdp)


def only(sdp: str, kind: str) -> str:
    """The offer with its sections of that kind alone, in a BUNDLE group of their own."""
    head, *sections = re.split(r"(?m)^(?=m=)", sdp)
    kept = [section for section in sections if section.startswith(f"m={kind}")]
    mids = " ".join(re.findall(r"a=mid:(\S+)", "".join(kept)))
    return re.sub(r"a=group:BUNDLE[^\r]*", f"a=group:BUNDLE {mids}", head) + "".join(kept)


CHROMIUM = _lines(f"""
    v=0
    o=- 4611731400430051336 2 IN IP4 127.0.0.1
    s=-
    t=0 0
    a=group:BUNDLE 0 1
    a=extmap-allow-mixed
    a=msid-semantic: WMS 9b7d
    m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
    c=IN IP4 0.0.0.0
    a=rtcp:9 IN IP4 0.0.0.0
    a=candidate:1510613869 1 udp 2113937151 3b1a2f4c-8a4e-4c0e-9c0a-0b1d2e3f.local 51234 typ host generation 0 network-cost 999
    a=candidate:842163049 1 udp 1677729535 192.0.2.7 51234 typ srflx raddr 0.0.0.0 rport 0 generation 0 network-cost 999
    a=ice-ufrag:9uB6
    a=ice-pwd:bbgWfLT5MMuWhZ4ZJ2RaU9GA
    a=ice-options:trickle
    a=fingerprint:sha-256 {FINGERPRINT}
    a=setup:actpass
    a=mid:0
    a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
    a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
    a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
    a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
    a=sendrecv
    a=msid:9b7d audio
    a=rtcp-mux
    a=rtcp-rsize
    a=rtpmap:111 opus/48000/2
    a=rtcp-fb:111 transport-cc
    a=fmtp:111 minptime=10;useinbandfec=1
    a=rtpmap:63 red/48000/2
    a=fmtp:63 111/111
    a=rtpmap:9 G722/8000
    a=rtpmap:0 PCMU/8000
    a=rtpmap:8 PCMA/8000
    a=rtpmap:13 CN/8000
    a=rtpmap:110 telephone-event/48000
    a=rtpmap:126 telephone-event/8000
    a=ssrc:3570614608 cname:4TOk42mSjXCkVIa6
    m=video 9 UDP/TLS/RTP/SAVPF 96 97 103 104 107 108 39 40 45 46 98 99 112 116
    c=IN IP4 0.0.0.0
    a=rtcp:9 IN IP4 0.0.0.0
    a=ice-ufrag:9uB6
    a=ice-pwd:bbgWfLT5MMuWhZ4ZJ2RaU9GA
    a=ice-options:trickle
    a=fingerprint:sha-256 {FINGERPRINT}
    a=setup:actpass
    a=mid:1
    a=extmap:14 urn:ietf:params:rtp-hdrext:toffset
    a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
    a=extmap:13 urn:3gpp:video-orientation
    a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
    a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
    a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id
    a=sendrecv
    a=msid:9b7d video
    a=rtcp-mux
    a=rtcp-rsize
    a=rid:hi send
    a=rtpmap:96 VP8/90000
    a=rtcp-fb:96 goog-remb
    a=rtcp-fb:96 transport-cc
    a=rtcp-fb:96 ccm fir
    a=rtcp-fb:96 nack
    a=rtcp-fb:96 nack pli
    a=rtpmap:97 rtx/90000
    a=fmtp:97 apt=96
    a=rtpmap:103 H264/90000
    a=rtcp-fb:103 goog-remb
    a=rtcp-fb:103 transport-cc
    a=rtcp-fb:103 ccm fir
    a=rtcp-fb:103 nack
    a=rtcp-fb:103 nack pli
    a=fmtp:103 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f
    a=rtpmap:104 rtx/90000
    a=fmtp:104 apt=103
    a=rtpmap:107 H264/90000
    a=rtcp-fb:107 transport-cc
    a=rtcp-fb:107 nack
    a=rtcp-fb:107 nack pli
    a=fmtp:107 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
    a=rtpmap:108 rtx/90000
    a=fmtp:108 apt=107
    a=rtpmap:39 H264/90000
    a=fmtp:39 level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f
    a=rtpmap:40 rtx/90000
    a=fmtp:40 apt=39
    a=rtpmap:45 AV1/90000
    a=fmtp:45 level-idx=5;profile=0;tier=0
    a=rtpmap:46 rtx/90000
    a=fmtp:46 apt=45
    a=rtpmap:98 VP9/90000
    a=fmtp:98 profile-id=0
    a=rtpmap:99 rtx/90000
    a=fmtp:99 apt=98
    a=rtpmap:112 red/90000
    a=rtpmap:116 ulpfec/90000
    a=ssrc-group:FID 2231627014 632943048
    a=ssrc:2231627014 cname:4TOk42mSjXCkVIa6
    a=ssrc:632943048 cname:4TOk42mSjXCkVIa6
""")
"""Camera and microphone, bundled, with mDNS candidates."""

FIREFOX = _lines(f"""
    v=0
    o=mozilla...THIS_IS_SDPARTA-99.0 1234567890123456789 0 IN IP4 0.0.0.0
    s=-
    t=0 0
    a=fingerprint:sha-256 {FINGERPRINT}
    a=group:BUNDLE 0 1
    a=ice-options:trickle
    a=msid-semantic:WMS *
    m=audio 52345 UDP/TLS/RTP/SAVPF 109 9 0 8 101
    c=IN IP4 192.0.2.9
    a=candidate:0 1 UDP 2122252543 192.0.2.9 52345 typ host
    a=candidate:1 1 TCP 2105524479 192.0.2.9 9 typ host tcptype active
    a=sendrecv
    a=end-of-candidates
    a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
    a=extmap:2/recvonly urn:ietf:params:rtp-hdrext:csrc-audio-level
    a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid
    a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1
    a=fmtp:101 0-15
    a=ice-pwd:2be0f9ce8d0ecf30f2f2b35e7f0c1f3e
    a=ice-ufrag:e3b1f5a2
    a=mid:0
    a=msid:- {{6c1a0e0e-audio}}
    a=rtcp-mux
    a=rtpmap:109 opus/48000/2
    a=rtpmap:9 G722/8000/1
    a=rtpmap:0 PCMU/8000
    a=rtpmap:8 PCMA/8000
    a=rtpmap:101 telephone-event/8000/1
    a=setup:actpass
    a=ssrc:1122334455 cname:{{firefox}}
    m=video 0 UDP/TLS/RTP/SAVPF 120 124 126 127
    c=IN IP4 0.0.0.0
    a=bundle-only
    a=sendrecv
    a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid
    a=extmap:4 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
    a=extmap:7 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
    a=fmtp:126 profile-level-id=42e01f;level-asymmetry-allowed=1;packetization-mode=1
    a=fmtp:120 max-fs=12288;max-fr=60
    a=fmtp:124 apt=120
    a=fmtp:127 apt=126
    a=mid:1
    a=msid:- {{6c1a0e0e-video}}
    a=rtcp-fb:120 nack
    a=rtcp-fb:120 nack pli
    a=rtcp-fb:120 ccm fir
    a=rtcp-fb:120 goog-remb
    a=rtcp-fb:120 transport-cc
    a=rtcp-fb:126 nack
    a=rtcp-fb:126 nack pli
    a=rtcp-fb:126 ccm fir
    a=rtcp-fb:126 goog-remb
    a=rtcp-fb:126 transport-cc
    a=rtcp-mux
    a=rtcp-rsize
    a=rtpmap:120 VP8/90000
    a=rtpmap:124 rtx/90000
    a=rtpmap:126 H264/90000
    a=rtpmap:127 rtx/90000
    a=setup:actpass
    a=ssrc:2233445566 cname:{{firefox}}
""")
"""Under max-bundle: the video section has port 0 and is bundle-only."""

OBS = _lines(f"""
    v=0
    o=rtc 3767197920 0 IN IP4 127.0.0.1
    s=-
    t=0 0
    a=group:BUNDLE 0 1
    a=group:LS 0 1
    a=msid-semantic:WMS *
    a=setup:actpass
    a=ice-ufrag:7mUi
    a=ice-pwd:Yx4vP3oSm6cAq1bTt9kZw2
    a=ice-options:ice2,trickle
    a=fingerprint:sha-256 {FINGERPRINT}
    m=audio 9 UDP/TLS/RTP/SAVPF 111
    c=IN IP4 0.0.0.0
    a=mid:0
    a=sendrecv
    a=ssrc:1000 cname:obs
    a=msid:obs obs-audio
    a=rtcp-mux
    a=rtpmap:111 opus/48000/2
    a=fmtp:111 minptime=10;maxaveragebitrate=96000;stereo=1;sprop-stereo=1;useinbandfec=1
    m=video 9 UDP/TLS/RTP/SAVPF 96
    c=IN IP4 0.0.0.0
    a=mid:1
    a=sendrecv
    a=ssrc:1001 cname:obs
    a=msid:obs obs-video
    a=rtcp-mux
    a=rtpmap:96 H264/90000
    a=rtcp-fb:96 nack
    a=rtcp-fb:96 nack pli
    a=rtcp-fb:96 goog-remb
    a=fmtp:96 profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1
""")
"""Everything of the transport at session level, and no candidates at all; sendrecv here, where OBS only sends."""

DATA = _lines("""
    m=application 9 UDP/DTLS/SCTP webrtc-datachannel
    c=IN IP4 0.0.0.0
    a=ice-ufrag:9uB6
    a=ice-pwd:bbgWfLT5MMuWhZ4ZJ2RaU9GA
    a=mid:2
    a=sctp-port:5000
    a=max-message-size:262144
""")
"""A section to put behind Chromium's."""

BARE = _lines(f"""
    v=0
    o=- 1 1 IN IP4 0.0.0.0
    s=-
    t=0 0
    m=video 9 UDP/TLS/RTP/SAVPF 96
    c=IN IP4 0.0.0.0
    a=ice-ufrag:abcd
    a=ice-pwd:abcdefghijklmnopqrstuv
    a=fingerprint:sha-256 {FINGERPRINT}
    a=setup:active
    a=rtcp-mux
    a=rtpmap:96 VP8/90000
""")
"""One video with neither bundle, mid, direction nor feedback."""
