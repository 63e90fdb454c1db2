"""A session in OBS's order: its commands, its chunk stream for everything, its unsigned differences."""

from __future__ import annotations

import pytest

from stream.decoder import Decoder
from stream.rtmp.amf0 import encode
from tests.stream.rtmp.conftest import Serve
from tests.stream.rtmp.media import Tag, tags, video_frames
from tests.stream.rtmp.publisher import ObsWriter, call


def session(given: tuple[Tag, ...], start: int = 0) -> bytes:
    """What OBS sends once it may: metadata, sequence headers, then pictures and sound by their time."""
    writer = ObsWriter()
    writer.size = 4096
    metadata = encode("@setDataFrame", "onMetaData", {"encoder": "obs-output module (libobs version 32.2.0)", "framerate": 25.0})
    messages = [writer.message(18, metadata, start)]
    messages += [writer.message(tag.kind, tag.body, (start + tag.time) & 0xFFFFFFFF) for tag in given if tag.kind in (8, 9)]
    return b"".join(messages)


async def test_obs_publishes_and_stops(serve: Serve) -> None:
    house = await serve()
    publisher = await house.publisher()
    assert (await publisher.publish("me?token=t"))["code"] == "NetStream.Publish.Start"
    given = tags("H264", "AAC", 12, options="bf=2:tune=animation")
    await publisher.send(session(given))
    pictures = await house.pictures(12)
    publication = house.publications[0]
    assert len(publication.sound) == sum(tag.kind == 8 for tag in given) - 1
    assert publication.ingest.properties["framerate"] == 25.0
    decoder = Decoder("H264", 1920 * 1088)
    stamps = [frame.pts for picture in pictures for frame in decoder.decode(picture)]
    assert stamps == sorted(picture.pts for picture in pictures)[: len(stamps)]
    assert len(stamps) >= 10
    await publisher.send(call("FCUnpublish", 6, None, "me?token=t", size=4096) + call("deleteStream", 7, None, 1, size=4096))
    assert await publication.ended() == "the publisher ended its stream"


@pytest.mark.parametrize("codec", ["HEVC", "AV1"])
async def test_obs_sends_enhanced_codecs_without_a_word_before(serve: Serve, codec: str) -> None:
    """Its connect has no fourCcList and no capsEx."""
    house = await serve()
    publisher = await house.publisher()
    await publisher.publish("me")
    await publisher.send(session(tags(codec, "OPUS", 12)))
    pictures = await house.pictures(12)
    assert len(video_frames(codec, [picture.data for picture in pictures])) == 12
    assert {packet.codec for packet in house.publications[0].sound} == {"OPUS"}


async def test_a_stream_goes_on_after_49_days(serve: Serve) -> None:
    house = await serve()
    publisher = await house.publisher()
    await publisher.publish("me")
    await publisher.send(session(tags("H264", "AAC", 12), start=0xFFFFFFFF - 200))
    pictures = await house.pictures(12)
    stamps = [picture.pts for picture in pictures]
    assert stamps == sorted(stamps)
    assert stamps[-1] - stamps[0] == pytest.approx(11 * 3600, abs=90)
    assert stamps[-1] > 90 << 32
