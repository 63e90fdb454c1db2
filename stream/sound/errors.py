"""What goes wrong with sound.

SoundError
└── raised for what cannot be decoded or encoded; its message says why, and whoever raised it stays usable
"""

from __future__ import annotations


class SoundError(Exception):
    """Sound that cannot be taken."""
