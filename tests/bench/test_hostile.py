from __future__ import annotations

import asyncio

import pytest

from bench import hostile
from bench.hostile import Attack, Line, Refusal


@pytest.mark.parametrize(
    ("told", "seconds", "kept"),
    [
        ("hung up", 1.0, True),
        ("HTTP/1.1 400 Bad Request", 1.0, True),
        ("HTTP/1.1 413 Request Entity Too Large", 1.0, True),
        ("HTTP/1.1 500 Internal Server Error", 1.0, False),
        ("HTTP/1.1 201 Created", 1.0, False),
        ("hung up", 3.0, False),
        ("", 1.0, False),
    ],
)
def test_what_counts_as_refused(told: str, seconds: float, kept: bool) -> None:
    assert Refusal("a", "HTTP", 2.0, told, seconds).kept is kept


async def test_a_server_that_hangs_up_and_one_that_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hostile, "GIVE_UP", 0.2)
    held: list[asyncio.StreamWriter] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)
        if await reader.read(1) == b"x":
            writer.close()

    async def send(line: Line, data: bytes) -> str:
        await line.send(data)
        return await line.until_hung_up()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    ports = {"RTMP": server.sockets[0].getsockname()[1]}
    bad = Attack("bad", "RTMP", 5.0, lambda line: send(line, b"x"))
    patient = Attack("patient", "RTMP", 5.0, lambda line: send(line, b"y"))
    found = [await hostile.attack(one, ports) for one in (bad, patient)]
    server.close()
    for writer in held:
        writer.close()
    assert [one.told for one in found] == ["hung up", ""]
    assert [one.kept for one in found] == [True, False]


def test_every_attack_has_its_own_name() -> None:
    names = [(attack.protocol, attack.name) for attack in hostile.attacks()]
    assert len(set(names)) == len(names)
