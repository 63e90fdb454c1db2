"""What is published, as it looks to who reads it: these models are the reference's JSON Schema too."""

from __future__ import annotations

import http
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from signaling.mqtt.limits import ID_LENGTH, MAX_SETTINGS


class Document(BaseModel):
    model_config = ConfigDict(frozen=True)

    def encode(self) -> bytes:
        return self.model_dump_json(exclude_none=True).encode()


class Status(Document):
    """A node's. The broker itself says ``offline`` for one that is lost (its last will)."""

    state: Literal["online", "offline"]
    version: Annotated[str | None, Field(description="Of doppel; only while online.")] = None


class StepState(Document):
    transform: str
    settings: Annotated[
        dict[str, Any] | None,
        Field(description=f"In full, or left out where they are longer than {MAX_SETTINGS} bytes: HTTP has them."),
    ] = None


class StreamState(Document):
    """A stream's. Where there is no such stream, nothing is retained."""

    state: Annotated[
        Literal["connecting", "live", "waiting", "ending"],
        Field(description="`connecting`: nothing came yet; `waiting`: the publisher is lost, and viewers are kept."),
    ]
    protocol: Annotated[str | None, Field(description="How it is published: `loop`, `whip`, `rtmp`, ...; if it is.")] = None
    chain: list[StepState]
    recording: bool


class Latency(Document):
    p50: Annotated[float, Field(description="ms")]
    p95: Annotated[float, Field(description="ms")]
    p99: Annotated[float, Field(description="ms")]


class Stats(Document):
    """A stream's figures, every `mqtt_stats_interval` seconds."""

    at: Annotated[str, Field(description="UTC, RFC 3339.")]
    viewers: int
    fps_in: Annotated[float, Field(description="1/s")]
    fps_out: Annotated[float, Field(description="1/s")]
    kbps_in: Annotated[float, Field(description="kb/s")]
    kbps_out: Annotated[float, Field(description="kb/s")]
    latency_ms: Annotated[dict[str, Latency], Field(description="By stage: decode, wait, chain, encode, send, total.")]
    drops: Annotated[dict[str, int], Field(description="Frames dropped so far, by reason.")]
    load_level: Annotated[int, Field(description="Of the whole node: 0 while it keeps up.")]


class Event(Document):
    """Something that happened to a stream, once."""

    event: Annotated[
        Literal["published", "lost", "returned", "ended", "refused", "drops"],
        Field(
            description="`refused`: somebody may not publish or watch, and there need not be such a stream; "
            "`drops`: it began to drop more frames than `mqtt_drop_alarm` allows."
        ),
    ]
    at: Annotated[str, Field(description="UTC, RFC 3339.")]
    reason: Annotated[str | None, Field(description="For a person to read.")] = None
    count: Annotated[int | None, Field(description="Of `refused`, where there were several: of all streams since the last.")] = (
        None
    )
    drops: Annotated[dict[str, int] | None, Field(description="Of `drops`: frames since the last stats, by reason.")] = None
    per_second: Annotated[float | None, Field(description="Of `drops`: all of these, 1/s.")] = None


class Reply(Document):
    """What came of a command, shaped as RFC 9457 has problems: ``status`` as HTTP's, ``detail`` what to do about it."""

    id: Annotated[str | None, Field(description="The command's, if it had one.", max_length=ID_LENGTH)] = None
    stream: str
    command: Annotated[str | None, Field(description="Its kind, where it could be read.")] = None
    status: Annotated[
        int,
        Field(
            description="200: done; 202: it takes longer, and goes on; 400: no JSON; 404: no such stream; 409: not as things "
            "are; 413: too long; 422: it does not fit; 500: a fault of the server; 503: busy, or a model cannot be had."
        ),
    ]
    title: Annotated[str, Field(description="The status in words.")]
    detail: Annotated[str | None, Field(description="A sentence that says what to do; where it was not just done.")] = None
    target: Annotated[str | None, Field(description="Of a recording: its file's name.")] = None

    @classmethod
    def make(
        cls, stream: str, status: int, detail: str = "", *, id: str | None, command: str | None = None, target: str | None = None
    ) -> Reply:
        sentence = detail[:1].upper() + detail[1:]
        if sentence and not sentence.endswith((".", "!", "?")):
            sentence += "."
        return cls(
            id=id,
            stream=stream,
            command=command,
            status=status,
            title=http.HTTPStatus(status).phrase,
            detail=sentence or None,
            target=target,
        )
