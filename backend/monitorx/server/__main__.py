"""`python -m monitorx.server`: the same as `monitorx serve`."""

import sys

from monitorx.backend.cli import main

if __name__ == "__main__":
    sys.exit(main(["serve", *sys.argv[1:]]))
