from __future__ import annotations

import platform
import subprocess
import sys


def test_it_takes_effect_on_glibc() -> None:
    """In a process of its own, since it cannot be taken back."""
    code = "from doppel.allocator import keep_frame_blocks; print(keep_frame_blocks())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == str(platform.libc_ver()[0] == "glibc")
