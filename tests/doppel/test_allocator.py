from __future__ import annotations

import platform
import subprocess
import sys

from doppel.allocator import Sweeper


def test_it_takes_effect_on_glibc() -> None:
    """In a process of its own, since it cannot be taken back."""
    code = "from doppel.allocator import keep_frame_blocks; print(keep_frame_blocks())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == str(platform.libc_ver()[0] == "glibc")


def test_a_sweep_comes_when_memory_has_grown_since_the_last() -> None:
    resident, swept = [100 << 20], list[int]()

    def trim() -> None:
        swept.append(resident[0])
        resident[0] = min(resident[0], 110 << 20)

    sweeper = Sweeper(lambda: resident[0], trim)
    assert sweeper.look()
    for megabytes, worth_it in ((101, False), (104, False), (106, True), (109, False), (300, True), (114, False), (116, True)):
        resident[0] = megabytes << 20
        assert sweeper.look() is worth_it
    assert [size >> 20 for size in swept] == [100, 106, 300, 116]


def test_freed_memory_in_the_middle_of_a_heap_goes_back() -> None:
    code = """
import ctypes
from doppel.allocator import Sweeper, _resident, keep_frame_blocks
if keep_frame_blocks():
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    blocks = [libc.malloc(1 << 20) for _ in range(100)]
    for block in blocks:
        ctypes.memset(block, 1, 1 << 20)
    full = _resident()
    for block in blocks[:-1]:
        libc.free(ctypes.c_void_p(block))
    kept = _resident()
    assert Sweeper().look()
    print((full - kept) >> 20 < 50, (kept - _resident()) >> 20 > 50)
else:
    print(True, True)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["True", "True"]
