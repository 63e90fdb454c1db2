"""One source, opened: which of its tracks are taken, and their packets."""

from __future__ import annotations

import contextlib
import ssl
import subprocess
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container.input import InputContainer
from av.stream import Discard, Disposition, Stream
from av.video.stream import VideoStream

from stream.media.http_file import HttpFile, HttpFiles
from stream.media.interleaver import PICTURES, SOUND, TrackPacket
from stream.media.limits import CREATED_STREAMS, IO_TIMEOUT, PACKET_BYTES, PROBE_BYTES, PROBE_TIME, STREAMS, TICKS
from stream.media.message import Format
from stream.media.pictures import CODECS, PictureTrack, codec_name
from stream.media.sound import SoundTrack, sound_track
from stream.media.source import Source, SourceRefused
from stream.media.srt import open_srt

CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,flv,ogg,wav,mp3,aac,flac,h264,hevc,ivf,obu"
"""FFmpeg's demuxers that a file may need. None of them opens another file; lists (concat, HLS, DASH) and pictures do."""

PLAYLISTS = CONTAINERS + ",hls,webvtt"
"""Over HTTP: what a playlist names is fetched by ``HttpFiles``, which checks it."""

_PROTOCOLS = {"file": "file", "rtsp": "tcp,tls", "rtmp": "rtmp,rtmps,tcp,tls"}
"""FFmpeg's protocols that it may use by itself."""

FRAME = Fraction(1, 30)
"""s that a picture lasts where nobody says."""


class Demuxer:
    """A source's packets, from its beginning to its end. Blocks; used by one thread, in a process that may be killed."""

    def __init__(self, source: Source, max_pixels: int) -> None:
        """Raises SourceRefused, HttpError, av.FFmpegError, OSError."""
        self._files: list[HttpFile] = []
        self._program: subprocess.Popen[bytes] | None = None
        self._last: dict[int, int] = {}
        """Ticks of each track's last packet, and of its length."""
        self._container = self._open(source)
        streams = self._container.streams
        if len(streams) > STREAMS:
            raise SourceRefused(f"the source has {len(streams)} tracks; send one with {STREAMS} at most")
        self.pictures = _pictures([each for each in streams if isinstance(each, VideoStream)], max_pixels)
        self.sound, self._sound_stream = _sound([each for each in streams if isinstance(each, AudioStream)])
        if self.pictures is None and self.sound is None:
            raise SourceRefused("the source has neither pictures nor sound that can be taken")
        for stream in streams:
            if stream not in self._taken():
                # Not read at all: of a playlist's qualities one is fetched.
                stream.discard = Discard.all
        self.live = source.push or self._container.duration is None
        self.paced = not source.push and (not self.live or self._container.format.name == "hls")

    @property
    def tracks(self) -> int:
        return len(self._taken())

    @property
    def format(self) -> Format:
        """As it is known so far: some sound says only with its first packet how it is to be decoded."""
        pictures, sound = self.pictures, self.sound
        return Format(
            codec=pictures.codec if pictures else "",
            width=pictures.stream.codec_context.width if pictures else 0,
            height=pictures.stream.codec_context.height if pictures else 0,
            sound=sound.codec if sound else "",
            configuration=sound.configuration.hex() if sound else "",
            paced=self.paced,
            live=self.live,
        )

    def packets(self) -> Iterator[TrackPacket]:
        """All of them, as they lie in the source. Raises as the constructor does."""
        for packet in self._container.demux(self._taken()):
            if packet.size == 0:
                # PyAV's mark at the end, and what carries only side data.
                continue
            if packet.size > PACKET_BYTES:
                raise SourceRefused(f"the source has a packet of {packet.size} bytes; {PACKET_BYTES} are allowed")
            if self.pictures is not None and packet.stream is self.pictures.stream:
                length = packet.duration * packet.time_base if packet.duration else _interval(self.pictures.stream)
                keyframe, (pts, dts) = packet.is_keyframe, self._times(PICTURES, packet, length)
                if data := self.pictures.data(packet):
                    yield TrackPacket(PICTURES, data, pts, dts, round(length * TICKS), keyframe)
            elif self.sound is not None:
                yield from self._sound_packets(self.sound, packet)

    def close(self) -> None:
        self._container.close()
        for file in self._files:
            file.close()
        if self._program is not None:
            self._program.kill()
            self._program.wait()

    def _open(self, source: Source) -> InputContainer:
        options = {"probesize": str(PROBE_BYTES), "analyzeduration": str(PROBE_TIME), "max_streams": str(CREATED_STREAMS)}
        place: Any = source.url
        extra: dict[str, Any] = {}
        if source.protocol == "http":
            files = HttpFiles(source.hosts)

            def keep(url: str, *_: object) -> HttpFile:
                self._files.append(files.open(url))
                return self._files[-1]

            extra["io_open"] = keep
            options |= {"format_whitelist": PLAYLISTS, "protocol_whitelist": "http,https", "http_persistent": "0"}
            options |= {"http_multiple": "0", "max_reload": "10"}
        elif source.protocol == "srt":
            self._program = open_srt(source.url)
            place = self._program.stdout
            options |= {"format_whitelist": "mpegts"}
        else:
            options["protocol_whitelist"] = _PROTOCOLS[source.protocol]
            options["format_whitelist"] = {"file": CONTAINERS, "rtsp": "rtsp", "rtmp": "live_flv,flv"}[source.protocol]
        if source.protocol == "file":
            place = f"file:{source.url}"
        elif source.protocol in ("rtsp", "rtmp"):
            authorities = ssl.get_default_verify_paths().cafile
            options |= {"tls_verify": "1"} | ({"ca_file": authorities} if authorities else {})
            microseconds = str(round(IO_TIMEOUT * 1_000_000))
            rtsp = source.protocol == "rtsp"
            options |= {"rtsp_transport": "tcp", "timeout": microseconds} if rtsp else {"rw_timeout": microseconds}
        container: InputContainer = av.open(place, container_options=options, **extra)
        return container

    def _taken(self) -> list[Stream]:
        found = (self.pictures.stream if self.pictures else None, self._sound_stream)
        return [stream for stream in found if stream is not None]

    def _times(self, track: int, packet: av.Packet[Any], length: Fraction) -> tuple[int, int]:
        """Ticks at which a packet is to be shown, and decoded."""
        times = [None if time is None else round(time * packet.time_base * TICKS) for time in (packet.pts, packet.dts)]
        dts = times[1] if times[1] is not None else times[0]
        if dts is None:
            dts = self._last.get(track, 0)
        self._last[track] = dts + round(length * TICKS)
        return times[0] if times[0] is not None else dts, dts

    def _sound_packets(self, sound: SoundTrack, packet: av.Packet[Any]) -> Iterator[TrackPacket]:
        length = Fraction(packet.duration or 0) * packet.time_base
        _, dts = self._times(SOUND, packet, length)
        try:
            for data, time in sound.packets(packet):
                at = dts if time is None else round(time * TICKS)
                yield TrackPacket(SOUND, data, at, at, round(length * TICKS), keyframe=True)
        except av.FFmpegError:
            # A broken frame of sound is a gap of some ms, and no reason to end the pictures.
            return


def _pictures(streams: list[VideoStream], max_pixels: int) -> PictureTrack | None:
    """The largest that is allowed. Raises SourceRefused where there are pictures, and none can be taken."""
    # A song's cover is a video stream of one picture.
    films = [each for each in streams if not each.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails)]
    known = [each for each in films if codec_name(each) in CODECS]
    if films and not known:
        found = codec_name(films[0]) or "a codec that FFmpeg does not know"
        raise SourceRefused(f"the source's pictures are {found}, which is not taken; send {', '.join(CODECS.values())}")
    fitting = [each for each in known if each.codec_context.width * each.codec_context.height <= max_pixels]
    if known and not fitting:
        raise SourceRefused(f"the source's pictures are larger than the {max_pixels} pixels that the setting max_pixels allows")
    return PictureTrack(max(fitting, key=lambda each: each.codec_context.width * each.codec_context.height)) if fitting else None


def _sound(streams: list[AudioStream]) -> tuple[SoundTrack | None, AudioStream | None]:
    """The first that can be taken; a playlist's qualities mostly share it."""
    for stream in streams:
        if codec_name(stream):
            with contextlib.suppress(av.FFmpegError):
                return sound_track(stream), stream
    return None, None


def _interval(stream: VideoStream) -> Fraction:
    rate = stream.average_rate or stream.guessed_rate
    return 1 / Fraction(rate) if rate else FRAME
