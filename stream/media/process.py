"""Runs the process that reads a source, and ends it for certain."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import stream
from stream.media.limits import KILL_TIMEOUT, PACKET_BYTES
from stream.media.message import HEADER_SIZE, Header, unpack
from stream.media.reader import Job

logger = logging.getLogger(__name__)

PIPE_BYTES = 64 << 10
"""bytes read ahead of the one who takes them; with the pipe's own as many again. A paced source so waits for its reader."""

POLL = 0.01
"""s between two looks whether a process that was killed has ended."""

_KEPT = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "SSL_CERT_DIR", "SSL_CERT_FILE", "TMPDIR")
"""Of the environment: it may have secrets that are no business of a process that reads what strangers send."""


class ReaderGone(Exception):
    """The process has ended without a word, or said something that it never should."""


class ReaderProcess:
    """One job, being done. Everything is called on the event loop."""

    def __init__(self, process: subprocess.Popen[bytes], output: asyncio.StreamReader, pipe: asyncio.ReadTransport) -> None:
        self._process = process
        self._output = output
        self._pipe = pipe

    @classmethod
    async def start(cls, job: Job) -> ReaderProcess:
        """Raises OSError."""
        # In a thread, and not by asyncio: uvloop forks, which takes a large process 40 ms, where subprocess has vfork.
        starting = asyncio.ensure_future(cls._start(job))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            # It takes some ms, and what has begun is seen through, so that it can be ended.
            await (await starting).stop()
            raise

    @classmethod
    async def _start(cls, job: Job) -> ReaderProcess:
        process = await asyncio.to_thread(_spawn, job)
        output = asyncio.StreamReader(limit=PIPE_BYTES)
        # From here on the pipe is the transport's to close.
        pipe, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(output), process.stdout)
        return cls(process, output, pipe)

    async def read(self) -> tuple[Header, bytes]:
        """The next message. Raises ReaderGone."""
        try:
            header = unpack(await self._output.readexactly(HEADER_SIZE))
            if header.size > PACKET_BYTES:
                raise ReaderGone(f"the process that reads it sent {header.size} bytes at once")
            return header, await self._output.readexactly(header.size)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise ReaderGone("the process that reads it broke off") from None
        except ValueError as error:
            raise ReaderGone(f"the process that reads it sent {error}") from None

    async def stop(self) -> None:
        """Kills it, and what it started. Safe to call twice."""
        self._pipe.close()
        await _end(self._process)


def _spawn(job: Job) -> subprocess.Popen[bytes]:
    root = str(Path(next(iter(stream.__path__))).parent)
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment["PYTHONPATH"] = os.pathsep.join([root, *(entry for entry in sys.path if entry)])
    process = subprocess.Popen(
        # -P: a file in the working directory is no module.
        [sys.executable, "-P", "-m", "stream.media.reader"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        # A group of its own: what it starts is killed with it, and Ctrl-C is for us to hear.
        start_new_session=True,
    )
    assert process.stdin is not None
    # Less than a pipe holds. It stays open: when it closes, the process ends.
    process.stdin.write(job.pack())
    process.stdin.flush()
    return process


async def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    waited = 0.0
    while process.poll() is None:
        if waited >= KILL_TIMEOUT:
            logger.warning("process %d does not end, though it was killed", process.pid)
            return
        await asyncio.sleep(POLL)
        waited += POLL
