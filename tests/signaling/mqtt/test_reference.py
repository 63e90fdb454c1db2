"""The page of topics and payloads says what the code does."""

from __future__ import annotations

import tomllib

from docs import mqtt
from doppel.config import Config


def test_the_page_is_up_to_date() -> None:
    assert mqtt.PAGE.read_text() == mqtt.document(), "run: python -m docs.mqtt"


def test_its_example_is_a_configuration() -> None:
    example = tomllib.loads(mqtt.document().split("```toml\n")[1].split("```")[0])
    del example["mqtt_password_file"]  # its file is the reader's
    assert Config(**example).mqtt_node == "studio-1"
