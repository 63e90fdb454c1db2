"""The API described (OpenAPI 3.1): the routes, what they ask of their callers, and the types they answer with.

A test holds the table to the routes: one that is not in it, or not there, fails.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from typing import Any

import aiohttp.web as aiohttp_web
from pydantic import BaseModel, Field, TypeAdapter

from signaling.chain_document import ChainDocument
from signaling.names import PATTERN
from stream.report import OutputReport
from stream.system import SystemReport
from transforms.packages.shelf import ShelfEntry
from web import needs
from web.outputs import OutputDocument
from web.pages import STATIC
from web.problem import MEDIA_TYPE
from web.source import SourceDocument
from web.streams import StreamDocument

SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"
JSON = "application/json"

_STREAM = {"name": "stream", "description": "Its name.", "schema": {"type": "string", "pattern": f"^{PATTERN.pattern}$"}}
_SESSION = {"name": "session", "description": "From the Location that its offer was answered with.", "schema": {"type": "string"}}
_OUTPUT = {"name": "output", "description": "The id that the list gives it.", "schema": {"type": "string"}}
_FILE = {"name": "path", "description": "A part of the pages.", "schema": {"type": "string"}}
PARAMETERS = {"stream": _STREAM, "session": _SESSION, "output": _OUTPUT, "path": _FILE}

_CHAIN = {
    "name": "chain",
    "in": "query",
    "description": "The chain to begin with: keys of transforms with commas between them, or the list as JSON.",
    "schema": {"type": "string"},
}

PROBLEMS = {
    400: "It cannot be understood: malformed JSON, SDP, text or name.",
    401: "The token is absent, or no good for this. All such refusals are alike.",
    403: "The configuration forbids it.",
    404: "There is nothing of that name.",
    405: "The address does not take this method.",
    408: "The body took too long.",
    409: "The stream is not live yet, or somebody else publishes it; Retry-After says when to ask again.",
    412: "It is about another ICE session than the one there is (If-Match).",
    413: "The body is too large.",
    415: "The body has another media type than is taken here.",
    421: "A server that asks for no key was called by a name that may be anybody's; call it as localhost.",
    422: "It is understood, and cannot be done as it is: the sentence says what does not fit.",
    428: "If-Match is needed.",
    429: "Too many calls, or refusals, from this address; Retry-After says how long to wait.",
    503: "Not now: the server is full, starting or ending, or a model or the authorization webhook cannot be had.",
}
"""RFC 9457 problem documents, by status."""

ALWAYS = (400, 405)
GUARDED = (401, 421, 429, 503)
"""Of every call that asks for a token."""


class Alive(BaseModel):
    status: str = Field(examples=["alive", "ready"])


class TransformInfo(BaseModel):
    transform: str
    """Its key."""
    title: str
    summary: str
    settings: dict[str, Any] | None = None
    """JSON Schema."""
    error: str | None = None
    """Why it cannot be used."""


class SourceAnswer(BaseModel):
    stream: str
    loop: bool


@dataclass(frozen=True)
class Operation:
    """One method of one address."""

    summary: str
    tag: str
    problems: Sequence[int] = ()
    """Beyond those that any call may get."""
    answers: Mapping[int, tuple[str, str | None, Any]] = field(default_factory=dict)
    """Status -> what it means, media type, and a Python type or a schema."""
    body: tuple[str, Any] | None = None
    """Media type, and a Python type or a schema."""
    query: Sequence[Mapping[str, Any]] = ()


_TEXT = {"type": "string"}
_BYTES = {"type": "string", "contentEncoding": "binary"}
_HTML = ("text/html", _TEXT)
_OFFER = (400, 404, 408, 409, 413, 415, 422)


def _page(summary: str, *problems: int) -> Operation:
    return Operation(summary, "Pages", problems, {200: ("The page.", *_HTML), 304: ("As the browser has it.", None, None)})


def _offered(summary: str, query: Sequence[Mapping[str, Any]] = ()) -> Operation:
    answer = "The SDP answer; Location is the session's address, Link names STUN and TURN servers."
    return Operation(summary, "WebRTC", _OFFER, {201: (answer, SDP, _TEXT)}, (SDP, _TEXT), query)


def _session(kind: str) -> dict[tuple[str, str], Operation]:
    endpoint, session = f"/{kind}/{{stream}}", f"/{kind}/{{stream}}/sessions/{{session}}"
    nothing = {200: ("Empty: there is nothing to see here.", None, None)}
    told = {200: ("Empty; Allow, Accept-Post and Accept-Patch say what is taken.", None, None)}
    return {
        ("GET", endpoint): Operation("Nothing, as the standard says", "WebRTC", (404,), nothing),
        ("OPTIONS", endpoint): Operation("What is taken here", "WebRTC", (), told),
        ("PATCH", session): Operation(
            "Trickles ICE candidates",
            "WebRTC",
            (404, 408, 409, 412, 413, 415, 422, 428),
            {204: ("They were taken.", None, None)},
            (FRAGMENT, _TEXT),
        ),
        ("DELETE", session): Operation("Ends the session", "WebRTC", (404,), {200: ("It is gone.", None, None)}),
        ("GET", session): Operation("Nothing, as the standard says", "WebRTC", (404,), nothing),
        ("OPTIONS", session): Operation("What is taken here", "WebRTC", (), told),
    }


OPERATIONS: Mapping[tuple[str, str], Operation] = {
    ("GET", "/"): _page("The webcam page"),
    ("GET", "/watch/{stream}"): _page("A viewer's page", 404),
    ("GET", "/dashboard"): _page("The operator's page"),
    ("GET", "/docs"): _page("This API's reference"),
    ("GET", "/openapi.json"): Operation("This document", "Pages", (), {200: ("OpenAPI 3.1.", JSON, {"type": "object"})}),
    ("GET", "/static/{path}"): Operation(
        "What the pages are made of",
        "Pages",
        (404,),
        {200: ("The file.", "*/*", _BYTES), 304: ("As the browser has it.", None, None)},
    ),
    ("POST", "/whip/{stream}"): _offered("Publishes (WHIP, RFC 9725)", [_CHAIN]),
    **_session("whip"),
    ("POST", "/whep/{stream}"): _offered("Watches (WHEP)"),
    **_session("whep"),
    ("POST", "/loop/{stream}"): _offered("Publishes, and gets the transformed picture back on the same connection", [_CHAIN]),
    **_session("loop"),
    ("GET", "/api/streams"): Operation(
        "The streams that the caller has a right to", "Streams", (), {200: ("Their reports.", JSON, list[StreamDocument])}
    ),
    ("GET", "/api/streams/{stream}"): Operation(
        "How a stream is doing", "Streams", (404,), {200: ("Its report.", JSON, StreamDocument)}
    ),
    ("DELETE", "/api/streams/{stream}"): Operation(
        "Ends a stream, for its publisher and its viewers", "Streams", (404,), {204: ("It is gone.", None, None)}
    ),
    ("GET", "/api/streams/{stream}/thumbnail"): Operation(
        "What viewers see now", "Streams", (404,), {200: ("A small picture.", "image/jpeg", _BYTES)}
    ),
    ("GET", "/api/streams/{stream}/chain"): Operation(
        "The chain that was asked for last", "Streams", (404,), {200: ("It, with settings in full.", JSON, ChainDocument)}
    ),
    ("PUT", "/api/streams/{stream}/chain"): Operation(
        "Another chain: prepared beside the old, it takes over at a frame boundary",
        "Streams",
        (404, 408, 413, 415, 422),
        {200: ("It, with defaults filled in.", JSON, ChainDocument)},
        (JSON, ChainDocument),
    ),
    ("GET", "/api/streams/{stream}/outputs"): Operation(
        "Recordings and pushes", "Outputs", (404,), {200: ("Their reports.", JSON, list[OutputReport])}
    ),
    ("POST", "/api/streams/{stream}/outputs"): Operation(
        "Begins a recording or a push",
        "Outputs",
        (404, 408, 413, 415, 422),
        {201: ("Its report; Location is its address.", JSON, OutputReport)},
        (JSON, OutputDocument),
    ),
    ("DELETE", "/api/streams/{stream}/outputs/{output}"): Operation(
        "Ends one", "Outputs", (404,), {200: ("The file is whole, or the server was told.", JSON, {"type": "object"})}
    ),
    ("PUT", "/api/streams/{stream}/source"): Operation(
        "A file, or a URL that FFmpeg reads, as publisher",
        "Sources",
        (403, 404, 408, 409, 413, 415, 422),
        {200: ("The stream has this source now.", JSON, SourceAnswer), 201: ("A new stream has it.", JSON, SourceAnswer)},
        (JSON, SourceDocument),
    ),
    ("DELETE", "/api/streams/{stream}/source"): Operation(
        "Ends the stream's source", "Sources", (404,), {200: ("It has none.", None, None)}
    ),
    ("GET", "/api/transforms"): Operation(
        "Every transform, with its settings as JSON Schema", "Server", (), {200: ("The list.", JSON, list[TransformInfo])}
    ),
    ("GET", "/api/models"): Operation(
        "Every model, and what it costs where that was measured", "Server", (), {200: ("The list.", JSON, list[ShelfEntry])}
    ),
    ("GET", "/api/system"): Operation(
        "How the process and its devices are doing", "Server", (), {200: ("The report.", JSON, SystemReport)}
    ),
    ("GET", "/healthz"): Operation("Whether it is alive", "Server", (), {200: ("It is.", JSON, Alive)}),
    ("GET", "/readyz"): Operation("Whether it takes streams", "Server", (503,), {200: ("It does.", JSON, Alive)}),
    ("GET", "/metrics"): Operation("Figures for Prometheus", "Server", (), {200: ("Its text format.", "text/plain", _TEXT)}),
}


@cache
def document() -> dict[str, Any]:
    """The whole."""
    schemas: dict[str, Any] = {"Problem": _PROBLEM}
    paths: dict[str, dict[str, Any]] = {}
    for (method, route), operation in OPERATIONS.items():
        paths.setdefault(route, {})[method.lower()] = _operation(method, route, operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "doppel",
            "version": version("doppel"),
            "description": "Live video in, through face transforms, and out. Errors are RFC 9457 problem documents.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


@cache
def written() -> bytes:
    """As JSON."""
    return json.dumps(document()).encode()


_PROBLEM = {
    "type": "object",
    "description": "RFC 9457.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "const": "about:blank"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "A sentence that says what to do."},
    },
}


def _operation(method: str, route: str, operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    need = needs.need(method, route)
    statuses = sorted({*ALWAYS, *operation.problems, *(GUARDED if need else ()), *((429,) if operation.tag == "WebRTC" else ())})
    answers = {
        str(status): {"description": told} | ({"content": {media: {"schema": _schema(kind, schemas)}}} if media else {})
        for status, (told, media, kind) in operation.answers.items()
    }
    problem = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    answers |= {str(status): {"description": PROBLEMS[status], "content": problem} for status in statuses}
    named = [{"in": "path", "required": True} | PARAMETERS[name] for name in PARAMETERS if f"{{{name}}}" in route]
    described: dict[str, Any] = {
        "summary": operation.summary,
        "tags": [operation.tag],
        "operationId": _id(method, route),
        "responses": answers,
        "security": [{"token": []}] if need else [],
    }
    if need:
        described["description"] = f"Takes a token with the scope {' or '.join(sorted({*need.scopes, 'admin'}))}."
    if named or operation.query:
        described["parameters"] = [*named, *operation.query]
    if operation.body:
        media, kind = operation.body
        described["requestBody"] = {"required": True, "content": {media: {"schema": _schema(kind, schemas)}}}
    return described


def _id(method: str, route: str) -> str:
    words = [word.strip("{}") for word in route.split("/") if word]
    return "_".join([method.lower(), *(word.replace(".", "_") for word in words)])


def _schema(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """Of a Python type; what it refers to goes to the others."""
    if isinstance(kind, dict):
        return kind
    made = (kind if isinstance(kind, TypeAdapter) else TypeAdapter(kind)).json_schema(
        ref_template="#/components/schemas/{model}", mode="validation"
    )
    schemas |= made.pop("$defs", {})
    title = made.get("title")
    if title is None:
        return made
    schemas[title] = made
    return {"$ref": f"#/components/schemas/{title}"}


class OpenApiRoutes:
    """The document, and a page that shows it without asking anybody else for a script."""

    def routes(self) -> Iterable[aiohttp_web.RouteDef]:
        yield aiohttp_web.get("/openapi.json", self.document)
        yield aiohttp_web.get("/docs", self.page)

    async def document(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        # Made once, of all the types that there are, which takes some 60 ms.
        return aiohttp_web.Response(
            body=await asyncio.to_thread(written), content_type=JSON, headers={"Cache-Control": "no-cache"}
        )

    async def page(self, request: aiohttp_web.Request) -> aiohttp_web.FileResponse:
        headers = {"Cache-Control": "no-cache", "Content-Type": "text/html; charset=utf-8"}
        return aiohttp_web.FileResponse(STATIC / "docs.html", headers=headers)
