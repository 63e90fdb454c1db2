"""A connection to a broker, by MQTT 5, through aiomqtt."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import aiomqtt
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from signaling.mqtt.limits import BROKER_TIMEOUT, KEEPALIVE, MAX_PACKET, MAX_RECEIVED, MAX_UNACKNOWLEDGED, TURN, WINDOW
from signaling.mqtt.message import Link, LinkLost, Message, Received

logger = logging.getLogger(__name__)

PLAIN_PORT, TLS_PORT = 1883, 8883
"""As registered."""

WITH_WILL = 0x04
"""Reason to leave with which the last will is published (MQTT 5 section 3.14.2.1)."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where it is, and who we are."""

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None

    def __str__(self) -> str:
        return f"{self.host} port {self.port}"


Open = Callable[[str, Message], AbstractAsyncContextManager[Link]]
"""Connects under a client identifier, with a last will. Raises LinkLost."""


def opener(broker: Broker) -> Open:
    """Connects to that broker."""
    return lambda identifier, will: connect(broker, identifier, will)


@asynccontextmanager
async def connect(broker: Broker, identifier: str, will: Message) -> AsyncIterator[Link]:
    """Raises LinkLost."""
    client = aiomqtt.Client(
        broker.host,
        broker.port,
        username=broker.username,
        password=broker.password,
        identifier=identifier,
        protocol=aiomqtt.ProtocolVersion.V5,
        will=aiomqtt.Will(will.topic, will.payload, will.qos, will.retain),
        timeout=BROKER_TIMEOUT,
        keepalive=KEEPALIVE,
        clean_start=MQTT_CLEAN_START_FIRST_ONLY,
        max_queued_incoming_messages=MAX_RECEIVED,
        properties=_properties(PacketTypes.CONNECT, MaximumPacketSize=MAX_PACKET, ReceiveMaximum=MAX_UNACKNOWLEDGED),
        tls_context=broker.tls,
        # Or else a reply waits for the acknowledgement of what was sent before it, which takes 40 ms.
        socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
    )
    client.pending_calls_threshold = 2 * WINDOW
    # Whoever had no time to say that it goes has the broker say it: a node that is gone must not be online for ever.
    with_will = ReasonCode(PacketTypes.DISCONNECT, identifier=WITH_WILL)
    client._client.disconnect = partial(client._client.disconnect, with_will)  # type: ignore[method-assign]
    try:
        await _enter(client)
    except aiomqtt.MqttError as error:
        raise LinkLost(_reason(error)) from None
    try:
        yield _AiomqttLink(client)
    finally:
        try:
            await client.__aexit__(None, None, None)
        except aiomqtt.MqttError as error:
            logger.debug("the broker was left without a word: %s", _reason(error))
        finally:
            _drop(client)


async def _enter(client: aiomqtt.Client) -> None:
    """Connects; who is cancelled meanwhile, or turned away, leaves no socket behind."""
    entering = asyncio.ensure_future(client.__aenter__())
    try:
        await asyncio.shield(entering)
    except asyncio.CancelledError:
        # The thread that connects cannot be stopped; it ends by its own timeout.
        entering.add_done_callback(lambda _: _drop(client))
        entering.add_done_callback(lambda done: done.cancelled() or done.exception())
        raise
    except aiomqtt.MqttError:
        _drop(client)
        raise


def _drop(client: aiomqtt.Client) -> None:
    """Closes the socket. aiomqtt leaves it open where the broker never answered, and has no call for it."""
    client._client._sock_close()


class _AiomqttLink:
    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client

    async def publish(self, message: Message) -> None:
        properties = None
        if message.correlation is not None:
            properties = _properties(PacketTypes.PUBLISH, CorrelationData=message.correlation)
        try:
            await self._client.publish(message.topic, message.payload, message.qos, message.retain, properties)
        except aiomqtt.MqttError as error:
            raise LinkLost(_reason(error)) from None
        if message.qos:
            self._acknowledge()

    async def subscribe(self, topic: str, *, kept: bool) -> None:
        handling = SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE if kept else SubscribeOptions.RETAIN_DO_NOT_SEND
        options = SubscribeOptions(qos=1, retainAsPublished=True, retainHandling=handling)
        try:
            granted = await self._client.subscribe(topic, options=options)
        except aiomqtt.MqttError as error:
            raise LinkLost(_reason(error)) from None
        if any(isinstance(code, ReasonCode) and code.is_failure for code in granted):
            logger.warning("the broker does not let this node subscribe to %s: %s; allow it there", topic, granted[0])

    async def unsubscribe(self, topic: str) -> None:
        try:
            await self._client.unsubscribe(topic)
        except aiomqtt.MqttError as error:
            raise LinkLost(_reason(error)) from None

    def _acknowledge(self) -> None:
        """Tells the broker's TCP at once that its packet is here: mosquitto, as it is configured by default, holds the next
        command back until then, and the kernel would let it wait 40 ms. Linux alone has this.
        """
        line = self._client._client.socket()
        if isinstance(line, socket.socket) and hasattr(socket, "TCP_QUICKACK"):
            with contextlib.suppress(OSError):  # it is lost, as the next call will say
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    async def received(self) -> AsyncIterator[Received]:
        try:
            async for message in self._client.messages:
                self._acknowledge()
                yield _received(message)
                # aiomqtt takes some turns of the loop for each, and of a burst it would lose most meanwhile.
                queue = self._client._queue
                while not queue.empty():
                    for _ in range(min(TURN, queue.qsize())):
                        yield _received(queue.get_nowait())
                    await asyncio.sleep(0)
        except aiomqtt.MqttError as error:
            raise LinkLost(_reason(error)) from None


def _received(message: aiomqtt.Message) -> Received:
    properties = message.properties
    return Received(
        message.topic.value,
        message.payload,
        message.retain,
        getattr(properties, "ResponseTopic", None),
        getattr(properties, "CorrelationData", None),
    )


def _properties(packet: int, **values: object) -> Properties:
    properties = Properties(packet)  # type: ignore[no-untyped-call]
    for name, value in values.items():
        setattr(properties, name, value)
    return properties


def _reason(error: BaseException) -> str:
    """In words; what the library says holds no password."""
    cause = error.__cause__
    return str(cause if isinstance(error, aiomqtt.MqttError) and cause is not None else error) or type(error).__name__
