"""Every bound of what is read from files and URLs, with its unit and its reason."""

from __future__ import annotations

TICKS = 720_000
"""1/s, of all times in ``stream.media``: the least that both pictures' 90 kHz and sound's 48 kHz divide."""

URL_LENGTH = 2048
"""Characters: what HTTP clients and servers agree on."""

STREAMS = 16
"""Tracks that a source may have; a film with every language has under 10, and a playlist with eight qualities has 16."""

CREATED_STREAMS = 4 * STREAMS
"""Tracks after which FFmpeg stops making more, so that a file of a million ends before they are counted."""

PROBE_BYTES = 2_000_000
"""bytes that FFmpeg may read to find out what a source is: 1 s of 16 Mb/s."""

PROBE_TIME = 1_000_000
"""us of a source's own time that it may look at: a keyframe interval of a live encoder, mostly found long before."""

PACKET_BYTES = 8 << 20
"""bytes of one picture or packet of sound: a keyframe of 4K at the highest quality is under 4 MB."""

PROCESS_BYTES = 2 << 30
"""bytes of address space of the process that reads: ten times what a 4K film needs, and far from what a machine has."""

PROCESS_FILES = 64
"""Files and sockets that it may have open: a playlist has one for each quality."""

OPEN_TIMEOUT = 20.0
"""s until FFmpeg knows what a source is: a playlist fetches several files one after the other, over the worst line."""

SILENCE_TIMEOUT = 10.0
"""s without a packet after which a source is gone."""

SEGMENT_TIMEOUT = 30.0
"""s likewise for HTTP, where a live playlist's next segment, of 10 s at most, may be one late."""

IO_TIMEOUT = 10.0
"""s for one read of a socket, shorter than what the other side of the pipe waits, since it knows better words."""

KILL_TIMEOUT = 2.0
"""s until a killed process must be gone; only the kernel could hold it longer."""

REDIRECTS = 5
"""HTTP redirects of one request: a content network's, an https one, and some to spare."""

SKIPPED_BYTES = 64 << 10
"""bytes that are read and let go rather than asked for by another HTTP request: a round trip at 10 Mb/s takes as long."""

HELD_BYTES = 32 << 20
"""bytes held to put a file's tracks in order: 2 s of them at 128 Mb/s."""

HELD_TIME = 2 * TICKS
"""Ticks likewise: muxers write up to 1 s of one track before they write the other."""

LATE = TICKS // 2
"""Ticks that a source may be behind its own time stamps and still catch up; beyond, what it missed is not hurried after."""

FORWARD = 10 * TICKS
"""Ticks that time stamps may go on at once: more is another clock's time, not a pause."""

BACKWARD = 3 * TICKS
"""Ticks that they may go back: more than tracks that lie far apart in a file."""

SHORTEST_ROUND = TICKS // 10
"""Ticks that one round of a loop counts for at least: a file of one picture must not be opened a thousand times a second."""

ATTEMPTS = 20
"""Times in a row that a live source is tried: nine minutes, which a router or a camera needs for its updates."""

STEADY = 10.0
"""s of packets after which a live source's next failure is its first again."""

SOUND_BITRATE = 96_000
"""b/s of stereo Opus, made of what is neither Opus nor AAC: transparent to most ears."""
