"""Encoded sound, as it comes in and as it goes out."""

from __future__ import annotations

from dataclasses import dataclass

CLOCK_RATE = 48_000
"""Hz, of every ``SoundPacket.pts``: that of Opus in RTP, whatever its bandwidth (RFC 7587 section 4.1)."""


@dataclass(frozen=True, slots=True)
class SoundPacket:
    """One packet of sound: an Opus packet, or a raw AAC frame, without ADTS."""

    data: bytes
    pts: int
    """48 kHz, with the same zero as the pictures of the same source: a picture of pts p (90 kHz) is seen while the sound of
    p * 48 / 90 is heard.
    """
    codec: str
    """"OPUS" or "AAC"."""
    configuration: bytes
    """A decoder's extradata: AudioSpecificConfig (ISO/IEC 14496-3 section 1.6.2.1), or OpusHead (RFC 7845 section 5.1);
    empty for Opus from RTP.
    """
    received: int
    """Monotonic ns."""
