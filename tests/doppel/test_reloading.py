from __future__ import annotations

import asyncio
import threading

import pytest

from doppel.reloading import Reloader


async def test_it_looks_again_and_again_in_a_thread_until_it_is_closed() -> None:
    looked: list[str] = []
    often = asyncio.Event()
    loop = asyncio.get_running_loop()

    def look() -> bool:
        looked.append(threading.current_thread().name)
        if len(looked) == 3:
            loop.call_soon_threadsafe(often.set)
        return False

    reloader = Reloader([look], interval=0)
    reloader.start()
    async with asyncio.timeout(5):
        await often.wait()
    await reloader.close()
    assert threading.main_thread().name not in looked


async def test_with_nothing_to_look_at_it_does_nothing() -> None:
    reloader = Reloader([])
    reloader.start()
    assert len(asyncio.all_tasks()) == 1
    await reloader.close()


async def test_what_fails_once_is_looked_at_again(caplog: pytest.LogCaptureFixture) -> None:
    looks = 0
    often = asyncio.Event()
    loop = asyncio.get_running_loop()

    def look() -> bool:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise RuntimeError("a fault of ours")
        loop.call_soon_threadsafe(often.set)
        return False

    reloader = Reloader([look], interval=0)
    reloader.start()
    async with asyncio.timeout(5):
        await often.wait()
    await reloader.close()
    assert "a fault of ours" in caplog.text
