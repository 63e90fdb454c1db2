from __future__ import annotations

from prometheus_client import Counter

from tests.web.conftest import Client, House
from tests.web.fakes import assert_problem


async def test_alive(client: Client, house: House) -> None:
    house.ready.why_not = "the models are being loaded"
    assert (await client.get("/healthz")).status == 200


async def test_ready(client: Client) -> None:
    response = await client.get("/readyz")
    assert response.status == 200
    assert await response.json() == {"status": "ready"}


async def test_not_ready(client: Client, house: House) -> None:
    house.ready.why_not = "the models are being loaded; try again in a moment"
    response = await client.get("/readyz")
    await assert_problem(response, 503, "The models are being loaded")
    assert int(response.headers["Retry-After"]) > 0


async def test_metrics(client: Client, house: House) -> None:
    Counter("doppel_test", "Counts.", registry=house.metrics).inc(3)
    response = await client.get("/metrics")
    assert response.status == 200
    assert response.content_type == "text/plain"
    assert "version=" in response.headers["Content-Type"]
    assert "doppel_test_total 3.0" in (await response.text()).splitlines()
