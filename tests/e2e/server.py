"""A doppel of its own for a test: started as a user would, watched from outside, ended by its process id."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

START = 60.0
"""s until it must say that it is ready: models may have to be fetched first."""

SHUTDOWN = 6.0
"""s that it may take to end: its own 5 s, and a busy machine."""


class Server:
    """``doppel serve`` on a free port of 127.0.0.1; ``inside`` goes before the command."""

    def __init__(self, log: Path, arguments: Sequence[str] = (), inside: Sequence[str] = ()) -> None:
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [*inside, sys.executable, "-m", "doppel", "serve", "--port", "0", "--ice-address", "127.0.0.1", *arguments],
                stdout=subprocess.PIPE,
                stderr=output,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )
        self.url = self._wait()

    @property
    def log(self) -> str:
        return self._log.read_text()

    def _wait(self) -> str:
        assert self._process.stdout is not None
        deadline = time.monotonic() + START
        seen = b""
        while time.monotonic() < deadline and self._process.poll() is None:
            if select.select([self._process.stdout], [], [], 0.2)[0]:
                seen += os.read(self._process.stdout.fileno(), 4096)
                if found := re.search(rb"open (https?://\S+)/ ", seen):
                    return found[1].decode()
        self.kill()
        raise AssertionError(f"the server did not become ready; it said: {seen.decode()}{self.log}")

    def metric(self, name: str) -> float:
        """The value of an unlabelled metric."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=5) as response:
            for line in response.read().decode().splitlines():
                if line.startswith(f"{name} "):
                    return float(line.split()[1])
        raise AssertionError(f"no metric {name}")

    def threads(self) -> int:
        """Of the operating system's count, so that those of libraries are in it."""
        return len(os.listdir(f"/proc/{self._process.pid}/task"))

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self._process.pid}/fd"))

    def memory(self) -> int:
        """Resident, bytes."""
        return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def tasks(self) -> int:
        return int(self.metric("doppel_tasks"))

    def stop(self) -> int:
        """SIGTERM, and the exit status. Raises where it does not end in time."""
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(SHUTDOWN)
        finally:
            self.kill()

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
