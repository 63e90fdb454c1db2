"""Why a client is turned away; the message is a sentence for it that says what to do.

SignalingError
├── BadRequest      400  cannot be read: broken SDP, a stream name that is none
├── NotFound        404  no such stream or session
├── Conflict        409  the name is in use
├── Unacceptable    422  readable, and asks for what this server does not do
└── Unavailable     503  full, or not ready yet; try again
"""

from __future__ import annotations


class SignalingError(Exception):
    """A refusal, with the HTTP status that says the same."""

    status = 500


class BadRequest(SignalingError):
    status = 400


class NotFound(SignalingError):
    status = 404


class Conflict(SignalingError):
    status = 409


class Unacceptable(SignalingError):
    status = 422


class Unavailable(SignalingError):
    status = 503

    def __init__(self, message: str, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds."""
