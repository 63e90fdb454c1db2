"""The mosquitto broker on a free port of loopback, for nobody but this bench."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_TIMEOUT = 10.0
"""s until it listens."""
POLL_INTERVAL = 0.05
"""s between two questions whether it does."""


class BrokerMissing(Exception):
    """There is none here; the message says how to have one."""


@contextmanager
def mosquitto() -> Iterator[int]:
    """Its port. Raises BrokerMissing."""
    # Debian has it where only root's path leads.
    path = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if path is None:
        raise BrokerMissing("there is no mosquitto; Debian, Ubuntu: apt-get install mosquitto")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder) / "mosquitto.conf"
        configuration.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_type none\nset_tcp_nodelay true\n"
        )
        process = subprocess.Popen([path, "-c", str(configuration)], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _wait(process, port)
            yield port
        finally:
            process.terminate()
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise BrokerMissing("mosquitto is there and does not start") from None
            time.sleep(POLL_INTERVAL)
        else:
            return
