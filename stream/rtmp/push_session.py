"""Our side of publishing to a server, from the first byte to the last, without the socket.

    handshake -> connecting -> creating -> starting -> publishing -> ended

``session`` is the server's side.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from stream.rtmp import amf0, command, message
from stream.rtmp.chunk_reader import ChunkReader
from stream.rtmp.chunk_writer import COMMANDS, CONTROL, ChunkWriter
from stream.rtmp.command import Command
from stream.rtmp.errors import Refused, RtmpError
from stream.rtmp.handshake import ClientHandshake
from stream.rtmp.limits import PUSHED_CHUNK_SIZE, WINDOW, WORK
from stream.rtmp.message import AUDIO, DATA, VIDEO, Message
from stream.rtmp.target import Target

State = Literal["handshake", "connecting", "creating", "starting", "publishing", "ended"]

_CONNECT, _RELEASE, _FC_PUBLISH, _CREATE, _PUBLISH = 1, 2, 3, 4, 5
"""Transactions."""

_WAITED_FOR = {"connecting": _CONNECT, "creating": _CREATE}
"""What a server answers with _result; publish it answers with onStatus."""

_CHUNK_STREAMS = {DATA: 4, AUDIO: 4, VIDEO: 6}


class PushSession:
    """The client's side of the protocol. What a server says of why it ends is concealed where it quotes the key."""

    def __init__(self, target: Target, write: Callable[[bytes], None], handshake: ClientHandshake | None = None) -> None:
        self.state: State = "handshake"
        self._target = target
        self._write = write
        self._handshake = handshake or ClientHandshake()
        self._reader = ChunkReader()
        self._writer = ChunkWriter()
        self._stream = 0
        self._window = WINDOW
        self._told_window = 0
        self._received = 0
        self._acknowledged = 0

    def begin(self) -> None:
        self._write(self._handshake.hello)

    def receive(self, data: bytes) -> None:
        """Bytes from the server, to be worked on by ``work``. Raises RtmpError."""
        self._received += len(data)
        if self.state == "ended":
            return
        if self.state != "handshake":
            self._reader.feed(data)
            return
        if answer := self._handshake.receive(data):
            self._write(answer)
        if self._handshake.rest is not None:
            self._reader.feed(self._handshake.rest)
            self._connect()

    def work(self) -> bool:
        """Handles what was received, or a share of it; returns whether to call again at once. Raises RtmpError; Refused where
        the server says no.
        """
        left = WORK
        while self.state not in ("handshake", "ended"):
            received = self._reader.read()
            if received is None:
                self._acknowledge()
                return False
            left -= self._handle(received)
            if left <= 0:
                return True
        return False

    def send(self, kind: int, timestamp: int, payload: bytes) -> None:
        """A message of the stream; ``timestamp`` in ms, modulo 2**32. Only while ``publishing``."""
        self._write(self._writer.message(_CHUNK_STREAMS[kind], kind, payload, self._stream, timestamp))

    def finish(self) -> None:
        """Takes leave."""
        if self.state == "publishing":
            self._call("FCUnpublish", 0, self._target.key)
            self._call("deleteStream", 0, self._stream)
        self.state = "ended"

    def _handle(self, received: Message) -> int:
        """Returns what it counts for, in messages of media."""
        kind, payload = received.kind, received.payload
        if kind in (message.COMMAND, message.COMMAND_AMF3):
            self._command(payload[1:] if kind == message.COMMAND_AMF3 else payload)
            # One at a time: reading the longest takes over 1 ms.
            return WORK
        if kind == message.WINDOW_SIZE and len(payload) >= 4:
            # 0 would ask for an acknowledgement of nothing.
            self._window = int.from_bytes(payload[:4]) or WINDOW
        elif kind == message.PEER_BANDWIDTH and len(payload) >= 4:
            window = int.from_bytes(payload[:4])
            if window != self._told_window:
                self._told_window = window
                self._control(message.WINDOW_SIZE, window.to_bytes(4))
        elif kind == message.USER_CONTROL and payload[:2] == message.PING.to_bytes(2) and len(payload) >= 6:
            self._control(message.USER_CONTROL, message.PONG.to_bytes(2) + bytes(payload[2:6]))
        return 1

    def _command(self, payload: bytearray) -> None:
        try:
            call = command.parse(payload)
        except RtmpError:
            # Its own words would quote the server's, and those may quote the key.
            raise RtmpError("the server sent a command that is none") from None
        if call.name == "_result" and call.transaction == _WAITED_FOR.get(self.state):
            if self.state == "connecting":
                self._create()
            else:
                self._publish(call)
        elif call.name == "_error" and call.transaction in (_CONNECT, _CREATE, _PUBLISH):
            self._refused(call)
        elif call.name == "onStatus":
            self._status(call)
        elif call.name == "close":
            raise RtmpError("the server ended the connection")

    def _status(self, call: Command) -> None:
        information = _information(call)
        if information.get("level") == "error":
            self._refused(call)
        code = information.get("code")
        if code == "NetStream.Publish.Start" and self.state == "starting":
            self.state = "publishing"
        elif code == "NetStream.Unpublish.Success":
            raise RtmpError("the server ended the stream")

    def _refused(self, call: Command) -> None:
        """Raises Refused."""
        information = _information(call)
        said = [value for name in ("code", "description") if isinstance(value := information.get(name), str) and value]
        words = self._target.conceal(": ".join(said)) or "it did not say why"
        verb = "ended" if self.state == "publishing" else "refused"
        raise Refused(f"the server {verb} the stream: {words}")

    def _connect(self) -> None:
        self.state = "connecting"
        self._write(self._writer.set_chunk_size(PUSHED_CHUNK_SIZE))
        properties: dict[str, amf0.Sendable] = {
            "app": self._target.app,
            "type": "nonprivate",
            # Servers look for this name, to tell publishers from players.
            "flashVer": "FMLE/3.0 (compatible; doppel)",
            "swfUrl": self._target.url,
            "tcUrl": self._target.url,
        }
        self._write(self._writer.message(COMMANDS, message.COMMAND, amf0.encode("connect", _CONNECT, properties)))

    def _create(self) -> None:
        self.state = "creating"
        self._call("releaseStream", _RELEASE, self._target.key)
        self._call("FCPublish", _FC_PUBLISH, self._target.key)
        self._call("createStream", _CREATE)

    def _publish(self, call: Command) -> None:
        stream = call.arguments[1] if len(call.arguments) > 1 else None
        if not isinstance(stream, float) or not 0 < stream < 1 << 32:
            raise RtmpError("the server made a stream without a number")
        self._stream = int(stream)
        self.state = "starting"
        payload = amf0.encode("publish", _PUBLISH, None, self._target.key, "live")
        self._write(self._writer.message(_CHUNK_STREAMS[DATA], message.COMMAND, payload, self._stream))

    def _acknowledge(self) -> None:
        if self._received - self._acknowledged >= self._window:
            self._acknowledged = self._received
            self._control(message.ACKNOWLEDGEMENT, (self._received & 0xFFFFFFFF).to_bytes(4))

    def _call(self, name: str, transaction: int, *arguments: amf0.Sendable) -> None:
        self._write(self._writer.message(COMMANDS, message.COMMAND, amf0.encode(name, transaction, None, *arguments)))

    def _control(self, kind: int, payload: bytes) -> None:
        self._write(self._writer.message(CONTROL, kind, payload))


def _information(call: Command) -> dict[str, amf0.Value]:
    """What an answer says of itself."""
    value = call.arguments[1] if len(call.arguments) > 1 else None
    return value if isinstance(value, dict) else {}
