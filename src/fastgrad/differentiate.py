"""``python -m fastgrad.differentiate PACKAGE -- command``: how much of a package's Numba code fastgrad differentiates."""

import sys

from fastgrad._src.commands.differentiate import main

if __name__ == "__main__":
    sys.exit(main())
