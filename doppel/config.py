"""What an operator may set: every option with its unit, its bounds, and why its default is what it is."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from signaling.auth import static_key
from signaling.auth.token import MAX_LIFETIME
from signaling.mqtt import topics

PREFIX = "DOPPEL_"
ORIGIN = re.compile(r"https?://[^/\s?#@*]+")
"""A web origin (RFC 6454): scheme, host and port, no path."""

HOST = re.compile(r"(\*\.)?[A-Za-z0-9._:-]+")
"""A host's name, of any subdomain with a leading ``*.``, or an IP address."""

BROKER = re.compile(r"mqtts?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?/?")
"""A broker's address, without a user in it."""

CLASS = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
"""A class of a Python module, as model packages name it."""


class ConfigError(Exception):
    """A setting cannot be used; the message names it, where it came from, and what to do."""


class IceServer(BaseModel):
    """A STUN or TURN server, with the names of the WebRTC API's RTCIceServer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    urls: str
    username: str | None = None
    credential: SecretStr | None = None

    @field_validator("urls")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if not re.fullmatch(r"(stuns?|turns?):\S+", value):
            raise ValueError("write an address such as stun:stun.example:3478 or turn:turn.example:3478?transport=udp")
        return value


def _about(unit: str | None, reason: str) -> dict[str, Any]:
    """A field's unit, and why its default is what it is, for the reference and ``--help``."""
    return {"unit": unit, "reason": reason} if unit else {"reason": reason}


SECRETS = ("access_key", "turn_secret", "mqtt_password")
"""Settings that may stand in a file of their own, which is named by the setting with ``_file`` after it."""


def _from_files(values: Mapping[str, Any]) -> dict[str, SecretStr]:
    """Those that are in files. Raises ValueError."""
    found: dict[str, SecretStr] = {}
    for name in SECRETS:
        path = values.get(f"{name}_file")
        if path is None:
            continue
        if values.get(name) is not None:
            raise ValueError(f"{name} and {name}_file are both set; keep one")
        try:
            found[name] = SecretStr(Path(path).expanduser().read_text(encoding="utf-8").strip())
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise ValueError(f"{name}_file {path} cannot be read: {reason}") from None
    return found


Words = Annotated[tuple[str, ...], NoDecode]
"""A list; in a variable, its words are separated by commas."""


class Config(BaseSettings):
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

    host: str = Field(
        default="127.0.0.1",
        description="Address that the HTTP server binds to. Anything but loopback needs keys.",
        json_schema_extra=_about(None, "nobody but this machine until somebody decides otherwise"),
    )
    port: int = Field(
        default=8080,
        ge=0,
        le=65535,
        description="TCP port of the HTTP server; 0 takes a free one.",
        json_schema_extra=_about(None, "the usual port for HTTP without privileges"),
    )
    rtmp_port: int = Field(
        default=1935,
        ge=0,
        le=65535,
        description="TCP port for RTMP publishers; 0 takes a free one. If the default is taken, there is a warning and no RTMP.",
        json_schema_extra=_about(None, "RTMP's registered port"),
    )
    rtmp: bool = Field(
        default=True,
        description="Whether publishers may come by RTMP.",
        json_schema_extra=_about(None, "OBS and ffmpeg work without being told of WHIP"),
    )
    rtmps_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="TCP port for RTMP over TLS; 0 takes a free one. Needs `tls_certificate` and `tls_key`.",
        json_schema_extra=_about(None, "it needs a certificate"),
    )
    tls_certificate: Path | None = Field(
        default=None,
        description="PEM file with the certificate chain for HTTPS and RTMPS. Read again when it changes.",
        json_schema_extra=_about(None, "nobody else can make one for your name"),
    )
    tls_key: Path | None = Field(
        default=None,
        description="PEM file with the certificate's private key.",
        json_schema_extra=_about(None, "as above"),
    )
    https: bool = Field(
        default=False,
        description="Whether `port` speaks HTTPS. Needs `tls_certificate` and `tls_key`.",
        json_schema_extra=_about(None, "it needs a certificate; a proxy in front may have it instead"),
    )
    hsts: int = Field(
        default=0,
        ge=0,
        le=63_072_000,
        description="How long browsers are told to come by HTTPS alone (Strict-Transport-Security); 0 does not tell them.",
        json_schema_extra=_about("s", "it cannot be taken back: set it, to a year, once the certificate renews itself"),
    )
    trusted_proxies: Words = Field(
        default=(),
        max_length=32,
        description="Addresses or networks of reverse proxies, such as `10.0.0.0/8`: their `X-Forwarded-For` says who calls.",
        json_schema_extra=_about(None, "anybody can send that header; only your own proxy is to be believed"),
    )
    ice_address: Words = Field(
        default=(),
        max_length=16,
        description="IP addresses to bind for media and to offer to peers as host candidates. If not set, every interface's.",
        json_schema_extra=_about(None, "right on a machine with one network; name the address where there are several, or a VPN"),
    )
    udp_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="UDP port for the media of all peers; 0 takes a free one. If not set, each peer has a port of its own.",
        json_schema_extra=_about(None, "behind a NAT or a firewall and in a container, set it: one port to open for everybody"),
    )
    udp_ports: str | None = Field(
        default=None,
        description="UDP ports for the media of peers, the first and the last, such as `50000-50100`. "
        "Each peer takes one; one for whom none is left is refused.",
        json_schema_extra=_about(None, "any free port; `udp_port` asks less of a firewall"),
    )
    announce_address: Words = Field(
        default=(),
        max_length=4,
        description="IP addresses that peers are told instead of this machine's own, one for IPv4, one for IPv6: "
        "those of a NAT or a container's host that leads the same ports here.",
        json_schema_extra=_about(None, "this machine's own are right wherever peers can reach them"),
    )
    ice_servers: tuple[IceServer, ...] = Field(
        default=(),
        max_length=8,
        description="STUN and TURN servers that clients are told of: `urls`, and for TURN `username` and `credential`, or "
        "`turn_secret` for all of them. The server itself asks those of STUN, and with `turn_for_server` those of TURN. "
        "None is contacted unless named.",
        json_schema_extra=_about(None, "no third party learns who connects"),
    )
    turn_secret: SecretStr | None = Field(
        default=None,
        description="Secret that this server shares with its TURN servers (coturn: `use-auth-secret`, `static-auth-secret`). "
        "Each client gets credentials made of it, which last for `turn_ttl`.",
        json_schema_extra=_about(None, "not needed without a TURN server"),
    )
    turn_secret_file: Path | None = Field(
        default=None,
        description="File that holds the TURN servers' secret.",
        json_schema_extra=_about(None, "as above"),
    )
    turn_ttl: int = Field(
        default=86_400,
        ge=60,
        le=30 * 86_400,
        description="How long credentials for TURN last. A connection through TURN ends with them.",
        json_schema_extra=_about("s", "longer than most streams, and of little worth to whoever finds them"),
    )
    turn_for_server: bool = Field(
        default=False,
        description="Whether this server takes an address of the first TURN server's for each peer, beside its own.",
        json_schema_extra=_about(None, "needed only where no UDP comes in from outside at all"),
    )
    device: str = Field(
        default="auto",
        description="Where transforms run: `auto`, `cpu`, `cuda` or `cuda:N`. `auto` takes CUDA if there is any.",
        json_schema_extra=_about(None, "the fastest there is"),
    )
    max_streams: int = Field(
        default=16,
        ge=1,
        le=4096,
        description="Streams at once; one more is refused.",
        json_schema_extra=_about("streams", "refusing one beats slowing all; set it to what your machine carries"),
    )
    max_viewers: int = Field(
        default=100,
        ge=1,
        le=10_000,
        description="The most viewers of one stream at once; one more is refused.",
        json_schema_extra=_about(None, "about a core for all of them at 2 Mb/s"),
    )
    max_renditions: int = Field(
        default=2,
        ge=1,
        le=4,
        description="The most encodes of one stream for its viewers: one a codec that they need, and a small one for slow lines. "
        "Recordings and pushes share one more.",
        json_schema_extra=_about(None, "an encode is the dearest thing a stream does"),
    )
    publisher_timeout: float = Field(
        default=30.0,
        ge=0,
        le=86_400,
        description="How long viewers are kept while their publisher is away.",
        json_schema_extra=_about("s", "an encoder that is restarted, a phone between two networks"),
    )
    steady_bitrate: int = Field(
        default=2_500_000,
        ge=150_000,
        le=100_000_000,
        description="What recordings and pushes are encoded at.",
        json_schema_extra=_about("b/s", "720p as it is broadcast"),
    )
    recordings_dir: Path | None = Field(
        default=None,
        description="Folder for recordings. If not set, nothing is recorded.",
        json_schema_extra=_about(None, "nobody's face is kept unless somebody decides so"),
    )
    push_hosts: Words = Field(
        default=(),
        max_length=64,
        description="Hosts that streams may be pushed to by RTMP, such as `a.rtmp.youtube.com`.",
        json_schema_extra=_about(None, "a client cannot make the server connect anywhere"),
    )
    pull_hosts: Words = Field(
        default=(),
        max_length=64,
        description="Hosts that streams may be pulled from by URL (RTSP, SRT, HLS), such as `camera.example` or `*.example`.",
        json_schema_extra=_about(None, "a client cannot make the server connect anywhere"),
    )
    media_dir: Path | None = Field(
        default=None,
        description="Folder whose files may be streams' sources. If not set, none may.",
        json_schema_extra=_about(None, "a client cannot make the server read its disk"),
    )
    max_bitrate: int = Field(
        default=4_000_000,
        ge=150_000,
        le=100_000_000,
        description="The most that one stream is encoded at.",
        json_schema_extra=_about("b/s", "720p of a face gains nothing visible beyond"),
    )
    start_bitrate: int = Field(
        default=1_500_000,
        ge=150_000,
        le=100_000_000,
        description="What a stream is encoded at until its receiver tells what its line carries.",
        json_schema_extra=_about("b/s", "a clean 720p face, and most lines carry it"),
    )
    max_pixels: int = Field(
        default=1920 * 1088,
        ge=16 * 16,
        le=7680 * 4320,
        description="The largest picture that is decoded, width x height.",
        json_schema_extra=_about("px", "full HD, rounded up to H.264's macroblocks"),
    )
    max_fps: int = Field(
        default=60,
        ge=1,
        le=240,
        description="The most frames that one stream sends in a second; more are dropped.",
        json_schema_extra=_about("1/s", "what screens show"),
    )
    connect_timeout: float = Field(
        default=10.0,
        gt=0,
        le=120,
        description="How long a peer that was given an answer may take to connect.",
        json_schema_extra=_about("s", "ICE and DTLS take under a second where they work at all"),
    )
    silence_timeout: float = Field(
        default=8.0,
        gt=0,
        le=120,
        description="How long a peer may send no datagram at all before it is gone.",
        json_schema_extra=_about("s", "browsers check consent about every 5 s (RFC 7675)"),
    )
    shutdown_timeout: float = Field(
        default=5.0,
        gt=0,
        le=120,
        description="How long a shutdown may take before what is left is abandoned.",
        json_schema_extra=_about("s", "half of what container runtimes grant before they kill"),
    )
    codecs: Annotated[tuple[Literal["H264", "VP8"], ...], NoDecode] = Field(
        default=("H264", "VP8"),
        description="Video codecs to negotiate, the preferred one first.",
        json_schema_extra=_about(None, "H.264 takes the least CPU at the latency and picture asked of it"),
    )
    models_dir: Path | None = Field(
        default=None,
        description="Folder of verified model weights. If not set, `doppel/models` in the user's cache.",
        json_schema_extra=_about(None, "shared by every checkout of the same user"),
    )
    fetch_models: bool = Field(
        default=True,
        description="Whether a model that the folder lacks may be fetched; it is checked against its SHA-256 either way.",
        json_schema_extra=_about(None, "the first start works by itself; switch it off where nothing may leave the network"),
    )
    torch_modules: Words = Field(
        default=(),
        max_length=64,
        description="Classes that model packages of safetensors may name, such as `our_lab.nets:Swapper`. "
        "Their code runs in this process with all its rights.",
        json_schema_extra=_about(None, "a package is data, and brings no code unless somebody trusts it by name"),
    )
    access_key: SecretStr | None = Field(
        default=None,
        description="Secret that clients send as `Authorization: Bearer KEY`: 16 or more letters, digits and `._~+/-`. "
        "No flag, since other users of the machine can read a command line.",
        json_schema_extra=_about(None, "not needed on loopback"),
    )
    access_key_file: Path | None = Field(
        default=None,
        description="File that holds the access key.",
        json_schema_extra=_about(None, "not needed on loopback"),
    )
    keys_dir: Path | None = Field(
        default=None,
        description="Folder of keys: JSON Web Keys that tokens are signed with (`*.json`), and keys with scopes (`*.toml`). "
        "Read again when it changes.",
        json_schema_extra=_about(None, "not needed on loopback"),
    )
    token_issuer: str | None = Field(
        default=None,
        min_length=1,
        max_length=256,
        description="The `iss` that every token must have. If not set, it is not looked at.",
        json_schema_extra=_about(None, "the key already says who signed"),
    )
    token_audience: str | None = Field(
        default=None,
        min_length=1,
        max_length=256,
        description="The `aud` that every token must have. If not set, a token that has one is refused.",
        json_schema_extra=_about(None, "for keys that sign for other services too"),
    )
    token_max_lifetime: float = Field(
        default=MAX_LIFETIME,
        gt=0,
        le=366 * 86_400,
        description="How long a token may be good for, from its `iat` to its `exp`; one that is longer is refused.",
        json_schema_extra=_about("s", "a token that got lost is good for a week at most"),
    )
    auth_webhook: str | None = Field(
        default=None,
        max_length=2048,
        description="URL that is asked, by POST, about every token that no key here vouches for.",
        json_schema_extra=_about(None, "nobody else has a say"),
    )
    audit_log: Path | None = Field(
        default=None,
        description="File that the audit log is appended to, a line of JSON for each decision. If not set, it is in the log.",
        json_schema_extra=_about(None, "one place to look at; a file of its own is for those who must keep it"),
    )
    cors_origins: Words = Field(
        default=(),
        max_length=64,
        description="Web origins whose pages may call the API, such as `https://app.example`; `*` (any) needs keys.",
        json_schema_extra=_about(None, "only the pages that this server serves"),
    )
    mqtt_url: str | None = Field(
        default=None,
        max_length=300,
        description="MQTT 5 broker that this server reports to and takes commands from: `mqtt://HOST[:PORT]`, or `mqtts://` with "
        "TLS. If not set, there is no MQTT. Who may publish below the server's topics there commands its streams.",
        json_schema_extra=_about(None, "nobody is told anything unless somebody decides so"),
    )
    mqtt_username: str | None = Field(
        default=None,
        min_length=1,
        max_length=256,
        description="Name to log in to the broker with.",
        json_schema_extra=_about(None, "not every broker asks for one"),
    )
    mqtt_password: SecretStr | None = Field(
        default=None,
        description="Password to log in to the broker with.",
        json_schema_extra=_about(None, "as above"),
    )
    mqtt_password_file: Path | None = Field(
        default=None,
        description="File that holds the broker's password.",
        json_schema_extra=_about(None, "as above"),
    )
    mqtt_ca: Path | None = Field(
        default=None,
        description="PEM file with the certificate authorities that a broker with TLS may have its certificate from.",
        json_schema_extra=_about(None, "those that the system trusts"),
    )
    mqtt_certificate: Path | None = Field(
        default=None,
        description="PEM file with the certificate chain that this server shows to the broker. Needs `mqtt_key`.",
        json_schema_extra=_about(None, "few brokers ask for one"),
    )
    mqtt_key: Path | None = Field(
        default=None,
        description="PEM file with that certificate's private key.",
        json_schema_extra=_about(None, "as above"),
    )
    mqtt_node: str | None = Field(
        default=None,
        description="What this server is called in topics; no other server at the broker may be called the same. "
        "If not set, the first part of the host's name.",
        json_schema_extra=_about(None, "hosts have names that differ"),
    )
    mqtt_prefix: str = Field(
        default="doppel",
        max_length=64,
        description="First level, or levels, of all topics.",
        json_schema_extra=_about(None, "says whose they are"),
    )
    mqtt_discovery: bool = Field(
        default=False,
        description="Whether Home Assistant is told of each stream, as a device with sensors and a switch for recording.",
        json_schema_extra=_about(None, "it is for those who have one"),
    )
    mqtt_stats_interval: float = Field(
        default=10.0,
        ge=1,
        le=3600,
        description="Time between two reports of a stream's figures.",
        json_schema_extra=_about("s", "soon enough to act on, little enough to keep"),
    )
    mqtt_drop_alarm: float = Field(
        default=5.0,
        ge=0,
        le=1000,
        description="Frames a second that a stream may drop between two such reports before there is an event.",
        json_schema_extra=_about("1/s", "a face that moves begins to look choppy"),
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        description="The least severe messages that are logged.",
        json_schema_extra=_about(None, "who came, who left and what went wrong, nothing for each frame"),
    )
    log_format: Literal["text", "json"] = Field(
        default="text",
        description="How a log line is written: for people or for machines.",
        json_schema_extra=_about(None, "a person starts it first"),
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

    @field_validator(
        "ice_address",
        "announce_address",
        "codecs",
        "cors_origins",
        "trusted_proxies",
        "push_hosts",
        "pull_hosts",
        "torch_modules",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value

    @field_validator("udp_ports")
    @classmethod
    def _is_range(cls, value: str | None) -> str | None:
        first, dash, last = (value or "1-1").partition("-")
        if not (dash and first.isdecimal() and last.isdecimal() and 0 < int(first) <= int(last) < 65_536):
            raise ValueError("write the first and the last port, such as 50000-50100")
        return value

    @field_validator("ice_address", "announce_address")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for word in value:
            try:
                address = ipaddress.ip_address(word)
            except ValueError:
                raise ValueError(f"{word!r} is no IP address; write one such as 192.0.2.7, not a host name") from None
            if address.is_unspecified:
                raise ValueError(f"no peer can reach {word}; leave it out to offer every interface's address")
        return value

    @field_validator("push_hosts", "pull_hosts")
    @classmethod
    def _are_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for host in value:
            if not HOST.fullmatch(host):
                raise ValueError(f"{host!r} is no host; write a name or an IP address, without scheme, port or path")
        return tuple(host.lower() for host in value)

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for word in value:
            try:
                ipaddress.ip_network(word)
            except ValueError:
                raise ValueError(f"{word!r} is no IP address or network; write one such as 10.0.0.7 or 10.0.0.0/8") from None
        return value

    @field_validator("auth_webhook")
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s#]*)?", value):
            raise ValueError("write an address such as https://auth.example/doppel, without a user name in it")
        return value

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

    @field_validator("torch_modules")
    @classmethod
    def _are_classes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for word in value:
            if not CLASS.fullmatch(word):
                raise ValueError(f"{word!r} names no class; write package.module:Class")
        return value

    @field_validator(
        "models_dir",
        "access_key_file",
        "turn_secret_file",
        "mqtt_password_file",
        "mqtt_ca",
        "mqtt_certificate",
        "mqtt_key",
        "keys_dir",
        "audit_log",
        "tls_certificate",
        "tls_key",
        "recordings_dir",
        "media_dir",
    )
    @classmethod
    def _expand(cls, value: Path | None) -> Path | None:
        return value.expanduser() if value else None

    @field_validator("codecs")
    @classmethod
    def _differ(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or len(set(value)) < len(value):
            raise ValueError("name at least one codec, and each once")
        return value

    @field_validator("device")
    @classmethod
    def _is_device(cls, value: str) -> str:
        if not re.fullmatch(r"auto|cpu|cuda(:\d{1,2})?", value):
            raise ValueError("write auto, cpu, cuda or cuda:N")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if origin != "*" and not ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is no origin; write scheme and host without a path, such as https://app.example")
        return value

    @field_validator("turn_secret")
    @classmethod
    def _is_no_guess(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not 16 <= len(value.get_secret_value()) <= 256:
            raise ValueError("a TURN secret is 16 to 256 characters; `openssl rand -hex 32` makes one")
        return value

    @field_validator("access_key")
    @classmethod
    def _fits_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not static_key.SENT.fullmatch(value.get_secret_value()):
            raise ValueError("an access key is 16 to 256 letters, digits and ._~+/-; `openssl rand -hex 16` makes one")
        return value

    @model_validator(mode="before")
    @classmethod
    def _read_secrets(cls, values: Any) -> Any:
        return values | _from_files(values) if isinstance(values, dict) else values

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

    @property
    def asks_for_keys(self) -> bool:
        """Whether clients need a key or a token."""
        return self.access_key is not None or self.keys_dir is not None or self.auth_webhook is not None


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server bound to that host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
