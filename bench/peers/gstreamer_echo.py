"""The anchor in C: GStreamer's webrtcbin, FFmpeg's decoder and x264 with doppel's settings. Python only does the signalling.

Run by a Python that has PyGObject, such as Debian's: python3 -m bench.peers.gstreamer_echo PORT
"""

from __future__ import annotations

import re
import sys
import threading
from typing import Any

import gi  # type: ignore[import-not-found, import-untyped, unused-ignore]

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # type: ignore[import-not-found, import-untyped, unused-ignore] # noqa: E402

from bench.peers import signalling  # noqa: E402

TIMEOUT = 10.0
"""s for the candidates of one connection to be gathered."""

# doppel's encoder (stream/codec.py): superfast, one thread, constant 1.5 Mb/s, a buffer of 0.4 s, keyframes on request only.
# The queue keeps the newest frame alone, as doppel does.
ECHO = (
    "rtph264depay name=first ! avdec_h264 max-threads=1 "
    "! queue leaky=downstream max-size-buffers=1 max-size-bytes=0 max-size-time=0 "
    "! x264enc tune=zerolatency speed-preset=superfast threads=1 sliced-threads=false bitrate=1500 vbv-buf-capacity=400 pass=cbr "
    "key-int-max=2147483647 option-string=scenecut=0 ! video/x-h264,profile=constrained-baseline "
    "! rtph264pay name=last config-interval=-1 aggregate-mode=zero-latency mtu=1228"
)


class Peer:
    """One connection: its pipeline lives in GStreamer's own threads."""

    def __init__(self) -> None:
        self._pipeline = Gst.Pipeline()
        self._webrtc = Gst.ElementFactory.make("webrtcbin")
        self._webrtc.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        self._pipeline.add(self._webrtc)
        # Without this reference the agent's Python wrapper is gone before the address is added.
        self._agent = self._webrtc.get_property("ice-agent")
        self._agent.emit("add-local-ip-address", signalling.LOOPBACK)
        self._echo = Gst.parse_bin_from_description(ECHO, False)
        self._pipeline.add(self._echo)
        self._gathered = threading.Event()
        self._webrtc.connect("notify::ice-gathering-state", self._on_gathering)
        self._webrtc.connect("on-new-transceiver", lambda _, transceiver: transceiver.set_property("do-nack", True))
        self._webrtc.connect("pad-added", self._on_pad)
        self._pipeline.set_state(Gst.State.PLAYING)

    def answer(self, offer: str) -> str:
        """Raises ValueError or TimeoutError."""
        self._call("set-remote-description", _description(offer, GstWebRTC.WebRTCSDPType.OFFER))
        last = self._echo.get_by_name("last")
        ghost = Gst.GhostPad.new("src", last.get_static_pad("src"))
        self._echo.add_pad(ghost)
        sink = self._webrtc.request_pad_simple("sink_0")
        if ghost.link(sink) != Gst.PadLinkReturn.OK:
            raise ValueError("the encoder could not be linked to webrtcbin")
        reply = self._call("create-answer", None)
        # It has no caps on its sink pad yet, and so says that it only receives.
        text = reply.get_value("answer").sdp.as_text().replace("a=recvonly", "a=sendrecv")
        payload_type = re.search(r"^m=video \d+ \S+ (\d+)", text, re.M)
        if payload_type is None:
            raise ValueError("the answer has no video")
        last.set_property("pt", int(payload_type[1]))
        self._call("set-local-description", _description(text, GstWebRTC.WebRTCSDPType.ANSWER))
        if not self._gathered.wait(TIMEOUT):
            raise TimeoutError(f"no candidates were gathered within {TIMEOUT:g} s")
        return str(self._webrtc.get_property("local-description").sdp.as_text())

    def close(self) -> None:
        self._pipeline.set_state(Gst.State.NULL)

    def _on_gathering(self, webrtc: Any, _: Any) -> None:
        if webrtc.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            self._gathered.set()

    def _on_pad(self, _: Any, pad: Any) -> None:
        if pad.get_direction() != Gst.PadDirection.SRC:
            return
        ghost = Gst.GhostPad.new("sink", self._echo.get_by_name("first").get_static_pad("sink"))
        ghost.set_active(True)
        self._echo.add_pad(ghost)
        pad.link(ghost)
        self._echo.sync_state_with_parent()

    def _call(self, signal: str, argument: Any) -> Any:
        promise = Gst.Promise.new()
        self._webrtc.emit(signal, argument, promise)
        if promise.wait() != Gst.PromiseResult.REPLIED:
            raise ValueError(f"webrtcbin did not take {signal}")
        reply = promise.get_reply()
        if reply is not None and reply.has_field("error"):
            raise ValueError(f"{signal}: {reply.get_value('error').message}")
        return reply


def _description(sdp: str, kind: Any) -> Any:
    result, message = GstSdp.SDPMessage.new_from_text(sdp)
    if result != GstSdp.SDPResult.OK:
        raise ValueError("this is no SDP")
    return GstWebRTC.WebRTCSessionDescription.new(kind, message)


def connect(offer: str) -> signalling.Answer:
    peer = Peer()
    return peer.answer(offer), peer.close


def main(port: int) -> None:
    Gst.init(None)
    server = signalling.server(port, connect)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    GLib.MainLoop().run()


if __name__ == "__main__":
    main(int(sys.argv[1]))
