from __future__ import annotations

import json

import pytest

from signaling.errors import BadRequest, Conflict, NotFound, SignalingError, Unacceptable, Unavailable
from tests.web.conftest import Client, House
from tests.web.fakes import TintSettings, assert_problem
from transforms.errors import ModelUnavailable
from web.loop import MAX_OFFER

SDP = {"Content-Type": "application/sdp"}


async def test_offer_gets_answer_and_session(client: Client, house: House) -> None:
    response = await client.post("/loop/alice", data="v=0 offer", headers=SDP)
    assert response.status == 201
    assert response.content_type == "application/sdp"
    assert response.headers["Location"] == "/loop/alice/sessions/s3cret-session"
    assert response.headers["Cache-Control"] == "no-store"
    assert await response.text() == "v=0 answer"
    assert house.loop.connected == [("alice", "v=0 offer", [])]


async def test_chain_by_keys(client: Client, house: House) -> None:
    response = await client.post("/loop/alice", params={"chain": "tint, tint"}, data="v=0", headers=SDP)
    assert response.status == 201
    steps = house.loop.connected[0][2]
    assert [(step.key, step.settings) for step in steps] == [("tint", TintSettings())] * 2


async def test_chain_as_json(client: Client, house: House) -> None:
    chain = json.dumps([{"transform": "tint", "settings": {"strength": 9, "shade": "dark"}}])
    response = await client.post("/loop/alice", params={"chain": chain}, data="v=0", headers=SDP)
    assert response.status == 201
    settings = house.loop.connected[0][2][0].settings
    assert settings == TintSettings.model_validate({"strength": 9, "shade": "dark"})


@pytest.mark.parametrize(
    ("chain", "status", "word"),
    [
        ("nothing", 422, "no transform 'nothing'"),
        ("torn", 422, "cannot be imported"),
        (",".join(["tint"] * 17), 422, "at most 16"),
        ("x" * 65, 422, "at most 64"),
        ("[{", 400, "not JSON"),
        ('[{"transform": "tint", "settings": {"strength": 11}}]', 422, "strength"),
        ('[{"transform": "tint", "settings": {"other": 1}}]', 422, "other"),
        ('[{"transform": "tint", "setings": {}}]', 422, "setings"),
        ('[{"settings": {}}]', 422, "transform"),
        ("[1]", 422, "at 0:"),
    ],
)
async def test_chain_that_does_not_fit(client: Client, house: House, chain: str, status: int, word: str) -> None:
    response = await client.post("/loop/alice", params={"chain": chain}, data="v=0", headers=SDP)
    await assert_problem(response, status, word)
    assert house.loop.connected == []


@pytest.mark.parametrize("name", ["a" * 65, "a.b", "a%20b", "%C3%A4", "a%0Ab", "alice%0A"])
async def test_name_that_is_none(client: Client, house: House, name: str) -> None:
    await assert_problem(await client.post(f"/loop/{name}", data="v=0", headers=SDP), 400, "1 to 64")
    assert house.loop.connected == []


@pytest.mark.parametrize("headers", [{"Content-Type": "text/plain"}, {"Content-Type": "application/json"}, {}])
async def test_body_of_another_type(client: Client, headers: dict[str, str]) -> None:
    response = await client.post("/loop/alice", data=b"v=0", headers=headers, skip_auto_headers=["Content-Type"])
    await assert_problem(response, 415, "application/sdp")
    assert response.headers["Accept-Post"] == "application/sdp"


async def test_compressed_body_is_refused(client: Client) -> None:
    await assert_problem(
        await client.post("/loop/alice", data=b"x", headers=SDP | {"Content-Encoding": "gzip"}), 415, "Content-Encoding"
    )


async def test_body_too_large(client: Client, house: House) -> None:
    response = await client.post("/loop/alice", data=b"v" * (MAX_OFFER + 1), headers=SDP)
    await assert_problem(response, 413, "64 KB")
    assert house.loop.connected == []


async def test_body_too_large_without_a_length(client: Client) -> None:
    async def pieces() -> object:
        for _ in range(MAX_OFFER // 1024 + 1):
            yield b"v" * 1024

    await assert_problem(await client.post("/loop/alice", data=pieces(), headers=SDP), 413, "64 KB")


async def test_largest_body(client: Client, house: House) -> None:
    assert (await client.post("/loop/alice", data=b"v" * MAX_OFFER, headers=SDP)).status == 201
    assert len(house.loop.connected[0][1]) == MAX_OFFER


async def test_body_that_is_no_text(client: Client) -> None:
    await assert_problem(await client.post("/loop/alice", data=b"\xff\xfe", headers=SDP), 400, "UTF-8")


@pytest.mark.parametrize("kind", [BadRequest, NotFound, Conflict, Unacceptable])
async def test_refusal(client: Client, house: House, kind: type[SignalingError]) -> None:
    house.loop.error = kind("the name is in use; choose another")
    response = await client.post("/loop/alice", data="v=0", headers=SDP)
    await assert_problem(response, kind.status, "The name is in use; choose another.")


async def test_full(client: Client, house: House) -> None:
    house.loop.error = Unavailable("the server is full; try again in a moment", retry_after=7)
    response = await client.post("/loop/alice", data="v=0", headers=SDP)
    await assert_problem(response, 503, "full")
    assert response.headers["Retry-After"] == "7"


async def test_model_that_cannot_be_had(client: Client, house: House) -> None:
    house.loop.error = ModelUnavailable("no source had the detector; run make demo")
    response = await client.post("/loop/alice", data="v=0", headers=SDP)
    await assert_problem(response, 503, "make demo")
    assert int(response.headers["Retry-After"]) > 0


async def test_leave(client: Client, house: House) -> None:
    assert (await client.delete("/loop/alice/sessions/s3cret-session")).status == 200
    assert house.loop.ended == ["s3cret-session"]


async def test_leave_what_is_gone(client: Client, house: House) -> None:
    house.loop.error = NotFound("no such session")
    assert (await client.delete("/loop/alice/sessions/other")).status == 200


async def test_options(client: Client) -> None:
    response = await client.options("/loop/alice")
    assert response.status == 200
    assert response.headers["Accept-Post"] == "application/sdp"
