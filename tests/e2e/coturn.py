"""A TURN server of the test's own: coturn, on an address of this machine or of a namespace."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from aioice import stun

from tests.namespaces import Namespace

PROGRAM = "turnserver"
SECRET = "a secret of two servers"
START = 10.0
"""s until it must answer."""


class Coturn:
    """Takes time-limited credentials made of SECRET, and relays to anybody, this machine too."""

    def __init__(self, folder: Path, address: str = "127.0.0.1", inside: Namespace | None = None) -> None:
        if shutil.which(PROGRAM) is None:
            raise AssertionError("these tests need coturn: install it (Debian: apt-get install coturn)")
        self.address = address
        self._log = folder / "coturn.log"
        self._inside = inside
        with self._socket() as free:
            free.bind((address, 0))
            self.port: int = free.getsockname()[1]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*(inside.inside if inside else []), PROGRAM, *self._options(folder)],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=os.environ,
            )
        try:
            self._wait()
        except BaseException:
            self.kill()
            raise

    @property
    def url(self) -> str:
        return f"turn:{self.address}:{self.port}?transport=udp"

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def allocations(self) -> int:
        """That it has made so far."""
        return self.log.count("ALLOCATE processed, success")

    def configuration(self, folder: Path, *lines: str) -> list[str]:
        """Arguments of a server of ours that tells of this one: a file of it, in ``folder``, with ``lines`` more."""
        file = folder / "doppel.toml"
        more = "".join(f"{line}\n" for line in lines)
        file.write_text(f'turn_secret = "{SECRET}"\n{more}\n[[ice_servers]]\nurls = "{self.url}"\n')
        return ["--config", str(file)]

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def _options(self, folder: Path) -> Sequence[str]:
        return [
            "-n",
            f"--listening-ip={self.address}",
            f"--listening-port={self.port}",
            f"--relay-ip={self.address}",
            "--use-auth-secret",
            f"--static-auth-secret={SECRET}",
            "--realm=doppel.test",
            "--fingerprint",
            "--allow-loopback-peers",
            "--no-tls",
            "--no-dtls",
            "--no-cli",
            "--no-rfc5780",
            "--relay-threads=1",
            "--verbose",
            "--log-file=stdout",
            "--simple-log",
            f"--pidfile={folder / 'coturn.pid'}",
            f"--userdb={folder / 'coturn.db'}",
        ]

    def _wait(self) -> None:
        request = bytes(stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST))
        deadline = time.monotonic() + START
        with self._socket() as asking:
            asking.settimeout(0.1)
            while time.monotonic() < deadline and self._process.poll() is None:
                try:
                    asking.sendto(request, (self.address, self.port))
                    asking.recv(1000)
                except OSError:
                    continue
                return
        raise AssertionError(f"coturn did not start; it said: {self.log}")

    def _socket(self) -> socket.socket:
        if self._inside is not None:
            return self._inside.socket(socket.SOCK_DGRAM)
        return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
