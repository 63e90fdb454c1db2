"""A bad line between a page and the server."""

from __future__ import annotations

from playwright.sync_api import Page, Route

from bench.line.thread import RelayThread


def put_between(page: Page, relay: RelayThread) -> None:
    """Leads the page's next connection through the relay, by what its offer and the answer say of addresses."""

    def loop(route: Route) -> None:
        if route.request.method != "POST":
            route.continue_()
            return
        response = route.fetch(post_data=relay.offer(route.request.post_data or ""))
        answer = response.text()
        route.fulfill(response=response, body=relay.answer(answer) if response.ok else answer)

    page.route("**/loop/**", loop)
