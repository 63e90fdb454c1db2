"""Recordings and pushes over HTTP: started, listed, ended."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol

import aiohttp.web as aiohttp_web
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from signaling import names
from stream.outputs import OutputRefused, PushWanted, RecordingWanted, UnknownOutput
from stream.report import OutputReport
from web import body
from web.problem import Problem

MAX_DOCUMENT = 16 * 1024
"""Bytes of what is wanted: a URL of 4096 characters, each escaped as JSON may."""

_EXAMPLE = '{"kind": "recording"} or {"kind": "rtmp", "url": "rtmp://host/app/key"}'


class Outputs(Protocol):
    """Where else one stream goes."""

    async def add(self, wanted: RecordingWanted | PushWanted, /) -> OutputReport:
        """Raises OutputRefused."""

    async def end(self, id: str, /) -> None:
        """Raises UnknownOutput."""

    def reports(self) -> Sequence[OutputReport]: ...


class OutputsOf(Protocol):
    """The outputs of the stream of that name. Raises UnknownStream."""

    def __call__(self, stream: str, /) -> Outputs: ...


class Recording(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    kind: Literal["recording"]

    def wanted(self) -> RecordingWanted:
        return RecordingWanted()


class Push(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    kind: Literal["rtmp"]
    url: Annotated[str, Field(min_length=1, max_length=4096)]

    def wanted(self) -> PushWanted:
        return PushWanted(self.url)


OutputDocument = TypeAdapter[Recording | Push](Annotated[Recording | Push, Field(discriminator="kind")])
"""What is sent: ``{"kind": "recording"}``, or ``{"kind": "rtmp", "url": "..."}``."""


def parse(document: bytes) -> RecordingWanted | PushWanted:
    """Raises Problem, which quotes nothing of what was sent: a URL holds a key."""
    try:
        return OutputDocument.validate_json(document).wanted()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        if first["type"] == "json_invalid":
            raise Problem(400, f"this is not JSON; send {_EXAMPLE}.") from None
        if first["type"].startswith("union_tag"):
            raise Problem(422, f"there is no output of that kind; send {_EXAMPLE}.") from None
        where = "".join(f" {part}" for part in first["loc"][1:])
        # A name that is not known is not quoted either.
        said = "something more than is known" if first["type"] == "extra_forbidden" else f"{first['msg']}, at{where}"
        raise Problem(422, f"this is no output: {said}; send {_EXAMPLE}.") from None


@dataclass(frozen=True)
class OutputRoutes:
    outputs_of: OutputsOf

    def routes(self) -> Iterable[aiohttp_web.RouteDef]:
        yield aiohttp_web.get("/api/streams/{stream}/outputs", self.list_all)
        yield aiohttp_web.post("/api/streams/{stream}/outputs", self.add)
        yield aiohttp_web.delete("/api/streams/{stream}/outputs/{output}", self.end)

    async def list_all(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        return _answer([dataclasses.asdict(report) for report in self._outputs(request).reports()])

    async def add(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        """Answers with the output as it is then: whether a server lets itself be pushed to is known later."""
        outputs = self._outputs(request)  # refuses a stream that is not there before its body is read
        body.require_type(request, "application/json")
        wanted = parse(await body.read(request, MAX_DOCUMENT))
        try:
            report = await outputs.add(wanted)
        except OutputRefused as error:
            raise Problem(422, str(error)) from None
        location = f"/api/streams/{request.match_info['stream']}/outputs/{report.id}"
        return _answer(dataclasses.asdict(report), status=201, headers={"Location": location})

    async def end(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        """Answers when the file is whole, or the server told."""
        try:
            await self._outputs(request).end(request.match_info["output"])
        except UnknownOutput as error:
            raise Problem(404, str(error)) from None
        return _answer({})

    def _outputs(self, request: aiohttp_web.Request) -> Outputs:
        return self.outputs_of(names.check(request.match_info["stream"]))


def _answer(data: Any, status: int = 200, headers: dict[str, str] | None = None) -> aiohttp_web.Response:
    return aiohttp_web.json_response(data, status=status, headers={"Cache-Control": "no-store"} | (headers or {}))
