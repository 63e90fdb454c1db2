"""``python -m bench``."""

import signal
import sys

if __name__ == "__main__":
    # Imported only here, since each client's process imports this module again and needs none of it.
    from bench.cli import main

    # Asked to end, it ends its servers first.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main())
