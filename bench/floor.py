"""The codec floor: what decoding and encoding cost with nothing around them, and at which quality.

Nothing that re-encodes video can be cheaper than its row here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
from aiortc.codecs import depayload
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame

from bench import clip
from bench.clip import Clip
from bench.luma import luma
from bench.psnr import psnr
from bench.returned import decoder_of
from stream.codec import Encoder, x264_options
from transforms.color import Color

Encode = Callable[[VideoFrame], bytes]


@dataclass(frozen=True, slots=True)
class Floor:
    encoder: str
    encode_ms: float
    """CPU time of all threads per frame."""
    decode_ms: float
    """Of decoding what was encoded, on one thread."""
    kbps: float
    psnr: float
    """Luma, dB, against the original: the mean over frames."""


def doppel(codec: str, bitrate: int) -> Encode:
    """doppel's own encoder."""
    encoder = Encoder(codec, clip.WIDTH, clip.HEIGHT, Color(), bitrate)
    return lambda frame: encoder.encode(frame, keyframe=False)[0]


def x264(preset: str, bitrate: int) -> Encode:
    """doppel's settings with another preset."""
    context = VideoCodecContext.create("libx264", "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = clip.WIDTH, clip.HEIGHT, "yuv420p"
    context.framerate, context.time_base = Fraction(clip.FPS), clip.TIME_BASE
    context.bit_rate, context.thread_count, context.gop_size = bitrate, 1, 1 << 20
    context.options = x264_options(bitrate, bitrate) | {"preset": preset}
    return lambda frame: b"".join(bytes(packet) for packet in context.encode(frame))


def aiortc(codec: str, bitrate: int) -> Encode:
    """aiortc's encoder as it comes; its packetizing, some 2 % of the time, is in it."""
    encoder = H264Encoder() if codec == "H264" else Vp8Encoder()
    encoder.target_bitrate = bitrate
    parameters = RTCRtpCodecParameters(mimeType=f"video/{codec}", clockRate=90_000, payloadType=96)
    return lambda frame: b"".join(depayload(parameters, payload) for payload in encoder.encode(frame)[0])


ENCODERS: dict[str, tuple[str, Callable[[int], Encode]]] = {
    "doppel H.264 (x264 superfast)": ("H264", lambda bitrate: doppel("H264", bitrate)),
    "x264 ultrafast": ("H264", lambda bitrate: x264("ultrafast", bitrate)),
    "x264 veryfast": ("H264", lambda bitrate: x264("veryfast", bitrate)),
    "aiortc H.264 (x264 medium)": ("H264", lambda bitrate: aiortc("H264", bitrate)),
    "doppel VP8": ("VP8", lambda bitrate: doppel("VP8", bitrate)),
    "aiortc VP8": ("VP8", lambda bitrate: aiortc("VP8", bitrate)),
}
"""By name: the codec, and what makes the encoder for a bitrate in bit/s."""


def measure(name: str, bitrate: int, original: Clip, frames: int) -> Floor:
    """Encodes and decodes that many frames of the clip."""
    codec, make = ENCODERS[name]
    encode, decoder = make(bitrate), decoder_of(codec)
    encoding = decoding = octets = 0
    qualities: list[float] = []
    for number, picture in enumerate(_pictures(original, frames)):
        began = time.process_time_ns()
        data = encode(picture)
        encoded = time.process_time_ns()
        decoded = decoder.decode(av.Packet(data))
        decoding += time.process_time_ns() - encoded
        encoding += encoded - began
        octets += len(data)
        qualities.extend(psnr(luma(shown), original.original(number)) for shown in decoded)
    return Floor(
        encoder=name,
        encode_ms=encoding / frames / 1e6,
        decode_ms=decoding / frames / 1e6,
        kbps=octets * 8 * clip.FPS / frames / 1e3,
        psnr=sum(qualities) / len(qualities),
    )


def _pictures(original: Clip, count: int) -> Iterator[VideoFrame]:
    for _, picture in zip(range(count), clip.numbered(original), strict=False):
        picture.pict_type = PictureType.NONE
        yield picture
