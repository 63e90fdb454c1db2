"""The list of models."""

from __future__ import annotations

from tests.web.conftest import Client, House
from transforms.packages.shelf import ShelfEntry

ENTRY = ShelfEntry(
    id="swapper",
    kind="package",
    version="1",
    licence="MIT",
    source="us",
    task="face",
    present=True,
    size=12,
    measured=(),
)


async def test_what_there_is(house: House, client: Client) -> None:
    response = await client.get("/api/models")
    assert (response.status, await response.json()) == (200, [])
    house.shelf.append(ENTRY)
    response = await client.get("/api/models")
    (entry,) = await response.json()
    assert entry["id"] == "swapper"
    assert entry["task"] == "face"
    assert response.headers["Cache-Control"] == "no-store"
