"""The process that reads a source: ``python -m stream.media.reader``, started by ``stream.media.process``.

Its job comes as a line of JSON on standard input; what it reads goes as messages to standard output, whose reader sets the
pace. It imports nothing of torch. When standard input ends, its parent is gone, and it ends too.
"""

from __future__ import annotations

import json
import os
import resource
import threading
from dataclasses import asdict, dataclass
from typing import IO

import av
import av.logging

from stream.media.continuity import Continuity
from stream.media.demuxer import Demuxer
from stream.media.http_file import HttpError
from stream.media.interleaver import PICTURES, Interleaver, TrackPacket
from stream.media.limits import PROCESS_BYTES, PROCESS_FILES
from stream.media.message import End, Format, pack, pack_document
from stream.media.source import Source, SourceRefused


@dataclass(frozen=True, slots=True)
class Job:
    """What a reader is asked to do."""

    source: Source
    loop: bool
    begin: int
    """Ticks at which its time stamps begin."""
    max_pixels: int

    def pack(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def unpack(cls, line: bytes) -> Job:
        job = json.loads(line)
        place = job.pop("source")
        return cls(Source(**place | {"hosts": tuple(place["hosts"])}), **job)


class Reader:
    """One job, done."""

    def __init__(self, job: Job, output: IO[bytes]) -> None:
        self._job = job
        self._output = output
        self._continuity = Continuity(job.begin)
        self._said: Format | None = None
        self._live = job.source.push

    def run(self) -> End:
        """Reads until there is no more. Raises BrokenPipeError where nobody listens."""
        try:
            while True:
                count = self._round()
                if count == 0:
                    return End("the source has no packets", final=not self._live)
                if self._live:
                    return End("the source has ended", final=False)
                if not self._job.loop:
                    return End("the file has ended", final=True)
                self._continuity.next_round()
        except SourceRefused as error:
            return End(str(error), final=True)
        except BrokenPipeError:
            raise
        except HttpError as error:
            return End(str(error), final=not self._live)
        except (av.FFmpegError, OSError) as error:
            # Without the file name, which is a URL with its credentials.
            return End(f"the source cannot be read: {error.strerror}", final=not self._live)
        except (MemoryError, ValueError):
            return End("the source cannot be read: it is broken, or needs more memory than is allowed", final=True)

    def _round(self) -> int:
        """From the beginning to the end, once; how many packets there were."""
        demuxer = Demuxer(self._job.source, self._job.max_pixels)
        count = 0
        try:
            self._live = demuxer.live
            order = Interleaver(demuxer.tracks)
            for packet in demuxer.packets():
                for each in order.put(packet) if demuxer.paced else (packet,):
                    self._send(demuxer, each)
                    count += 1
            for each in order.flush():
                self._send(demuxer, each)
                count += 1
        finally:
            demuxer.close()
        return count

    def _send(self, demuxer: Demuxer, packet: TrackPacket) -> None:
        if (form := demuxer.format) != self._said:
            self._output.write(pack_document(form))
            self._said = form
        offset = self._continuity.place(packet.track, packet.dts, packet.duration)
        kind, pts, dts = "picture" if packet.track == PICTURES else "sound", packet.pts + offset, packet.dts + offset
        self._output.write(pack(kind, packet.data, keyframe=packet.keyframe, pts=pts, dts=dts))  # type: ignore[arg-type]
        self._output.flush()


def _restrict() -> None:
    """What a source can make this process take of the machine."""
    for limit, value in (
        (resource.RLIMIT_AS, PROCESS_BYTES),
        (resource.RLIMIT_NOFILE, PROCESS_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))


def _end_with_parent() -> None:
    os.read(0, 1)
    os._exit(0)


def main() -> None:
    """Runs one job."""
    # FFmpeg's log has URLs with their credentials in it.
    av.logging.set_level(None)
    _restrict()
    with os.fdopen(os.dup(1), "wb") as output:
        # Whatever a library prints must not get between the messages.
        os.dup2(2, 1)
        job = Job.unpack(os.fdopen(os.dup(0), "rb", buffering=0).readline(1 << 16))
        threading.Thread(target=_end_with_parent, daemon=True).start()
        try:
            output.write(pack_document(Reader(job, output).run()))
            output.flush()
        except BrokenPipeError:
            # Nobody listens any more. There is nothing to say, and nothing to clean up.
            os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main()
