"""What can go wrong between a client and its server."""

from __future__ import annotations


class ClientError(Exception):
    """The message is a sentence for the user."""


class Refused(ClientError):
    """The server answered, and not as was hoped. The message is its own ``detail`` (RFC 9457), where it sent one."""

    def __init__(self, status: int, detail: str, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.retry_after = retry_after
        """s until another attempt, where the server named them."""

    @property
    def passes(self) -> bool:
        """Whether to ask again may help: the stream is not live yet (409 with Retry-After), or the server is busy or ill."""
        return self.retry_after is not None or self.status in (408, 429) or self.status >= 500


class GaveUp(ClientError):
    """There was no connection for as long as was allowed."""
