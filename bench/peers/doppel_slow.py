"""doppel with one transform more than it ships: ``slow``, which only takes its time.

python -m bench.peers.doppel_slow serve ...
"""

from __future__ import annotations

import sys
from pathlib import Path

import transforms.library
from doppel.cli import main

transforms.library.__path__.append(str(Path(__file__).with_name("transforms")))

if __name__ == "__main__":
    sys.exit(main())
