"""What a recording says: turnaround, loss, bitrate, quality, and what the server used for it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import av

from bench import clip
from bench.client import PeerRecording, Recording
from bench.clip import Clip
from bench.luma import Luma, luma
from bench.psnr import psnr
from bench.quantiles import quantile
from bench.returned import assemble, decode, decoder_of

PSNR_FRAMES = 150
"""Frames of a peer, evenly spread, whose PSNR is computed: enough for a mean, at 5 ms each."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A frame that was sent and came back."""

    number: int
    """Of the sent frame, from 0, not wrapped at the loop's end."""
    sent: int
    """Its last packet left, monotonic ns."""
    back: int
    """Its last packet came back."""

    @property
    def ms(self) -> float:
        return (self.back - self.sent) / 1e6


@dataclass(frozen=True, slots=True)
class Result:
    """Of one run; means over its peers where they differ."""

    peers: int
    seconds: float
    p50: float
    """Turnaround, ms, of all peers' frames together: last packet out to last packet back."""
    p95: float
    p99: float
    sent: int
    """Frames sent in the window."""
    lost: int
    """Of those, frames that never came back."""
    unreadable: int
    """Frames that came back without a readable barcode."""
    broken: int
    """Frames that came back with packets missing."""
    fps: float
    """Frames that came back per second and peer."""
    kbps: float
    """Of what came back per peer, RTP headers included."""
    psnr: float
    """Luma PSNR in dB against the original clip, barcode left out: the mean over frames. NaN where the size differs."""
    psnr_sent: float
    """The same against what the server got, decoded: the server's own loss."""
    cores: float
    """CPU that the server used."""
    rss_mb: float
    """The server's memory at the window's end."""
    client_cores: float
    other_cores: float
    """CPU that everybody else used meanwhile: what disturbed the measurement."""
    connect_ms: float
    """From the offer to the first frame back: the mean."""
    turns: list[tuple[float, float]]
    """Seconds into the window at which a frame was sent, and its turnaround in ms."""
    rss: list[tuple[float, float]]
    """Seconds into the window, and the server's memory in MB."""


def evaluate(recording: Recording, original: Clip, quality: bool = True) -> Result:
    """Decodes what came back and compares. Raises ValueError when no frame could be identified."""
    seconds = (recording.end - recording.begin) / 1e9
    turns: list[Turn] = []
    psnrs: list[float] = []
    psnrs_sent: list[float] = []
    sent = unreadable = broken = frames_back = octets = 0
    for peer in recording.peers:
        frames = assemble(peer.packets, recording.codec)
        within = [frame for frame in frames if recording.begin <= frame.arrival < recording.end]
        frames_back += len(within)
        octets += sum(frame.size for frame in within)
        broken += sum(not frame.complete for frame in within)
        shown: list[tuple[int | None, int]] = []
        wanted: list[tuple[int, Luma]] = []
        step = max(1, len(within) // PSNR_FRAMES)
        for index, picture in enumerate(decode(frames, recording.codec)):
            shown.append((picture.number, picture.arrival))
            inside = recording.begin <= picture.arrival < recording.end
            unreadable += inside and picture.number is None
            if quality and inside and picture.complete and picture.number is not None and index % step == 0:
                psnrs.append(psnr(picture.plane, original.original(picture.number)))
                wanted.append((picture.number, picture.plane))
        psnrs_sent.extend(_against_sent(wanted, recording.codec))
        numbers = {number for number, at in enumerate(peer.sent) if recording.begin <= at < recording.end}
        sent += len(numbers)
        turns.extend(turn for turn in match(peer.sent, shown) if turn.number in numbers)
    if not turns:
        raise ValueError("frames came back, and none of them could be identified by its barcode")
    ms = [turn.ms for turn in turns]
    first, last = recording.usage[0], recording.usage[-1]
    cores = (last.cpu_s - first.cpu_s) / seconds
    return Result(
        peers=len(recording.peers),
        seconds=seconds,
        p50=quantile(ms, 0.50),
        p95=quantile(ms, 0.95),
        p99=quantile(ms, 0.99),
        sent=sent,
        lost=sent - len(turns),
        unreadable=unreadable,
        broken=broken,
        fps=frames_back / seconds / len(recording.peers),
        kbps=octets * 8 / seconds / len(recording.peers) / 1e3,
        psnr=_mean(psnrs),
        psnr_sent=_mean(psnrs_sent),
        cores=cores,
        rss_mb=last.rss_mb,
        client_cores=recording.client_cores,
        other_cores=max(0.0, (last.machine_s - first.machine_s) / seconds - cores - recording.client_cores),
        connect_ms=_mean([connect_ms(peer) for peer in recording.peers]),
        turns=[((turn.sent - recording.begin) / 1e9, turn.ms) for turn in turns],
        rss=[((sample.at - recording.begin) / 1e9, sample.rss_mb) for sample in recording.usage],
    )


def match(sent: Sequence[int], shown: Iterable[tuple[int | None, int]], loop: int = clip.LOOP_FRAMES) -> list[Turn]:
    """Finds the sent frame behind each returned one, given as (barcode, arrival), whatever was lost, repeated or reordered.

    Barcodes repeat every ``loop`` frames; of the frames that one may mean, the nearest to the last one matched is taken,
    so any latency is measured right as long as fewer than half a loop of frames are lost in a row.
    """
    turns: dict[int, Turn] = {}
    highest = 0
    for number, arrival in shown:
        if number is None or number >= loop:
            continue
        index = highest + (number - highest + loop // 2) % loop - loop // 2
        if not 0 <= index < len(sent) or sent[index] > arrival or index in turns:
            continue
        turns[index] = Turn(index, sent[index], arrival)
        highest = max(highest, index)
    return [turns[index] for index in sorted(turns)]


def connect_ms(peer: PeerRecording) -> float:
    """From the offer to the end of the first frame back."""
    ends = (arrival for arrival, data in peer.packets if data[1] & 0x80)
    return (next(ends) - peer.offered) / 1e6


def _against_sent(shown: Sequence[tuple[int, Luma]], codec: str) -> list[float]:
    """PSNR against the client's own encoding, which has to be decoded once for that."""
    wanted: dict[int, list[Luma]] = {}
    for number, plane in shown:
        wanted.setdefault(number, []).append(plane)
    if not wanted:
        return []
    found: list[float] = []
    decoder = decoder_of(codec)
    for number, data in enumerate(clip.encoded(codec).frames):
        for picture in decoder.decode(av.Packet(data)):
            found.extend(psnr(plane, luma(picture)) for plane in wanted.get(number, ()))
    return found


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan
