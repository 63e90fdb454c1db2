from __future__ import annotations

import pytest

from tests.web.conftest import Client, load
from tests.web.fakes import TintSettings
from transforms.registry import AnyTransform


async def test_every_transform_is_listed(client: Client) -> None:
    response = await client.get("/api/transforms")
    assert response.status == 200
    tint, torn = await response.json()
    assert tint == {
        "transform": "tint",
        "title": "Tint",
        "summary": "Colours the picture.",
        "settings": TintSettings.model_json_schema(),
    }
    assert tint["settings"]["properties"]["strength"]["maximum"] == 10
    assert "settings" not in torn
    assert torn["transform"] == "torn"
    assert "cannot be imported" in torn["error"]


async def test_list_is_made_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []

    def counting(key: str) -> type[AnyTransform]:
        loaded.append(key)
        return load(key)

    monkeypatch.setattr("web.catalogue.load", counting)
    first = await (await client.get("/api/transforms")).read()
    assert await (await client.get("/api/transforms")).read() == first
    assert loaded == ["tint", "torn"]
