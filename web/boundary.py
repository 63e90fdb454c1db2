"""The outermost line: whatever a handler raises leaves as a problem, and nothing of our inside with it."""

from __future__ import annotations

import logging

import aiohttp
import aiohttp.web as aiohttp_web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler

from signaling.errors import SignalingError
from stream.errors import UnknownStream
from transforms.errors import ModelError, TransformError
from web.problem import Problem, respond

logger = logging.getLogger(__name__)

_ADVICE = {
    404: "there is nothing at this address; GET /api/streams and /api/transforms list what there is",
    405: "this address does not take that method; the Allow header names those that it takes",
    413: "the body is too large; send a smaller one",
}


@aiohttp_web.middleware
async def boundary(request: aiohttp_web.Request, handler: Handler) -> aiohttp_web.StreamResponse:
    """Turns exceptions into problem+json."""
    try:
        return await handler(request)
    except Problem as problem:
        return respond(problem.status, problem.detail, problem.headers)
    except SignalingError as error:
        wait = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
        return respond(error.status, str(error), wait)
    except UnknownStream as error:
        return respond(404, str(error) or "there is no such stream; GET /api/streams lists those there are")
    except TransformError as error:
        return respond(422, str(error))
    except ModelError as error:
        logger.warning("a model could not be had: %s", error)
        return respond(503, str(error))
    except aiohttp_web.HTTPException as error:
        if error.status < 400:
            raise
        kept = {name: error.headers[name] for name in ("Allow", "Retry-After") if name in error.headers}
        return respond(error.status, _ADVICE.get(error.status, error.reason), kept)
    except (aiohttp.ClientPayloadError, HttpProcessingError):
        return respond(400, "the body broke off or was framed wrongly; send the request again")
    except ConnectionError:
        # The client went away in the middle: nobody reads this, and it is no fault of ours to log.
        return respond(400, "the connection was lost; send the request again")
    except Exception:  # the boundary: a fault of ours must not end the server, nor show its inside
        logger.exception("%s %s failed", request.method, request.match_info.route.resource)
        return respond(500, "the server made a mistake, and has written it to its log; try again")
