"""Recording to a file, by a thread of its own: a disk that is slow or full never holds up a stream."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from stream.fmp4.writer import Writer
from stream.picture import EncodedPicture
from stream.sound.packet import SoundPacket

logger = logging.getLogger(__name__)

QUEUE_BYTES = 8 << 20
"""bytes that may wait for the disk: 16 s at 4 Mb/s."""

QUEUE_ITEMS = 2048
"""Pictures and packets that may wait for the disk: 25 s at 30 and 50 a second."""

WRITE_INTERVAL = 0.25
"""s between two looks at what came: 4 wake-ups a second instead of 80, for so much more that a crash loses."""

IDLE = 4
"""Such looks, 1 s, that find nothing, after which what is held back is written too."""

CLOSE_TIMEOUT = 2.0
"""s to write what waits at the end; a disk that takes longer hangs."""

MODE = 0o640
"""Of the files: recordings of people are not for every user of the machine."""

_BOX_HEAD = 8
"""bytes of a box's size and type."""

_ADVICE = {
    errno.ENOSPC: "free some space on its disk, then start another",
    errno.EDQUOT: "free some space on its disk, then start another",
    errno.EFBIG: "start another",
    errno.EEXIST: "move that file away, then start another",
    errno.ENOENT: "make the folder for recordings, then start another",
    errno.ENOTDIR: "make the folder for recordings, then start another",
    errno.EACCES: "let the server write to the folder for recordings, then start another",
    errno.EPERM: "let the server write to the folder for recordings, then start another",
    errno.EROFS: "let the server write to the folder for recordings, then start another",
}


class RecordingEgress:
    """Records H.264 and Opus to a new file of fragmented MP4, from the first keyframe on."""

    codec = "H264"

    def __init__(self, path: Path, *, on_failed: Callable[[str], None]) -> None:
        """``on_failed`` is told once why it ended by itself, by its thread; ``close`` is to be called all the same."""
        self.dropped = 0
        """Pictures and packets of sound left out since the disk was too slow."""
        self.reason = ""
        """Why it failed; empty while it has not."""
        self._path = path
        self._on_failed = on_failed
        self._lock = threading.Lock()
        self._queue: deque[EncodedPicture | SoundPacket] = deque()
        self._bytes = 0
        self._awaits_keyframe = True
        self._begun = False
        """Whether a keyframe was taken."""
        self._ended = False
        self._ending = threading.Event()
        self._size = 0
        """bytes of whole boxes in the file."""
        self._thread = threading.Thread(target=self._run, name=f"record-{path.stem}", daemon=True)
        self._thread.start()

    @property
    def state(self) -> str:
        """ "waiting" (for the first picture), "running", "failed"."""
        if self.reason:
            return "failed"
        return "running" if self._begun else "waiting"

    @property
    def ready(self) -> bool:
        return not self._ended and self._bytes < QUEUE_BYTES and len(self._queue) < QUEUE_ITEMS

    def send(self, picture: EncodedPicture) -> None:
        with self._lock:
            if self._ended:
                return
            if self.ready and (picture.keyframe or not self._awaits_keyframe):
                self._awaits_keyframe, self._begun = False, True
                self._put(picture)
                return
            self._awaits_keyframe = True
            # Before the first keyframe nothing is lost.
            if self._begun:
                self.dropped += 1

    def sound(self, packet: SoundPacket) -> None:
        with self._lock:
            if self.ready:
                self._put(packet)
            elif not self._ended:
                self.dropped += 1

    async def close(self, reason: str) -> None:
        with self._lock:
            self._ended = True
        self._ending.set()
        await asyncio.to_thread(self._thread.join, CLOSE_TIMEOUT)
        if self._thread.is_alive():
            logger.error("recording %s did not end in %g s: its disk hangs", self._path.name, CLOSE_TIMEOUT)

    def _put(self, item: EncodedPicture | SoundPacket) -> None:
        self._queue.append(item)
        self._bytes += len(item.data)

    def _take(self) -> deque[EncodedPicture | SoundPacket]:
        with self._lock:
            taken, self._queue, self._bytes = self._queue, deque(), 0
            return taken

    # ---- in the thread

    def _run(self) -> None:
        try:
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
            try:
                self._record(file)
            finally:
                os.close(file)
                if not self._size:
                    self._path.unlink(missing_ok=True)
        except OSError as error:
            advice = _ADVICE.get(error.errno or 0, "the server's log may say more; start another")
            logger.warning("recording %s ended: %s", self._path, error)
            self._fail(f"the recording {self._path.name} ended: {error.strerror or error}; {advice}")
        except Exception:  # a thread that died unnoticed would be a file that ends for no reason that anybody knows
            logger.exception("recording %s failed", self._path)
            self._fail(f"the recording {self._path.name} ended: an error in the server, which is in its log")

    def _record(self, file: int) -> None:
        writer = Writer(lambda data: self._write(file, data))
        idle = 0
        while True:
            ending = self._ending.wait(WRITE_INTERVAL)
            items = self._take()
            for item in items:
                if isinstance(item, SoundPacket):
                    writer.sound(item)
                else:
                    writer.picture(item)
            idle = 0 if items else idle + 1
            if ending or idle == IDLE:
                writer.flush()
            if ending:
                return

    def _write(self, file: int, data: bytes) -> None:
        """Straight to the kernel, which keeps it whatever becomes of this process.

        A box that breaks off would keep players from the whole file. So its first bytes come last: until they are there, it is
        zeros and something, which is a box of no type that lasts to the end (ISO/IEC 14496-12 section 4.2), and is passed over.
        """
        try:
            _put(file, data[_BOX_HEAD:], self._size + _BOX_HEAD)
            _put(file, data[:_BOX_HEAD], self._size)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(file, self._size)
            raise
        self._size += len(data)

    def _fail(self, reason: str) -> None:
        with self._lock:
            self._ended = True
            self._queue.clear()
            self._bytes = 0
        self.reason = reason
        self._on_failed(reason)


def _put(file: int, data: bytes, position: int) -> None:
    written = 0
    while written < len(data):
        written += os.pwrite(file, data[written:], position + written)
