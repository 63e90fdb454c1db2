"""Which files and URLs may be read, and what they are called where others can see it.

SourceRefused             the URL is none that can be read
└── SourceForbidden       it could, and the configuration does not allow it
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from stream.media.limits import URL_LENGTH

SCHEMES = ("http", "https", "rtsp", "rtsps", "srt", "rtmp", "rtmps")
"""HLS is a playlist at an http or https URL."""

SRT_PARAMETERS = frozenset(("streamid", "passphrase", "pbkeylen", "latency"))
"""What an SRT URL may set beside ``mode=caller``; others make FFmpeg listen, or bind to an address."""

_PLAIN = re.compile(r"[!-~]+")
"""Printable ASCII without spaces: FFmpeg and Python take such a URL apart in the same way, but for the next."""

_AMBIGUOUS = re.compile(r"[\\\"<>^`{|}]")

_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?")

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")


class SourceRefused(Exception):
    """The message is a sentence for the client that says what to do; there are no credentials in it."""


class SourceForbidden(SourceRefused):
    pass


@dataclass(frozen=True, slots=True)
class Source:
    """A file or URL that may be read. Only ``Allowed.source`` should make one."""

    url: str = field(repr=False)
    """As FFmpeg takes it: with credentials, if it has any. Of a file, its path."""
    name: str
    """As others may see it: without credentials, and without the query, which often has some."""
    protocol: str
    """"file", "http", "rtsp", "srt", "rtmp"."""
    hosts: tuple[str, ...] = ()
    """What it may send us on to."""

    @property
    def push(self) -> bool:
        """Whether it comes at its own pace, now or never."""
        return self.protocol in ("rtsp", "srt", "rtmp")

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Allowed:
    """Where sources may be: the settings pull_hosts and media_dir."""

    hosts: tuple[str, ...] = ()
    """Names and IP addresses in lower case; ``*.example.org`` is every name below example.org, and not that one itself."""
    directory: Path | None = None

    def source(self, url: str) -> Source:
        """What a client asked for. Looks at the disk, so not for the event loop. Raises SourceRefused.

        A file is a path within ``directory``, absolute or relative to it, or such a path as a file: URL.
        """
        if not url or len(url) > URL_LENGTH:
            raise SourceRefused(f"a source is a file or a URL of 1 to {URL_LENGTH} characters")
        scheme = _SCHEME.match(url)
        if scheme is None:
            return self._file(url)
        if scheme[1].lower() == "file":
            return self._file(unquote(url[5:].removeprefix("//")))
        return self._remote(check_url(url, self.hosts))

    def _file(self, path: str) -> Source:
        if self.directory is None:
            raise SourceForbidden("this server reads no files; its operator can allow a folder with the setting media_dir")
        try:
            directory = self.directory.resolve(strict=True)
            file = (directory / path).resolve(strict=True)
            found = file.is_relative_to(directory) and file.is_file()
        except (OSError, RuntimeError, ValueError):
            # There is none, links go round (RuntimeError), the name is none. Which of them is nobody's business.
            found = False
        if not found:
            raise SourceForbidden("there is no such file in the folder that the setting media_dir allows")
        return Source(str(file), file.relative_to(directory).as_posix(), "file")

    def _remote(self, parts: SplitResult) -> Source:
        protocol = "srt" if parts.scheme == "srt" else parts.scheme.removesuffix("s")
        if protocol == "srt":
            for key, value in parse_qsl(parts.query, keep_blank_values=True):
                if key not in SRT_PARAMETERS and (key, value) != ("mode", "caller"):
                    raise SourceRefused(
                        f"an SRT URL takes {', '.join(sorted(SRT_PARAMETERS))} and mode=caller here; leave out others"
                    )
            if parts.port is None:
                raise SourceRefused("an SRT URL names its port: srt://host:port")
        return Source(parts.geturl(), shown(parts), protocol, self.hosts)


def shown(parts: SplitResult) -> str:
    """A URL as others may see it."""
    host = parts.netloc.rpartition("@")[2].lower()
    path = "".join(character for character in unquote(parts.path) if character.isprintable())
    return f"{parts.scheme}://{host}{path}"


def check_url(url: str, hosts: tuple[str, ...]) -> SplitResult:
    """The parts of a URL that may be read. Raises SourceRefused."""
    if not _PLAIN.fullmatch(url) or _AMBIGUOUS.search(url):
        raise SourceRefused("the URL has characters that none may have; write them percent-encoded")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise SourceRefused("the URL cannot be read; write it as scheme://host:port/path") from None
    if parts.scheme not in SCHEMES:
        raise SourceRefused(
            f"sources of the scheme {parts.scheme[:32]!r} are not taken; use one of {', '.join(SCHEMES)}, or a file"
        )
    if not _is_host(host) or port == 0 or parts.fragment:
        raise SourceRefused("the URL names no host, or has a fragment; write it as scheme://host:port/path")
    if not hosts:
        raise SourceForbidden("this server reads from no other; its operator can allow hosts with the setting pull_hosts")
    if not is_among(host, hosts):
        raise SourceForbidden(f"the host {host} is not among those that the setting pull_hosts allows")
    return parts


def is_among(host: str, hosts: tuple[str, ...]) -> bool:
    """Whether a host, in lower case, is allowed. Names are not looked up: an address is allowed only where it is listed."""
    return any(host.endswith(entry[1:]) and host != entry[1:] if entry.startswith("*.") else host == entry for entry in hosts)


def _is_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return _HOST.fullmatch(host) is not None
    return "%" not in host
