"""What the dashboard asks for, and that it is served."""

from __future__ import annotations

from tests.web.conftest import Client, House


async def test_the_page(client: Client) -> None:
    response = await client.get("/dashboard")
    assert response.status == 200
    assert "/static/dashboard.js" in await response.text()


async def test_how_the_server_is_doing(client: Client) -> None:
    told = await (await client.get("/api/system")).json()
    assert told["max_streams"] == 16
    assert told["loop_lag_ms"] == {"p50": 0.0, "p95": 0.0, "p99": 0.0}


async def test_a_picture_of_a_stream(house: House, client: Client) -> None:
    house.streams.thumbnails["alice"] = b"\xff\xd8jpeg"
    response = await client.get("/api/streams/alice/thumbnail")
    assert (response.status, response.content_type, await response.read()) == (200, "image/jpeg", b"\xff\xd8jpeg")
    assert response.headers["Cache-Control"] == "no-store"


async def test_a_stream_that_shows_nothing_has_none(house: House, client: Client) -> None:
    for name, why in (("alice", "nobody watches it"), ("nobody", "no stream")):
        response = await client.get(f"/api/streams/{name}/thumbnail")
        assert response.status == 404
        assert why in (await response.json())["detail"]


async def test_a_stream_is_ended(house: House, client: Client) -> None:
    assert (await client.delete("/api/streams/alice")).status == 204
    assert house.streams.stopped == ["alice"]
    assert (await client.delete("/api/streams/nobody")).status == 404
