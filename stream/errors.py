"""Why a stream cannot be had.

StreamError
├── UnknownStream   no stream of that name
├── StreamExists    the name is taken by a publisher that is still there, and is not the caller's to replace
├── NotLive         the stream has no publisher yet
└── NoRoom          as many streams or viewers as allowed, or the server is shutting down
"""

from __future__ import annotations


class StreamError(Exception):
    """A stream cannot be had; the message is a sentence for the client."""


class UnknownStream(StreamError):
    pass


class StreamExists(StreamError):
    pass


class NotLive(StreamError):
    def __init__(self, message: str, retry_after: int = 2) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """s."""


class NoRoom(StreamError):
    pass
