from __future__ import annotations

import asyncio

import pytest

from doppel.client.newest import Newest


async def test_the_newest_win() -> None:
    queue: Newest[int] = Newest(2)
    for number in range(5):
        queue.put(number)
    queue.close()
    assert [number async for number in queue] == [3, 4]
    assert (queue.received, queue.dropped) == (5, 3)


async def test_a_reader_that_keeps_up_loses_nothing() -> None:
    queue: Newest[int] = Newest(1)
    found: list[int] = []

    async def read() -> None:
        found.extend([number async for number in queue])

    reading = asyncio.create_task(read())
    for number in range(5):
        queue.put(number)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    queue.close()
    await reading
    assert found == [0, 1, 2, 3, 4]
    assert queue.dropped == 0


async def test_an_error_ends_every_reader() -> None:
    queue: Newest[int] = Newest(1)

    async def read() -> None:
        async for _ in queue:
            pass

    readers = [asyncio.create_task(read()) for _ in range(2)]
    await asyncio.sleep(0)
    queue.close(ValueError("over"))
    for reader in readers:
        with pytest.raises(ValueError, match="over"):
            await reader
