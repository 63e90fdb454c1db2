"""Frames put together again out of the packets that came back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import av
from aiortc.codecs import depayload
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtp import HeaderExtensionsMap, RtpPacket
from av.video.codeccontext import VideoCodecContext

from bench import barcode
from bench.luma import Luma, luma


@dataclass(frozen=True, slots=True)
class ReturnedFrame:
    arrival: int
    """When its last packet came, monotonic ns."""
    data: bytes
    """What a decoder takes: Annex B or a VP8 frame."""
    size: int
    """Bytes of its RTP packets, headers included."""
    complete: bool
    """No packet is missing in it or before it."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A returned frame, decoded."""

    arrival: int
    complete: bool
    number: int | None
    """From its barcode; None where that cannot be read."""
    plane: Luma


def assemble(packets: Sequence[tuple[int, bytes]], codec: str) -> list[ReturnedFrame]:
    """Sorts (arrival, RTP packet) by sequence number, drops duplicates, and groups by timestamp."""
    parameters = RTCRtpCodecParameters(mimeType=f"video/{codec}", clockRate=90_000, payloadType=96)
    extensions = HeaderExtensionsMap()
    by_number: dict[int, tuple[int, int, RtpPacket]] = {}
    highest: int | None = None
    for arrival, data in packets:
        packet = RtpPacket.parse(data, extensions)
        if highest is None:
            highest = packet.sequence_number
        # The distance to the highest so far, read as a signed 16-bit number, unwraps the sequence.
        number = highest + (packet.sequence_number - highest + 0x8000) % 0x10000 - 0x8000
        highest = max(highest, number)
        by_number.setdefault(number, (arrival, len(data), packet))

    frames: list[ReturnedFrame] = []
    group: list[int] = []
    before: int | None = None
    ordered = sorted(by_number)
    for place, number in enumerate(ordered):
        group.append(number)
        timestamp = by_number[number][2].timestamp
        if place + 1 < len(ordered) and by_number[ordered[place + 1]][2].timestamp == timestamp:
            continue
        members = [by_number[member] for member in group]
        payloads = [packet.payload for _, _, packet in members if packet.payload]
        if payloads:
            first = group[0] if before is None else before + 1
            whole = group == list(range(first, group[-1] + 1)) and members[-1][2].marker == 1
            try:
                data = b"".join(depayload(parameters, payload) for payload in payloads)
            except ValueError:
                data, whole = b"", False
            frames.append(ReturnedFrame(max(a for a, _, _ in members), data, sum(s for _, s, _ in members), whole))
        before = group[-1]
        group = []
    return frames


def decode(frames: Sequence[ReturnedFrame], codec: str) -> Iterator[Picture]:
    """In the order of sending; a frame that cannot be decoded is left out."""
    decoder = decoder_of(codec)
    for index, frame in enumerate(frames):
        packet = av.Packet(frame.data)
        packet.pts = index
        try:
            pictures = decoder.decode(packet)
        except av.FFmpegError:
            continue
        for picture in pictures:
            origin = frames[picture.pts if picture.pts is not None else index]
            plane = luma(picture)
            yield Picture(origin.arrival, origin.complete, barcode.read(plane), plane)


def decoder_of(codec: str) -> VideoCodecContext:
    """A decoder on one thread, which holds no frame back."""
    decoder = av.CodecContext.create({"H264": "h264", "VP8": "vp8"}[codec], "r")
    assert isinstance(decoder, VideoCodecContext)
    decoder.thread_count = 1
    return decoder
