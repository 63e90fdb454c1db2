from __future__ import annotations

import pytest

from signaling.ice_links import link


def test_links() -> None:
    assert link("stun:stun.example.net") == '<stun:stun.example.net>; rel="ice-server"'
    assert link("stun:stun.example.net", "user", "word") == '<stun:stun.example.net>; rel="ice-server"'
    assert link("turn:turn.example.net?transport=udp", "user", "word") == (
        '<turn:turn.example.net?transport=udp>; rel="ice-server"; username="user"; credential="word"; credential-type="password"'
    )


def test_quotes_do_not_end_the_value() -> None:
    assert 'username="a\\"; rel=\\"x"; credential="b\\\\"' in link("turns:turn.example.net", 'a"; rel="x', "b\\")


def test_what_no_header_can_carry() -> None:
    with pytest.raises(ValueError, match="header"):
        link("turn:turn.example.net", "user\r\nSet-Cookie: x", "word")
