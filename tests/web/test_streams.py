from __future__ import annotations

import io
import json

import pytest

from stream.report import STAGES
from tests.web.conftest import Client, House
from tests.web.fakes import TintSettings, assert_problem
from transforms.chain import Step
from transforms.errors import InvalidSettings, ModelUnavailable
from web.streams import MAX_CHAIN

QUANTILES = {"p50": 1.0, "p95": 2.0, "p99": 3.0}
JSON = {"Content-Type": "application/json"}


async def test_one(client: Client, house: House) -> None:
    house.streams.chains["alice"] = [Step("tint", TintSettings())]
    response = await client.get("/api/streams/alice")
    assert response.status == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert await response.json() == {
        "stream": "alice",
        "state": "live",
        "chain": [{"transform": "tint", "latency_ms": QUANTILES, "errors": 4}],
        "publisher": {
            "protocol": "loop",
            "codec": "H264",
            "width": 1280,
            "height": 720,
            "connected_s": 12.5,
            "packets_lost": 3,
            "rtt_ms": None,
        },
        "viewers": 1,
        "audience": [
            {
                "id": "5e1f",
                "protocol": "whep",
                "codec": "VP8",
                "rendition": "main",
                "connected_s": 2.5,
                "rtt_ms": 1.5,
                "packets_lost": 0,
                "kbps": 1900.0,
                "target_kbps": None,
                "dropped": 3,
            }
        ],
        "renditions": [
            {
                "name": "main",
                "codec": "VP8",
                "width": 1280,
                "height": 720,
                "fps": 29.0,
                "kbps": 1900.0,
                "target_kbps": 2000.0,
                "receivers": 1,
            }
        ],
        "sound": {"codec": "OPUS", "transcoded": False, "delay_ms": 12.5},
        "outputs": [
            {
                "id": "1",
                "kind": "rtmp",
                "state": "waiting",
                "target": "rtmp://live.example/app",
                "reason": "it is full",
                "dropped": 0,
            }
        ],
        "load_level": 0,
        "fps_in": 30.0,
        "fps_out": 29.0,
        "kbps_in": 2000.0,
        "kbps_out": 1900.0,
        "latency_ms": dict.fromkeys(STAGES, QUANTILES),
        "drops": {"superseded": 7},
        "width_out": 1280,
        "height_out": 720,
        "codec_out": "H264",
    }


async def test_all(client: Client, house: House) -> None:
    house.streams.chains = {"alice": [], "bob": []}
    listed = await (await client.get("/api/streams")).json()
    assert [stream["stream"] for stream in listed] == ["alice", "bob"]
    house.streams.chains = {}
    assert await (await client.get("/api/streams")).json() == []


@pytest.mark.parametrize("path", ["/api/streams/nobody", "/api/streams/nobody/chain"])
async def test_unknown(client: Client, path: str) -> None:
    await assert_problem(await client.get(path), 404, "nobody")


@pytest.mark.parametrize("path", ["/api/streams/a.b", "/api/streams/a.b/chain"])
async def test_name_that_is_none(client: Client, path: str) -> None:
    await assert_problem(await client.get(path), 400, "1 to 64")


async def test_chain_is_set_and_read(client: Client) -> None:
    sent = {"chain": [{"transform": "tint", "settings": {"strength": 2}}, {"transform": "tint"}]}
    response = await client.put("/api/streams/alice/chain", json=sent)
    full = {
        "chain": [
            {"transform": "tint", "settings": {"shade": "light", "style": "flat", "strength": 2}},
            {"transform": "tint", "settings": {"shade": "light", "style": "flat", "strength": 5}},
        ]
    }
    assert response.status == 200
    assert await response.json() == full
    assert await (await client.get("/api/streams/alice/chain")).json() == full
    # What was read can be sent.
    assert (await client.put("/api/streams/alice/chain", json=full)).status == 200


async def test_chain_is_emptied(client: Client, house: House) -> None:
    house.streams.chains["alice"] = [Step("tint", TintSettings())]
    assert await (await client.put("/api/streams/alice/chain", json={"chain": []})).json() == {"chain": []}
    assert house.streams.chains["alice"] == []


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        (b"", 400, "not JSON"),
        (b"{", 400, "not JSON"),
        (b"\xff", 400, "not JSON"),
        (b"[" * 100_000, 400, "not JSON"),
        (b"[]", 422, "object"),
        (b"{}", 422, "chain"),
        (b'{"chain": null}', 422, "chain"),
        (b'{"chain": [], "more": 1}', 422, "more"),
        (b'{"chain": [{"transform": 3}]}', 422, "transform"),
        (b'{"chain": [{"transform": "tint", "settings": []}]}', 422, "settings"),
        (b'{"chain": [{"transform": "tint", "settings": {"strength": -1}}]}', 422, "strength"),
        (b'{"chain": [{"transform": "nothing"}]}', 422, "nothing"),
        (json.dumps({"chain": [{"transform": "tint"}] * 17}).encode(), 422, "at most 16"),
    ],
)
async def test_chain_that_does_not_fit(client: Client, house: House, body: bytes, status: int, word: str) -> None:
    before = house.streams.chains["alice"]
    await assert_problem(await client.put("/api/streams/alice/chain", data=body, headers=JSON), status, word)
    assert house.streams.chains["alice"] is before


async def test_chain_of_an_unknown_stream(client: Client) -> None:
    await assert_problem(await client.put("/api/streams/nobody/chain", json={"chain": []}), 404, "nobody")


async def test_chain_of_another_type(client: Client) -> None:
    await assert_problem(await client.put("/api/streams/alice/chain", data="tint"), 415, "application/json")


async def test_chain_too_large(client: Client) -> None:
    response = await client.put("/api/streams/alice/chain", data=io.BytesIO(b" " * (MAX_CHAIN + 1)), headers=JSON)
    await assert_problem(response, 413, "4096 KB")


async def test_chain_that_cannot_be_prepared(client: Client, house: House) -> None:
    house.streams.error = ModelUnavailable("no source had the detector")
    await assert_problem(await client.put("/api/streams/alice/chain", json={"chain": []}), 503, "detector")
    house.streams.error = InvalidSettings("the image cannot be read")
    await assert_problem(await client.put("/api/streams/alice/chain", json={"chain": []}), 422, "image")
