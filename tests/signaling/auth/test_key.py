from __future__ import annotations

import json
from typing import Any

import pytest

from signaling.auth import key
from signaling.auth.key import BadKey

SYMMETRIC = key.generate("HS256", "a")
PAIR = key.generate("EdDSA", "b")


def test_a_key_that_was_made_is_read() -> None:
    for document in (SYMMETRIC, PAIR):
        read = key.read(json.loads(json.dumps(document)))
        assert (read.id, read.algorithm) == (document["kid"], document["alg"])
        assert read.signing is not None


def test_others_get_the_public_part_alone() -> None:
    public = key.public(PAIR)
    assert set(public) == {"kty", "crv", "kid", "alg", "x"}
    read = key.read(public)
    assert read.signing is None
    with pytest.raises(BadKey, match="one secret"):
        key.public(SYMMETRIC)


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ([], "JSON object"),
        (SYMMETRIC | {"kid": None}, "needs a kid"),
        (SYMMETRIC | {"kid": "a b"}, "needs a kid"),
        (SYMMETRIC | {"alg": "none"}, "must have kty"),
        (SYMMETRIC | {"alg": "EdDSA"}, "must have kty"),
        (SYMMETRIC | {"alg": "HS512"}, "must have kty"),
        (SYMMETRIC | {"use": "enc"}, "not for signatures"),
        (SYMMETRIC | {"k": "c2hvcnQ"}, "32 to 1024 bytes"),
        (SYMMETRIC | {"k": "?"}, "no base64url"),
        (SYMMETRIC | {"k": 1}, "lacks k"),
        (PAIR | {"alg": "HS256"}, "must have kty"),
        (PAIR | {"crv": "Ed448"}, "the curve Ed25519"),
        (PAIR | {"x": "AAAA"}, "32 bytes each"),
        (PAIR | {"x": key.generate("EdDSA", "c")["x"]}, "do not belong together"),
    ],
)
def test_what_is_no_key(document: Any, told: str) -> None:
    with pytest.raises(BadKey, match=told) as caught:
        key.read(document)
    for secret in (SYMMETRIC["k"], PAIR["d"]):
        assert secret not in str(caught.value)


def test_a_key_does_not_print_what_it_is() -> None:
    printed = repr(key.read(SYMMETRIC)) + repr(key.read(PAIR))
    assert "bytes" not in printed
    assert "verifying" not in printed
    assert "signing" not in printed


@pytest.mark.parametrize("id", ["", "a b", "x" * 65])
def test_an_id_fits_a_file_name(id: str) -> None:
    with pytest.raises(BadKey, match="1 to 64"):
        key.generate("HS256", id)
