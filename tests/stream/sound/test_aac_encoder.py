from __future__ import annotations

import asyncio
import contextlib
import threading
from fractions import Fraction
from functools import cache
from itertools import pairwise
from unittest import mock

import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

from stream.sound.aac_encoder import CHANNELS, LONGEST_GAP, WAITING, AacEncoder, AacTranscoder
from stream.sound.errors import SoundError
from stream.sound.packet import CLOCK_RATE, SoundPacket

PACKET = 960
"""Samples, 20 ms."""

ENCODED_LATE = 312
"""Samples by which libopus' encoder comes late: what it looks ahead."""


@cache
def opus(
    count: int = 100, start: int = 0, tone: float = 1000.0, onset: int = 0, layout: str = "stereo"
) -> tuple[SoundPacket, ...]:
    """A tone that begins with sample ``onset``."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = CLOCK_RATE, layout, "flt"
    encoder.time_base = Fraction(1, CLOCK_RATE)
    encoder.bit_rate = 96_000
    encoder.open()
    packets = []
    for number in range(count):
        at = np.arange(number * PACKET, (number + 1) * PACKET)
        samples = np.where(at >= onset, 0.5 * np.sin(2 * np.pi * tone * at / CLOCK_RATE), 0).astype(np.float32)
        frame = AudioFrame.from_ndarray(np.repeat(samples, encoder.channels)[None], format="flt", layout=layout)
        frame.sample_rate, frame.time_base, frame.pts = CLOCK_RATE, Fraction(1, CLOCK_RATE), number * PACKET
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    return tuple(SoundPacket(data, start + index * PACKET, "OPUS", b"", index) for index, data in enumerate(packets))


def encode(encoder: AacEncoder, packets: tuple[SoundPacket, ...] | list[SoundPacket]) -> list[SoundPacket]:
    return [made for packet in packets for made in encoder.encode(packet)]


def decode(packets: list[SoundPacket]) -> NDArray[np.float32]:
    """(channels, samples), the first of them heard at the first packet's pts."""
    decoder = av.CodecContext.create("aac", "r")
    decoder.extradata = packets[0].configuration
    frames = [frame for packet in packets for frame in decoder.decode(av.Packet(packet.data))]
    return np.concatenate([frame.to_ndarray() for frame in frames], axis=1)


def test_a_tone_comes_out_as_it_went_in() -> None:
    encoder = AacEncoder()
    made = encode(encoder, opus())
    assert {(packet.codec, packet.configuration) for packet in made} == {("AAC", encoder.configuration)}
    # AAC-LC, 48 kHz, two channels (ISO/IEC 14496-3 tables 1.15, 1.18 and 1.19).
    assert encoder.configuration[:2] == bytes(((2 << 3) | (3 >> 1), (3 & 1) << 7 | CHANNELS << 3))
    sound = decode(made)
    assert sound.shape[0] == CHANNELS
    assert sound.shape[1] == pytest.approx(100 * PACKET, abs=2048)
    middle = sound[0, CLOCK_RATE // 2 : CLOCK_RATE // 2 + 9600]
    spectrum = np.abs(np.fft.rfft(middle))
    assert np.argmax(spectrum) == 1000 * len(middle) // CLOCK_RATE
    assert np.abs(middle).max() == pytest.approx(0.5, abs=0.05)


def test_it_is_heard_when_it_was() -> None:
    """A tone that begins late begins as late in the AAC: the encoder's own delay is taken off."""
    onset, start = CLOCK_RATE, 5_000_000
    made = encode(AacEncoder(), opus(start=start, onset=onset))
    assert [packet.pts - made[0].pts for packet in made] == [1024 * number for number in range(len(made))]
    began = int(np.argmax(np.abs(decode(made)[0]) > 0.1))
    heard = made[0].pts - start + began - ENCODED_LATE
    assert heard == pytest.approx(onset, abs=CLOCK_RATE // 200)


def test_one_channel_becomes_two() -> None:
    sound = decode(encode(AacEncoder(), opus(30, layout="mono")))
    assert sound.shape[0] == 2
    assert np.allclose(sound[0], sound[1], atol=0.01)
    assert np.abs(sound).max() > 0.4


def test_what_is_missing_is_silence() -> None:
    packets = opus()
    made = encode(AacEncoder(), packets[:30] + packets[60:])
    assert {second.pts - first.pts for first, second in pairwise(made)} == {1024}
    level = np.abs(decode(made)[0])
    missing = slice(31 * PACKET + 2048 - made[0].pts, 59 * PACKET - made[0].pts)
    assert level[missing].max() < 0.05
    assert level[70 * PACKET : 80 * PACKET].max() > 0.4


def test_a_long_gap_is_one_in_the_time_stamps_too() -> None:
    packets = list(opus())
    later = [SoundPacket(each.data, each.pts + 10 * LONGEST_GAP, each.codec, b"", 0) for each in packets]
    made = encode(AacEncoder(), packets + later)
    steps = [second.pts - first.pts for first, second in pairwise(made)]
    assert len([step for step in steps if step != 1024]) <= 2
    assert sum(steps) == pytest.approx(10 * LONGEST_GAP + len(packets) * PACKET, abs=3000)
    assert len(made) == pytest.approx(2 * len(packets) * PACKET / 1024, abs=3)


def test_time_stamps_that_are_rounded_change_nothing() -> None:
    packets = opus(50)
    rounded = [
        SoundPacket(each.data, each.pts + (-48, 0, 48)[index % 3], each.codec, b"", 0) for index, each in enumerate(packets)
    ]
    straight = encode(AacEncoder(), packets)
    assert [made.data for made in encode(AacEncoder(), rounded)] == [made.data for made in straight]


def test_what_comes_twice_is_heard_once() -> None:
    packets = opus(50)
    made = encode(AacEncoder(), packets[:30] + packets[20:])
    assert [packet.pts for packet in made] == [packet.pts for packet in encode(AacEncoder(), packets)]


@pytest.mark.parametrize("data", [b"", b"\xff" * 3, bytes(4000)])
def test_what_is_no_opus_is_said_and_passed_over(data: bytes) -> None:
    encoder = AacEncoder()
    packets = opus(20)
    assert encode(encoder, packets[:10])
    # Whether noise can be decoded is libopus' to say.
    with contextlib.suppress(SoundError):
        encoder.encode(SoundPacket(data, packets[10].pts, "OPUS", b"", 0))
    assert [made.pts for made in encode(encoder, packets[11:])][-1] == encode(AacEncoder(), packets)[-1].pts


async def settled(transcoder: AacTranscoder, waiting: int = 0) -> None:
    """Waits until no more packets wait."""
    async with asyncio.timeout(10):
        while transcoder.waiting > waiting:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.001)


async def test_the_thread_gives_out_what_the_encoder_does() -> None:
    got: list[SoundPacket] = []
    threads: set[int] = set()

    def deliver(packet: SoundPacket) -> None:
        got.append(packet)
        threads.add(threading.get_ident())

    transcoder = AacTranscoder(deliver)
    packets = opus(40)
    for packet in packets:
        await settled(transcoder, WAITING - 1)
        transcoder.put(packet)
    await settled(transcoder)
    assert got == encode(AacEncoder(), packets)
    assert threads == {threading.get_ident()}
    assert transcoder.dropped == 0
    transcoder.close()


async def test_no_more_wait_than_may() -> None:
    release = threading.Event()

    class Slow(AacEncoder):
        def encode(self, packet: SoundPacket) -> list[SoundPacket]:
            release.wait(10)
            return super().encode(packet)

    got: list[SoundPacket] = []
    with mock.patch("stream.sound.aac_encoder.AacEncoder", Slow):
        transcoder = AacTranscoder(got.append)
        for packet in opus(100):
            transcoder.put(packet)
        assert transcoder.waiting == WAITING
        assert transcoder.dropped == 100 - WAITING
        release.set()
        await settled(transcoder)
    assert len(got) == WAITING * PACKET // 1024 - 1
    transcoder.close()


async def test_what_cannot_be_decoded_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    transcoder = AacTranscoder(lambda _: None)
    transcoder.put(SoundPacket(b"", 0, "OPUS", b"", 0))
    await settled(transcoder)
    assert transcoder.dropped == 1
    assert "a packet of 0 bytes is no OPUS" in caplog.text
    transcoder.close()


async def test_after_its_end_nothing_comes() -> None:
    got: list[SoundPacket] = []
    transcoder = AacTranscoder(got.append)
    packets = opus(20)
    for packet in packets:
        transcoder.put(packet)
    transcoder.close()
    transcoder.close()
    transcoder.put(packets[0])
    await asyncio.sleep(0.05)
    assert got == []


def test_the_loop_may_end_first() -> None:
    async def life() -> AacTranscoder:
        transcoder = AacTranscoder(lambda _: None)
        transcoder.put(opus(1)[0])
        return transcoder

    asyncio.run(life()).close()
