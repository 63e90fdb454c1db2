"""The servers under measurement: started on a free port of loopback, and ended by whoever started them."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from bench import interpreters
from bench.interpreters import PeerMissing
from bench.progress import say

START_TIMEOUT = 60.0
"""s until ready: importing torch and loading every model from a cold disk."""
STOP_TIMEOUT = 10.0
"""s after being asked to end; then it is killed."""
POLL_INTERVAL = 0.1
"""s between two questions whether it is ready."""


class ServerFailed(Exception):
    """It did not start, or ended by itself; the message has the end of its log."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A way to start a server. ``{port}`` and ``{rtmp}`` in the command are replaced by free ports."""

    name: str
    command: Sequence[str]
    """A module and its arguments."""
    interpreter: Callable[[], str] = interpreters.ours
    """Finds or makes the Python that runs it. Raises PeerMissing."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running one."""

    kind: Kind
    pid: int
    port: int
    rtmp_port: int

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def url(self, stream: str, chain: str = "") -> str:
        """Where to post an offer for a loop."""
        return f"{self.origin}/loop/{stream}" + (f"?chain={chain}" if chain else "")

    def whip(self, stream: str, chain: str = "") -> str:
        """Where to post an offer to publish."""
        return f"{self.origin}/whip/{stream}" + (f"?chain={chain}" if chain else "")

    def whep(self, stream: str) -> str:
        """Where to post an offer to watch."""
        return f"{self.origin}/whep/{stream}"


_SERVE = ("serve", "--host", "127.0.0.1", "--port", "{port}", "--rtmp-port", "{rtmp}", "--ice-address", "127.0.0.1")
AIORTC = Kind("plain aiortc", ("bench.peers.aiortc_echo", "{port}"))
AIORTC_RELAY = Kind("aiortc's MediaRelay", ("bench.peers.aiortc_broadcast", "{port}"))
DOPPEL = Kind("doppel", ("doppel", *_SERVE))
SILENCE_TIMEOUT = 2.0
"""s after which an impatient server gives up a peer that is silent: longer than a busy machine leaves a client without its turn,
and shorter than doppel's default."""
DOPPEL_IMPATIENT = Kind("doppel", ("doppel", *_SERVE, "--silence-timeout", f"{SILENCE_TIMEOUT:g}"))
FIXED_BITRATE = 2_000_000
"""bit/s at which the server encodes whatever a line would carry, where its cost for each viewer is compared."""
DOPPEL_FIXED = Kind("doppel", ("doppel", *_SERVE, "--start-bitrate", f"{FIXED_BITRATE}", "--max-bitrate", f"{FIXED_BITRATE}"))
DOPPEL_SLOW = Kind("doppel", ("bench.peers.doppel_slow", *_SERVE))
FASTRTC = Kind("fastrtc", ("bench.peers.fastrtc_echo", "{port}"), interpreters.fastrtc)
FASTRTC_SLOW = Kind("fastrtc", ("bench.peers.fastrtc_echo", "{port}", "60"), interpreters.fastrtc)
"""Its handler sleeps as long as ``slow`` does."""
GSTREAMER = Kind("GStreamer webrtcbin", ("bench.peers.gstreamer_echo", "{port}"), interpreters.gstreamer)

STREAMLIT = Kind("streamlit-webrtc", ("bench.peers.streamlit_echo", "{port}"), interpreters.streamlit)

PEERS = {"fastrtc": FASTRTC, "streamlit-webrtc": STREAMLIT, "gstreamer": GSTREAMER}
"""What doppel is compared with beside plain aiortc, where it can be had."""


def peers(names: Sequence[str]) -> tuple[list[Kind], list[str]]:
    """By their names in PEERS, those that can be started here, as ``available`` says."""
    return available([PEERS[name] for name in names])


def available(kinds: Sequence[Kind]) -> tuple[list[Kind], list[str]]:
    """Those that can be started here, and for each of the others a sentence that says why not."""
    found: list[Kind] = []
    missing: list[str] = []
    for kind in kinds:
        try:
            kind.interpreter()
        except PeerMissing as error:
            missing.append(f"{kind.name} is left out: {error}")
            say(f"  {missing[-1]}")
        else:
            found.append(kind)
    return found, missing


@contextmanager
def running(kind: Kind) -> Iterator[Server]:
    """Starts a server, waits until it is ready, and ends it afterwards. Raises ServerFailed, PeerMissing."""
    port, rtmp_port = _free_ports()
    filled = (part.replace("{port}", str(port)).replace("{rtmp}", str(rtmp_port)) for part in kind.command)
    command = [kind.interpreter(), "-m", *filled]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + START_TIMEOUT
            while not _ready(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    tail = log.read()[-2000:].decode(errors="replace")
                    state = f"was not ready within {START_TIMEOUT:.0f} s" if process.returncode is None else "ended"
                    raise ServerFailed(f"{' '.join(command)} {state}. It said:\n{tail}")
                time.sleep(POLL_INTERVAL)
            yield Server(kind, process.pid, port, rtmp_port)
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        for probe in (one, other):
            probe.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1]), int(other.getsockname()[1])


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2.0):
            return True
    except (urllib.error.URLError, OSError):
        return False
