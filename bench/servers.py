"""The servers under measurement: started on a free port of loopback, and ended by whoever started them."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

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
    """A way to start a server. ``{port}`` in the command is replaced."""

    name: str
    command: Sequence[str]


@dataclass(frozen=True, slots=True)
class Server:
    """A running one."""

    kind: Kind
    pid: int
    port: int

    def url(self, stream: str, chain: str = "") -> str:
        """Where to post an offer for a loop."""
        return f"http://127.0.0.1:{self.port}/loop/{stream}" + (f"?chain={chain}" if chain else "")


_SERVE = ("serve", "--host", "127.0.0.1", "--port", "{port}", "--ice-address", "127.0.0.1")
AIORTC = Kind("plain aiortc", ("bench.peers.aiortc_echo", "{port}"))
DOPPEL = Kind("doppel", ("doppel", *_SERVE))
DOPPEL_SLOW = Kind("doppel", ("bench.peers.doppel_slow", *_SERVE))


@contextmanager
def running(kind: Kind) -> Iterator[Server]:
    """Starts a server, waits until it is ready, and ends it afterwards. Raises ServerFailed."""
    port = _free_port()
    command = [sys.executable, "-m", *(part.replace("{port}", str(port)) for part in kind.command)]
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
            yield Server(kind, process.pid, port)
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2.0):
            return True
    except (urllib.error.URLError, OSError):
        return False
