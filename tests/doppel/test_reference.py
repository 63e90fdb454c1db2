"""The page of settings says what the code does."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import SecretStr

from doppel.config import Config
from doppel.reference import document

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == document(), "run: python -m doppel.reference > docs/configuration.md"


def test_every_setting_is_on_it() -> None:
    for name in Config.model_fields:
        assert f"\n## {name}\n" in document()


def test_the_example_is_valid() -> None:
    example = tomllib.loads(document().split("```toml\n")[1].split("```")[0])
    del example["access_key_file"]  # its file is the reader's
    Config(**example, access_key=SecretStr("k3y-" * 8))
