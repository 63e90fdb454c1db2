"""Tokens as RFC 7519 has them, and the ways in which RFC 8725 says they are attacked."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.auth import key, token
from signaling.auth.key import Algorithm, BadKey, TokenKey
from signaling.auth.token import LEEWAY, MAX_LENGTH, MAX_LIFETIME, Rules, Wrong
from tests.keys import claims, sign, token_key

HS256, EDDSA = token_key("h"), token_key("e", "EdDSA")
KEYS = {each.id: each for each in (HS256, EDDSA)}


def after(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def read(sent: str, rules: Rules | None = None, keys: dict[str, TokenKey] = KEYS) -> Any:
    return token.read(sent, keys, rules or Rules())


def part(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("signer", [HS256, EDDSA])
def test_a_good_token_says_who_and_what(signer: TokenKey) -> None:
    who = read(sign(signer, ["publish", "control"], ["anna", "team-*"], sub="anna@example.com", jti="1"))
    assert (who.identity, who.subject, who.key) == ("sub:anna@example.com", "anna@example.com", signer.id)
    assert who.scopes == {"publish", "control"}
    assert who.streams == ("anna", "team-*")


def test_scope_and_streams_may_be_words_or_lists() -> None:
    who = read(sign(HS256, scope=["watch"], streams="anna team-*"))
    assert (who.scopes, who.streams) == ({"watch"}, ("anna", "team-*"))
    assert read(sign(HS256, streams=None)).streams == ()


@pytest.mark.parametrize(
    ("others", "reason"),
    [
        ({"exp": None}, "a claim is missing"),
        ({"iat": None}, "a claim is missing"),
        ({"sub": None}, "a claim is missing"),
        ({"scope": None}, "a claim is missing"),
        ({"exp": after(-LEEWAY - 2)}, "it has expired"),
        ({"nbf": after(LEEWAY + 60)}, "it is not valid yet"),
        ({"iat": after(LEEWAY + 60), "exp": after(600)}, "it is not valid yet"),
        ({"exp": after(MAX_LIFETIME + 60)}, "token_max_lifetime"),
        ({"aud": "another"}, "another audience"),
        ({"exp": "soon"}, "no token"),
        ({"exp": []}, "no token"),
        ({"exp": float("inf")}, "no token"),
        ({"exp": 1e300}, "claim exp"),
        ({"sub": ""}, "claim sub"),
        ({"sub": 7}, "no token"),
        ({"sub": "x" * 257}, "claim sub"),
        ({"scope": "publish look"}, "claim scope"),
        ({"scope": ""}, "claim scope"),
        ({"streams": ["a b"]}, "claim streams"),
        ({"streams": ["a"] * 33}, "claim streams"),
        ({"streams": {"a": 1}}, "claim streams"),
    ],
)
def test_claims_that_are_not_good(others: dict[str, Any], reason: str) -> None:
    with pytest.raises(Wrong, match=reason):
        read(sign(HS256, **others))


def test_clocks_may_differ() -> None:
    assert read(sign(HS256, exp=after(-LEEWAY / 2), iat=after(-60)))
    assert read(sign(HS256, nbf=after(LEEWAY / 2), iat=after(LEEWAY / 2)))


def test_issuer_and_audience_where_they_are_asked_for() -> None:
    rules = Rules("https://issuer.example", "doppel", 3600)
    assert read(sign(HS256, exp=after(600), iss="https://issuer.example", aud=["doppel", "other"]), rules)
    with pytest.raises(Wrong, match="another issuer"):
        read(sign(HS256, iss="https://other.example", aud="doppel"), rules)
    with pytest.raises(Wrong, match="another audience"):
        read(sign(HS256, exp=after(600), iss="https://issuer.example", aud="other"), rules)
    with pytest.raises(Wrong, match="a claim is missing"):
        read(sign(HS256), rules)
    with pytest.raises(Wrong, match="token_max_lifetime"):
        read(sign(HS256, iss="https://issuer.example", aud="doppel", exp=after(4000)), rules)


def forged() -> list[tuple[str, str]]:
    good = sign(HS256)
    head, body, signature = good.split(".")
    public = EDDSA.verifying.public_bytes_raw()  # type: ignore[union-attr]
    unsigned = f"{part({'alg': 'none', 'kid': 'h'})}.{body}."
    confused = jwt.encode(claims(), public, "HS256", {"kid": "e"})
    own = jwt.encode(claims(), key.read(key.generate("EdDSA", "e")).signing, "EdDSA", {"kid": "e"})  # type: ignore[arg-type]
    return [
        (unsigned, "its algorithm"),
        (unsigned.replace(part({"alg": "none", "kid": "h"}), part({"alg": "None", "kid": "h"})), "its algorithm"),
        (confused, "its algorithm"),
        (own, "the signature"),
        (f"{head}.{part(claims(['admin'], ['*']))}.{signature}", "the signature"),
        (f"{head}.{body}.{signature[:-4]}", "no token|signature"),
        (f"{head}.{body}.", "the signature"),
        (f"{head}.{body}", "no token"),
        (f"{good}.{body}", "no token"),
        (f"{head}.{body}.!!!", "no token"),
        (jwt.encode(claims(), b"x" * 32, "HS256", {"kid": "h"}), "the signature"),
        (jwt.encode(claims(), b"x" * 32, "HS256"), "its key is not known"),
        (jwt.encode(claims(), b"x" * 32, "HS256", {"kid": "other"}), "its key is not known"),
        (f"{part({'alg': 'HS256', 'kid': ['h']})}.{body}.{signature}", "no token"),
        (f"{part({'alg': 'HS256', 'kid': 'h', 'crit': ['b64'], 'b64': False})}..{signature}", "no token"),
        (f"{part([1])}.{body}.{signature}", "no token"),
        ("..", "no token"),
        ("", "no token"),
        ("ключ.ключ.ключ", "no token"),
        ("a." + "b" * MAX_LENGTH + ".c", "no token"),
    ]


@pytest.mark.parametrize(("sent", "reason"), forged())
def test_forgeries(sent: str, reason: str) -> None:
    with pytest.raises(Wrong, match=reason):
        read(sent)


@given(st.text(max_size=200))
def test_whatever_is_sent_is_refused(sent: str) -> None:
    with pytest.raises(Wrong):
        read(sent)


@pytest.mark.parametrize("algorithm", ["HS256", "EdDSA"])
def test_each_refusal_checks_one_signature(algorithm: Algorithm, monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes time is the same for all, so that time tells nobody what was wrong with his token."""
    checked: list[int] = []
    kinds: dict[str, Any] = {"HS256": jwt.algorithms.HMACAlgorithm, "EdDSA": jwt.algorithms.OKPAlgorithm}
    real = kinds[algorithm].verify

    def verify(*given: Any) -> Any:
        checked.append(1)
        return real(*given)

    monkeypatch.setattr(kinds[algorithm], "verify", verify)
    signer = token_key("only", algorithm)
    keys = {signer.id: signer}
    bodies: list[dict[str, Any]] = [{"exp": after(-600)}, {"aud": "b"}, {"scope": "look"}, {"exp": after(10 * MAX_LIFETIME)}]
    tried = [sign(signer, **others) for others in bodies]
    tried += [sent for sent, _ in forged()]
    tried += [sign(token_key("only", algorithm)), sign(signer)[:-8] + "AAAAAAAA"]
    for sent in tried:
        checked.clear()
        with pytest.raises(Wrong):
            read(sent, keys=keys)
        assert checked == [1], sent
    checked.clear()
    read(sign(signer), keys=keys)
    assert checked == [1]


def test_a_public_key_signs_nothing() -> None:
    public = key.read(key.public(key.generate("EdDSA", "b")))
    with pytest.raises(BadKey, match="it can read tokens and sign none"):
        token.sign(public, claims())
