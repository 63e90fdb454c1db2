"""A chain as clients write it, and as they read it. Everything here may take a while and runs in a thread."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from transforms.chain import MAX_STEPS, Step
from web.problem import Problem


class _StepDocument(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    transform: Annotated[str, Field(min_length=1, max_length=64)]
    settings: dict[str, Any] = {}


_Steps = Annotated[list[_StepDocument], Field(max_length=MAX_STEPS)]


class _ChainDocument(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    chain: _Steps


_LIST = TypeAdapter[list[_StepDocument]](_Steps)


def parse(body: bytes) -> list[Step]:
    """The steps of ``{"chain": [{"transform": ..., "settings": {...}}, ...]}``. Raises Problem or TransformError."""
    try:
        return _steps(_ChainDocument.model_validate_json(body).chain)
    except ValidationError as error:
        raise _told(error) from error


def parse_query(text: str) -> list[Step]:
    """The steps of ``?chain=``: keys with commas between them, or the same list as JSON. Raises as ``parse`` does."""
    try:
        if text.lstrip().startswith("["):
            return _steps(_LIST.validate_json(text))
        keys = [key.strip() for key in text.split(",") if key.strip()]
        return _steps(_LIST.validate_python([{"transform": key} for key in keys]))
    except ValidationError as error:
        raise _told(error) from error


def dump(steps: Sequence[Step]) -> bytes:
    """The document that ``parse`` takes, settings in full."""
    chain = [{"transform": step.key, "settings": step.settings.model_dump(mode="json")} for step in steps]
    return json.dumps({"chain": chain}).encode()


def _steps(documents: Sequence[_StepDocument]) -> list[Step]:
    return [Step.parse(document.transform, document.settings) for document in documents]


def _told(error: ValidationError) -> Problem:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    if first["type"] == "json_invalid":
        return Problem(400, f"this is not JSON ({first['msg']}); send a chain like " + _EXAMPLE)
    where = "".join(f" {part}" for part in first["loc"])
    return Problem(422, f"this is no chain{' at' + where if where else ''}: {first['msg']}; send one like " + _EXAMPLE)


_EXAMPLE = '{"chain": [{"transform": "name", "settings": {}}]}.'
