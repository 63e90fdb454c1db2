from __future__ import annotations

import base64
import hashlib
import hmac

from signaling.ice_links import IceLinks
from signaling.turn import IceServer, IceServers, TurnSecret

SECRET = "north"
STUN = IceServer("stun:stun.example:3478")
OPEN = IceServer("turn:turn.example:3478")
OWN = IceServer("turns:other.example:5349", "someone", "their own")


def servers(now: list[float]) -> IceServers:
    return IceServers([STUN, OPEN, OWN], TurnSecret(SECRET, ttl=600, clock=lambda: now[0]))


def test_credentials_as_the_scheme_says() -> None:
    # openssl: printf 1433895918:name | openssl dgst -sha1 -hmac north -binary | base64
    username, password = TurnSecret(SECRET, ttl=18, clock=lambda: 1_433_895_900.9).credentials("name")
    assert username == "1433895918:name"
    assert password == "1SqlQthkVXADnh6C98tnHRRzmcM="
    assert password == base64.b64encode(hmac.new(b"north", username.encode(), hashlib.sha1).digest()).decode()


def test_only_what_needs_credentials_gets_them() -> None:
    stun, turn, own = servers([1000.0])
    assert (stun, own) == (STUN, OWN)
    assert turn.url == OPEN.url
    assert turn.username is not None
    assert turn.username.startswith("1600:")
    assert turn.credential is not None
    assert list(IceServers([STUN, OPEN])) == [STUN, OPEN]


def test_each_time_they_are_new() -> None:
    now = [1000.0]
    given = servers(now)
    names = [server.username for server in (*given, *given) if server.url == OPEN.url]
    assert len(set(names)) == 2
    now[0] = 2000.0
    assert [str(server.username).partition(":")[0] for server in given if server.url == OPEN.url] == ["2600"]


def test_headers_are_made_each_time_too() -> None:
    now = [1000.0]
    links = IceLinks(servers(now))
    first, second = list(links), list(links)
    assert first[::2] == second[::2]
    assert first[1] != second[1]
    assert first[1].startswith('<turn:turn.example:3478>; rel="ice-server"; username="1600:')
    assert first[1].endswith('credential-type="password"')


def test_a_credential_does_not_print() -> None:
    assert "their own" not in repr(OWN)
    assert SECRET not in repr(TurnSecret(SECRET, 60))
