"""What the configuration accepts, and in which words it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from doppel.config import Config, IceServer, is_loopback

KEY = SecretStr("k3y-" * 8)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.7", "doppel.example"])
def test_a_host_that_others_can_reach_needs_a_key(host: str) -> None:
    with pytest.raises(ValidationError, match=r"--access-key-file FILE.*--keys-dir DIR.*--host 127\.0\.0\.1"):
        Config(host=host)
    assert Config(host=host, access_key=KEY).host == host
    assert Config(host=host, keys_dir=Path("keys")).asks_for_keys
    assert Config(host=host, auth_webhook="https://auth.example/doppel").asks_for_keys


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_needs_none(host: str) -> None:
    assert is_loopback(host)
    assert Config(host=host).access_key is None


def test_no_secret_is_printed(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY.get_secret_value() + "\n")
    config = Config(access_key_file=file, ice_servers=(IceServer(urls="turn:turn.example", credential=SecretStr("hush-hush")),))
    assert config.access_key is not None
    assert config.access_key == KEY
    for printed in (repr(config), str(config), config.model_dump_json()):
        assert KEY.get_secret_value() not in printed
        assert "hush-hush" not in printed


@pytest.mark.parametrize(
    "wrong",
    [
        {"access_key": "too-short"},
        {"access_key": "with a space in the middle"},
        {"ice_servers": [{"urls": "http://turn.example", "credential": "too-short"}]},
    ],
)
def test_an_error_does_not_repeat_a_secret(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        Config(**wrong)
    assert "too-short" not in str(caught.value)
    assert "with a space" not in str(caught.value)


def test_a_key_file_must_be_readable_and_hold_a_key(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"access_key_file .*absent cannot be read: No such file"):
        Config(access_key_file=tmp_path / "absent")
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(ValidationError, match="openssl rand -hex 16"):
        Config(access_key_file=tmp_path / "empty")
    (tmp_path / "binary").write_bytes(b"\xff" * 32)
    with pytest.raises(ValidationError, match="is no text"):
        Config(access_key_file=tmp_path / "binary")
    with pytest.raises(ValidationError, match="both set; keep one"):
        Config(access_key=KEY, access_key_file=tmp_path / "absent")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"ice_address": ["media.example"]}, "is no IP address"),
        ({"ice_address": ["0.0.0.0"]}, "no peer can reach 0.0.0.0"),
        ({"device": "gpu"}, "auto, cpu, cuda or cuda:N"),
        ({"codecs": []}, "at least one codec"),
        ({"codecs": ["VP8", "VP8"]}, "each once"),
        ({"codecs": ["AV1"]}, "'H264' or 'VP8'"),
        ({"cors_origins": ["app.example"]}, "scheme and host"),
        ({"cors_origins": ["https://app.example/path"]}, "without a path"),
        ({"trusted_proxies": ["proxy.example"]}, "no IP address or network"),
        ({"trusted_proxies": ["10.0.0.1/8"]}, "no IP address or network"),
        ({"auth_webhook": "ftp://auth.example"}, "https://auth.example/doppel"),
        ({"auth_webhook": "https://user:secret@auth.example"}, "without a user name"),
        ({"hsts": 60}, "hsts is for a server with https"),
        ({"token_max_lifetime": 0}, "greater than 0"),
        ({"cors_origins": ["*"]}, "any page could use this server"),
        ({"start_bitrate": 2_000_000, "max_bitrate": 1_000_000}, "start_bitrate .2000000. is above max_bitrate"),
        ({"port": 65536}, "less than or equal to 65535"),
        ({"max_streams": 0}, "greater than or equal to 1"),
        ({"silence_timeout": 0}, "greater than 0"),
        ({"ice_servers": [{"urls": "stun:a", "user": "x"}]}, "user\n.*not permitted"),
        ({"prot": 1}, "prot\n.*not permitted"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Config(**wrong)


def test_it_is_frozen_and_takes_nothing_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOPPEL_PORT", "9")
    config = Config()
    assert config.port == 8080
    with pytest.raises(ValidationError, match="frozen"):
        config.port = 9


def test_a_tilde_is_the_users_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Config(models_dir=Path("~/models")).models_dir == tmp_path / "models"


def test_defaults_contact_nobody_and_listen_to_nobody_else() -> None:
    config = Config()
    assert is_loopback(config.host)
    assert config.ice_servers == ()
    assert config.cors_origins == ()


def test_defaults_are_valid() -> None:
    Config(**{name: field.default for name, field in Config.model_fields.items()})


def test_every_field_says_what_it_is_and_why() -> None:
    for name, field in Config.model_fields.items():
        assert field.description, name
        assert isinstance(field.json_schema_extra, dict), name
        assert field.json_schema_extra["reason"], name


def test_no_part_hides_anothers_check() -> None:
    checks = [name for part in Config.__bases__ for name in part.__pydantic_decorators__.field_validators]  # type: ignore[attr-defined]
    assert set(checks) == set(Config.__pydantic_decorators__.field_validators)
    assert len(set(checks)) == len(checks), "pydantic keeps one of two validators with the same name"
