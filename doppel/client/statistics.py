"""How a session is doing."""

from __future__ import annotations

from dataclasses import dataclass

from aiortc import RTCPeerConnection


@dataclass(frozen=True, slots=True)
class Packets:
    """Of one connection, pictures and sound together."""

    received: int = 0
    lost: int = 0
    """Before retransmissions."""
    sent: int = 0
    round_trip_ms: float | None = None
    """None where nothing is sent, or nothing was reported yet."""


@dataclass(frozen=True, slots=True)
class Statistics:
    state: str
    connections: int
    """Times that it connected; one more than it was lost."""
    pictures: int
    """Received and decoded, over all connections."""
    pictures_dropped: int
    """Of those, passed over since nobody read them in time."""
    sounds: int
    sounds_dropped: int
    packets: Packets


async def packets(peer: RTCPeerConnection | None) -> Packets:
    """What a connection has carried."""
    received = lost = sent = 0
    round_trip: float | None = None
    for entry in (await peer.getStats()).values() if peer is not None else ():
        if entry.type == "inbound-rtp":
            received += entry.packetsReceived
            lost += entry.packetsLost
        elif entry.type == "outbound-rtp":
            sent += entry.packetsSent
        elif entry.type == "remote-inbound-rtp" and entry.roundTripTime is not None:
            round_trip = entry.roundTripTime * 1e3
    return Packets(received, lost, sent, round_trip)
