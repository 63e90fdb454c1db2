"""The API's description is true of the routes."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from pydantic import TypeAdapter

from tests.web.conftest import Client, House
from tests.web.fakes import FakeStreams
from web import needs, openapi
from web.openapi import OPERATIONS, document
from web.streams import StreamDocument
from web.streams import document as stream_document


def test_every_route_is_described_and_none_that_is_not_there(house: House) -> None:
    there = {
        (route.method, route.resource.canonical)
        for route in house.app().router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    assert there == set(OPERATIONS)


def test_what_is_asked_of_callers_is_told() -> None:
    for (method, route), described in _operations():
        need = needs.need(method, route)
        assert described["security"] == ([{"token": []}] if need else []), (method, route)
        assert ("401" in described["responses"]) == bool(need), (method, route)


def test_every_reference_leads_somewhere() -> None:
    schemas = document()["components"]["schemas"]
    references = set(_references(document()))
    assert references
    assert {reference.rpartition("/")[2] for reference in references} <= set(schemas)


def test_a_streams_document_is_as_described() -> None:
    report = FakeStreams().report("alice")
    told = TypeAdapter(StreamDocument).validate_python(stream_document(report), strict=False)
    assert told.stream == "alice"


async def test_it_is_served(client: Client) -> None:
    response = await client.get("/openapi.json")
    assert (await response.json())["openapi"].startswith("3.1")
    page = await client.get("/docs")
    assert page.status == 200
    assert "/static/docs.js" in await page.text()


def _operations() -> list[tuple[tuple[str, str], dict[str, Any]]]:
    paths = document()["paths"]
    return [((method, route), paths[route][method.lower()]) for method, route in OPERATIONS]


def _references(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [found for each in part.values() for found in _references(each)]
    if isinstance(part, list):
        return [found for each in part for found in _references(each)]
    return []


async def test_it_is_made_beside_the_loop_and_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def make() -> dict[str, Any]:
        made.append(threading.current_thread().name)
        return {}

    monkeypatch.setattr(openapi, "document", make)
    openapi.written.cache_clear()
    for _ in range(3):
        assert await (await client.get("/openapi.json")).json() == {}
    openapi.written.cache_clear()
    assert len(made) == 1
    assert threading.main_thread().name not in made
