"""RTMPS, with a certificate of our own making."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from tests.certificate import self_signed
from tests.stream.rtmp import ffmpeg
from tests.stream.rtmp.conftest import Serve
from tests.stream.rtmp.media import tags
from tests.stream.rtmp.publisher import HELLO, Publisher, media
from tests.stream.rtmp.test_connection import SHORT

TAGS = tags("H264", "AAC", 12)


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's, and that of a client which trusts it."""
    path: Path = tmp_path_factory.mktemp("certificate") / "both.pem"
    path.write_bytes(b"".join(self_signed()))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return server, ssl.create_default_context(cafile=str(path))


Contexts = tuple[ssl.SSLContext, ssl.SSLContext]


async def test_a_publisher_over_tls(serve: Serve, contexts: Contexts) -> None:
    house = await serve(contexts[0])
    publisher = await house.publisher(contexts[1])
    assert (await publisher.publish("me"))["code"] == "NetStream.Publish.Start"
    await publisher.send(media(TAGS, size=4096))
    assert len(await house.pictures(12)) == 12
    assert house.publications[0].request.secure


async def test_both_ports_of_one_server(serve: Serve, contexts: Contexts) -> None:
    house = await serve()
    port = await house.server.listen("127.0.0.1", 0, contexts[0])
    plain, secure = await house.publisher(), await Publisher.open(port, contexts[1])
    house.publishers.append(secure)
    await plain.publish("a")
    await secure.publish("b")
    assert [publication.request.secure for publication in house.publications] == [False, True]


async def test_ffmpeg_over_tls(serve: Serve, contexts: Contexts) -> None:
    house = await serve(contexts[0])
    await ffmpeg.run(f"rtmps://127.0.0.1:{house.port}/live/me", "-bf", "0", seconds=0.4)
    [publication] = house.publications
    await publication.ended()
    assert len(publication.pictures) == 10


async def test_who_is_refused_over_tls_reads_why(serve: Serve, contexts: Contexts) -> None:
    house = await serve(contexts[0], linger=SHORT)
    publisher = await house.publisher(contexts[1])
    assert (await publisher.publish("me?token=wrong"))["description"] == "the token is wrong; ask for a new one"
    await publisher.ended()


async def test_who_does_not_speak_tls_is_gone(serve: Serve, contexts: Contexts) -> None:
    house = await serve(contexts[0], handshake_timeout=SHORT)
    for data in (HELLO, b""):
        publisher = await house.publisher()
        await publisher.send(data)
        await publisher.ended()
    assert house.server.connections == 0
