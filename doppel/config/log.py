"""What is logged, and how."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from doppel.config.about import about


class Log(BaseModel):
    """The log's level and form."""

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        description="The least severe messages that are logged.",
        json_schema_extra=about(None, "who came, who left and what went wrong, nothing for each frame"),
    )
    log_format: Literal["text", "json"] = Field(
        default="text",
        description="How a log line is written: for people or for machines.",
        json_schema_extra=about(None, "a person starts it first"),
    )
