"""Pictures from a WebRTC peer."""

from __future__ import annotations

import asyncio

from stream.rtc.peer import Peer


class WebRtcIngest:
    """A peer that publishes."""

    def __init__(self, peer: Peer, protocol: str) -> None:
        self.protocol = protocol
        self.peer = peer
        self._loop = asyncio.get_running_loop()

    def request_keyframe(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self.peer.request_keyframe)
        except RuntimeError:
            # The loop has ended; there is nobody left to ask.
            return

    async def close(self, reason: str) -> None:
        await self.peer.close(reason)
