from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from stream.limits import MILLISECOND, SECOND
from stream.sound.errors import SoundError
from stream.sound.packet import CLOCK_RATE, SoundPacket
from stream.sound.transcoder import Transcoder
from tests.stream.sound.media import aac, clicks, heard, onsets

TIMES = [0.5, 1.25, 1.9]


def transcoded(packets: list[SoundPacket], transcoder: Transcoder | None = None) -> list[SoundPacket]:
    transcoder = transcoder or Transcoder()
    return [made for packet in packets for made in transcoder.transcode(packet)]


@pytest.mark.parametrize(("rate", "channels"), [(48_000, 2), (44_100, 2), (44_100, 1), (22_050, 2), (96_000, 1), (48_000, 6)])
def test_a_click_is_heard_when_it_was(rate: int, channels: int) -> None:
    began = 7 * 3600 * CLOCK_RATE
    made = transcoded(aac(clicks(2.3, TIMES, rate), rate, channels, began))
    assert {packet.codec for packet in made} == {"OPUS"}
    assert {after.pts - before.pts for before, after in pairwise(made)} == {960}
    assert onsets(*heard(made)) == pytest.approx([began / CLOCK_RATE + time for time in TIMES], abs=0.003)


def test_he_aac_has_frames_of_twice_the_samples() -> None:
    # Object type 5 over AAC-LC at 24 kHz: the decoder doubles the rate, and takes 962 samples for it, which encoders of HE-AAC
    # count as theirs and the time stamps of their packets hold.
    configuration = bytes.fromhex("2b118800")
    packets = [replace(packet, configuration=configuration) for packet in aac(clicks(2.3, TIMES, 24_000), 24_000)]
    made = transcoded(packets)
    assert {after.pts - before.pts for before, after in pairwise(made)} == {960}
    assert onsets(*heard(made)) == pytest.approx([time + 962 / CLOCK_RATE for time in TIMES], abs=0.003)


def test_a_packet_was_received_when_what_it_holds_was() -> None:
    packets = aac(clicks(1, [], 44_100), 44_100)
    for packet in transcoded(packets):
        first = packet.received - 100 * SECOND - (packet.pts + 312) * SECOND // CLOCK_RATE
        assert 0 <= first <= 24 * MILLISECOND


@pytest.mark.parametrize("skew", [400e-6, -400e-6])
def test_a_clock_that_drifts_is_followed(skew: float) -> None:
    # 400 ppm over 50 s are 20 ms: a publisher's sound card and its time stamps are of two clocks.
    packets = aac(clicks(1, [], 48_000), 48_000)[:40]
    transcoder = Transcoder()
    made = []
    for number in range(2350):
        pts = round(number * 1024 * (1 + skew) / 48) * 48
        made += transcoder.transcode(replace(packets[number % 40], pts=pts))
    ends = made[-1].pts + 312 + 960
    assert ends == pytest.approx(2350 * 1024 * (1 + skew), abs=960 + 72)
    assert {after.pts - before.pts for before, after in pairwise(made)} == {960}


def test_a_drift_is_followed_by_the_sound_itself() -> None:
    rate, skew, seconds = 48_000, 500e-6, 30
    times = [2.0, 15.0, 29.0]
    packets = aac(clicks(seconds, times, rate), rate, rounded=False)
    late = [replace(packet, pts=round(packet.pts * (1 + skew))) for packet in packets]
    found = onsets(*heard(transcoded(late)))
    assert found == pytest.approx([time * (1 + skew) for time in times], abs=0.003)


def test_jitter_of_time_stamps_changes_nothing() -> None:
    packets = aac(clicks(2.3, TIMES, 48_000), 48_000)
    shaken = np.random.default_rng(1).integers(-5 * 48, 5 * 48, len(packets)).tolist()
    shaken[0] = 0
    made = transcoded([replace(packet, pts=packet.pts + by) for packet, by in zip(packets, shaken, strict=True)])
    assert onsets(*heard(made)) == pytest.approx(TIMES, abs=0.003)


@pytest.mark.parametrize("gap", [0.08, 2.0])
def test_after_a_gap_the_sound_is_where_its_time_stamps_say(gap: float) -> None:
    packets = aac(clicks(2.3, TIMES, 48_000), 48_000)
    moved = [replace(packet, pts=packet.pts + round(gap * CLOCK_RATE) * (packet.pts >= CLOCK_RATE)) for packet in packets]
    made = transcoded(moved)
    assert all(after.pts - before.pts >= 960 for before, after in pairwise(made))
    assert onsets(*heard(made)) == pytest.approx([0.5, 1.25 + gap, 1.9 + gap], abs=0.003)


def test_time_stamps_that_begin_anew_are_followed() -> None:
    packets = aac(clicks(1, [], 48_000), 48_000)
    transcoder = Transcoder()
    transcoded(packets, transcoder)
    again = transcoded(packets, transcoder)
    assert again[0].pts == packets[0].pts - 312


def test_what_cannot_be_decoded_becomes_silence_of_its_length() -> None:
    broken: list[SoundError] = []
    packets = aac(clicks(2.3, TIMES, 44_100), 44_100)
    packets[30:34] = [replace(packet, data=b"\xff" * 60) for packet in packets[30:34]]
    packets[40] = replace(packets[40], data=b"")
    packets[41] = replace(packets[41], data=bytes(100_000))
    made = transcoded(packets, Transcoder(broken.append))
    assert len(broken) >= 4
    assert {after.pts - before.pts for before, after in pairwise(made)} == {960}
    assert onsets(*heard(made)) == pytest.approx(TIMES, abs=0.003)


@pytest.mark.parametrize("configuration", [b"", b"\x08\x00", b"\xff" * 40])
def test_a_configuration_that_cannot_be_taken_is_refused_and_a_good_one_taken_after_it(configuration: bytes) -> None:
    packets = aac(clicks(1, [], 48_000), 48_000)
    transcoder = Transcoder()
    with pytest.raises(SoundError):
        transcoder.transcode(replace(packets[0], configuration=configuration))
    assert transcoded(packets, transcoder)


def test_another_configuration_goes_on_from_where_it_is() -> None:
    before = aac(clicks(1, [0.5], 44_100), 44_100)
    after = aac(clicks(1, [0.5], 48_000), 48_000, 1, began=CLOCK_RATE)
    transcoder = Transcoder()
    made = transcoded(before, transcoder)
    transcoder.forget()
    made += transcoded(after, transcoder)
    placed = sorted({packet.pts: packet for packet in made}.values(), key=lambda packet: packet.pts)
    assert onsets(*heard(placed)) == pytest.approx([0.5, 1.5], abs=0.003)


def test_each_decoded_frame_is_shown_with_its_time() -> None:
    seen: list[int] = []
    packets = aac(clicks(1, [], 44_100), 44_100)
    transcoded(packets, Transcoder(on_decoded=lambda _, pts: seen.append(pts)))
    assert seen == pytest.approx([packet.pts for packet in packets], abs=48)


@pytest.mark.parametrize(("channels", "share"), [(1, 1), (2, 1), (6, 0.25)])
def test_loudness_is_kept_and_many_channels_do_not_clip(channels: int, share: float) -> None:
    tone = (0.5 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)).astype(np.float32)
    played, _ = heard(transcoded(aac(tone, 48_000, channels)))
    level = np.sqrt(2 * np.mean(played[10_000:40_000] ** 2))
    assert share * 0.5 - 0.03 <= level <= 0.53
