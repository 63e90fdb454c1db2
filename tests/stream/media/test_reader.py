from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from stream.media.message import HEADER_SIZE, unpack
from stream.media.reader import Job
from stream.media.source import Allowed
from tests.stream.media.films import film

READER = [sys.executable, "-m", "stream.media.reader"]


def test_it_does_not_load_what_it_does_not_need() -> None:
    code = "import sys, stream.media.reader; print([name for name in ('torch', 'asyncio', 'aiortc') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=30).stdout.strip() == b"[]"


@pytest.mark.parametrize("what", ["its parent", "its reader"])
def test_it_ends_with(tmp_path: Path, what: str) -> None:
    """A loop that nobody reads has no other end."""
    job = Job(Allowed((), tmp_path).source(film(tmp_path / "a.mp4", seconds=0.5).name), True, 0, 1 << 20)
    with subprocess.Popen(READER, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(job.pack())
        process.stdin.flush()
        assert unpack(process.stdout.read(HEADER_SIZE)).kind == "format"
        (process.stdin if what == "its parent" else process.stdout).close()
        process.wait(20)


def test_a_job_comes_back() -> None:
    job = Job(Allowed(("a.example",)).source("http://a.example/x"), True, 5, 7)
    assert Job.unpack(job.pack()) == job
