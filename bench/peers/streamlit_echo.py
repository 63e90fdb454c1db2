"""streamlit-webrtc's worker as it comes, with a frame callback that gives the frame back.

Its own signalling is a component of a Streamlit page; its worker takes an offer from anybody, and an event loop and a relay from
whoever has no Streamlit around it. Run by the Python that it is installed in: python -m bench.peers.streamlit_echo PORT
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from typing import Any

import aioice.ice
import uvloop
from aiortc import RTCConfiguration
from aiortc.contrib.media import MediaRelay
from streamlit_webrtc.webrtc import WebRtcMode, WebRtcWorker  # type: ignore[import-not-found, unused-ignore]

from bench.peers import signalling

TIMEOUT = 10.0
"""s for an answer; streamlit-webrtc's own default."""


def main(port: int) -> None:
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: [signalling.LOOPBACK]
    logging.getLogger("streamlit").setLevel(logging.ERROR)  # it complains of the page that is not there
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    relay = MediaRelay()

    def connect(offer: str) -> signalling.Answer:
        worker: Any = asyncio.run_coroutine_threadsafe(_worker(loop, relay), loop).result(TIMEOUT)
        answer = worker.process_offer(offer, "offer", timeout=TIMEOUT)
        return answer.sdp, worker.stop

    server = signalling.server(port, connect)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    loop.run_forever()


async def _worker(loop: asyncio.AbstractEventLoop, relay: MediaRelay) -> Any:
    """Made on the loop, since aiortc's peer connection looks for it."""
    return WebRtcWorker(
        mode=WebRtcMode.SENDRECV,
        rtc_configuration=RTCConfiguration(iceServers=[]),
        source_video_track=None,
        source_audio_track=None,
        sink_video_track=None,
        sink_audio_track=None,
        player_factory=None,
        in_recorder_factory=None,
        out_recorder_factory=None,
        video_frame_callback=lambda frame: frame,
        audio_frame_callback=None,
        queued_video_frames_callback=None,
        queued_audio_frames_callback=None,
        on_video_ended=None,
        on_audio_ended=None,
        video_processor_factory=None,
        audio_processor_factory=None,
        async_processing=True,  # its own default
        video_receiver_size=4,
        audio_receiver_size=4,
        sendback_video=True,
        sendback_audio=False,
        loop=loop,
        relay=relay,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
