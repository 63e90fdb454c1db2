"""The Pythons that peers run in: where each has what it needs, made on demand and outside the repository."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bench.progress import say

FASTRTC = ("fastrtc==0.0.34", "aiortc==1.16.0", "uvloop")
STREAMLIT = ("streamlit-webrtc==0.79.0", "aiortc==1.16.0", "uvloop")
"""aiortc is of the version that doppel uses, so that they differ in what they do with it."""
INSTALL_TIMEOUT = 900.0
"""s for pip: each brings 50 to 100 packages along."""
CHECK_TIMEOUT = 60.0
"""s for an import: GStreamer looks at all of its plugins the first time."""

GSTREAMER_PACKAGES = (
    "python3-gi gir1.2-gst-plugins-bad-1.0 gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly "
    "gstreamer1.0-libav gstreamer1.0-nice"
)
_GSTREAMER_CHECK = """
import gi
for name in ("Gst", "GstSdp", "GstWebRTC"): gi.require_version(name, "1.0")
from gi.repository import Gst, GstSdp, GstWebRTC
Gst.init(None)
needed = "webrtcbin nicesrc rtph264depay avdec_h264 x264enc rtph264pay".split()
missing = [name for name in needed if not Gst.ElementFactory.find(name)]
if missing: raise SystemExit("no element " + ", ".join(missing))
"""


class PeerMissing(Exception):
    """A peer to compare with cannot be had here; the message says why, and what to do."""


def ours() -> str:
    """The Python that runs this."""
    return sys.executable


def fastrtc() -> str:
    """Raises PeerMissing."""
    return _environment(FASTRTC)


def streamlit() -> str:
    """Raises PeerMissing."""
    return _environment(STREAMLIT)


def gstreamer() -> str:
    """A Python with GStreamer's bindings and plugins: the system's, since they are the system's. Raises PeerMissing."""
    python = "/usr/bin/python3"
    try:
        _run([python, "-c", _GSTREAMER_CHECK], CHECK_TIMEOUT)
    except (OSError, subprocess.SubprocessError) as error:
        raise PeerMissing(
            f"GStreamer is not complete here ({_last_words(error)}); Debian, Ubuntu: apt-get install {GSTREAMER_PACKAGES}"
        ) from error
    return python


def _environment(packages: tuple[str, ...]) -> str:
    """A virtual environment with these, named after the first, and made the first time. Raises PeerMissing."""
    folder = _cache() / f"{packages[0].replace('==', '-')}-py{sys.version_info.major}.{sys.version_info.minor}"
    python = folder / "bin" / "python"
    complete = folder / "complete"
    if not complete.is_file():
        say(f"  installing {packages[0]} into {folder}, once (hundreds of MB)")
        try:
            _run([sys.executable, "-m", "venv", "--clear", str(folder)], INSTALL_TIMEOUT)
            _run([str(python), "-m", "pip", "install", "--quiet", *packages], INSTALL_TIMEOUT)
        except (OSError, subprocess.SubprocessError) as error:
            raise PeerMissing(f"{packages[0]} could not be installed: {_last_words(error)}") from error
        complete.touch()
    return str(python)


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "doppel" / "peers"


def _run(command: list[str], timeout: float) -> None:
    subprocess.run(command, check=True, timeout=timeout, stdin=subprocess.DEVNULL, capture_output=True, text=True)


def _last_words(error: Exception) -> str:
    said = error.stderr if isinstance(error, subprocess.CalledProcessError) else ""
    return (said or "").strip().rpartition("\n")[2] or str(error)
