"""The clip in other codecs and sizes, encoded once and kept beside it."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from bench import clip
from bench.clip import Clip
from bench.progress import say

FRAMES = 120
"""4 s with two keyframes; the barcodes go from 0 to 119."""
ENCODING = "1"
"""Changed whenever what is encoded changes."""

_ENCODERS = {
    "H264": ("libx264", {"preset": "veryfast", "tune": "zerolatency", "profile": "baseline", "forced-idr": "1"}),
    "HEVC": (
        "libx265",
        {"preset": "ultrafast", "tune": "zerolatency", "forced-idr": "1", "x265-params": "log-level=error:repeat-headers=1"},
    ),
    "VP8": ("libvpx", {"cpu-used": "-8", "deadline": "realtime", "lag-in-frames": "0"}),
}


@dataclass(frozen=True, slots=True)
class Variant:
    codec: str
    width: int
    height: int
    bitrate: int
    """bit/s."""

    def frames(self, original: Clip | None = None) -> list[bytes]:
        """FRAMES pictures, a keyframe every ``clip.GOP_FRAMES``; from the cache, or encoded now."""
        name = f"bench-variant-{ENCODING}-{clip.SHA256[:8]}-{self.codec.lower()}-{self.height}-{self.bitrate}.npz"
        path = clip.cache() / name
        if not path.is_file():
            say(f"encoding the test clip in {self.codec}, {self.width}x{self.height}, once")
            frames = self._encode(original or clip.load())
            buffer = io.BytesIO()
            np.savez(buffer, sizes=[len(frame) for frame in frames], data=np.frombuffer(b"".join(frames), np.uint8))
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(f".{os.getpid()}.part")
            partial.write_bytes(buffer.getvalue())
            partial.replace(path)
        with np.load(path) as kept:
            ends = np.cumsum(kept["sizes"]).tolist()
            data = kept["data"].tobytes()
        return [data[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]

    def _encode(self, original: Clip) -> list[bytes]:
        name, options = _ENCODERS[self.codec]
        encoder = av.CodecContext.create(name, "w")
        assert isinstance(encoder, VideoCodecContext)
        encoder.width, encoder.height, encoder.pix_fmt = self.width, self.height, "yuv420p"
        encoder.framerate, encoder.time_base = Fraction(clip.FPS), clip.TIME_BASE
        encoder.bit_rate, encoder.gop_size = self.bitrate, 10 * FRAMES
        encoder.options = options | {"maxrate": str(self.bitrate), "bufsize": str(self.bitrate // 2)}
        frames: list[bytes] = []
        for number, picture in zip(range(FRAMES), clip.numbered(original), strict=False):
            scaled = picture.reformat(width=self.width, height=self.height)
            scaled.pts, scaled.time_base = picture.pts, picture.time_base
            scaled.pict_type = PictureType.I if number % clip.GOP_FRAMES == 0 else PictureType.NONE
            frames += [bytes(packet) for packet in encoder.encode(scaled)]
        if len(frames) != FRAMES:
            raise RuntimeError(f"the {self.codec} encoder holds frames back; the bench needs one packet a frame")
        return frames
