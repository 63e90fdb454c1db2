"""One run against one server, and several of them taken together."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from bench.client import Plan, record
from bench.clip import Clip
from bench.outcome import Cell
from bench.progress import say
from bench.quantiles import quantile
from bench.report import OTHERS
from bench.result import Result, evaluate
from bench.servers import Server

_names = itertools.count(1)


def run(
    server: Server,
    original: Clip,
    *,
    codec: str = "H264",
    chain: str = "",
    peers: int = 1,
    seconds: float,
    warmup: float,
    remb: int | None = None,
    quality: bool = True,
) -> Result:
    """Measures. Raises ClientFailed, or ValueError when what came back cannot be identified."""
    urls = [server.url(f"bench-{next(_names)}", chain) for _ in range(peers)]
    recording = record(Plan(urls, server.pid, codec, warmup, seconds, remb))
    result = evaluate(recording, original, quality)
    shown = f", {result.psnr:.1f} dB" if quality else ""
    say(
        f"  {server.kind.name}{' ' + chain if chain else ''} {codec} x{peers}: p50 {result.p50:.1f} p95 {result.p95:.1f} ms, "
        f"{result.cores:.2f} cores (others {result.other_cores:.2f}), {result.kbps:.0f} kb/s{shown}, "
        f"lost {result.lost} of {result.sent}"
    )
    return result


def pool(results: Sequence[Result]) -> Result:
    """Several runs as one: quantiles over all their frames, sums of counts, means of rates."""
    ms = [value for result in results for _, value in result.turns]

    def total(name: str) -> int:
        return sum(int(getattr(result, name)) for result in results)

    def mean(name: str) -> float:
        return sum(float(getattr(result, name)) for result in results) / len(results)

    return replace(
        results[0],
        seconds=sum(result.seconds for result in results),
        p50=quantile(ms, 0.50),
        p95=quantile(ms, 0.95),
        p99=quantile(ms, 0.99),
        sent=total("sent"),
        lost=total("lost"),
        unreadable=total("unreadable"),
        broken=total("broken"),
        fps=mean("fps"),
        kbps=mean("kbps"),
        psnr=mean("psnr"),
        psnr_sent=mean("psnr_sent"),
        cores=mean("cores"),
        rss_mb=mean("rss_mb"),
        client_cores=mean("client_cores"),
        other_cores=mean("other_cores"),
        connect_ms=mean("connect_ms"),
        turns=[turn for result in results for turn in result.turns],
    )


def row(server: str, codec: str, result: Result) -> dict[str, Cell]:
    """The columns that most tables share."""
    return {
        "server": server,
        "codec": codec,
        "p50 ms": round(result.p50, 1),
        "p95 ms": round(result.p95, 1),
        "p99 ms": round(result.p99, 1),
        "lost": f"{result.lost} of {result.sent}",
        "CPU cores": round(result.cores, 3),
        OTHERS: round(result.other_cores, 2),
        "RSS MB": round(result.rss_mb),
        "kb/s back": round(result.kbps),
        "PSNR dB": _rounded(result.psnr),
        "PSNR to sent dB": _rounded(result.psnr_sent),
    }


def _rounded(value: float) -> float | None:
    return None if value != value else round(value, 2)
