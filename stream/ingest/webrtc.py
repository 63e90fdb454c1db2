"""Pictures from a WebRTC peer."""

from __future__ import annotations

import asyncio
import time

from stream.rtc.peer import Peer


class WebRtcIngest:
    """A peer that publishes."""

    def __init__(self, peer: Peer, protocol: str) -> None:
        self.protocol = protocol
        self.peer = peer
        self._loop = asyncio.get_running_loop()

    def request_keyframe(self) -> None:
        try:
            self._loop.call_soon_threadsafe(lambda: self.peer.receiver.request_keyframe(time.monotonic_ns()))
        except RuntimeError:
            # The loop has ended; there is nobody left to ask.
            return

    async def close(self, reason: str) -> None:
        await self.peer.close(reason)
