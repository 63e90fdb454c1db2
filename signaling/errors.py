"""Why a client is turned away; the message is a sentence for it that says what to do.

SignalingError
├── BadRequest            400  cannot be read: broken SDP, a stream name that is none
├── Unauthorized          401  without a key or token that is good for this
├── NotFound              404  no such stream or session
├── Conflict              409  the name is in use
├── NotLive               409  nobody publishes the stream now; try again
├── PreconditionFailed    412  meant for an ICE session that is not this one (any more)
├── Unacceptable          422  readable, and asks for what this server does not do
├── PreconditionRequired  428  does not say which ICE session it is meant for
├── TooManyCalls          429  more often than one client or token may; try again
└── Unavailable           503  full, or not ready yet; try again
"""

from __future__ import annotations


class SignalingError(Exception):
    """A refusal, with the HTTP status that says the same."""

    status = 500
    retry_after: int | None = None
    """Seconds after which it is worth another try; None where nobody knows that it ever is."""


class BadRequest(SignalingError):
    status = 400


class Unauthorized(SignalingError):
    status = 401


class NotFound(SignalingError):
    status = 404


class Conflict(SignalingError):
    status = 409


class NotLive(SignalingError):
    status = 409

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PreconditionFailed(SignalingError):
    status = 412


class Unacceptable(SignalingError):
    status = 422


class PreconditionRequired(SignalingError):
    status = 428


class TooManyCalls(SignalingError):
    status = 429

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(SignalingError):
    status = 503

    def __init__(self, message: str, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after
