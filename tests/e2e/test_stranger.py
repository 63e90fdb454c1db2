"""From nothing to a stream behind tokens, seen in a browser: the five commands of the README, typed into a shell."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.e2e.browser import Visit, context_of

ROOT = Path(__file__).parents[2]

PATIENCE = 60.0
"""s for a server to be ready and for a line to be printed, on a busy machine."""


def commands() -> list[str]:
    text = (ROOT / "README.md").read_text().partition("\n## With tokens")[2]
    return str(re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)[0]).splitlines()


def free(count: int) -> list[int]:
    """TCP ports of 127.0.0.1 that nobody has now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Shell:
    """A stranger's, in an empty folder. What is started in it ends with it."""

    def __init__(self, folder: Path, http: int, rtmp: int) -> None:
        self._ports = {"127.0.0.1:8080": f"127.0.0.1:{http}", "rtmp://127.0.0.1/": f"rtmp://127.0.0.1:{rtmp}/"}
        self._errors = (folder / "errors").open("wb")
        settings = {"DOPPEL_PORT": str(http), "DOPPEL_RTMP_PORT": str(rtmp), "DOPPEL_ICE_ADDRESS": "127.0.0.1"}
        self._process = subprocess.Popen(
            ["bash", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=folder,
            env=os.environ | settings | {"PYTHONPATH": str(ROOT)},
            start_new_session=True,
        )

    def type(self, line: str) -> None:
        for theirs, ours in self._ports.items():
            line = line.replace(theirs, ours)
        line = line.replace(".venv/bin/doppel", f"'{sys.executable}' -m doppel")
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line} </dev/null\n".encode() if line.startswith("ffmpeg ") else f"{line}\n".encode())
        self._process.stdin.flush()

    def until(self, pattern: str) -> str:
        """Reads what is printed until it has this, which is returned."""
        assert self._process.stdout is not None
        seen, deadline = "", time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            if select.select([self._process.stdout], [], [], 0.2)[0]:
                seen += os.read(self._process.stdout.fileno(), 4096).decode()
                if found := re.search(pattern, seen):
                    return found[0]
        raise AssertionError(f"{pattern} was not printed, but: {seen}{Path(self._errors.name).read_text()}")

    def close(self) -> None:
        # The group is this shell's own: the server and ffmpeg are in it.
        os.killpg(self._process.pid, signal.SIGTERM)
        time.sleep(0.5)
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._errors.close()


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    made = Shell(tmp_path, *free(2))
    yield made
    made.close()


def test_five_commands(shell: Shell, browser: Browser) -> None:
    install, keygen, serve, token, publish = commands()
    done = subprocess.run(["make", "-n", *install.split()[1:]], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert install.startswith("make ")
    assert "models fetch" in done.stdout
    shell.type(keygen)
    shell.type(serve)
    shell.until(r"doppel is ready")
    shell.type(token)
    address = shell.until(r"http://\S+#token=\S+\n").strip()
    shell.type(publish)
    server, _, secret = address.partition("#")
    viewer = Visit(context_of(browser, camera=False), server.partition("/watch/")[0])
    try:
        viewer.open("/watch/" + address.partition("/watch/")[2])
        viewer.plays_on("video", frames=15)
    finally:
        viewer.page.context.close()
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(server.replace("/watch/", "/api/streams/"), timeout=10)
    assert secret.startswith("token=ey")
