"""The Python client: publish to a server, watch, or both, from a script, a bot or a test.

The same three calls as in JavaScript (``web/static/doppel.js``), each an asynchronous context that connects, connects again
when the line or the server was lost, and ends its session when it is left::

    async with watch("https://host", "studio", key="...") as viewer:
        async for picture in viewer.video():
            print(picture.width, picture.height)

Pictures and sound are PyAV's ``VideoFrame`` and ``AudioFrame``, tracks are aiortc's ``MediaStreamTrack``.

ClientError
├── Refused     the server said no: ``status`` and, in words, what to do
└── GaveUp      no connection for ``patience`` seconds; the message has the last reason
"""

from __future__ import annotations

from doppel.client.endpoint import Step
from doppel.client.errors import ClientError, GaveUp, Refused
from doppel.client.session import Session, State, loop, publish, watch
from doppel.client.statistics import Packets, Statistics

__all__ = ["ClientError", "GaveUp", "Packets", "Refused", "Session", "State", "Statistics", "Step", "loop", "publish", "watch"]
