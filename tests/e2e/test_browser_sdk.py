"""The JavaScript client as other sites use it, and what it does with a server's answers."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route

from tests.e2e.browser import BY_ID, DEADLINE, Visit, get, until
from tests.e2e.conftest import Visitor
from tests.e2e.server import Server
from tests.e2e.test_browser_watch import NOT_LIVE, publish

README = Path(__file__).parents[2] / "README.md"

ADDRESS = "http://127.0.0.1:8080"
"""Where the README's server is."""

SITE = "<!doctype html><title>A site</title><video></video><script type=module src=example.js></script>"

ICE = (
    '<stun:127.0.0.1:9>; rel="ice-server", <turn:127.0.0.1:9?transport=udp>; rel=ice-server; username="u, \\"v\\""; credential=c'
)
"""Nobody is there; a browser tries them all the same."""


def example() -> str:
    """The README's example of the client."""
    blocks = re.findall(r"^```js\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE)
    (found,) = [block for block in blocks if "doppel.js" in block]
    return str(found)


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path, server_for: Any) -> Iterator[str]:
    """Another site, with the README's example on its page."""
    folder = tmp_path / "site"
    folder.mkdir()
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(folder)))
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    origin = f"http://127.0.0.1:{httpd.server_port}"
    try:
        (folder / "index.html").write_text(SITE)
        (folder / "example.js").write_text(example().replace(ADDRESS, server_for(origin).url))
        yield origin
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


@pytest.fixture
def server_for(tmp_path: Path) -> Iterator[Any]:
    """Starts a server that lets this origin call."""
    servers: list[Server] = []

    def start(origin: str) -> Server:
        servers.append(Server(tmp_path / "log", ["--cors-origins", origin]))
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


def test_the_readmes_example_runs_on_another_site(browser: Browser, site: str) -> None:
    assert len([line for line in example().splitlines() if line.strip()]) <= 10
    context = browser.new_context(permissions=["camera", "microphone"])
    page = context.new_page()
    page.set_default_timeout(DEADLINE * 1000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    with page.expect_console_message(lambda message: re.search(r"[1-9]\d* ms", message.text) is not None):
        page.goto(site)
    page.wait_for_function("document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames > 20")
    assert page.evaluate("document.querySelector('video').srcObject.getAudioTracks().length") == 1
    context.close()
    assert errors == []


def run(page: Page, script: str, **arguments: object) -> Any:
    """An async function's body with the client as `doppel`."""
    names = ", ".join(arguments)
    body = f"async ({{ {names} }}) => {{ const doppel = await import('/static/doppel.js'); {script} }}"
    return page.evaluate(body, arguments)


def test_the_chain_of_any_stream_is_set(visitor: Visitor) -> None:
    publisher = publish(visitor(), "chained")
    keys = [info["transform"] for info in run(publisher.page, "return doppel.listTransforms()")]
    assert {"anonymize", "background"} <= set(keys)
    chain = run(publisher.page, "return doppel.setChain({ stream: 'chained', chain: [{ transform: 'background' }] })")
    assert [step["transform"] for step in chain] == ["background"]
    assert chain[0]["settings"], "defaults are filled in"
    assert get(f"{publisher.url}/api/streams/chained/chain")["chain"] == chain
    publisher.page.evaluate("publisher.setChain([])")
    until(lambda: get(f"{publisher.url}/api/streams/chained/chain")["chain"] == [], "the publisher has changed it")


def test_a_loop_measures_its_turnaround(visit: Visit) -> None:
    """Exactly: by the RTP timestamps, which the server leaves as they are on what it sends back."""
    visit.open_empty()
    turnaround = run(
        visit.page,
        """
        const source = await navigator.mediaDevices.getUserMedia({ video: { width: 320, height: 240 } });
        const video = document.body.appendChild(Object.assign(document.createElement("video"), { muted: true }));
        const session = doppel.loop({ source, stream: "measured", video });
        const figures = [];
        await new Promise((resolve) => session.addEventListener("figures", ({ detail }) => {
          figures.push(detail.turnaround);
          if (detail.turnaround?.exact || figures.length === 10) resolve();
        }));
        session.close();
        return figures.at(-1);
        """,
    )
    assert turnaround["exact"], "no picture that came back was one of those that were sent"
    assert 0 < turnaround["ms"] < 5_000


def test_a_closed_session_is_ended_on_the_server(visitor: Visitor) -> None:
    publisher = publish(visitor(), "closed")
    with publisher.page.expect_request(lambda request: request.method == "DELETE") as deleted:
        publisher.page.evaluate("publisher.close()")
    assert re.search(r"/whip/closed/sessions/[^/]+$", deleted.value.url)
    response = deleted.value.response()
    assert response is not None
    assert response.status == 200
    assert publisher.page.evaluate("publisher.state.state") == "closed"


def test_a_refusal_says_whether_to_wait(visit: Visit) -> None:
    """409 with Retry-After: nothing is wrong, and it asks again when it was told to; 403: it does not."""
    visit.forgiven += [NOT_LIVE, "status of 403"]
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        status, headers = (409, {"Retry-After": "2"}) if len(asked) < 3 else (403, {})
        route.fulfill(status=status, headers=headers, json={"detail": "Told in words."})

    visit.page.route("**/whep/**", refuse)
    visit.open_empty()
    states = run(
        visit.page,
        """
        const states = [];
        const session = doppel.watch({ stream: "refused" });
        await new Promise((resolve) => session.addEventListener("state", ({ detail }) => {
          states.push(detail);
          if (detail.state === "failed") resolve();
        }));
        session.close();
        return states;
        """,
    )
    assert [(state["state"], state["absent"]) for state in states] == [
        ("connecting", False),
        ("waiting", True),
        ("connecting", True),
        ("waiting", True),
        ("connecting", True),
        ("failed", False),
        ("closed", False),
    ]
    assert {state["reason"] for state in states if state["reason"]} == {"Told in words."}
    assert all(2 <= state["retryIn"] <= 3 for state in states if state["state"] == "waiting")
    assert len(asked) == 3


def test_the_servers_ice_servers_are_used(visitor: Visitor) -> None:
    publisher = visitor()
    answered: list[str] = []

    def link(route: Route) -> None:
        if route.request.method != "POST":
            return route.fallback()
        response = route.fetch()
        answered.append(response.headers["location"])
        return route.fulfill(response=response, headers=response.headers | {"Link": ICE})

    publisher.page.route("**/whip/**", link)
    publish(publisher, "turned")
    assert publisher.page.evaluate(
        "publisher.peer.connection.getConfiguration().iceServers.map(({ urls }) => [urls].flat()[0])"
    ) == [
        "stun:127.0.0.1:9",
        "turn:127.0.0.1:9?transport=udp",
    ]
    assert len(answered) == 2, "once to hear of them, once with them"
    until(lambda: get(f"{publisher.url}/api/streams/turned")["fps_in"] > 0, "frames arrive")


@pytest.mark.parametrize(
    ("header", "servers"),
    [
        ("", []),
        ('<https://example/next>; rel="next"', []),
        ("<stun:a.example:3478>; rel=ice-server", [{"urls": "stun:a.example:3478"}]),
        (
            '<turns:b.example?transport=tcp>;rel="ice-server";username="a, b";credential="q\\"x"; credential-type="password"',
            [{"urls": "turns:b.example?transport=tcp", "username": "a, b", "credential": 'q"x'}],
        ),
        ('<turn:nobody.example>; rel="ice-server", <stun:c.example>; rel="ice-server"', [{"urls": "stun:c.example"}]),
        ('<javascript:alert(1)>; rel="ice-server"', []),
    ],
)
def test_links_are_read(visit: Visit, header: str, servers: list[dict[str, str]]) -> None:
    visit.open_empty()
    read = "async (header) => (await import('/static/ice-servers.js')).iceServers(header)"
    assert visit.page.evaluate(read, header) == servers


def test_a_page_that_comes_back_to_sight_does_not_wait(visit: Visit) -> None:
    """A phone that was in a pocket connects when it is looked at, and not when its pause is over."""
    visit.forgiven.append("status of 503")
    visit.page.route(
        "**/whep/**", lambda route: route.fulfill(status=503, headers={"Retry-After": "60"}, json={"detail": "Full."})
    )
    visit.open("/watch/pocket").wait_state("waiting")
    with visit.page.expect_request("**/whep/**"):
        visit.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    visit.wait_state("waiting")
    assert visit.page.evaluate(f"{BY_ID}('notice').hidden") is False
