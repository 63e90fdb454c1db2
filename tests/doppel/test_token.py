"""``doppel token``: keys and tokens as an operator makes them, and as the server reads them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from doppel.cli import main
from signaling.auth import token
from signaling.auth.keyring import KeyRing
from signaling.auth.need import METRICS, PUBLISH
from signaling.auth.principal import Principal
from signaling.auth.token import Rules

Made = Callable[..., Principal]


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    folder.mkdir()
    assert main(["token", "keygen", str(folder / "first.json")]) == 0
    return folder


@pytest.fixture
def made(keys: Path, capsys: pytest.CaptureFixture[str]) -> Made:
    """Makes a token, and reads it as the server does."""

    def make(*arguments: str, rules: Rules | None = None) -> Principal:
        capsys.readouterr()
        assert main(["token", "--keys-dir", str(keys), *arguments]) == 0
        printed = capsys.readouterr().out
        assert printed.count("\n") == 1
        return token.read(printed.strip(), KeyRing((), keys).keys.tokens, rules or Rules())

    return make


def test_a_token_for_a_publisher(made: Made) -> None:
    who = made("--scope", "publish", "--stream", "anna", "--ttl", "8h")
    assert (who.subject, who.key, who.scopes, who.streams) == ("anna", "first", frozenset({"publish"}), ("anna",))
    again = made("--scope", "publish", "--stream", "anna")
    assert who.identity == again.identity
    who = made("--scope", "watch", "control", "--stream", "team-*", "anna", "--subject", "desk")
    assert (who.subject, who.scopes, who.streams) == ("desk", frozenset({"watch", "control"}), ("team-*", "anna"))


def test_what_is_about_the_whole_server_needs_no_stream(made: Made) -> None:
    assert made("--scope", "metrics").may(METRICS, None)
    assert made("--scope", "admin").may(PUBLISH, "anna")


def test_issuer_and_audience_are_the_servers(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOPPEL_TOKEN_ISSUER", "https://issuer.example")
    monkeypatch.setenv("DOPPEL_TOKEN_AUDIENCE", "doppel")
    assert made("--scope", "admin", rules=Rules("https://issuer.example", "doppel"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "--scope"),
        (["--scope", "publish"], "--stream NAME"),
        (["--scope", "publish", "--stream", "a b"], "1 to 64 letters"),
        (["--scope", "publish", "--stream", "anna", "--ttl", "8d"], "token_max_lifetime"),
        (["--scope", "publish", "--stream", "anna", "--key", "absent"], "absent cannot be read"),
    ],
)
def test_what_is_refused(keys: Path, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["token", "--keys-dir", str(keys), *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("doppel: ")
    assert captured.err.count("\n") == 1
    assert told in captured.err


@pytest.mark.parametrize("ttl", ["0h", "1", "h", "1w", "1.5h", "1h "])
def test_a_time_is_a_number_and_a_letter(ttl: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["token", "--scope", "admin", "--ttl", ttl])
    assert "90s, 15m, 8h, 7d" in capsys.readouterr().err


def test_without_a_key_it_says_how_to_make_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token", "--scope", "admin"]) == 2
    assert "doppel token keygen" in capsys.readouterr().err


def test_of_several_keys_one_is_named(keys: Path, capsys: pytest.CaptureFixture[str]) -> None:
    second = str(keys / "second.json")
    assert main(["token", "keygen", second, "--alg", "HS256", "--kid", "2"]) == 0
    assert main(["token", "--keys-dir", str(keys), "--scope", "admin"]) == 2
    assert "(first, 2)" in capsys.readouterr().err
    assert main(["token", "--key", second, "--scope", "admin"]) == 0
    printed = capsys.readouterr().out.strip()
    assert token.read(printed, KeyRing((), keys).keys.tokens, Rules()).key == "2"


def test_a_key_is_for_its_owner_and_never_overwritten(keys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, public = tmp_path / "pair.json", tmp_path / "public.json"
    assert main(["token", "keygen", str(file), "--public", str(public)]) == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert "d" not in json.loads(public.read_text())
    before = file.read_text()
    assert json.loads(before)["d"] not in "".join(capsys.readouterr())
    assert main(["token", "keygen", str(file)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert file.read_text() == before
    assert main(["token", "--key", str(public), "--scope", "admin"]) == 2
    assert "no key that can sign" in capsys.readouterr().err
    assert main(["token", "keygen", str(tmp_path / "h.json"), "--alg", "HS256", "--public", str(tmp_path / "p.json")]) == 2
    assert not (tmp_path / "h.json").exists()
    assert main(["token", "keygen", str(tmp_path / "fresh" / "a.json")]) == 0
    assert (tmp_path / "fresh").stat().st_mode & 0o077 == 0
    assert main(["token", "keygen", str(file / "a.json")]) == 2
    assert "cannot be written" in capsys.readouterr().err
