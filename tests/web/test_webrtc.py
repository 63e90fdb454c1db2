from __future__ import annotations

import hashlib
import json

import pytest

from signaling.errors import (
    BadRequest,
    Conflict,
    NotFound,
    NotLive,
    PreconditionFailed,
    PreconditionRequired,
    SignalingError,
    Unacceptable,
    Unavailable,
)
from signaling.rate import BURST
from tests.web.conftest import Client, House, Open
from tests.web.fakes import TintSettings, assert_problem
from transforms.chain import Step
from transforms.errors import ModelUnavailable
from web.webrtc import MAX_FRAGMENT, MAX_OFFER

SDP = {"Content-Type": "application/sdp"}


FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag", "If-Match": '"tag"'}
KINDS = ["loop", "whip", "whep"]
SESSION = "/whip/alice/sessions/s3cret-session"


def chain_of(house: House) -> list[Step]:
    steps = house.sessions.connected[0][3]
    assert steps is not None
    return steps


async def test_offer_gets_answer_and_session(client: Client, house: House) -> None:
    response = await client.post("/loop/alice", data="v=0 offer", headers=SDP)
    assert response.status == 201
    assert response.content_type == "application/sdp"
    assert response.headers["Location"] == "/loop/alice/sessions/s3cret-session"
    assert response.headers["Cache-Control"] == "no-store"
    assert await response.text() == "v=0 answer"
    assert house.sessions.connected == [("loop", "alice", "v=0 offer", [], None)]


async def test_chain_by_keys(client: Client, house: House) -> None:
    response = await client.post("/loop/alice", params={"chain": "tint, tint"}, data="v=0", headers=SDP)
    assert response.status == 201
    steps = chain_of(house)
    assert [(step.key, step.settings) for step in steps] == [("tint", TintSettings())] * 2


async def test_chain_as_json(client: Client, house: House) -> None:
    chain = json.dumps([{"transform": "tint", "settings": {"strength": 9, "shade": "dark"}}])
    response = await client.post("/loop/alice", params={"chain": chain}, data="v=0", headers=SDP)
    assert response.status == 201
    settings = chain_of(house)[0].settings
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
    assert house.sessions.connected == []


@pytest.mark.parametrize("name", ["a" * 65, "a.b", "a%20b", "%C3%A4", "a%0Ab", "alice%0A"])
async def test_name_that_is_none(client: Client, house: House, name: str) -> None:
    await assert_problem(await client.post(f"/loop/{name}", data="v=0", headers=SDP), 400, "1 to 64")
    assert house.sessions.connected == []


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
    assert house.sessions.connected == []


async def test_body_too_large_without_a_length(client: Client) -> None:
    async def pieces() -> object:
        for _ in range(MAX_OFFER // 1024 + 1):
            yield b"v" * 1024

    await assert_problem(await client.post("/loop/alice", data=pieces(), headers=SDP), 413, "64 KB")


async def test_largest_body(client: Client, house: House) -> None:
    assert (await client.post("/loop/alice", data=b"v" * MAX_OFFER, headers=SDP)).status == 201
    assert len(house.sessions.connected[0][2]) == MAX_OFFER


async def test_body_that_is_no_text(client: Client) -> None:
    await assert_problem(await client.post("/loop/alice", data=b"\xff\xfe", headers=SDP), 400, "UTF-8")


@pytest.mark.parametrize("kind", [BadRequest, NotFound, Conflict, Unacceptable])
async def test_refusal(client: Client, house: House, kind: type[SignalingError]) -> None:
    house.sessions.error = kind("the name is in use; choose another")
    response = await client.post("/loop/alice", data="v=0", headers=SDP)
    await assert_problem(response, kind.status, "The name is in use; choose another.")


async def test_full(client: Client, house: House) -> None:
    house.sessions.error = Unavailable("the server is full; try again in a moment", retry_after=7)
    response = await client.post("/loop/alice", data="v=0", headers=SDP)
    await assert_problem(response, 503, "full")
    assert response.headers["Retry-After"] == "7"


async def test_model_that_cannot_be_had(client: Client, house: House) -> None:
    house.sessions.error = ModelUnavailable("no source had the detector; run make demo")
    response = await client.post("/loop/alice", data="v=0", headers=SDP)
    await assert_problem(response, 503, "make demo")
    assert int(response.headers["Retry-After"]) > 0


@pytest.mark.parametrize("kind", KINDS)
async def test_every_way_in_answers_alike(client: Client, house: House, kind: str) -> None:
    house.sessions.ice_links = ('<stun:stun.example.net>; rel="ice-server"', '<turn:turn.example.net>; rel="ice-server"')
    response = await client.post(f"/{kind}/alice", data="v=0 offer", headers=SDP)
    assert response.status == 201
    assert response.content_type == "application/sdp"
    assert response.headers["Location"] == f"/{kind}/alice/sessions/s3cret-session"
    assert response.headers["ETag"] == '"tag"'
    assert response.headers["Accept-Patch"] == "application/trickle-ice-sdpfrag"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers.getall("Link") == list(house.sessions.ice_links)
    assert await response.text() == "v=0 answer"
    assert house.sessions.connected[0][:3] == (kind, "alice", "v=0 offer")


async def test_a_publisher_without_a_chain_keeps_its_own(client: Client, house: House) -> None:
    for query in ("", "?chain=", "?chain=tint"):
        assert (await client.post(f"/whip/alice{query}", data="v=0", headers=SDP)).status == 201
    chains = [chain for _, _, _, chain, _ in house.sessions.connected]
    assert [None if chain is None else [step.key for step in chain] for chain in chains] == [None, [], ["tint"]]


@pytest.mark.parametrize(
    ("sent", "credential"),
    [("Bearer my key", "my key"), ("bearer  my-key ", "my-key"), ("Bearer", None), ("Basic x", None), (None, None)],
)
async def test_the_bearer_token_is_the_publishers_credential(
    client: Client, house: House, sent: str | None, credential: str | None
) -> None:
    headers = SDP if sent is None else SDP | {"Authorization": sent}
    for kind in ("loop", "whip"):
        assert (await client.post(f"/{kind}/alice", data="v=0", headers=headers)).status == 201
    same = None if credential is None else f"token:{hashlib.sha256(credential.encode()).hexdigest()}"
    assert [each[4] for each in house.sessions.connected] == [same] * 2


async def test_not_live(client: Client, house: House) -> None:
    house.sessions.error = NotLive("stream 'alice' is not live", 3)
    response = await client.post("/whep/alice", data="v=0", headers=SDP)
    await assert_problem(response, 409, "not live")
    assert response.headers["Retry-After"] == "3"


async def test_taken(client: Client, house: House) -> None:
    house.sessions.error = Conflict("the name is in use; choose another")
    response = await client.post("/whip/alice", data="v=0", headers=SDP)
    await assert_problem(response, 409, "in use")
    assert "Retry-After" not in response.headers


async def test_trickle(client: Client, house: House) -> None:
    response = await client.patch(SESSION, data="a=ice-ufrag:x", headers=FRAGMENT)
    assert response.status == 204
    assert await response.read() == b""
    assert "ETag" not in response.headers
    assert house.sessions.trickled == [("s3cret-session", "a=ice-ufrag:x", '"tag"')]


async def test_trickle_without_a_tag_is_told_to_the_sessions(client: Client, house: House) -> None:
    headers = {"Content-Type": FRAGMENT["Content-Type"]}
    assert (await client.patch(SESSION, data="a=ice-ufrag:x", headers=headers)).status == 204
    assert house.sessions.trickled[0][2] is None


@pytest.mark.parametrize("kind", [PreconditionRequired, PreconditionFailed, Unacceptable, BadRequest, NotFound])
async def test_trickle_refused(client: Client, house: House, kind: type[SignalingError]) -> None:
    house.sessions.error = kind("send the ETag as If-Match")
    response = await client.patch(SESSION, data="x", headers=FRAGMENT)
    await assert_problem(response, kind.status, "If-Match")


@pytest.mark.parametrize("content_type", ["application/sdp", "text/plain", "application/json"])
async def test_trickle_of_another_type(client: Client, house: House, content_type: str) -> None:
    response = await client.patch(SESSION, data="x", headers=FRAGMENT | {"Content-Type": content_type})
    await assert_problem(response, 415, "trickle-ice-sdpfrag")
    assert response.headers["Accept-Patch"] == "application/trickle-ice-sdpfrag"
    assert house.sessions.trickled == []


async def test_trickle_too_large(client: Client, house: House) -> None:
    await assert_problem(await client.patch(SESSION, data=b"v" * (MAX_FRAGMENT + 1), headers=FRAGMENT), 413, "16 KB")
    await assert_problem(await client.patch(SESSION, data=b"\xff", headers=FRAGMENT), 400, "UTF-8")
    assert house.sessions.trickled == []


async def test_trickle_of_what_is_gone(client: Client, house: House) -> None:
    await assert_problem(await client.patch("/whip/alice/sessions/other", data="x", headers=FRAGMENT), 404, "session")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("if_match", [None, '"tag"', '"stale"'])
async def test_leave(client: Client, house: House, kind: str, if_match: str | None) -> None:
    headers = {} if if_match is None else {"If-Match": if_match}
    assert (await client.delete(f"/{kind}/alice/sessions/s3cret-session", headers=headers)).status == 200
    assert house.sessions.ended == ["s3cret-session"]


async def test_leave_what_is_gone(client: Client, house: House) -> None:
    assert (await client.delete("/loop/alice/sessions/other")).status == 200
    assert house.sessions.ended == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_there_is_nothing_to_see(client: Client, kind: str, method: str) -> None:
    for path in (f"/{kind}/alice", f"/{kind}/alice/sessions/s3cret-session"):
        response = await client.request(method, path)
        assert (response.status, await response.read()) == (200, b"")
    assert (await client.request(method, f"/{kind}/alice/sessions/other")).status == 404
    assert (await client.request(method, f"/{kind}/a.b")).status == 400


@pytest.mark.parametrize("kind", KINDS)
async def test_options(client: Client, kind: str) -> None:
    response = await client.options(f"/{kind}/alice")
    assert response.status == 200
    assert response.headers["Accept-Post"] == "application/sdp"
    response = await client.options(f"/{kind}/alice/sessions/s3cret-session")
    assert response.status == 200
    assert response.headers["Accept-Post"] == "application/sdp"
    assert response.headers["Accept-Patch"] == "application/trickle-ice-sdpfrag"


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_methods_that_are_kept_for_later(client: Client, method: str) -> None:
    response = await client.request(method, SESSION)
    await assert_problem(response, 405, "Allow")
    assert set(response.headers["Allow"].split(",")) == {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH"}


async def test_too_many_calls(client: Client, house: House) -> None:
    for _ in range(BURST):
        assert (await client.post("/whip/alice", data="v=0", headers=SDP)).status == 201
    response = await client.post("/whep/alice", data="v=0", headers=SDP)
    await assert_problem(response, 429, "wait 1 s")
    assert response.headers["Retry-After"] == "1"
    assert len(house.sessions.connected) == BURST
    # Who may not come in may still leave, and look.
    assert (await client.delete(SESSION)).status == 200
    assert (await client.patch(SESSION, data="x", headers=FRAGMENT)).status == 204
    assert (await client.get("/api/streams")).status == 200
    assert (await client.options("/whip/alice")).status == 200


async def test_calls_without_the_key_do_not_count_against_those_with_it(open_client: Open) -> None:
    client = await open_client(key="key")
    for _ in range(BURST + 5):
        assert (await client.post("/whip/alice", data="v=0", headers=SDP)).status == 401
    assert (await client.post("/whip/alice", data="v=0", headers=SDP | {"Authorization": "Bearer key"})).status == 201
