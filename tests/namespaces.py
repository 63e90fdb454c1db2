"""Networks of the test's own: namespaces that reach one in the middle, and through it nobody (Linux, root, iproute2)."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

CLONE_NEWNET = 0x40000000
"""From linux/sched.h."""

COMMAND = 10
"""s for a command of iproute2."""

CHUNK = 65_536
"""Bytes that a forwarded connection is read by."""

MIDDLE = "198.18.0.1"
"""What everybody reaches the middle by; 198.18.0.0/15 is for tests (RFC 2544)."""

_numbers = count()
_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """One network namespace, with loopback up."""

    def __init__(self, role: str) -> None:
        self.name = f"doppel-{os.getpid()}-{next(_numbers)}-{role}"
        self.address = ""
        """Where others of the network would look for it."""
        _ip("netns", "add", self.name)
        self.ip("link", "set", "lo", "up")

    @property
    def inside(self) -> list[str]:
        """What to put before a command that is to run in it."""
        return ["ip", "netns", "exec", self.name]

    def ip(self, *arguments: str) -> None:
        _ip("-n", self.name, *arguments)

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Sockets that this thread makes meanwhile are the namespace's, and stay so."""
        with open("/proc/thread-self/ns/net") as before, open(f"/run/netns/{self.name}") as own:
            _enter(own.fileno())
            try:
                yield
            finally:
                _enter(before.fileno())

    def socket(self, kind: socket.SocketKind) -> socket.socket:
        with self.entered():
            return socket.socket(socket.AF_INET, kind)

    def wrapped(self, program: str, script: Path) -> Path:
        """Writes a script that runs a program in it."""
        script.write_text(f'#!/bin/sh\nexec {" ".join(self.inside)} "{program}" "$@"\n')
        script.chmod(0o755)
        return script

    def delete(self) -> None:
        _ip("netns", "delete", self.name)


@contextlib.contextmanager
def star(*roles: str) -> Iterator[tuple[Namespace, ...]]:
    """A namespace in the middle, and one for each role. These reach the middle, which forwards nothing between them.

    Skips the test where namespaces cannot be made; in CI that is a failure.
    """
    with contextlib.ExitStack() as stack:

        def make(role: str) -> Namespace:
            made = Namespace(role)
            stack.callback(made.delete)
            return made

        try:
            middle = make("middle")
        except (OSError, subprocess.SubprocessError) as error:
            pytest.skip(f"no network namespaces here ({_why(error)}); run as root, with iproute2")
        middle.address = MIDDLE
        middle.ip("address", "add", f"{MIDDLE}/32", "dev", "lo")
        forwards = subprocess.run([*middle.inside, "cat", "/proc/sys/net/ipv4/ip_forward"], capture_output=True, check=True)
        if forwards.stdout.strip() != b"0":
            subprocess.run([*middle.inside, "sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_forward"], check=True, timeout=COMMAND)
        outer = []
        for number, role in enumerate(roles, 1):
            made = make(role)
            made.address = f"198.18.{number}.2"
            middle.ip("link", "add", f"to{number}", "type", "veth", "peer", "name", "eth0", "netns", made.name)
            middle.ip("address", "add", f"198.18.{number}.1/24", "dev", f"to{number}")
            middle.ip("link", "set", f"to{number}", "up")
            made.ip("address", "add", f"{made.address}/24", "dev", "eth0")
            made.ip("link", "set", "eth0", "up")
            made.ip("route", "add", "default", "via", f"198.18.{number}.1")
            outer.append(made)
        yield (middle, *outer)


def reaches(here: Namespace, there: Namespace, wait: float = 0.3) -> bool:
    """Whether a UDP datagram arrives within ``wait`` s."""
    with here.socket(socket.SOCK_DGRAM) as sender, there.socket(socket.SOCK_DGRAM) as receiver:
        receiver.bind((there.address, 0))
        receiver.settimeout(wait)
        with contextlib.suppress(OSError):
            sender.sendto(b"anybody there?", receiver.getsockname())
        try:
            receiver.recv(100)
        except TimeoutError:
            return False
        return True


class Forward:
    """A TCP port of 127.0.0.1 in some namespaces that leads to the same one in another, as a reverse proxy would."""

    def __init__(self, port: int, server: Namespace, *clients: Namespace) -> None:
        self._target = ("127.0.0.1", port)
        self._server = server
        self._listening = [client.socket(socket.SOCK_STREAM) for client in clients]
        for each in self._listening:
            each.bind(self._target)
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()), name="forward")
        self._thread.start()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()

    async def _serve(self) -> None:
        servers = [await asyncio.start_server(self._lead, sock=each) for each in self._listening]
        await self._stop.wait()
        for each in servers:
            each.close()
        ours = asyncio.all_tasks() - {asyncio.current_task()}
        for task in ours:
            task.cancel()
        await asyncio.gather(*ours, return_exceptions=True)

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        outer = self._server.socket(socket.SOCK_STREAM)
        outer.setblocking(False)
        try:
            await self._loop.sock_connect(outer, self._target)
            back, there = await asyncio.open_connection(sock=outer)
        except OSError:
            outer.close()
            writer.close()
            return
        # Of a handler that was cancelled, asyncio complains.
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(_pump(reader, there), _pump(back, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


def _ip(*arguments: str) -> None:
    program = shutil.which("ip")
    if program is None:
        raise FileNotFoundError("iproute2 is not installed")
    subprocess.run([program, *arguments], check=True, capture_output=True, timeout=COMMAND)


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def _why(error: Exception) -> str:
    told = getattr(error, "stderr", None)
    return told.decode().strip() if told else str(error)
