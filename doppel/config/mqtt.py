"""The MQTT broker that the server reports to."""

from __future__ import annotations

import re

from pydantic import BaseModel, Field, SecretStr, field_validator

from doppel.config.about import about
from doppel.config.user_path import UserPath
from signaling.mqtt import topics

BROKER = re.compile(r"mqtts?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?/?")
"""A broker's address, without a user in it."""


class Mqtt(BaseModel):
    """Where the broker is, how to log in, and what it is told."""

    mqtt_url: str | None = Field(
        default=None,
        max_length=300,
        description="MQTT 5 broker that this server reports to and takes commands from: `mqtt://HOST[:PORT]`, or `mqtts://` with "
        "TLS. If not set, there is no MQTT. Who may publish below the server's topics there commands its streams.",
        json_schema_extra=about(None, "nobody is told anything unless somebody decides so"),
    )
    mqtt_username: str | None = Field(
        default=None,
        min_length=1,
        max_length=256,
        description="Name to log in to the broker with.",
        json_schema_extra=about(None, "not every broker asks for one"),
    )
    mqtt_password: SecretStr | None = Field(
        default=None,
        description="Password to log in to the broker with.",
        json_schema_extra=about(None, "as above"),
    )
    mqtt_password_file: UserPath = Field(
        default=None,
        description="File that holds the broker's password.",
        json_schema_extra=about(None, "as above"),
    )
    mqtt_ca: UserPath = Field(
        default=None,
        description="PEM file with the certificate authorities that a broker with TLS may have its certificate from.",
        json_schema_extra=about(None, "those that the system trusts"),
    )
    mqtt_certificate: UserPath = Field(
        default=None,
        description="PEM file with the certificate chain that this server shows to the broker. Needs `mqtt_key`.",
        json_schema_extra=about(None, "few brokers ask for one"),
    )
    mqtt_key: UserPath = Field(
        default=None,
        description="PEM file with that certificate's private key.",
        json_schema_extra=about(None, "as above"),
    )
    mqtt_node: str | None = Field(
        default=None,
        description="What this server is called in topics; no other server at the broker may be called the same. "
        "If not set, the first part of the host's name.",
        json_schema_extra=about(None, "hosts have names that differ"),
    )
    mqtt_prefix: str = Field(
        default="doppel",
        max_length=64,
        description="First level, or levels, of all topics.",
        json_schema_extra=about(None, "says whose they are"),
    )
    mqtt_discovery: bool = Field(
        default=False,
        description="Whether Home Assistant is told of each stream, as a device with sensors and a switch for recording.",
        json_schema_extra=about(None, "it is for those who have one"),
    )
    mqtt_stats_interval: float = Field(
        default=10.0,
        ge=1,
        le=3600,
        description="Time between two reports of a stream's figures.",
        json_schema_extra=about("s", "soon enough to act on, little enough to keep"),
    )
    mqtt_drop_alarm: float = Field(
        default=5.0,
        ge=0,
        le=1000,
        description="Frames a second that a stream may drop between two such reports before there is an event.",
        json_schema_extra=about("1/s", "a face that moves begins to look choppy"),
    )

    @field_validator("mqtt_url")
    @classmethod
    def _is_broker(cls, value: str | None) -> str | None:
        if value is not None and not BROKER.fullmatch(value):
            raise ValueError(
                "write an address such as mqtts://broker.example:8883; a name and a password go to mqtt_username and "
                "mqtt_password_file"
            )
        return value

    @field_validator("mqtt_node")
    @classmethod
    def _is_node(cls, value: str | None) -> str | None:
        if value is not None and not topics.NODE.fullmatch(value):
            raise ValueError("a node's name has 1 to 64 letters, digits, '-' or '_'")
        return value

    @field_validator("mqtt_prefix")
    @classmethod
    def _is_prefix(cls, value: str) -> str:
        if not topics.PREFIX.fullmatch(value):
            raise ValueError("a prefix is made of letters, digits, '-' and '_', in levels with '/' between them")
        return value
