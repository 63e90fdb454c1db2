"""Whatever schemathesis makes of the served OpenAPI document is answered as that says, and never with a 5xx of ours."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from tests.contract.house import House
from transforms.models.store import Store, default_root
from web.openapi import document

EXAMPLES = 8
"""Of each operation, of each kind: those that fit the document and those that do not."""


@schemathesis.serializer("application/sdp", "application/trickle-ice-sdpfrag")
def as_text(context: object, value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


api = schemathesis.openapi.from_dict(document())


class Served(threading.Thread):
    """A house on a loop of its own, so that a client that blocks can call it."""

    def __init__(self) -> None:
        super().__init__(name="served-house", daemon=True)
        self.url = ""
        self._up = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()

    def run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    def wait(self) -> str:
        assert self._up.wait(30)
        return self.url

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self.join(30)
        assert not self.is_alive()

    async def _serve(self) -> None:
        house = House(Store(default_root()), key=KEY, burst=1_000_000)
        await house.open()
        try:
            self.url = house.url
            self._up.set()
            await self._over.wait()
        finally:
            await house.close()


KEY = "a-key-of-this-test-alone"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    served = Served()
    served.start()
    yield served.wait().rstrip("/")
    served.end()


@api.parametrize()
@hypothesis.settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
def test_every_call_is_answered_as_described(case: schemathesis.Case[Any], url: str) -> None:
    response = case.call(base_url=url, headers={"Authorization": f"Bearer {KEY}"}, timeout=20)
    checks = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
    if response.status_code == 503:
        # What it says is tested below: it is full, or has no such model.
        checks.remove(not_a_server_error)
    case.validate_response(response, checks=checks)
