"""Which broker the configuration means."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr, ValidationError

from doppel import mqtt
from doppel.config import Config, ConfigError
from stream.metrics import Metrics
from tests.certificate import self_signed
from tests.signaling.mqtt.fakes import FakeStreams


def config(url: str = "mqtt://broker.example", **values: Any) -> Config:
    return Config(mqtt_url=url, **values)


@pytest.mark.parametrize(
    ("url", "host", "port", "tls"),
    [
        ("mqtt://broker.example", "broker.example", 1883, False),
        ("mqtts://broker.example/", "broker.example", 8883, True),
        ("mqtt://127.0.0.1:11883", "127.0.0.1", 11883, False),
        ("mqtts://[::1]:99", "::1", 99, True),
    ],
)
def test_addresses(url: str, host: str, port: int, tls: bool) -> None:
    broker = mqtt.broker(config(url))
    assert broker is not None
    assert (broker.host, broker.port, broker.tls is not None) == (host, port, tls)


def test_without_an_address_there_is_no_mqtt() -> None:
    assert mqtt.broker(Config()) is None


@pytest.mark.parametrize(
    "values",
    [
        {"mqtt_url": "http://broker.example"},
        {"mqtt_url": "mqtt://user:s3cret@broker.example"},
        {"mqtt_url": "mqtt://broker.example/topic"},
        {"mqtt_node": "a/b"},
        {"mqtt_node": "+"},
        {"mqtt_prefix": "a/#"},
        {"mqtt_password": SecretStr("s3cret")},
        {"mqtt_url": "mqtts://b", "mqtt_certificate": Path("c.pem")},
        {"mqtt_url": "mqtt://b", "mqtt_ca": Path("c.pem")},
        {"mqtt_stats_interval": 0.1},
    ],
)
def test_what_cannot_be_is_refused_in_words(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        Config(**values)
    assert "s3cret" not in str(refused.value)


def test_the_password_comes_from_its_file_and_does_not_print(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("s3cret word\n")
    made = config(mqtt_username="doppel", mqtt_password_file=file)
    broker = mqtt.broker(made)
    assert broker is not None
    assert (broker.username, broker.password) == ("doppel", "s3cret word")
    assert "s3cret" not in f"{broker!r} {broker} {made!r}"
    with pytest.raises(ValidationError, match="both set"):
        config(mqtt_username="doppel", mqtt_password_file=file, mqtt_password=SecretStr("x"))
    with pytest.raises(ValidationError, match="cannot be read"):
        config(mqtt_username="doppel", mqtt_password_file=tmp_path / "none")


def test_a_password_in_the_clear_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    secret = {"mqtt_username": "doppel", "mqtt_password": SecretStr("s3cret")}
    with caplog.at_level(logging.WARNING):
        mqtt.broker(config("mqtts://broker.example", **secret))
        mqtt.broker(config("mqtt://127.0.0.1", **secret))
        assert caplog.text == ""
        mqtt.broker(config("mqtt://broker.example", **secret))
    assert "in the clear" in caplog.text


def test_certificates_that_cannot_be_used(tmp_path: Path) -> None:
    certificate, key = self_signed()
    good, private, bad = tmp_path / "good.pem", tmp_path / "key.pem", tmp_path / "bad.pem"
    good.write_bytes(certificate)
    private.write_bytes(key)
    bad.write_text("nothing")
    assert mqtt.broker(config("mqtts://b", mqtt_ca=good, mqtt_certificate=good, mqtt_key=private)) is not None
    for wrong in ({"mqtt_ca": bad}, {"mqtt_ca": tmp_path / "none"}, {"mqtt_certificate": good, "mqtt_key": bad}):
        with pytest.raises(ConfigError, match=r"\.pem|none"):
            mqtt.broker(config("mqtts://b", **wrong))
    with pytest.raises(ConfigError, match="port"):
        mqtt.broker(config("mqtt://b:99999"))


async def test_a_node_is_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "edge-7.example")

    class Observed(FakeStreams):
        def observe(self, observer: object) -> None:
            self.observer = observer

    streams, made = Observed(), config("mqtt://127.0.0.1:1", mqtt_discovery=True)
    broker = mqtt.broker(made)
    assert broker is not None
    metrics = Metrics(CollectorRegistry())
    node = mqtt.node(made, broker, streams, metrics)  # type: ignore[arg-type]
    assert node._topics.root == "doppel/edge-7"
    assert callable(streams.observer)
    node.start()
    await asyncio.sleep(0)
    await node.close()
    assert metrics.registry.get_sample_value("doppel_mqtt_connected") == 0
