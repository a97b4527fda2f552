"""`python -m export`."""

import signal
import sys

from export.cli import main

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does: what is half done is removed
    sys.exit(main(sys.argv[1:]))
