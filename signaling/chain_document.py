"""A chain as clients write it, and as they read it. Everything here may take a while and runs in a thread."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from signaling.errors import BadRequest, SignalingError, Unacceptable
from transforms.chain import MAX_STEPS, Step

MAX_KEY = 64
"""Characters of a transform's key."""


class StepDocument(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    transform: Annotated[str, Field(min_length=1, max_length=MAX_KEY)]
    settings: dict[str, Any] = {}


StepDocuments = Annotated[list[StepDocument], Field(max_length=MAX_STEPS)]


class ChainDocument(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    chain: StepDocuments


_LIST = TypeAdapter[list[StepDocument]](StepDocuments)


def parse(body: bytes) -> list[Step]:
    """The steps of ``{"chain": [{"transform": ..., "settings": {...}}, ...]}``. Raises SignalingError or TransformError."""
    try:
        return steps(ChainDocument.model_validate_json(body).chain)
    except ValidationError as error:
        raise _told(error) from error


def parse_query(text: str) -> list[Step]:
    """The steps of ``?chain=``: keys with commas between them, or the same list as JSON. Raises as ``parse`` does."""
    try:
        if text.lstrip().startswith("["):
            return steps(_LIST.validate_json(text))
        keys = [key.strip() for key in text.split(",") if key.strip()]
        return steps(_LIST.validate_python([{"transform": key} for key in keys]))
    except ValidationError as error:
        raise _told(error) from error


def steps(documents: Sequence[StepDocument]) -> list[Step]:
    """Settings checked. Raises TransformError."""
    return [Step.parse(document.transform, document.settings) for document in documents]


def dump(steps: Sequence[Step]) -> bytes:
    """The document that ``parse`` takes, settings in full."""
    chain = [{"transform": step.key, "settings": step.settings.model_dump(mode="json")} for step in steps]
    return json.dumps({"chain": chain}).encode()


def _told(error: ValidationError) -> SignalingError:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    if first["type"] == "json_invalid":
        return BadRequest(f"this is not JSON ({first['msg']}); send a chain like " + _EXAMPLE)
    where = "".join(f" {part}" for part in first["loc"])
    return Unacceptable(f"this is no chain{' at' + where if where else ''}: {first['msg']}; send one like " + _EXAMPLE)


_EXAMPLE = '{"chain": [{"transform": "name", "settings": {}}]}.'
