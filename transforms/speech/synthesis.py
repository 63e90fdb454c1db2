"""Texts read out by a synthesizer of this machine."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from transforms.errors import NotPrepared
from transforms.speech.recording import Samples, read_wave

ENGINES: dict[str, tuple[str, ...]] = {
    "espeak-ng": ("-w", "{sound}", "-f", "{text}"),
    "flite": ("-voice", "slt", "-o", "{sound}", "-f", "{text}"),
}
"""Programs that can do it, the preferred first, and their arguments. The text goes by a file: no word of it is an option."""

LONGEST_TEXT = 500
"""Characters: half a minute."""

TIMEOUT = 20.0
"""s that a program may take: some 0.2 are usual."""

LARGEST = 64_000_000
"""bytes of sound that are read: a text of nothing but numerals makes minutes of it."""


def spoken(text: str) -> Samples:
    """What a text sounds like: 16 kHz, mono. Blocks. Raises NotPrepared, in words."""
    name = next((name for name in ENGINES if shutil.which(name)), None)
    if name is None:
        raise NotPrepared(f"nothing here can read a text out; install one of {', '.join(ENGINES)} where doppel runs")
    plain = " ".join("".join(c if c.isprintable() else " " for c in text[:LONGEST_TEXT]).split())
    if not plain:
        raise NotPrepared("there is no text to read out; give one")
    with tempfile.TemporaryDirectory(prefix="doppel-voice-") as folder:
        written, sound = Path(folder, "text.txt"), Path(folder, "voice.wav")
        written.write_text(plain + "\n", encoding="utf-8")
        places = {"{text}": str(written), "{sound}": str(sound)}
        command = [name, *(places.get(word, word) for word in ENGINES[name])]
        try:
            subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, check=True)
            with sound.open("rb") as file:
                return read_wave(file.read(LARGEST))
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            raise NotPrepared(f"{name} could not read the text out: {error}") from error
