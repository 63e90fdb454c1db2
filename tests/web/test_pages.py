from __future__ import annotations

import pytest

from tests.web.conftest import Client, Open
from tests.web.fakes import assert_problem
from web.pages import STATIC


@pytest.mark.parametrize("stream", ["anna", "A-b_9", "x" * 64])
async def test_the_viewers_page_is_there_for_any_stream(client: Client, stream: str) -> None:
    response = await client.get(f"/watch/{stream}")
    assert response.status == 200
    assert response.content_type == "text/html"
    assert await response.text() == (STATIC / "watch.html").read_text(encoding="utf-8")
    assert response.headers["Cache-Control"] == "no-cache"
    assert response.headers["ETag"]
    assert (await client.head(f"/watch/{stream}")).status == 200


@pytest.mark.parametrize("stream", ["x" * 65, "a b", "a.b", "ä", "%3Cscript%3E"])
async def test_no_page_for_a_name_that_no_stream_may_have(client: Client, stream: str) -> None:
    await assert_problem(await client.get(f"/watch/{stream}"), 400, "letters, digits")


@pytest.mark.parametrize("path", ["/watch", "/watch/", "/watch/a/b"])
async def test_no_page_elsewhere(client: Client, path: str) -> None:
    await assert_problem(await client.get(path), 404)


async def test_the_viewers_page_needs_no_key(open_client: Open) -> None:
    """It holds nothing of a stream; its calls need the key, which is in the address's fragment."""
    client = await open_client(key="key")
    assert (await client.get("/watch/anna")).status == 200
    assert (await client.get("/api/streams/anna")).status == 401
