"""`python -m fastgrad`: the same command line as `fastgrad`."""

import sys

from fastgrad._src.commands.command_line import main

if __name__ == "__main__":
    sys.exit(main())
