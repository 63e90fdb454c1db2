"""Keys in a folder: what is read, what is refused, and what happens when it changes."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import pytest

from signaling.auth import key, keyring
from signaling.auth.key import BadKey
from signaling.auth.keyring import KeyRing
from tests.keys import write

STATIC = """
[[keys]]
name = "wall"
key = "0123456789abcdef0123456789abcdef"
scopes = ["watch"]
streams = ["lobby-*"]

[[keys]]
name = "desk"
sha256 = "{hash}"
scopes = ["watch", "control"]
streams = ["*"]
expires = 2031-01-01T00:00:00Z
""".format(hash="ab" * 32)


def made(id: str) -> str:
    return json.dumps(key.generate("HS256", id))


def test_json_web_keys_and_keys_that_are_sent(tmp_path: Path) -> None:
    write(tmp_path, "a.json", made("a"))
    write(tmp_path, "set.json", json.dumps({"keys": [key.generate("EdDSA", "b"), key.generate("HS256", "c")]}))
    write(tmp_path, "static.toml", STATIC)
    write(tmp_path, "README", "not this")
    keys = KeyRing((), tmp_path).keys
    assert {id: each.algorithm for id, each in keys.tokens.items()} == {"a": "HS256", "b": "EdDSA", "c": "HS256"}
    wall, desk = keys.static
    assert (wall.principal.identity, wall.principal.scopes, wall.principal.streams) == (
        "key:wall",
        frozenset({"watch"}),
        ("lobby-*",),
    )
    assert wall.secret is not None
    assert (desk.digest, desk.secret) == (b"\xab" * 32, None)
    assert desk.expires == 1_924_992_000


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.json", "{", "no JSON"),
        ("a.json", "[" * 100_000, "longer than 64 KB"),
        ("a.json", "[" * 50_000, "no JSON"),
        ("a.json", '{"keys": 1}', "a list"),
        ("a.json", json.dumps({"keys": [key.generate("HS256", "a")] * 2}), "the same kid"),
        ("a.toml", "keys = 1", "keys"),
        ("a.toml", "=", "no TOML"),
        ("a.toml", STATIC.replace("watch", "look", 1), "'publish', 'watch'"),
        ("a.toml", STATIC.replace("lobby-*", "a b"), "1 to 64 letters"),
        ("a.toml", STATIC.replace("0123456789abcdef", "", 1).replace("0123456789abcdef", "short"), "16 to 256"),
        ("a.toml", STATIC.replace("sha256", "key2"), "key2"),
        ("a.toml", STATIC.replace("desk", "wall"), "two static keys called 'wall'"),
        ("a.toml", STATIC.replace("2031-01-01T00:00:00Z", "2031-01-01T00:00:00"), "timezone"),
    ],
)
def test_what_is_no_file_of_keys(tmp_path: Path, name: str, text: str, told: str) -> None:
    write(tmp_path, name, text)
    with pytest.raises(BadKey, match=told) as caught:
        KeyRing((), tmp_path)
    assert "0123456789abcdef" not in str(caught.value)
    assert "short" not in str(caught.value)


def test_an_empty_folder_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BadKey, match="doppel token keygen"):
        KeyRing((), tmp_path)
    with pytest.raises(BadKey, match="cannot be read"):
        KeyRing((), tmp_path / "absent")


def test_a_kid_names_one_key(tmp_path: Path) -> None:
    write(tmp_path, "a.json", made("same"))
    write(tmp_path, "b.json", made("same"))
    with pytest.raises(BadKey, match="another key 'same'"):
        KeyRing((), tmp_path)


def test_keys_come_and_go(tmp_path: Path) -> None:
    old = write(tmp_path, "old.json", made("old"))
    ring = KeyRing((), tmp_path)
    assert not ring.reload()
    write(tmp_path, "new.json", made("new"))
    assert ring.reload()
    assert set(ring.keys.tokens) == {"old", "new"}
    old.unlink()
    assert ring.reload()
    assert set(ring.keys.tokens) == {"new"}


def test_a_file_that_cannot_be_read_changes_nothing_and_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    broken = write(tmp_path, "a.json", made("a"))
    gone = write(tmp_path, "b.json", made("b"))
    ring = KeyRing((), tmp_path)
    broken.write_text("{")
    gone.unlink()
    with caplog.at_level(logging.ERROR):
        ring.reload()
        ring.reload()
    assert set(ring.keys.tokens) == {"a"}
    assert len(caplog.records) == 1
    assert str(broken) in caplog.text
    broken.write_text(made("c"))
    assert ring.reload()
    assert set(ring.keys.tokens) == {"c"}


def test_a_folder_that_is_gone_changes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "keys"
    folder.mkdir()
    write(folder, "a.json", made("a"))
    ring = KeyRing((), folder)
    folder.rename(tmp_path / "away")
    assert not ring.reload()
    assert set(ring.keys.tokens) == {"a"}
    assert "stay as they are" in caplog.text


def test_a_file_in_its_place_is_noticed_by_its_inode(tmp_path: Path) -> None:
    first = write(tmp_path, "a.json", made("a"))
    ring = KeyRing((), tmp_path)
    other = write(tmp_path, "other", made("b"))
    stat = first.stat()
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    other.replace(first)
    assert first.stat().st_size == stat.st_size
    assert ring.reload()
    assert set(ring.keys.tokens) == {"b"}


def test_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring, "MAX_KEYS", 2)
    for number in range(3):
        write(tmp_path, f"{number}.json", made(str(number)))
    with pytest.raises(BadKey, match="more than 2 keys"):
        KeyRing((), tmp_path)
    monkeypatch.setattr(keyring, "MAX_FILES", 2)
    with pytest.raises(BadKey, match="more than 2 files"):
        KeyRing((), tmp_path)


def test_a_key_that_everybody_can_read_is_complained_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, "a.json", made("a")).chmod(0o644)
    write(tmp_path, "b.json", json.dumps(key.public(key.generate("EdDSA", "b")))).chmod(0o644)
    KeyRing((), tmp_path)
    [told] = [record.getMessage() for record in caplog.records]
    assert f"chmod o-r {tmp_path / 'a.json'}" in told


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", f'{{"kid": {"1" * 5000}}}'),
        ("a.toml", f"a = {'1' * 5000}"),
        ("a.json", json.dumps({"kty": "oct", "kid": "a", "alg": "HS256", "k": "\u00e9" * 50})),
    ],
)
def test_what_no_parser_takes_is_no_key_either(tmp_path: Path, name: str, text: str) -> None:
    write(tmp_path, name, text)
    with pytest.raises(BadKey, match=name):
        KeyRing((), tmp_path)


def test_a_file_that_was_made_readable_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "a.json", made("a"))
    ring = KeyRing((), tmp_path)
    new = write(tmp_path, "b.json", made("b"))

    def closed(path: Path) -> keyring.Keys:
        raise BadKey(f"{path} cannot be read: Permission denied")

    # Root, who may run this, can read everything.
    with monkeypatch.context() as patch:
        patch.setattr(keyring, "read", closed)
        ring.reload()
    assert set(ring.keys.tokens) == {"a"}
    before = new.stat()
    while new.stat().st_ctime_ns == before.st_ctime_ns:  # the kernel's clock ticks every few ms
        new.chmod(0o400)
    assert new.stat().st_mtime_ns == before.st_mtime_ns
    assert ring.reload()
    assert set(ring.keys.tokens) == {"a", "b"}
