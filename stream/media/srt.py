"""SRT by way of the ffmpeg program: the FFmpeg inside PyAV's wheels is built without it."""

from __future__ import annotations

import shutil
import subprocess

from stream.media.source import SourceRefused


def open_srt(url: str) -> subprocess.Popen[bytes]:
    """ffmpeg, whose standard output is the source as MPEG-TS, unchanged. It ends when that is closed. Raises SourceRefused.

    The URL goes in by its standard input, as a list of one entry: other users of the machine can read a command line, and a
    URL may hold a passphrase.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        raise SourceRefused("SRT needs the program ffmpeg, which is not installed on the server")
    process = subprocess.Popen(
        [
            *(program, "-nostdin", "-loglevel", "quiet", "-fflags", "nobuffer"),
            *("-f", "concat", "-safe", "0", "-protocol_whitelist", "pipe,srt,udp", "-i", "pipe:0"),
            *("-map", "0:v?", "-map", "0:a?", "-c", "copy", "-copyts", "-f", "mpegts", "-flush_packets", "1", "pipe:1"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    # A source's URL has no quote in it, as SourceRefused sees to.
    process.stdin.write(f"ffconcat version 1.0\nfile '{url}'\n".encode())
    process.stdin.close()
    return process
