from __future__ import annotations

import json

import pytest

from doppel.client.endpoint import Endpoint
from doppel.client.errors import ClientError, Refused
from tests.doppel.client.server import StandIn


@pytest.mark.parametrize("server", ["", "127.0.0.1:8080", "ftp://host", "http://", "/whep"])
def test_what_is_no_address(server: str) -> None:
    with pytest.raises(ClientError, match="is no address"):
        Endpoint(server, "whep", "me", None, None)


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ("http://host:1", "http://host:1/whep/me"),
        ("https://host/", "https://host/whep/me"),
        ("http://h/at", "http://h/at/whep/me"),
    ],
)
def test_where_the_offer_goes(server: str, expected: str) -> None:
    assert str(Endpoint(server, "whep", "me", None, None).url) == expected


def test_the_chain_is_what_the_server_reads() -> None:
    endpoint = Endpoint("http://h", "loop", "me", None, ["a", {"transform": "b", "settings": {"x": "&="}}])
    assert json.loads(endpoint.url.query["chain"]) == [{"transform": "a"}, {"transform": "b", "settings": {"x": "&="}}]


@pytest.mark.parametrize(
    ("status", "headers", "passes"),
    [
        (400, {}, False),
        (401, {}, False),
        (409, {}, False),
        (409, {"Retry-After": "2"}, True),
        (409, {"Retry-After": "soon"}, False),
        (429, {}, True),
        (500, {}, True),
        (503, {"Retry-After": "7"}, True),
    ],
)
async def test_what_is_worth_another_try(
    stand_in: StandIn, address: str, status: int, headers: dict[str, str], passes: bool
) -> None:
    stand_in.refusals.append((status, headers, "Because."))
    async with Endpoint(address, "whep", "me", None, None) as endpoint:
        with pytest.raises(Refused, match=r"Because\.") as caught:
            await endpoint.offer("v=0")
    assert (caught.value.status, caught.value.passes) == (status, passes)


async def test_a_server_that_is_none_of_ours(address: str) -> None:
    async with Endpoint(address, "nowhere", "me", None, None) as endpoint:
        with pytest.raises(Refused, match=r"/nowhere/me answered 404 Not Found"):
            await endpoint.offer("v=0")
