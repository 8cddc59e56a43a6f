"""The start-up cost of a training process: `python -m benchmarks.start_up` prints a table, and asv follows parts of it.

`python -m benchmarks.start_up --installed PYTHON` prints the table of docs/numba.md: this checkout, fastgrad as pip has installed it in another
environment, and JAX.

Every row has a process of its own, whose clock starts when the library is imported: building the model, the first calls of
the compiled step, their compilation. "Cold" has an empty folder of compiled kernels and none of fastgrad's bytecode, "from disk"
the folder that the cold process left, "new …" that folder and a program of another size that runs already.
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.apart import THREADS, apart
from benchmarks.peers.__main__ import PYTHON_VARIABLE, names_type, peers_python, positive_number
from benchmarks.peers.known import MEASURED, OURS, PEERS
from benchmarks.peers.worker import limit_threads, load
from benchmarks.peers.workload import Batches, Step, Workload
from benchmarks.peers.workloads import WORKLOADS, rnn

CALLS = 4  # the first records, a later one compiles
OTHER_CALLS = 3
COMPILED = "fastgrad.function"
MEASURED_WORKLOADS = WORKLOADS | {rnn.LONG.name: rnn.LONG}

SMALLER: dict[str, Callable[[Any], Any]] = {
    "batch size": lambda tensor: tensor[: tensor.shape[0] * 3 // 4],
    "sequence length": lambda tensor: tensor[:, : tensor.shape[1] * 3 // 4],
}
LIMITS = (
    ("mlp_small", "cold", 2.5),
    ("mlp_small", "from disk", 0.1),
    ("mlp_small", "new batch size", 0.03),
    ("transformer", "cold", 8.0),
    ("transformer", "from disk", 0.3),
    ("transformer", "new batch size", 0.03),
    ("transformer", "new sequence length", 0.03),
    (rnn.LONG.name, "cold", 2.0),
)
NUMBA_ALLOWED = ("cold",)
FIRST_STEPS = (
    *("mlp_small", "mlp_wide", "cnn_mnist", "cnn_cifar", "lstm", "gru", "transformer", "chain_math"),
    *("embedding_sparse", rnn.LONG.name),
)
PEER_ROWS = ("mlp_small", "transformer", rnn.LONG.name)


def made(peer: str, workload: Workload) -> tuple[Callable[[], tuple[Step, Batches]], float]:
    """Returns a function that makes the peer's step and batches, and the seconds of the library's import; the data are loaded."""
    chosen = PEERS[peer]
    program = chosen.program(workload)
    if program is None:
        raise ValueError(f"{workload.name} has no program for {peer}")
    limit_threads(THREADS)
    inputs = workload.inputs()
    began = time.perf_counter()
    library = load(chosen, THREADS)
    seconds = time.perf_counter() - began

    def make() -> tuple[Step, Batches]:
        step, batches = program(library, inputs)
        return chosen.compiled(library, step), batches

    return make, seconds


def first_calls(peer: str, workload: str) -> dict[str, float]:
    """Returns the seconds of the library's import, of the first call, and of the first four calls, these with building the model."""
    make, imported = made(peer, MEASURED_WORKLOADS[workload])
    began = time.perf_counter()
    step, batches = make()
    float(step(*batches[0]))
    first = time.perf_counter() - began
    for batch in itertools.islice(itertools.cycle(batches), 1, CALLS):
        float(step(*batch))
    seconds = time.perf_counter() - began
    return {"import": imported, "first": first, "seconds": seconds, "numba": "numba" in sys.modules}


def calls_of_another_size(peer: str, workload: str, what: str) -> dict[str, float]:
    """Returns the seconds of the first calls with smaller batches, after the step was compiled for whole ones."""
    make, _ = made(peer, MEASURED_WORKLOADS[workload])
    step, batches = make()
    for batch in itertools.islice(itertools.cycle(batches), CALLS):
        float(step(*batch))
    smaller = tuple(SMALLER[what](tensor) for tensor in batches[0])
    began = time.perf_counter()
    for _ in range(OTHER_CALLS):
        float(step(*smaller))
    return {"seconds": time.perf_counter() - began, "numba": "numba" in sys.modules}


MEASUREMENTS: dict[str, Callable[..., dict[str, float]]] = {
    "first_calls": first_calls,
    "calls_of_another_size": calls_of_another_size,
}


def measured(peer: str, workload: str, how: str, folder: str, installed: str | None = None) -> dict[str, Any]:
    """Returns one row, measured in a separate process.

    Args:
        peer, workload, how: the row.
        folder: for the compiled code of fastgrad and PyTorch.
        installed: the Python of an environment in which pip has installed fastgrad; None for this checkout.
    """
    environment = {"FASTGRAD_CACHE_DIR": folder, "TORCHINDUCTOR_CACHE_DIR": folder}
    if peer in OURS and installed is None:  # pip writes bytecode; in a checkout the cold process does
        bytecode = os.path.join(folder, "bytecode")
        environment |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": bytecode}
        if not os.path.isdir(bytecode):  # that of other packages is there, as for the peers
            subprocess.run([sys.executable, "-c", "import numba, numpy"], env=os.environ | environment, check=True)
    python = (installed or sys.executable) if peer in OURS else peers_python()
    what = how.removeprefix("new ")
    chosen = ("first_calls", peer, workload) if what == how else ("calls_of_another_size", peer, workload, what)
    return apart("benchmarks.start_up", *chosen, python=python, environment=environment)


def main(command: Sequence[str]) -> int:
    """Prints the table; with the name and arguments of a measurement, prints its numbers as JSON instead.

    Returns:
        0 if every row is within its limit, else 1.
    """
    if command and command[0] in MEASUREMENTS:
        print(json.dumps(MEASUREMENTS[command[0]](*command[1:])))
        return 0
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.start_up", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--peers",
        type=names_type(PEERS, "peer"),
        default=[],
        metavar="NAMES",
        help=f"also time cold starts of these; {PYTHON_VARIABLE} names a Python that has them (default: none)",
    )
    parser.add_argument(
        "--installed", metavar="PYTHON", help="print the first steps beside those of this environment and JAX"
    )
    parser.add_argument("--rounds", type=positive_number(int), default=3, help="of --installed (default: 3)")
    options = parser.parse_args(command)
    if options.installed:
        show_first_steps(options.installed, options.rounds)
        return 0
    met = True
    with tempfile.TemporaryDirectory() as parent:
        for workload, how, limit in LIMITS:
            met &= show(COMPILED, workload, how, os.path.join(parent, MEASURED, workload), limit)
        for workload, peer in itertools.product(PEER_ROWS, options.peers):
            show(peer, workload, "cold", os.path.join(parent, peer, workload))
    return int(not met)


def show_first_steps(installed: str, rounds: int) -> None:
    """Prints the seconds of the import and first step, and of the import and four steps, with empty caches: medians, in turns."""
    ways = {"from a checkout": (COMPILED, None), "installed": (COMPILED, installed), "JAX": ("jax", None)}
    print("| step |", " | ".join(ways), "|")
    print("| --- |", " | ".join(["--:"] * len(ways)), "|")
    for workload in FIRST_STEPS:
        found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
        for _, (way, (peer, python)) in itertools.product(range(rounds), ways.items()):
            with tempfile.TemporaryDirectory() as folder:
                found[way].append(measured(peer, workload, "cold", folder, python))
        cells = [
            " ".join(
                form.format(statistics.median([one["import"] + one[part] for one in runs]))
                for form, part in (("{:.2f}", "first"), ("({:.2f})", "seconds"))
            )
            for runs in found.values()
        ]
        print(f"| `{workload}` |", " | ".join(cells), "|", flush=True)


def show(peer: str, workload: str, how: str, folder: str, limit: float | None = None) -> bool:
    """Measures and prints one row; returns whether it is within its limit."""
    row = f"{workload:<12} {how:<20} {peer:<18}"
    try:
        found = measured(peer, workload, how, folder)
    except RuntimeError as error:
        print(f"{row} fails: {str(error).splitlines()[-1]}", flush=True)
        return False
    row += f" {found['seconds']:7.3f} s"
    if limit is None:
        print(row, flush=True)
        return True
    kept = found["seconds"] <= limit and (how in NUMBA_ALLOWED or not found["numba"])
    imported = "Numba imported" if found["numba"] else "Numba not imported"
    print(f"{row}, at most {limit:g}, {imported}: {'met' if kept else 'NOT MET'}", flush=True)
    return kept


def timeraw_import_numpy() -> str:
    """Returns the source of an import of NumPy, the part of the import time that is not fastgrad's."""
    return "import numpy"


def timeraw_import_fastgrad() -> tuple[str, str]:
    """Returns the source of an import of fastgrad, NumPy being imported."""
    return "import fastgrad", "import numpy"


class FirstCalls:
    """Seconds of the first calls of a step in a fresh process, eager and compiled, with and without a disk cache."""

    params = (("mlp_small", "transformer"), OURS, ("empty", "filled"))
    param_names = ("workload", "mode", "cache")
    unit = "s"
    version = "3"
    timeout = 300.0

    def track_first_calls(self, workload: str, mode: str, cache: str) -> float:
        with tempfile.TemporaryDirectory() as folder:
            if cache == "filled":
                measured(mode, workload, "cold", folder)
            return measured(mode, workload, "cold", folder)["seconds"]


class NewSizes:
    """Seconds of the first call of a compiled step with another batch size."""

    params = ("mlp_small", "transformer")
    param_names = ("workload",)
    unit = "s"
    version = "1"
    timeout = 300.0

    def track_new_batch_size(self, workload: str) -> float:
        with tempfile.TemporaryDirectory() as folder:
            measured(COMPILED, workload, "cold", folder)
            return measured(COMPILED, workload, "new batch size", folder)["seconds"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
