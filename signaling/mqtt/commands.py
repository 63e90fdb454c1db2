"""What may be asked of a stream, and how a payload is read."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pydantic_core
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from signaling.chain_document import MAX_KEY, StepDocuments
from signaling.errors import BadRequest, Unacceptable
from signaling.mqtt.limits import ID_LENGTH
from transforms.chain import MAX_STEPS

Id = Annotated[str, Field(max_length=ID_LENGTH, description="Whatever the reply is to be told by.")]


class _Command(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    id: Id | None = None


class ChainCommand(_Command):
    """Another chain, from the next frame on; settings that are left out have their defaults."""

    command: Literal["chain"]
    chain: StepDocuments


class SettingsCommand(_Command):
    """Some settings of one step, from the next frame on; those that are left out stay as they are."""

    command: Literal["settings"]
    transform: Annotated[str, Field(min_length=1, max_length=MAX_KEY)]
    step: Annotated[
        int | None,
        Field(
            ge=0,
            lt=MAX_STEPS,
            description="Its place in the chain, from 0; needed only where several steps are of that transform.",
        ),
    ] = None
    settings: dict[str, Any]


class RecordCommand(_Command):
    """Starts a recording, unless one is running, or ends those that are."""

    command: Literal["record"]
    action: Literal["start", "stop"]


class StopCommand(_Command):
    """Ends the stream: publisher, viewers and recordings."""

    command: Literal["stop"]


Command = ChainCommand | SettingsCommand | RecordCommand | StopCommand

ADAPTER = TypeAdapter[Command](Annotated[Command, Field(discriminator="command")])

EXAMPLES = (
    '{"id": "1", "command": "chain", "chain": [{"transform": "anonymize", "settings": {"style": "pixelate"}}]}',
    '{"id": "2", "command": "settings", "transform": "anonymize", "settings": {"style": "blur"}}',
    '{"id": "3", "command": "record", "action": "start"}',
    '{"id": "4", "command": "stop"}',
)


def read(payload: bytes) -> dict[str, Any]:
    """The JSON object. Raises BadRequest."""
    try:
        document = pydantic_core.from_json(payload)
    except ValueError as error:
        raise BadRequest(f"this is not JSON ({error}); send a command like {EXAMPLES[2]}") from None
    if not isinstance(document, dict):
        raise BadRequest(f"this is no JSON object; send a command like {EXAMPLES[2]}")
    return document


def id_of(document: dict[str, Any]) -> str | None:
    """If it has one that can be sent back."""
    id = document.get("id")
    return id if isinstance(id, str) and len(id) <= ID_LENGTH else None


def parse(document: dict[str, Any]) -> Command:
    """Checks it. Raises Unacceptable, which quotes nothing of what was sent."""
    try:
        return ADAPTER.validate_python(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        if first["type"].startswith("union_tag"):
            raise Unacceptable(
                "`command` is one of chain, settings, record and stop; docs/mqtt.md says what goes with each"
            ) from None
        if first["type"] == "extra_forbidden":
            raise Unacceptable("this command has a member that is not known; docs/mqtt.md lists those that are") from None
        where = " ".join(str(part) for part in first["loc"][1:])
        raise Unacceptable(f"this command does not fit at {where}: {first['msg']}; docs/mqtt.md has its schema") from None
