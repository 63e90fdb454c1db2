"""``python -m bench``."""

import sys

if __name__ == "__main__":
    # Imported only here, since each client's process imports this module again and needs none of it.
    from bench.cli import main

    sys.exit(main())
