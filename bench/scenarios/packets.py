"""What a packet costs apart from codecs."""

from __future__ import annotations

from bench import packets
from bench.clip import Clip
from bench.outcome import Cell, Outcome
from bench.progress import say
from bench.quantiles import quantile
from bench.scale import Scale


def run(scale: Scale, original: Clip) -> Outcome:
    costs = [packets.measure(scale.packet_pictures) for _ in range(scale.packet_rounds)]
    rows: list[dict[str, Cell]] = []
    for place, way in enumerate(("in", "out")):
        rates = [cost[place].per_second for cost in costs]
        middle = quantile(rates, 0.5)
        say(f"  {way}: {middle:.0f} packets/s on one core ({min(rates):.0f} to {max(rates):.0f})")
        rows.append(
            {
                "way": way,
                "packets/s on one core": round(middle),
                "slowest round": round(min(rates)),
                "fastest round": round(max(rates)),
                "us a packet": round(1e6 / middle, 1),
                "packets a picture": round(costs[0][place].packets / costs[0][place].pictures, 1),
            }
        )
    return Outcome(
        name="packets",
        title="Packets a second on one core",
        text=(
            f"The median of {scale.packet_rounds} rounds of {scale.packet_pictures} pictures of the clip, one after the other "
            "as fast as they go. In: from the socket through uvloop, SRTP, header, statistics and transport-cc to the picture "
            "put together. Out: from the encoded picture through splitting, pacer, history, congestion control and SRTP to the "
            "socket. No codec is in it; the kernel's part of the socket is. CPU time of the event loop's thread."
        ),
        rows=rows,
    )
