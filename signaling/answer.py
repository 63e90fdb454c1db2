"""Writing an SDP answer: RFC 9429 section 5.3."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from signaling.offer import Offer
from signaling.section import Section
from stream.rtc.parameters import LocalTransport


def write(offer: Offer, local: LocalTransport, ssrcs: Mapping[str, tuple[int, ...]], cname: str) -> str:
    """The answer, with all candidates: there is no trickle.

    ``ssrcs`` gives, by mid, what is sent: the media's SSRC, its retransmissions', its repair packets', where there are any.
    """
    accepted = [section for section in offer.sections if section.accepted]
    bundle = [section.mid for section in accepted if section.mid]
    lines = [
        "v=0",
        f"o=- {secrets.randbits(62)} 1 IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        *([f"a=group:BUNDLE {' '.join(bundle)}"] if bundle else []),
        "a=msid-semantic: WMS doppel",
    ]
    for section in offer.sections:
        if not section.accepted:
            lines += [f"m={section.kind} 0 {section.protocol} {' '.join(section.formats)}", "c=IN IP4 0.0.0.0", "a=inactive"]
            if section.mid:
                lines.append(f"a=mid:{section.mid}")
            continue
        lines += _section(section, ssrcs.get(section.mid, ()), cname)
        lines += [
            f"a=ice-ufrag:{local.ufrag}",
            f"a=ice-pwd:{local.password}",
            *(f"a=fingerprint:{algorithm} {value}" for algorithm, value in local.fingerprints if algorithm == "sha-256"),
            f"a=setup:{'active' if offer.remote.dtls_client else 'passive'}",
        ]
        if section is accepted[0]:
            lines += [*(f"a=candidate:{candidate}" for candidate in local.candidates), "a=end-of-candidates"]
    return "\r\n".join(lines) + "\r\n"


def _section(section: Section, ssrcs: tuple[int, ...], cname: str) -> list[str]:
    lines = [
        f"m={section.kind} 9 {section.protocol} {' '.join(str(form.payload_type) for form in section.taken)}",
        "c=IN IP4 0.0.0.0",
        *([f"a=mid:{section.mid}"] if section.mid else []),
        f"a={section.direction}",
        "a=rtcp-mux",
        *(["a=rtcp-mux-only"] if section.mux_only else []),
        "a=rtcp-rsize",
    ]
    lines += [f"a=extmap:{number} {uri}" for number, uri in section.extensions]
    for form in section.taken:
        lines.append(f"a=rtpmap:{form.payload_type} {form.rtpmap}")
        if form.fmtp:
            lines.append(f"a=fmtp:{form.payload_type} {form.fmtp}")
        lines += [f"a=rtcp-fb:{form.payload_type} {feedback}" for feedback in form.feedback]
    if section.direction in ("sendrecv", "sendonly"):
        lines.append(f"a=msid:doppel {section.kind}")
        if len(ssrcs) > 1:
            lines.append(f"a=ssrc-group:FID {ssrcs[0]} {ssrcs[1]}")
        if len(ssrcs) > 2:
            lines.append(f"a=ssrc-group:FEC-FR {ssrcs[0]} {ssrcs[2]}")
        lines += [f"a=ssrc:{ssrc} cname:{cname}" for ssrc in ssrcs]
    return lines
