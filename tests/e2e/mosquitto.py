"""The mosquitto broker, as an operator runs it: with TLS and a password, and killed where a test wants that."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from tests.certificate import self_signed

START = 10.0
"""s until it listens."""

USER, PASSWORD = "doppel", "m0squitto-s3cret"
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"


class Mosquitto:
    """On a free port of localhost; what it retains is lost with it."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("mosquitto", path=_PATH) is None:
            pytest.skip("mosquitto is needed (Debian: apt-get install mosquitto)")
        certificate, key = self_signed()
        self.certificate, self.password_file = folder / "certificate.pem", folder / "password"
        self.certificate.write_bytes(certificate)
        (folder / "key.pem").write_bytes(key)
        self.password_file.write_text(f"{PASSWORD}\n")
        subprocess.run(
            [_tool("mosquitto_passwd"), "-b", "-c", str(folder / "users"), USER, PASSWORD], check=True, capture_output=True
        )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._configuration = folder / "mosquitto.conf"
        lines = [
            "allow_anonymous false",
            f"password_file {folder / 'users'}",
            "persistence false",
            "log_dest stderr",
            f"listener {self.port} 127.0.0.1",
            f"certfile {self.certificate}",
            f"keyfile {folder / 'key.pem'}",
            *(["user root"] if os.geteuid() == 0 else []),  # it would give up the right to read its own files
        ]
        self._configuration.write_text("\n".join(lines) + "\n")
        self._log = folder / "mosquitto.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtts://localhost:{self.port}"

    @property
    def log(self) -> str:
        return self._log.read_text()

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.certificate)

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [_tool("mosquitto"), "-c", str(self._configuration)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1.0).close()
            except OSError:
                assert self._process.poll() is None, self.log
                assert time.monotonic() < deadline, self.log
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def _tool(name: str) -> str:
    found = shutil.which(name, path=_PATH)
    assert found is not None, name
    return found
