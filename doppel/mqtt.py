"""The parts of a node of an MQTT fleet, put together."""

from __future__ import annotations

import logging
import socket
import ssl
from importlib.metadata import version
from urllib.parse import urlsplit

from doppel.config import Config, ConfigError, is_loopback
from signaling.mqtt.connection import PLAIN_PORT, TLS_PORT, Broker, opener
from signaling.mqtt.desk import Desk
from signaling.mqtt.discovery import Discovery
from signaling.mqtt.executor import Executor
from signaling.mqtt.metrics import MqttMetrics
from signaling.mqtt.node import Node
from signaling.mqtt.outbox import Outbox
from signaling.mqtt.reporter import Reporter
from signaling.mqtt.topics import Topics, sanitized
from stream.metrics import Metrics
from stream.streams import Streams

logger = logging.getLogger(__name__)


def broker(config: Config) -> Broker | None:
    """The one that is configured. Reads certificates. Raises ConfigError where they cannot be used."""
    if config.mqtt_url is None:
        return None
    url = urlsplit(config.mqtt_url)
    secure = url.scheme == "mqtts"
    host = url.hostname or ""
    if not secure and config.mqtt_password is not None and not is_loopback(host):
        logger.warning("the MQTT password goes to %s in the clear: write mqtt_url with mqtts://, if that broker has TLS", host)
    try:
        port = url.port or (TLS_PORT if secure else PLAIN_PORT)
    except ValueError:
        raise ConfigError(f"mqtt_url: {config.mqtt_url} has no port that there can be; the last is 65535") from None
    password = config.mqtt_password.get_secret_value() if config.mqtt_password is not None else None
    return Broker(host, port, config.mqtt_username, password, _tls(config) if secure else None)


def node(config: Config, broker: Broker, streams: Streams, metrics: Metrics) -> Node:
    """Ready to be started. Call it on the event loop, once."""
    topics = Topics(config.mqtt_prefix, config.mqtt_node or sanitized(socket.gethostname()))
    release = version("doppel")
    discovery = Discovery(topics, release, recordings=config.recordings_dir is not None) if config.mqtt_discovery else None
    counts = MqttMetrics(metrics.registry)
    outbox = Outbox(counts)
    reporter = Reporter(topics, streams, outbox, discovery, interval=config.mqtt_stats_interval, alarm=config.mqtt_drop_alarm)
    streams.observe(reporter.on_event)
    return Node(
        topics,
        release,
        open=opener(broker),
        outbox=outbox,
        desk=Desk(topics, Executor(streams).run, outbox, counts),
        reporter=reporter,
        discovery=discovery,
        metrics=counts,
    )


def _tls(config: Config) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=config.mqtt_ca)
    except OSError as error:
        raise ConfigError(
            f"mqtt_ca {config.mqtt_ca} holds no certificates that TLS can use: {error.strerror or error}"
        ) from error
    if config.mqtt_certificate is not None:
        try:
            context.load_cert_chain(config.mqtt_certificate, config.mqtt_key)
        except OSError as error:
            raise ConfigError(
                f"{config.mqtt_certificate} and {config.mqtt_key} are no certificate and key that TLS can use "
                f"({error.strerror or error}); both are PEM files, and the key has no password"
            ) from error
    return context
