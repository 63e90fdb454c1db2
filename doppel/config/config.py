"""The whole configuration, and what its settings ask of each other."""

from __future__ import annotations

from typing import Any, Self

from pydantic import model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from doppel.config.access import Access
from doppel.config.door import Door
from doppel.config.log import Log
from doppel.config.loopback import is_loopback
from doppel.config.media import Media
from doppel.config.models import Models
from doppel.config.mqtt import Mqtt
from doppel.config.network import Network
from doppel.config.peer import Peer
from doppel.config.secret_files import from_files
from doppel.config.streams import Streams
from doppel.config.turn import Turn

PREFIX = "DOPPEL_"
"""Every variable begins with it."""


# Fields come in the reverse order of their parts: the last part is the first in docs/configuration.md and in --help.
class Config(Log, Mqtt, Access, Models, Peer, Media, Streams, Turn, Network, Door, BaseSettings):
    """Everything that an operator may set; frozen, and with secrets that do not print.

    ``Config(...)`` takes its arguments and nothing else; ``doppel.sources.load`` also reads the environment and a file.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        hide_input_in_errors=True,
        validate_default=False,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)

    @model_validator(mode="before")
    @classmethod
    def _read_secrets(cls, values: Any) -> Any:
        return values | from_files(values) if isinstance(values, dict) else values

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if not is_loopback(self.host) and not self.asks_for_keys:
            raise ValueError(
                f"{self.host or 'every address'} can be reached by others, so clients must need a key: "
                "add `--access-key-file FILE` or `--keys-dir DIR`, or bind to this machine only with `--host 127.0.0.1`"
            )
        if "*" in self.cors_origins and not self.asks_for_keys:
            raise ValueError(
                "with cors_origins `*` any page could use this server: name origins, or add `--access-key-file FILE`"
            )
        if self.udp_port is not None and self.udp_ports is not None:
            raise ValueError("udp_port and udp_ports are both set; keep udp_port, unless a firewall wants a port for each peer")
        turn = [server for server in self.ice_servers if server.urls.startswith("turn")]
        for server in turn:
            if server.credential is None and self.turn_secret is None:
                raise ValueError(f"{server.urls} needs credentials: set turn_secret_file, or its username and credential")
        if not turn and (self.turn_secret is not None or self.turn_for_server):
            raise ValueError('there is no TURN server: name it in ice_servers, such as `urls = "turn:turn.example:3478"`')
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key belong together; set both or none")
        if self.rtmps_port is not None and self.tls_certificate is None:
            raise ValueError("rtmps_port needs a certificate: add `--tls-certificate FILE --tls-key FILE`")
        if self.https and self.tls_certificate is None:
            raise ValueError("https needs a certificate: add `--tls-certificate FILE --tls-key FILE`")
        if self.hsts and not self.https:
            raise ValueError("hsts is for a server with https; behind a proxy, the proxy sends it")
        if self.mqtt_password is not None and self.mqtt_username is None:
            raise ValueError("mqtt_password needs mqtt_username: brokers take a password with a name only")
        if (self.mqtt_certificate is None) != (self.mqtt_key is None):
            raise ValueError("mqtt_certificate and mqtt_key belong together; set both or none")
        if (self.mqtt_ca or self.mqtt_certificate) and not (self.mqtt_url or "").startswith("mqtts:"):
            raise ValueError("mqtt_ca and mqtt_certificate are for TLS: write mqtt_url with mqtts://")
        if self.start_bitrate > self.max_bitrate:
            raise ValueError(f"start_bitrate ({self.start_bitrate}) is above max_bitrate ({self.max_bitrate}); lower it")
        return self
