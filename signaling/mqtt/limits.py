"""The bounds of what is said over MQTT, each with its unit and its reason."""

from __future__ import annotations

MAX_PAYLOAD = 4 * 1024 * 1024
"""Bytes of a command: as much as a chain may have over HTTP, pictures among its settings."""

MAX_PACKET = MAX_PAYLOAD + 64 * 1024
"""Bytes of a packet from the broker, which is told: a command, and the longest topics and properties that there may be."""

MAX_COMMANDS = 64
"""Commands that wait for those before them: some seconds of the busiest control panel. One more is answered "busy"."""

MAX_COMMAND_BYTES = 2 * MAX_PAYLOAD
"""Of all commands that wait, together."""

INLINE = 4 * 1024
"""Bytes of JSON that are read on the event loop, in well under 1 ms; what is longer goes through a thread."""

COMMAND_PATIENCE = 10.0
"""s that a command may keep those after it waiting; then it goes on by itself: a model may have to be fetched first."""

MAX_LATE = 8
"""Commands that go on by themselves: one more is waited for, whatever it takes."""

ID_LENGTH = 64
"""Characters of a command's id: a UUID and more."""

MAX_RESPONSE_TOPIC = 256
"""Characters."""

MAX_CORRELATION = 256
"""Bytes of correlation data."""

MAX_QUEUED = 512
"""Replies, events and stats that wait for the broker, together: an hour of one stream's at the default interval."""

MAX_CLEARS = 1024
"""Topics that wait for being cleared: what others left at the broker is no reason to fill our memory."""

WINDOW = 16
"""Messages on their way to the broker, not yet acknowledged: under paho's own 20, and enough for a broker that is far away."""

MAX_UNACKNOWLEDGED = 256
"""Messages that the broker may send before one is acknowledged, which it is as soon as it is read."""

MAX_RECEIVED = 4096
"""Messages from the broker that were read and not looked at yet, past which they are lost. A burst brings a hundred with each
turn of the loop; as many bytes as the kernel holds of them, some MB, and what waits in the desk comes on top.
"""

TURN = 16
"""Messages from the broker that are looked at in one turn of the loop, in 1 ms."""

MAX_SETTINGS = 4 * 1024
"""Bytes of a step's settings in a stream's state; longer ones, which hold pictures, are left out."""

BROKER_TIMEOUT = 5.0
"""s for the broker to answer anything."""

KEEPALIVE = 20
"""s without a packet after which one is sent; a broker takes a node for dead after half as long again."""

FIRST_RETRY, LONGEST_RETRY = 0.5, 30.0
"""s before connecting again, doubled with each failure: a broker that restarts is back in a second."""

STEADY = 30.0
"""s that a connection must last for the next failure to count as the first again: two nodes of one name throw each other out."""

SWEEP = 3.0
"""s for which a new connection looks for what an earlier run of this node left at the broker; retained messages come at once."""

ROUND = 0.05
"""s between two looks at streams that changed, so that a slider that is dragged does not publish every position."""

FLUSH = 1.0
"""s that the last messages have to leave when the server stops."""

REFUSALS = 1.0
"""s between two events about refused publishers; those in between are counted in the next."""
