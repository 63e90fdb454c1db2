"""One publisher's connection, from its first byte to its last, without the socket.

    handshake -> connecting -> deciding -> publishing -> ended

While ``deciding`` nothing more is read: whether the key is right is known before a byte of media is looked at.
"""

from __future__ import annotations

from typing import Literal, Protocol

from stream.rtmp import command, message
from stream.rtmp.amf0 import AmfError, Value, decode
from stream.rtmp.chunk_reader import ChunkReader
from stream.rtmp.chunk_writer import COMMANDS, CONTROL, STATUS, ChunkWriter
from stream.rtmp.command import STREAM, Command, PublishRequest
from stream.rtmp.errors import Refused, RtmpError
from stream.rtmp.handshake import Handshake
from stream.rtmp.limits import (
    BYTES_BEFORE_PUBLISH,
    COMMAND_WORK,
    COMMANDS_BEFORE_PUBLISH,
    MEDIA_BYTES,
    NAME_LENGTH,
    SENT_CHUNK_SIZE,
    WINDOW,
    WORK,
)
from stream.rtmp.message import Message
from stream.rtmp.timestamps import Unwrapper

State = Literal["handshake", "connecting", "deciding", "publishing", "ended"]

_ENDINGS = frozenset(("FCUnpublish", "deleteStream", "closeStream"))


class Sink(Protocol):
    """Where a publisher's media go. ``video`` and ``audio`` may raise RtmpError, which ends the connection."""

    def video(self, payload: bytearray, time: int) -> None:
        """The body of an FLV video tag, the sink's to change; ms."""

    def audio(self, payload: bytearray, time: int) -> None:
        """The body of an FLV audio tag; ms."""

    def metadata(self, properties: dict[str, Value]) -> None:
        """onMetaData."""

    def closed(self, reason: str) -> None:
        """No more will come. Called once."""


class Link(Protocol):
    """What a session asks of its connection."""

    def write(self, data: bytes) -> None:
        """Sends bytes."""

    def decide(self, request: PublishRequest) -> None:
        """Begins to find out whether this may be published; ``accept`` or ``refuse`` is called later."""


class Session:
    """The server's side of the protocol."""

    def __init__(self, link: Link, handshake: Handshake | None = None) -> None:
        self.state: State = "handshake"
        self.media = 0
        """Messages of media so far."""
        self.end_reason = ""
        """Why the publisher ended its stream, where it did so in words."""
        self._link = link
        self._handshake = handshake or Handshake()
        self._reader = ChunkReader()
        self._writer = ChunkWriter()
        self._clock = Unwrapper()
        self._sink: Sink | None = None
        self._app: str | None = None
        self._commands = 0
        self._window = WINDOW
        self._received = 0
        self._acknowledged = 0

    def receive(self, data: bytes) -> None:
        """Bytes from the peer, to be worked on by ``work``. Raises RtmpError."""
        self._received += len(data)
        if self.state != "handshake":
            self._reader.feed(data)
            return
        if answer := self._handshake.receive(data):
            self._link.write(answer)
        if self._handshake.rest is not None:
            self.state = "connecting"
            self._reader.feed(self._handshake.rest)

    def work(self) -> bool:
        """Handles what was received, or a share of it; returns whether to call again at once. Raises RtmpError."""
        left = WORK
        while self.state in ("connecting", "publishing"):
            received = self._reader.read()
            if self.state == "connecting" and self._reader.consumed > BYTES_BEFORE_PUBLISH:
                raise RtmpError(f"more than {BYTES_BEFORE_PUBLISH} bytes before anything is published")
            if received is None:
                self._acknowledge()
                return False
            left -= self._handle(received)
            if left <= 0:
                return True
        return False

    def accept(self, sink: Sink) -> None:
        """It may publish."""
        self.state = "publishing"
        self._sink = sink
        self._reader.max_media = MEDIA_BYTES
        self._control(message.USER_CONTROL, message.STREAM_BEGIN.to_bytes(2) + STREAM.to_bytes(4))
        self._status(command.status("NetStream.Publish.Start", "publishing"))

    def refuse(self, error: RtmpError) -> None:
        """Says why the connection ends, if it is far enough to be told. What is received from now on is ignored."""
        if self._app is not None and self.state != "ended":
            code = error.code if isinstance(error, Refused) else "NetStream.Publish.Rejected"
            self._status(command.status(code, str(error), "error"))
        self.end()

    def end(self) -> None:
        self.state = "ended"
        self._sink = None

    def _handle(self, received: Message) -> int:
        """Returns what it counts for, in messages of media."""
        kind = received.kind
        if kind in (message.VIDEO, message.AUDIO):
            self._media(received)
            return 1
        if kind == message.AGGREGATE:
            count = 1
            for part in message.parts(received):
                count += self._handle(part)
            return count
        if kind == message.COMMAND:
            self._command(command.parse(received.payload))
        elif kind == message.COMMAND_AMF3:
            # AMF0 behind a byte that says which, in all software that still sends it.
            self._command(command.parse(received.payload[1:]))
        elif kind in (message.DATA, message.DATA_AMF3):
            self._data(received.payload[1:] if kind == message.DATA_AMF3 else received.payload)
        elif kind == message.WINDOW_SIZE and len(received.payload) >= 4:
            # 0 would ask for an acknowledgement of nothing.
            self._window = int.from_bytes(received.payload[:4]) or WINDOW
        elif kind == message.USER_CONTROL and received.payload[:2] == message.PING.to_bytes(2):
            self._control(message.USER_CONTROL, message.PONG.to_bytes(2) + bytes(received.payload[2:6]))
        return COMMAND_WORK

    def _media(self, received: Message) -> None:
        if self._sink is None:
            raise RtmpError("media before anything is published")
        self.media += 1
        time = self._clock.unwrap(received.timestamp)
        if not received.payload:
            return
        if received.kind == message.VIDEO:
            self._sink.video(received.payload, time)
        else:
            self._sink.audio(received.payload, time)

    def _data(self, payload: bytearray) -> None:
        if self._sink is None:
            raise RtmpError("data before anything is published")
        try:
            values = decode(payload)
        except AmfError:
            # Nothing hangs on it, and what encoders put into it is not always AMF.
            return
        if values[:1] == ["@setDataFrame"]:
            del values[0]
        if len(values) > 1 and values[0] == "onMetaData" and isinstance(values[1], dict):
            self._sink.metadata(values[1])

    def _command(self, call: Command) -> None:
        self._commands += 1
        if self._commands > COMMANDS_BEFORE_PUBLISH and self._sink is None:
            raise RtmpError(f"more than {COMMANDS_BEFORE_PUBLISH} commands before anything is published")
        if call.name == "connect":
            self._connect(call)
        elif self._app is None:
            raise RtmpError(f"command {call.name[:32]!r} before connect")
        elif call.name == "createStream":
            self._answer(command.result(call.transaction, float(STREAM)))
        elif call.name == "publish":
            self._publish(call)
        elif call.name in _ENDINGS:
            if self.state == "publishing":
                self.end_reason = "the publisher ended its stream"
                self.state = "ended"
        elif call.name in ("releaseStream", "FCPublish", "_checkbw"):
            self._answer(command.result(call.transaction))
        elif call.name in ("play", "play2"):
            raise Refused("RTMP is only for publishing here; watch the stream by WHEP or on its page", "NetStream.Play.Failed")
        elif call.transaction:
            self._answer(command.error(call.transaction, "NetConnection.Call.Failed", f"there is no {call.name[:32]!r} here"))

    def _connect(self, call: Command) -> None:
        properties = call.arguments[0] if call.arguments else None
        app = properties.get("app") if isinstance(properties, dict) else None
        if self._app is not None or not isinstance(app, str) or len(app) > NAME_LENGTH:
            raise RtmpError("connect comes once, and names its app")
        self._app = app.strip("/")
        self._control(message.WINDOW_SIZE, WINDOW.to_bytes(4))
        self._control(message.PEER_BANDWIDTH, WINDOW.to_bytes(4) + bytes((message.DYNAMIC,)))
        self._link.write(self._writer.set_chunk_size(SENT_CHUNK_SIZE))
        self._answer(command.connected(call.transaction))

    def _publish(self, call: Command) -> None:
        assert self._app is not None
        if self.state == "publishing":
            raise Refused("this connection publishes already; open another for a second stream")
        key = call.text(1)
        name, _, query = key.partition("?")
        if not name or len(key) > NAME_LENGTH:
            raise Refused("name the stream to publish: rtmp://host/app/NAME")
        self.state = "deciding"
        self._link.decide(PublishRequest(self._app, name, query))

    def _acknowledge(self) -> None:
        if self._received - self._acknowledged >= self._window:
            self._acknowledged = self._received
            self._control(message.ACKNOWLEDGEMENT, (self._received & 0xFFFFFFFF).to_bytes(4))

    def _control(self, kind: int, payload: bytes) -> None:
        self._link.write(self._writer.message(CONTROL, kind, payload))

    def _answer(self, payload: bytes) -> None:
        self._link.write(self._writer.message(COMMANDS, message.COMMAND, payload))

    def _status(self, payload: bytes) -> None:
        self._link.write(self._writer.message(STATUS, message.COMMAND, payload, STREAM))
