"""Every bound on a queue, a buffer, a time or a count of the media engine, with its unit and its reason.

What an operator may want to change is in ``Limits``; the rest follows from the protocols.
RTMP's are in ``stream/rtmp/limits.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

MILLISECOND = 1_000_000
"""ns."""

SECOND = 1_000 * MILLISECOND
"""ns."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that depend on the machine and its users."""

    max_streams: int = 16
    """Streams at once; one more is refused rather than all made slower."""
    max_pixels: int = 1920 * 1088
    """Pixels a decoded picture may have: full HD, and H.264's rounding to macroblocks."""
    max_fps: int = 60
    """Frames a second of one stream that go through its chain; the rest is dropped, evenly."""
    max_bitrate: int = 4_000_000
    """b/s a stream is encoded at, at most."""
    start_bitrate: int = 1_500_000
    """b/s until the receiver says what its line carries: a clean 720p face."""
    connect_timeout: float = 10.0
    """s from the answer to the first media key: ICE and DTLS take under 1 s on any line that will work."""
    silence_timeout: float = 8.0
    """s without any datagram after which a peer is gone; browsers send consent checks every 2.5 s, aiortc every 6 s."""
    publisher_timeout: float = 30.0
    """s that viewers are kept while the publisher is away: an encoder that restarts, a line that comes back."""
    max_viewers: int = 100
    """Viewers of one stream: each costs about 1 % of a core at 2 Mb/s."""
    max_renditions: int = 2
    """Encodes of one stream for its viewers, one a codec and one for slow lines; recordings and pushes share one more."""
    steady_bitrate: int = 2_500_000
    """b/s of that one: 720p as it is broadcast."""
    close_timeout: float = 2.0
    """s that closing one peer or stream may take before it is abandoned, so that all of them fit a 5 s shutdown."""


STREAM_BEAT = 0.5
"""s between two looks at a stream: who is slow, whether its publisher came back. Also between two repeats of the last picture."""

QUIET = 300 * MILLISECOND
"""ns without a picture after which one who needs a keyframe is made one of the last: longer than any usual frame interval."""

FIRST_PACKET = 30 * SECOND
"""ns in which one who was let in to publish has to begin: a person who picks a camera, an encoder that starts."""

VIEWER_KEYFRAME = 1 * SECOND
"""ns between two keyframes that one viewer of several may have made: each costs all the others of its bitrate."""

SLOW_AFTER = 3 * SECOND
"""ns that a viewer's line has to be slow, before it is given the small rendition."""

FAST_AFTER = 10 * SECOND
"""ns that it has to carry the main one again, before it gets that back."""

STEADY_KEYFRAMES = 2 * 90_000
"""90 kHz between two keyframes of recordings and pushes: what players seek to, and what RTMP servers ask for."""

JUMP = 3 * SECOND
"""ns that a publisher's time stamps may run away from the time they arrive in, before they are taken for others."""

SILENCE = 3 * SECOND
"""ns without a packet after which a publisher who is still connected counts as away: longer than any pause of an encoder."""

KEYFRAME_PATIENCE = 10 * SECOND
"""ns that one who takes over may send no keyframe: OBS sends one every 2 to 8 s, and takes no requests."""

SOUND_ALONE = 1 * SECOND
"""ns of sound without a picture after which it takes over by itself."""

MIN_BITRATE = 150_000
"""b/s: below this 360p video is no longer worth sending, whatever the receiver's estimate."""

PICTURE_QUEUE = 12
"""Encoded pictures that may wait for the decoder: 400 ms at 30 fps, longer than any scheduling hiccup that it catches up with."""

DELIVERIES = 3
"""Encoded frames that may wait for the event loop; beyond, frames are dropped before they are encoded: no reference breaks."""

ASSEMBLY_PACKETS = 2048
"""RTP packets held while frames wait for a lost one: over 1 s of 10 Mb/s."""

LOSS_WAIT = 250 * MILLISECOND
"""ns to wait for a retransmission before the picture is given up: NACK and RTX over 100 ms RTT, twice."""

NACK_INTERVAL = 40 * MILLISECOND
"""ns between two requests for the same packet where the round trip is not known to be longer."""

NACK_TRIES = 6
"""Requests for one packet: more than fit into LOSS_WAIT."""

NACK_PACKETS = 256
"""Missing packets asked for at once; more missing means that a keyframe is cheaper."""

KEYFRAME_INTERVAL = 300 * MILLISECOND
"""ns between two keyframe requests to a publisher: a round trip and an encode, so that one is not asked for twice."""

KEYFRAME_RETRY = 1 * SECOND
"""ns after which a keyframe that did not come is asked for again."""

KEYFRAME_ANSWER = 100 * MILLISECOND
"""ns between two keyframes made on request: the first goes out at once, a storm of PLI makes no storm of keyframes."""

SEND_HISTORY = 1024
"""Sent RTP packets kept for retransmission, a power of two: 2 s at 5 Mb/s."""

RETRANSMISSIONS = 64
"""Packets retransmitted to one peer in a RETRANSMISSION_WINDOW: hostile NACKs, many to a datagram, must not be an amplifier."""

RETRANSMISSION_WINDOW = 10 * MILLISECOND
"""ns: with RETRANSMISSIONS, 60 Mb/s at most; an honest receiver asks again for what did not come."""

TICK = 0.025
"""s between two looks at a peer's timers: NACK repeats and transport-cc feedback need no finer one."""

FEEDBACK_INTERVAL = 50 * MILLISECOND
"""ns between two transport-cc feedbacks, as libwebrtc sends them at high rates."""

FEEDBACK_PACKETS = 1024
"""Packets reported in one transport-cc feedback: 50 ms at 200 Mb/s."""

REPORT_INTERVAL = 1 * SECOND
"""ns between two RTCP sender or receiver reports (RFC 3550 section 6.2 allows less at these rates)."""

DTLS_QUEUE = 64
"""Datagrams that may wait for DTLS: a handshake is under 10; the rest is somebody flooding."""

KNOWN_ADDRESSES = 64
"""Addresses that one peer may send from: its candidates, and those that its NATs give it when it moves."""

MTU_PAYLOAD = 1200
"""bytes of RTP payload: fits 1280-byte IPv6 links with IP, UDP, RTP, extensions and SRTP tag."""

SSRC_CHANGES = 64
"""Times that a publisher may restart its RTP stream on one connection."""

PACING_FACTOR = 2.5
"""Times the target rate at which packets leave while some wait: a keyframe is spread, and still leaves soon."""

PACER_BURST = 50 * MILLISECOND
"""ns of the target rate that may leave at once: one and a half frames at 30 fps, so that none of usual size waits."""

PACER_INTERVAL = 0.005
"""s between two batches while packets wait: a receiver sees one group, and the loop wakes 200 times a second at most."""

PACER_READY = 50 * MILLISECOND
"""ns that what waits may need to leave, for another picture to be made: beyond, fewer frames are better than late ones."""

PACER_AGE = 250 * MILLISECOND
"""ns that a picture may wait before all are given up for a keyframe: later than that nobody wants to see it."""

PACER_PACKETS = 1024
"""RTP packets that may wait: as many as are kept for retransmission."""

LOOP_BEAT = 20 * MILLISECOND
"""ns between two heartbeats of the event loop: often enough to catch what holds it, 50 wake-ups a second at most."""

LOOP_HELD = 5 * MILLISECOND
"""ns that a heartbeat may be late before the one who holds the loop is looked for: a sixth of a frame interval."""

FEC_PACKETS = 46
"""RTP packets that one set of repair packets protects: what the two short parts of flexfec's mask reach."""

FEC_WINDOW = 128
"""RTP packets kept to recover others with: a few pictures; for older ones a retransmission has come."""

FEC_HELD = 16
"""Repair packets that may wait until all but one of their packets are there."""
