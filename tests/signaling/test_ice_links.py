from __future__ import annotations

import pytest

from signaling.ice_links import link
from signaling.turn import IceServer


def test_links() -> None:
    assert link(IceServer("stun:stun.example.net")) == '<stun:stun.example.net>; rel="ice-server"'
    assert link(IceServer("stun:stun.example.net", "user", "word")) == '<stun:stun.example.net>; rel="ice-server"'
    assert link(IceServer("turn:turn.example.net?transport=udp", "user", "word")) == (
        '<turn:turn.example.net?transport=udp>; rel="ice-server"; username="user"; credential="word"; credential-type="password"'
    )


def test_quotes_do_not_end_the_value() -> None:
    told = link(IceServer("turns:turn.example.net", 'a"; rel="x', "b\\"))
    assert 'username="a\\"; rel=\\"x"; credential="b\\\\"' in told


def test_what_no_header_can_carry() -> None:
    with pytest.raises(ValueError, match="header"):
        link(IceServer("turn:turn.example.net", "user\r\nSet-Cookie: x", "word"))
