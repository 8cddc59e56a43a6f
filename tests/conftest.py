"""What the whole suite shares: kernels stay compiled between runs, hypothesis draws the same examples each time."""

import os
import signal
from pathlib import Path

from hypothesis import settings

os.environ.setdefault("FASTGRAD_CACHE_DIR", str(Path(__file__).resolve().parents[1] / ".cache" / "kernels"))

# A shell that runs the suite in the background has it ignore Ctrl-C, which some tests send.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No deadline: a test's first example may import SciPy or compile a kernel.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")
