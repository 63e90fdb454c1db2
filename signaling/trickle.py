"""Reading an SDP fragment that brings ICE candidates late (RFC 8840 section 9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiortc.sdp import candidate_from_sdp

from signaling.candidates import usable
from signaling.errors import BadRequest
from stream.rtc.parameters import Candidate

MEDIA_TYPE = "application/trickle-ice-sdpfrag"

MAX_BYTES = 16_384
"""Of a fragment: a browser's candidate has about 120 bytes, and 64 of them are all that a session takes."""

MAX_LINES = 256
"""Lines of a fragment: 64 candidates, and what stands around them for some media sections."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """What a client has learned of its own addresses."""

    ufrag: str
    password: str
    """The ICE session that they belong to."""
    candidates: Sequence[Candidate]
    """Those that can be used; whatever media section they stand in, all share one transport."""


def read(text: str) -> Fragment:
    """Raises BadRequest."""
    if len(text) > MAX_BYTES:
        raise BadRequest(f"the fragment is larger than {MAX_BYTES} bytes")
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        raise BadRequest(f"the fragment has more than {MAX_LINES} lines; send each candidate once")
    found: dict[str, set[str]] = {"ice-ufrag": set(), "ice-pwd": set()}
    candidates = []
    for line in filter(None, lines):
        kind, equals, rest = line.partition("=")
        if not equals or kind not in ("a", "m"):
            raise BadRequest("the fragment has a line that is no attribute and no media section; send it as RFC 8840 has it")
        name, _, value = rest.partition(":")
        if kind == "m":
            if len(rest.split()) < 4:
                raise BadRequest("the fragment has an m= line that names no port, protocol and format")
        elif name in found:
            found[name].add(value.strip())
        elif name == "candidate":
            try:
                candidates.append(candidate_from_sdp(value))
            except (AssertionError, ValueError, IndexError) as error:
                raise BadRequest("the fragment has a candidate that cannot be read; send it as the browser made it") from error
    if any(len(values) != 1 or not all(values) for values in found.values()):
        raise BadRequest("the fragment needs one a=ice-ufrag and one a=ice-pwd: those of the offer that it adds to")
    return Fragment(found["ice-ufrag"].pop(), found["ice-pwd"].pop(), usable(candidates))
