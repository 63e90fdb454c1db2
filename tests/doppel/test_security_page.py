"""What docs/security.md tells people to type works."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest

from doppel.cli import main
from signaling.auth import static_key, token
from signaling.auth.keyring import KeyRing
from signaling.auth.need import PUBLISH, SCOPES
from signaling.auth.token import Rules
from signaling.auth.webhook import Webhook

PAGE = (Path(__file__).parents[2] / "docs" / "security.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_every_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    tokens = []
    for line in "".join(blocks("sh")).splitlines():
        command, *arguments = shlex.split(line)
        if command != "doppel":
            subprocess.run([command, *arguments], check=True, timeout=10)
            continue
        capsys.readouterr()
        assert main(arguments) == 0, line
        tokens += capsys.readouterr().out.split()
    keys = KeyRing((), tmp_path / "keys").keys.tokens
    assert {id: each.signing is None for id, each in keys.items()} == {"first": False, "second": True}
    assert [token.read(each, keys, Rules()).subject for each in tokens] == ["anna", "team-*", "prometheus"]


def test_the_file_of_keys() -> None:
    [text] = blocks("toml")
    [read] = static_key.read(tomllib.loads(text))
    assert read.digest == static_key.digest("test")


async def test_what_the_webhook_is_asked_and_answers() -> None:
    question, answer = blocks("json")

    async def post(document: bytes) -> tuple[int, bytes]:
        assert json.loads(document) == json.loads(question)
        return 200, answer.encode()

    who = await Webhook(post).ask("...", PUBLISH, "anna", "192.0.2.7")
    assert who is not None
    assert (who.subject, who.scopes, who.streams) == ("anna", frozenset({"publish", "watch"}), ("anna",))


def test_every_scope_is_told_of() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) >= set(SCOPES)
