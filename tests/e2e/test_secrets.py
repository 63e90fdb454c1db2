"""A server with keys of every kind, used as it should be and as it should not: no secret gets anywhere but where it was sent."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.server import Server
from tests.keys import write
from tests.loopback import LoopClient
from tests.stream.rtmp.publisher import Publisher

ACCESS_KEY = "access-0123456789abcdef"
STATIC_KEY = "static-0123456789abcdef"
LATER_KEY = "later-0123456789abcdefg"
TURN = "turn-credential-0123456789"
WRONG = "wrong-0123456789abcdef"

RELOAD = 15
"""s until a changed key counts, on a busy machine; it looks every 2."""


def static(**keys: str) -> str:
    return "\n".join(
        f'[[keys]]\nname = "{name}"\nkey = "{key}"\nscopes = ["admin"]\nstreams = ["*"]\n' for name, key in keys.items()
    )


def doppel(*arguments: str) -> str:
    command = [sys.executable, "-m", "doppel", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.strip()


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    folder.mkdir()
    doppel("token", "keygen", str(folder / "first.json"))
    write(folder, "static.toml", static(wall=STATIC_KEY))
    return folder


@pytest.fixture
def server(tmp_path: Path, keys: Path) -> Iterator[Server]:
    config = write(
        tmp_path,
        "doppel.toml",
        f'access_key = "{ACCESS_KEY}"\nkeys_dir = "{keys}"\nlog_level = "debug"\nrtmp_port = 0\n'
        f'audit_log = "{tmp_path / "audit.log"}"\n'
        f'[[ice_servers]]\nurls = "turn:127.0.0.1:9"\nusername = "u"\ncredential = "{TURN}"\n',
    )
    made = Server(tmp_path / "log", ["--config", str(config)])
    yield made
    made.kill()


async def test_no_secret_in_any_log_metric_error_or_page(server: Server, keys: Path, tmp_path: Path) -> None:
    token = doppel("token", "--keys-dir", str(keys), "--scope", "publish", "watch", "control", "--stream", "anna")
    expired = token[:-8] + "AAAAAAAA"
    sent = [None, ACCESS_KEY, STATIC_KEY, token, expired, WRONG]
    paths = [
        "/",
        "/watch/anna",
        "/api/streams",
        "/api/streams/anna",
        "/api/transforms",
        "/metrics",
        "/nowhere",
        "/static/main.js",
    ]
    answers: list[str] = []
    async with aiohttp.ClientSession() as session:

        async def call(method: str, path: str, credential: str | None, **given: object) -> int:
            headers = {} if credential is None else {"Authorization": f"Bearer {credential}"}
            async with session.request(method, server.url + path, headers=headers, **given) as response:  # type: ignore[arg-type]
                answers.append(
                    f"{response.headers} {await response.text()}".replace(TURN, "", 1 if response.status == 201 else 0)
                )
                return response.status

        bearer = {"Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession(headers=bearer) as own, LoopClient(own, server.url, "anna") as client:
            await client.connect()
            await client.frames(2)
            for credential in sent:
                for path in paths:
                    await call("GET", f"{path}?token={credential}&key={credential}", credential)
                await call("PUT", f"/api/streams/{credential if credential != WRONG else 'x'}/chain", credential, data="{")
                answers.pop()  # which names what was taken for a stream's name, to whoever sent it
                await call("POST", "/whip/anna", credential, data=f"v=0 {credential}")
                publisher = await Publisher.open(int(re.findall(r"RTMP publishers may come to port (\d+)", server.log)[0]))
                answers.append(str(await publisher.publish(f"anna?token={credential}&x={credential}")))
                await publisher.close()
        # A key that came later is hidden as well, and one that was taken back is no longer good.
        write(keys, "static.toml", static(other=LATER_KEY))
        end = time.monotonic() + RELOAD
        while await call("GET", "/metrics", LATER_KEY) != 200:
            assert time.monotonic() < end
            time.sleep(1.0)  # noqa: ASYNC251 - of a process, and few enough that none is turned away for their number
        assert await call("GET", "/metrics", STATIC_KEY) == 401
        await call("GET", f"/api/streams/{LATER_KEY}", LATER_KEY)
        answers.pop()
    server.stop()
    audit = (tmp_path / "audit.log").read_text()
    lines = [json.loads(line) for line in audit.splitlines()]
    assert {line["reason"] for line in lines} >= {"it may", "none was sent", "it is no token", "the signature is wrong"}
    assert {line["call"] for line in lines} >= {"RTMP publish", "POST /loop/{stream}", "GET /metrics", "GET nowhere"}
    seen = {"the log": server.log, "the audit log": audit, "the answers": "\n".join(answers)}
    private = json.loads((keys / "first.json").read_text())["d"]
    for where, text in seen.items():
        assert len(text) > 1000, where
        for secret in (ACCESS_KEY, STATIC_KEY, LATER_KEY, token, expired, token.split(".")[1], private, TURN):
            assert secret not in text, (where, [line for line in text.splitlines() if secret in line][:3])
        if where != "the answers":
            assert WRONG not in text, where
