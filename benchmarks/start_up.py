"""What a process pays before it trains: imports, and the first step with and without kernels on disk."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

FIRST_STEP = """
import time
import fastgrad as tf
from benchmarks.peers.workloads import WORKLOADS
chosen = WORKLOADS["mlp_small"]
step, batches = chosen.programs["tensorflow"](tf, chosen.inputs())
began = time.perf_counter()
float(step(*batches[0]))
print(time.perf_counter() - began)
"""


def timeraw_import_numpy() -> str:
    """The part of the import that is not fastgrad's."""
    return "import numpy"


def timeraw_import_fastgrad() -> tuple[str, str]:
    """fastgrad on top of NumPy."""
    return "import fastgrad", "import numpy"


def _first_step(cache: str) -> float:
    finished = subprocess.run(
        [sys.executable, "-c", FIRST_STEP],
        cwd=Path(__file__).parents[1],
        env=os.environ | {"FASTGRAD_CACHE_DIR": cache},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(finished.stdout.splitlines()[-1])


class FirstStep:
    """Seconds of the first training step of an MLP in a fresh process."""

    params = (("empty", "filled"),)
    param_names = ("cache",)
    unit = "s"
    version = "1"

    def track_first_step(self, cache: str) -> float:
        with tempfile.TemporaryDirectory() as folder:
            if cache == "filled":
                _first_step(folder)
            return _first_step(folder)
