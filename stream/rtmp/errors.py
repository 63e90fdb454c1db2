"""RtmpError
├── what a peer sent breaks the protocol or one of its bounds; the message says which, and the connection ends
└── Refused: a publisher that may not publish, in words that it is told
"""

from __future__ import annotations


class RtmpError(Exception):
    """The peer broke the protocol, or went over a bound."""


class Refused(RtmpError):
    """This publisher may not publish here. Its message goes to the publisher as it is.

    ``code`` is what its software looks at: with BadName OBS gives up, with another one it tries again.
    """

    def __init__(self, reason: str, code: str = "NetStream.Publish.BadName") -> None:
        super().__init__(reason)
        self.code = code
