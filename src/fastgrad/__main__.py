"""`python -m fastgrad`: the command line, as `fastgrad` is."""

import sys

from fastgrad.command_line import main

if __name__ == "__main__":
    sys.exit(main())
