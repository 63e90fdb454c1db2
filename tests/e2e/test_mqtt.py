"""A whole server, a real broker with TLS and a password, and somebody at a desk who steers."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.e2e.mosquitto import PASSWORD, USER, Mosquitto
from tests.e2e.server import Server
from tests.stream.media.films import film

PATIENCE = 20.0
"""s for something to happen on a busy machine before the test fails."""

ROOT = "doppel/studio-1"


class Desk:
    """Remembers the last message of every topic, and all events and replies."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client
        self.last: dict[str, Any] = {}
        self.all: list[tuple[str, Any]] = []
        self._more = asyncio.Condition()

    async def read(self) -> None:
        async for message in self._client.messages:
            if message.topic.matches("+/+/streams/+/set"):
                continue  # its own
            document = json.loads(message.payload) if message.payload else None
            async with self._more:
                self.last[message.topic.value] = document
                self.all.append((message.topic.value, document))
                self._more.notify_all()

    async def until(self, true: Callable[[], Any]) -> Any:
        async with asyncio.timeout(PATIENCE), self._more:
            while not true():
                await self._more.wait()
        return true()

    async def ask(self, stream: str, document: dict[str, Any] | str, **values: Any) -> dict[str, Any]:
        """Publishes a command, and waits for its reply."""
        before = len(self.all)
        payload = document if isinstance(document, str) else json.dumps(document)
        await self._client.publish(f"{ROOT}/streams/{stream}/set", payload, qos=1, **values)
        replies = ("desk/answers", f"{ROOT}/replies")

        def answer() -> dict[str, Any] | None:
            return next((sent for topic, sent in self.all[before:] if topic in replies), None)

        found: dict[str, Any] = await self.until(answer)
        return found

    def state(self, stream: str) -> dict[str, Any]:
        return self.last.get(f"{ROOT}/streams/{stream}/state") or {}

    def live(self, *streams: str) -> bool:
        return all(self.state(stream).get("state") == "live" for stream in streams)

    def events(self, stream: str) -> list[str]:
        return [sent["event"] for topic, sent in self.all if topic == f"{ROOT}/streams/{stream}/events"]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path_factory.mktemp("mosquitto"))
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()


@pytest.fixture
def server(tmp_path: Path, broker: Mosquitto) -> Iterator[Server]:
    film(tmp_path / "film.mp4", size=(160, 120))
    arguments = ["--mqtt-url", broker.url, "--mqtt-ca", str(broker.certificate), "--mqtt-username", USER]
    arguments += ["--mqtt-password-file", str(broker.password_file), "--mqtt-node", "studio-1", "--mqtt-stats-interval", "1"]
    arguments += ["--mqtt-discovery", "--media-dir", str(tmp_path), "--recordings-dir", str(tmp_path), "--rtmp-port", "0"]
    server = Server(tmp_path / "log", arguments)
    try:
        yield server
    finally:
        server.kill()


@asynccontextmanager
async def watching(broker: Mosquitto) -> AsyncIterator[Desk]:
    async with aiomqtt.Client(
        "localhost",
        broker.port,
        username=USER,
        password=PASSWORD,
        protocol=aiomqtt.ProtocolVersion.V5,
        tls_context=broker.context(),
    ) as client:
        desk = Desk(client)
        reading = asyncio.create_task(desk.read())
        for topic in ("doppel/#", "homeassistant/#", "desk/answers"):
            await client.subscribe(topic, qos=1)
        try:
            yield desk
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


async def play(server: Server, stream: str) -> None:
    """Starts a stream from the film, which goes round for ever."""

    def put() -> None:
        request = urllib.request.Request(
            f"{server.url}/api/streams/{stream}/source",
            json.dumps({"url": "film.mp4", "loop": True}).encode(),
            {"Content-Type": "application/json"},
            method="PUT",
        )
        urllib.request.urlopen(request, timeout=PATIENCE).close()

    await asyncio.to_thread(put)


async def get(server: Server, path: str) -> Any:
    def read() -> Any:
        with urllib.request.urlopen(server.url + path, timeout=PATIENCE) as answer:
            return json.load(answer)

    return await asyncio.to_thread(read)


async def test_a_stream_is_seen_and_steered(broker: Mosquitto, server: Server, tmp_path: Path) -> None:
    async with watching(broker) as desk:
        await desk.until(lambda: (desk.last.get(f"{ROOT}/status") or {}).get("state") == "online")
        await play(server, "anna")
        await desk.until(lambda: desk.live("anna"))
        assert desk.state("anna") == {"state": "live", "protocol": "file", "chain": [], "recording": False}
        await desk.until(lambda: "published" in desk.events("anna"))
        await desk.until(lambda: desk.last.get(f"{ROOT}/streams/anna/stats", {}).get("fps_in", 0) > 0)
        device = desk.last["homeassistant/device/doppel-studio-1/anna/config"]
        assert sorted(device["components"]) == ["fps", "recording", "state"]

        answer = await desk.ask("anna", {"id": "1", "command": "chain", "chain": [{"transform": "grade"}]})
        assert (answer["id"], answer["status"]) == ("1", 200)
        wanted = {"id": "2", "command": "settings", "transform": "grade", "settings": {"contrast": 1.25}}
        assert (await desk.ask("anna", wanted))["status"] == 200
        await desk.until(lambda: desk.state("anna")["chain"][0]["settings"]["contrast"] == 1.25)
        chain = (await get(server, "/api/streams/anna/chain"))["chain"]
        assert [(step["transform"], step["settings"]["contrast"]) for step in chain] == [("grade", 1.25)]

        answer = await desk.ask(
            "anna", json.dumps(device["components"]["recording"]["payload_on"]).strip('"').replace('\\"', '"')
        )
        assert (answer["status"], answer["command"]) == (200, "record")
        await desk.until(lambda: desk.state("anna")["recording"])
        await desk.ask("anna", {"command": "record", "action": "stop"})
        await desk.until(lambda: not desk.state("anna")["recording"])
        assert (tmp_path / answer["target"]).stat().st_size > 0

        no_chain = '{"command": "chain", "chain": [{"transform": "nothing"}]}'
        for sent, status in (("ON", 400), ('{"command": "explode"}', 422), (no_chain, 422)):
            answer = await desk.ask("anna", sent)
            assert (answer["status"], answer["detail"][-1]) == (status, ".")
        assert (await desk.ask("nobody", {"command": "stop"}))["status"] == 404

        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ResponseTopic, properties.CorrelationData = "desk/answers", b"42"
        assert (await desk.ask("anna", {"id": "3", "command": "stop"}, properties=properties))["id"] == "3"
        assert desk.last["desk/answers"]["status"] == 200
        await desk.until(lambda: "ended" in desk.events("anna") and not desk.state("anna"))
        await desk.until(lambda: desk.last["homeassistant/device/doppel-studio-1/anna/config"] is None)
        assert await get(server, "/api/streams") == []
        assert server.stop() == 0
        await desk.until(lambda: desk.last[f"{ROOT}/status"] == {"state": "offline"})
    assert PASSWORD not in server.log


async def test_a_broker_that_is_killed_and_back_has_the_right_state(broker: Mosquitto, server: Server) -> None:
    for stream in ("anna", "bert"):
        await play(server, stream)
    async with watching(broker) as desk:
        await desk.until(lambda: desk.live("anna", "bert"))
        assert (await desk.ask("bert", {"id": "9", "command": "stop"}))["status"] == 200
        await desk.until(lambda: not desk.state("bert"))
    broker.kill()
    await play(server, "carl")
    broker.start()
    async with watching(broker) as desk:
        await desk.until(lambda: desk.live("anna", "carl"))
        await desk.until(lambda: (desk.last.get(f"{ROOT}/status") or {}).get("state") == "online")
        assert desk.state("bert") == {}
        assert (await desk.ask("carl", {"id": "10", "command": "stop"}))["status"] == 200
    assert server.metric("doppel_mqtt_connected") == 1


async def test_a_server_that_is_killed_is_offline_and_what_it_left_is_cleared_by_the_next(
    broker: Mosquitto, server: Server, tmp_path: Path
) -> None:
    await play(server, "anna")
    async with watching(broker) as desk:
        await desk.until(lambda: desk.live("anna"))
        await desk.ask("anna", {"command": "record", "action": "stop"}, retain=True)
        server.kill()
        await desk.until(lambda: desk.last[f"{ROOT}/status"] == {"state": "offline"})
        assert desk.state("anna")["state"] == "live"
        arguments = ["--mqtt-url", broker.url, "--mqtt-ca", str(broker.certificate), "--mqtt-username", USER]
        arguments += ["--mqtt-password-file", str(broker.password_file), "--mqtt-node", "studio-1", "--rtmp-port", "0"]
        again = Server(tmp_path / "log-again", arguments)
        try:
            await desk.until(lambda: not desk.state("anna") and desk.last[f"{ROOT}/status"]["state"] == "online")
        finally:
            again.kill()


async def test_a_wrong_password_is_told_in_the_log_and_the_server_serves(broker: Mosquitto, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("wr0ng-s3cret")
    arguments = ["--mqtt-url", broker.url, "--mqtt-ca", str(broker.certificate), "--mqtt-username", USER]
    server = Server(tmp_path / "log", [*arguments, "--mqtt-password-file", str(wrong), "--rtmp-port", "0"])
    try:
        async with asyncio.timeout(PATIENCE):
            while "no MQTT broker" not in server.log:  # noqa: ASYNC110 - a file tells nobody that it grew
                await asyncio.sleep(0.05)
        assert server.metric("doppel_mqtt_connected") == 0
    finally:
        server.kill()
    assert "ot authori" in server.log
    assert "wr0ng-s3cret" not in server.log
