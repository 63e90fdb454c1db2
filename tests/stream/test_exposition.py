"""What Prometheus sees of streams and models."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from stream.exposition import Exposition
from stream.metric_text import render
from stream.tally import StageTally, StreamTally
from tests.stream.conftest import House
from transforms.models.meter import Usage

Open = Callable[..., Awaitable[House]]

USAGE = Usage("face_detector", "cpu", 30, 0.09, 230_000)

ANNA = StreamTally(
    stream="anna",
    state="live",
    pictures_in=100,
    bytes_in=500_000,
    pictures_out=98,
    bytes_out=400_000,
    stages={"decode": StageTally(98, 294_000_000)},
    transforms=[("grade", StageTally(10, 10**7)), ("grade", StageTally(5, 10**7, 2)), ("tint", StageTally(1, 1))],
    usages=[USAGE],
    drops={"chain_busy": 2},
    viewers=3,
    outputs={"running": 1},
    lost_receiving=7,
    lost_sending=9,
    trip_receiving=None,
    trip_sending=20_000_000,
)


def read(exposition: Exposition) -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(exposition)
    return read_registry(registry)


def read_registry(registry: CollectorRegistry) -> dict[str, float]:
    families = text_string_to_metric_families(render(registry).decode())
    return {
        " ".join([sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()))]): sample.value
        for family in families
        for sample in family.samples
    }


def test_a_streams_figures() -> None:
    exposition = Exposition(lambda: [ANNA], lambda: [USAGE])
    assert not any(name.startswith("doppel_stream") for name in read(exposition))
    exposition.look()
    told = read(exposition)
    assert told["doppel_stream_state state=live stream=anna"] == 1
    assert told["doppel_stream_pictures_total direction=out stream=anna"] == 98
    assert told["doppel_stream_picture_bytes_total direction=in stream=anna"] == 500_000
    assert told["doppel_stream_stage_seconds_count stage=decode stream=anna"] == 98
    assert told["doppel_stream_stage_seconds_sum stage=decode stream=anna"] == 0.294
    assert told["doppel_stream_dropped_frames_total reason=chain_busy stream=anna"] == 2
    assert told["doppel_stream_round_trip_seconds direction=out stream=anna"] == 0.02
    assert "doppel_stream_round_trip_seconds direction=in stream=anna" not in told
    assert told["doppel_stream_rtp_packets_lost direction=in stream=anna"] == 7
    assert told["doppel_model_seconds_total device=cpu model=face_detector"] == 0.09
    assert told["doppel_stream_model_seconds_total device=cpu model=face_detector stream=anna"] == 0.09


def test_a_transform_that_is_there_twice_has_one_line() -> None:
    exposition = Exposition(lambda: [ANNA], list)
    exposition.look()
    told = read(exposition)
    assert told["doppel_stream_transform_seconds_count stream=anna transform=grade"] == 15
    assert told["doppel_stream_transform_errors_total stream=anna transform=grade"] == 2
    assert "doppel_stream_transform_errors_total stream=anna transform=tint" not in told


async def test_of_a_real_stream(open_house: Open) -> None:
    house = await open_house()
    client = house.client()
    await client.connect(house.sessions, "one")
    await client.more(3)
    exposition = Exposition(house.streams.tallies, list)
    exposition.look()
    told = read(exposition)
    assert told["doppel_stream_viewers stream=one"] == 1
    assert told["doppel_stream_pictures_total direction=in stream=one"] >= 3
    assert told["doppel_stream_pictures_total direction=out stream=one"] >= 3
    assert told["doppel_stream_picture_bytes_total direction=out stream=one"] > 0
    assert told["doppel_stream_stage_seconds_count stage=encode stream=one"] >= 3
