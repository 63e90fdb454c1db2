"""Which source wins, and that each refuses what it does not know."""

from __future__ import annotations

from pathlib import Path

import pytest

from doppel.config import ConfigError
from doppel.sources import load

KEY = "k3y-" * 8


def toml(folder: Path, text: str) -> Path:
    file = folder / "doppel.toml"
    file.write_text(text)
    return file


def test_flag_over_variable_over_file_over_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = toml(tmp_path, "port = 1\nmax_streams = 1\nmax_fps = 1\n")
    monkeypatch.setenv("DOPPEL_PORT", "2")
    monkeypatch.setenv("DOPPEL_MAX_STREAMS", "2")
    config = load({"port": "3"}, file)
    assert (config.port, config.max_streams, config.max_fps, config.rtmp_port) == (3, 2, 1, 1935)
    assert config.model_fields_set == {"port", "max_streams", "max_fps"}


def test_the_file_may_be_named_by_a_variable_and_a_flag_overrides_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOPPEL_CONFIG", str(toml(tmp_path, "port = 1")))
    assert load({}).port == 1
    other = tmp_path / "other.toml"
    other.write_text("port = 2")
    assert load({}, other).port == 2


def test_lists_in_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOPPEL_ICE_ADDRESS", "127.0.0.1, ::1")
    monkeypatch.setenv("DOPPEL_CODECS", "VP8")
    monkeypatch.setenv("DOPPEL_ICE_SERVERS", '[{"urls": "turn:turn.example", "username": "u", "credential": "hush"}]')
    config = load({})
    assert config.ice_address == ("127.0.0.1", "::1")
    assert config.codecs == ("VP8",)
    assert config.ice_servers[0].username == "u"
    assert config.ice_servers[0].credential is not None
    assert config.ice_servers[0].credential.get_secret_value() == "hush"


def test_tables_in_a_file(tmp_path: Path) -> None:
    config = load({}, toml(tmp_path, '[[ice_servers]]\nurls = "stun:stun.example:3478"\n'))
    assert [server.urls for server in config.ice_servers] == ["stun:stun.example:3478"]


def test_an_unknown_name_is_refused_with_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = toml(tmp_path, "max_stream = 3")
    with pytest.raises(ConfigError, match=r"doppel\.toml: there is no setting 'max_stream' \(did you mean 'max_streams'\?\)"):
        load({}, file)
    monkeypatch.setenv("DOPPEL_MAX_STREAM", "3")
    with pytest.raises(ConfigError, match=r"there is no setting DOPPEL_MAX_STREAM \(did you mean 'max_streams'\?\)"):
        load({})


def test_an_error_names_the_spelling_that_was_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"^--max-fps: "):
        load({"max_fps": "many"})
    with pytest.raises(ConfigError, match=r"^/.*doppel\.toml: max_fps: "):
        load({}, toml(tmp_path, 'max_fps = "many"'))
    monkeypatch.setenv("DOPPEL_MAX_FPS", "many")
    with pytest.raises(ConfigError, match=r"^DOPPEL_MAX_FPS: "):
        load({})


def test_a_file_that_cannot_be_read_or_parsed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml cannot be read: No such file"):
        load({}, tmp_path / "absent.toml")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load({}, toml(tmp_path, "port: 3"))


def test_broken_json_in_a_variable_is_told_without_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOPPEL_ICE_SERVERS", '[{"urls": "turn:turn.example", "credential": "hush"')
    with pytest.raises(ConfigError, match=r"ice_servers.*JSON") as caught:
        load({})
    assert "hush" not in str(caught.value)


def test_a_key_from_a_stronger_source_replaces_the_file_of_a_weaker_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "key"
    other.write_text("other-" * 6)
    file = toml(tmp_path, f'access_key_file = "{other}"')
    monkeypatch.setenv("DOPPEL_ACCESS_KEY", KEY)
    chosen = load({}, file).access_key
    assert chosen is not None
    assert chosen.get_secret_value() == KEY
    chosen = load({"access_key_file": str(other)}, file).access_key
    assert chosen is not None
    assert chosen.get_secret_value() == "other-" * 6
