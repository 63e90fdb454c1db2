"""The client that asks the auth webhook: what it sends, and what it does not follow."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp.web as aiohttp_web
import pytest
from aiohttp.test_utils import TestServer

from doppel.webhook import WebhookClient
from signaling.auth.need import PUBLISH
from signaling.auth.webhook import MAX_ANSWER, Webhook

Answer = Callable[[aiohttp_web.Request], Awaitable[aiohttp_web.StreamResponse]]


class Service:
    def __init__(self) -> None:
        self.seen: list[tuple[str, str, object]] = []
        self.answer = aiohttp_web.json_response({"allow": True})

    async def handle(self, request: aiohttp_web.Request) -> aiohttp_web.StreamResponse:
        self.seen.append((request.path, request.content_type, await request.json()))
        return self.answer


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
async def client(service: Service) -> AsyncIterator[WebhookClient]:
    app = aiohttp_web.Application()
    app.router.add_post("/{path:.*}", service.handle)
    async with TestServer(app) as server:
        made = WebhookClient(str(server.make_url("/doppel")))
        yield made
        await made.close()


async def test_a_question_and_its_answer(client: WebhookClient, service: Service) -> None:
    hook = Webhook(client.post)
    who = await hook.ask("t0ken", PUBLISH, "anna", "192.0.2.1")
    assert who is not None
    assert who.may(PUBLISH, "anna")
    question = {"token": "t0ken", "action": "publish", "stream": "anna", "client": "192.0.2.1"}
    assert service.seen == [("/doppel", "application/json", question)]


async def test_a_redirect_is_not_followed(client: WebhookClient, service: Service) -> None:
    service.answer = aiohttp_web.Response(status=307, headers={"Location": "/elsewhere"})
    assert (await client.post(b"{}"))[0] == 307
    assert [path for path, *_ in service.seen] == ["/doppel"]


async def test_an_endless_answer_is_not_read(client: WebhookClient, service: Service) -> None:
    service.answer = aiohttp_web.Response(body=b"x" * (10 * MAX_ANSWER))
    _, body = await client.post(b"{}")
    assert len(body) == MAX_ANSWER + 1


async def test_nobody_there_is_an_oserror() -> None:
    client = WebhookClient("http://127.0.0.1:9/doppel")
    with pytest.raises(OSError, match=r"127\.0\.0\.1"):
        await client.post(b"{}")
    await client.close()
