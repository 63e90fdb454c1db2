"""Every bound of RTMP ingest, with its unit and its reason. What an operator may want to change is in ``RtmpLimits``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RtmpLimits:
    """Times in s, from the connection's beginning unless said otherwise."""

    handshake_timeout: float = 5.0
    """Until the peer has sent its 3073 bytes: two round trips on the worst line. The same for TLS, before it."""
    publish_timeout: float = 10.0
    """Until it has said what it wants to publish: four more round trips, and a person has no part in them."""
    decision_timeout: float = 20.0
    """That looking up a key, and getting a new stream's chain ready, may take; OBS waits 30 s for the answer."""
    idle_timeout: float = 15.0
    """Without one whole message of media after which a publisher is gone: OBS sends 30 a second even of a black picture."""
    linger: float = 1.0
    """That a peer gets, from the refusal, to read why: closing on unread input would reset the connection, and lose the words."""
    max_pending: int = 64
    """Connections that don't publish (yet), at once; for one more the oldest goes, so that holding them open shuts nobody out."""


MIN_CHUNK_SIZE = 128
"""bytes that a peer's chunks may have at least: the protocol's own default and advised minimum; 1 would cost a header a byte."""

MAX_CHUNK_SIZE = 0xFFFFFF
"""bytes: no message is longer, so neither is any chunk; more than that says the same (section 5.4.1)."""

SENT_CHUNK_SIZE = 65_536
"""bytes of the chunks we send. ffmpeg sends chunks of the size that it is sent, and larger ones cost less to read."""

CHUNK_STREAMS = 32
"""Chunk streams of one connection; OBS uses 3, ffmpeg 5."""

MEDIA_BYTES = 8 << 20
"""bytes of one message of media: a keyframe of 4K at the highest quality is under 4 MB."""

COMMAND_BYTES = 64 << 10
"""bytes of any other message, and of all before publish is allowed; a connect with a long token is under 8 KB."""

PARTIAL_BYTES = 12 << 20
"""bytes of messages that are not complete, over all chunk streams: the largest one, and half as much interleaved."""

BYTES_BEFORE_PUBLISH = 256 << 10
"""bytes read of somebody who has not been let in yet; OBS and ffmpeg need under 2 KB."""

COMMANDS_BEFORE_PUBLISH = 32
"""Commands of somebody who has not been let in yet; a publisher needs 5."""

AMF_DEPTH = 8
"""Objects within objects; a publisher's have 2."""

AMF_VALUES = 512
"""Values in one message: connect and onMetaData have 30 at most, and to read 512 takes under 1 ms."""

NAME_LENGTH = 4096
"""Characters of an app or of a stream's name with its token: what HTTP servers allow a URL."""

WINDOW = 2_500_000
"""bytes after which each end acknowledges, as every server asks: 3 s at 6 Mb/s."""

AGGREGATE_MESSAGES = 256
"""Messages in an aggregate one: 4 s of a picture and two of sound at 30 fps."""

TRACKS = 16
"""Tracks in one multitrack message: OBS has 6 of sound."""

MODIFIERS = 8
"""ModEx parts before a message's type; one is defined so far."""

NAL_UNITS = 1024
"""NAL units of one picture: a slice for each row of macroblocks of 8K is 270, with SEI."""

CONFIGURATION_BYTES = 16 << 10
"""bytes of a sequence header: parameter sets are under 200, and go out again with each keyframe."""

WORK = 64
"""Messages of media handled before the event loop may do something else: well under 2 ms, and 1 s of a stream that caught up."""

COMMAND_WORK = 32
"""What handling a command counts for, in messages of media: two of the longest take 2 ms, since AMF is read value by value."""

WRITE_BYTES = 64 << 10
"""bytes that may wait for a peer to read them: all that we ever send it is 2 KB, unless it asks without listening."""

MAX_TIME = 1 << 40
"""ms: 35 years. Time stamps that jump forwards further than that would leave what FFmpeg counts in."""


@dataclass(frozen=True, slots=True)
class PushLimits:
    """Of pushing to another server. Times in s."""

    connect_timeout: float = 5.0
    """Until there is a socket, with TLS on it: the name is looked up, and five round trips."""
    command_timeout: float = 5.0
    """Until the handshake is done, and until each command is answered: servers ask others whether a key is right."""
    stall_timeout: float = 10.0
    """Without the server taking a byte of what waits for it: a line that lost its way is back by then, or is another one."""
    linger: float = 1.0
    """That the server gets, at the end, to take what still waits for it."""


PUSHED_CHUNK_SIZE = 4096
"""bytes of the chunks we push: OBS's size, which every server takes."""

SAID_LENGTH = 300
"""Characters of what a server says that are told on: two sentences."""

TICK = 1.0
"""s between two looks at whether a server takes what it is sent, and does not send what nobody asked for."""

SERVER_BYTES = 64 << 10
"""bytes that a server may send in a TICK: its handshake and answers are 5 KB, an acknowledgement and a ping 40 bytes."""

MIN_BACKLOG, MAX_BACKLOG = 128 << 10, 1 << 20
"""bytes that may wait for a server before pictures are dropped: a second of the stream, between a keyframe and 8 Mb/s."""

UNSENT_BYTES = 128 << 10
"""bytes that the kernel may hold unsent (TCP_NOTSENT_LOWAT): it would take 4 MB, and hide for 13 s that nothing goes out."""

INTERLEAVING = 250
"""ms that pictures wait for sound, or it for them, so that both leave in one order: AAC comes 43 ms late, and a busy machine's
thread later.
"""

INTERLEAVED = 256
"""Tags that may wait so, whatever their time stamps say: twice what 250 ms at 60 fps are with sound and sequence headers."""

SOUND_ALONE = 3_000
"""ms of sound without a keyframe after which a stream is pushed without pictures: they would have had one every 2 s."""

FIRST_RETRY, LONGEST_RETRY = 2.0, 30.0
"""s: the longest wait before the second try, and before all that follow the fifth. At least half of it is waited."""

STEADY = 10.0
"""s that a push must have run for its next failure to count as the first."""
