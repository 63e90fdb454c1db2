"""The system's ffmpeg publishes; every picture must come out of the decoder."""

from __future__ import annotations

import pytest

from stream.decoder import Decoder
from tests.stream.rtmp import ffmpeg
from tests.stream.rtmp.conftest import Publication, Serve
from tests.stream.rtmp.media import sound_frames


def decoded(publication: Publication, size: tuple[int, int] = (160, 96)) -> list[int]:
    """The frames' pts."""
    decoder = Decoder("H264", 1920 * 1088)
    frames = [frame for picture in publication.pictures for frame in decoder.decode(picture)]
    assert {(frame.width, frame.height) for frame in frames} == {size}
    return [frame.pts for frame in frames]


async def test_two_seconds_come_out_whole(serve: Serve) -> None:
    house = await serve()
    await ffmpeg.run(f"rtmp://127.0.0.1:{house.port}/live/sub/me?token=t", "-bf", "0")
    [publication] = house.publications
    await publication.ended()
    request = publication.request
    assert (request.app, request.name, request.query) == ("live/sub", "me", "token=t")
    stamps = decoded(publication)
    assert len(stamps) == len(publication.pictures) == 50
    assert [stamp - stamps[0] for stamp in stamps] == pytest.approx([index * 3600 for index in range(50)], abs=90)
    assert [picture.keyframe for picture in publication.pictures].count(True) == 2
    sound = publication.sound
    frames = sound_frames("AAC", [packet.data for packet in sound], sound[0].configuration)
    assert sum(frame.samples for frame in frames) == pytest.approx(2 * 48_000, abs=2 * 1024)
    assert abs(sound[-1].pts / 48_000 - stamps[-1] / 90_000) < 0.1
    assert str(publication.ingest.properties["encoder"]).startswith("Lavf")


async def test_b_frames_come_out_in_the_order_of_display(serve: Serve) -> None:
    house = await serve()
    await ffmpeg.run(f"rtmp://127.0.0.1:{house.port}/live/me", "-bf", "2", "-preset", "veryfast")
    [publication] = house.publications
    await publication.ended()
    given = [picture.pts for picture in publication.pictures]
    assert given != sorted(given)
    stamps = decoded(publication)
    assert stamps == sorted(given)[: len(stamps)]
    assert len(stamps) >= len(given) - 2  # what the decoder holds at the end
    assert [stamp - stamps[0] for stamp in stamps] == pytest.approx([index * 3600 for index in range(len(stamps))], abs=90)


async def test_it_comes_back_with_another_size(serve: Serve) -> None:
    house = await serve()
    for size in ("160x96", "320x192"):
        await ffmpeg.run(f"rtmp://127.0.0.1:{house.port}/live/me", "-bf", "0", size=size, seconds=0.4)
    first, second = house.publications
    await second.ended()
    assert len(decoded(first, (160, 96))) == len(decoded(second, (320, 192))) == 10


async def test_many_on_one_port(serve: Serve) -> None:
    house = await serve()
    for name in ("a", "b", "c"):
        await ffmpeg.run(f"rtmp://127.0.0.1:{house.port}/live/{name}", "-bf", "0", seconds=0.2)
    assert [publication.request.name for publication in house.publications] == ["a", "b", "c"]


async def test_a_refused_one_fails_and_says_why(serve: Serve) -> None:
    house = await serve()
    with pytest.raises(AssertionError, match="the token is wrong"):
        await ffmpeg.run(f"rtmp://127.0.0.1:{house.port}/live/me?token=wrong", seconds=0.2)
    assert house.publications == []
