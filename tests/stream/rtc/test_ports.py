from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from stream.rtc import ports
from stream.rtc.ports import FreePorts, NoPort, PortRange
from tests.stream.rtc.test_udp_mux import End

LOOPBACK = "127.0.0.1"


def port_of(end: End) -> int:
    return int(end.seat.get_extra_info("sockname")[1])


def free_range(count: int) -> int:
    """The first of so many free UDP ports in a row."""
    for first in range(41_000, 60_000, count):
        held: list[socket.socket] = []
        try:
            held += [ports.bind(LOOPBACK, port, 4096) for port in range(first, first + count)]
        except OSError:
            continue
        finally:
            for each in held:
                each.close()
        if len(held) == count:
            return first
    raise AssertionError("no free ports in a row")


async def gone(end: End) -> None:
    end.seat.close()
    async with asyncio.timeout(5):
        while not end.lost:  # noqa: ASYNC110 - the end is only counted
            await asyncio.sleep(0)


async def test_each_peer_has_a_port_of_the_range_and_one_too_many_is_told_what_to_do() -> None:
    first = free_range(3)
    given = PortRange(first, first + 2)
    ends = [End(f"end{number}") for number in range(3)]
    for end in ends:
        await given.open(LOOPBACK, end)
    assert sorted(port_of(end) for end in ends) == [first, first + 1, first + 2]
    with pytest.raises(NoPort, match=f"all UDP ports from {first} to {first + 2} are taken.*udp_ports.*udp_port"):
        await given.open(LOOPBACK, End("more"))
    freed = port_of(ends[1])
    await gone(ends[1])
    late = End("late")
    await given.open(LOOPBACK, late)
    assert port_of(late) == freed
    for end in (ends[0], ends[2], late):
        await gone(end)


async def test_a_port_of_another_program_is_passed_over() -> None:
    first = free_range(2)
    given = PortRange(first, first + 1)
    with ports.bind(LOOPBACK, first, 4096):
        end = End("one1")
        await given.open(LOOPBACK, end)
        assert port_of(end) == first + 1
        with pytest.raises(NoPort):
            await given.open(LOOPBACK, End("two2"))
        await gone(end)
    again = End("two2")
    await given.open(LOOPBACK, again)
    await gone(again)


async def test_an_address_that_is_not_this_machines_is_no_lack_of_ports() -> None:
    for each in (FreePorts(), PortRange(41_000, 41_001)):
        with pytest.raises(OSError):
            await each.open("192.0.2.1", End("one1"))


@pytest.mark.parametrize("address", [LOOPBACK, "::1"])
async def test_datagrams_go_both_ways(address: str) -> None:
    class Echo(End):
        def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
            self.seat.sendto(data, addr)

    first = free_range(1)
    for given in (FreePorts(), PortRange(first, first)):
        end = Echo("one1")
        await given.open(address, end)
        with ports.bind(address, 0, 4096) as client:
            client.sendto(b"there and back", (address, port_of(end)))
            assert await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 100), 5) == b"there and back"
        await gone(end)
