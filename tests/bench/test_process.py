from __future__ import annotations

import subprocess
import sys

import pytest

from bench.process import usage

BUSY = """
import subprocess, sys
data = bytearray(50_000_000)
for _ in range(3_000_000): pass
child = subprocess.Popen([sys.executable, "-c", "data = bytearray(80_000_000); print(1, flush=True); input()"], stdin=sys.stdin)
input()
"""


def test_counts_a_process_and_its_children() -> None:
    with subprocess.Popen([sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline()
        found = usage(process.pid)
        process.communicate(b"\n\n")
    assert found.cpu_s > 0
    assert found.rss_mb > 130


def test_a_process_that_is_gone() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    with pytest.raises(ProcessLookupError, match="has ended"):
        usage(process.pid)
