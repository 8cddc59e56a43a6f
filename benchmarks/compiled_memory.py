"""Resident memory of compiled steps: `python -m benchmarks.compiled_memory` prints a table.

Every row has a process of its own. Current memory is read from /proc and freed memory is given back by glibc's
`malloc_trim`, so the table needs Linux.
"""

import argparse
import ctypes
import gc
import itertools
import json
import os
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from benchmarks import data
from benchmarks.apart import THREADS, apart
from benchmarks.memory import MEBIBYTE, drift, reset_peak, resident
from benchmarks.peers.__main__ import PYTHON_VARIABLE, names_type, peers_python
from benchmarks.peers.known import OURS, PEERS
from benchmarks.peers.worker import limit_threads, load, peak_bytes
from benchmarks.peers.workload import Batches, Step
from benchmarks.peers.workloads import WORKLOADS, deep_mlp

COMPILED = "fastgrad.function"
PROCESS_BATCHES = 8
PROCESS_STEPS = 100
REPLAYS = 100_000
SOME_REPLAYS = 1_000
LARGE_BATCH = 2_048

MEGABYTE = 1e6
WARM_LIMIT, COLD_LIMIT = 120.0, 230.0  # of the process, megabytes
DRIFT_LIMIT = 1.0  # mebibytes
ARENA_LIMIT = 0.6
OUTPUT_LIMIT = 4_096
"""The most bytes of Python objects that live at one time while a step is replayed. A look at the threads' processors reads a file of 1 KB."""


def process_peak(peer: str, inputs: str) -> dict[str, float]:
    """Returns the peak memory of a process that trains the 784-64-10 MLP with the peer's library, from inputs in a file."""
    limit_threads(THREADS)
    with np.load(inputs) as file:
        arrays = dict(file)
    step, batches = made(peer, "mlp_small", arrays)
    del arrays
    for batch in itertools.islice(itertools.cycle(batches), PROCESS_STEPS):
        loss = step(*batch)
    float(loss)
    return {"peak": peak_bytes(), "numba": "numba" in sys.modules}


def made(peer: str, workload: str, inputs: data.Inputs) -> tuple[Step, Batches]:
    """Returns the peer's step of a workload, and its batches."""
    chosen = PEERS[peer]
    program = chosen.program(WORKLOADS[workload])
    if program is None:
        raise ValueError(f"{workload} has no program for {peer}")
    library = load(chosen, THREADS)
    step, batches = program(library, inputs)
    return chosen.compiled(library, step), batches


def replays_drift(workload: str) -> dict[str, float]:
    """Returns the change of resident memory over 100,000 replays."""
    return drift(*made(COMPILED, workload, WORKLOADS[workload].inputs()), REPLAYS)


def replay_allocations(workload: str) -> dict[str, float]:
    """Returns the peak of bytes that Python and NumPy allocate during replays, including the returned loss."""
    step, batches = made(COMPILED, workload, WORKLOADS[workload].inputs())
    some = list(itertools.islice(itertools.cycle(batches), SOME_REPLAYS))
    for batch in some:
        step(*batch)
    gc.collect()
    tracemalloc.start()
    try:
        step(*some[0])
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        for batch in some:
            step(*batch)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return {"bytes": peak - before}


def step_memory(mode: str) -> dict[str, float]:
    """Returns the memory of the deep MLP's step on batches of 2,048, without weights and optimizer state.

    Eager, the peak of three steps; compiled, what stays and what is touched by ten replays after the recording, whose own
    peak is not counted: the arena and the outputs.
    """
    large = data.classification(deep_mlp.WIDTHS, LARGE_BATCH, batches=1)
    step, batches = made(mode, "deep_mlp", large)
    few = tuple(tensor[:2] for tensor in batches[0])
    for _ in range(4):
        step(*few)
    give_back()
    before = resident()
    if mode == COMPILED:
        for _ in range(4):
            step(*batches[0])
        give_back()
    reset_peak()
    for _ in range(3):
        step(*batches[0])
    return {"bytes": resident("VmHWM") - before}


def give_back() -> None:
    """Returns freed heap memory to the operating system."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)


MEASUREMENTS: dict[str, Callable[..., dict[str, float]]] = {
    "process_peak": process_peak,
    "replays_drift": replays_drift,
    "replay_allocations": replay_allocations,
    "step_memory": step_memory,
}
measured = partial(apart, "benchmarks.compiled_memory")


def main(command: Sequence[str]) -> int:
    """Prints the table; with the name and arguments of a measurement, prints its numbers as JSON instead.

    Returns:
        0 if every row of fastgrad's is within its limit, else 1.
    """
    if command and command[0] in MEASUREMENTS:
        print(json.dumps(MEASUREMENTS[command[0]](*command[1:])))
        return 0
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compiled_memory",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--peers",
        type=names_type(PEERS, "peer"),
        default=[],
        metavar="NAMES",
        help=f"also the process peaks of these; {PYTHON_VARIABLE} names a Python that has them (default: none)",
    )
    peers = parser.parse_args(command).peers
    met = True
    with tempfile.TemporaryDirectory() as folder:
        inputs = os.path.join(folder, "inputs.npz")
        arrays = WORKLOADS["mlp_small"].inputs()
        np.savez(inputs, **arrays | {name: arrays[name][:PROCESS_BATCHES] for name in ("x", "y")})
        settings = {name: os.path.join(folder, "cache") for name in ("FASTGRAD_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR")}
        peak = partial(measured, "process_peak", environment=settings)
        for how, limit in (("cold", COLD_LIMIT), ("from disk", WARM_LIMIT)):
            met &= show(f"process of mlp_small, {how}", partial(peak, COMPILED, inputs), "peak", MEGABYTE, limit, "MB")
        for peer in peers:
            python = sys.executable if peer in OURS else peers_python()
            show(
                f"process of mlp_small, {peer}",
                partial(peak, peer, inputs, python=python),
                "peak",
                MEGABYTE,
                None,
                "MB",
            )
    for workload in ("mlp_tiny", "mlp_small"):
        what = f"{REPLAYS:,} replays of {workload}: growth"
        met &= show(what, partial(measured, "replays_drift", workload), "drift", MEBIBYTE, DRIFT_LIMIT, "MiB")
        what = f"replays of {workload}: allocated"
        met &= show(what, partial(measured, "replay_allocations", workload), "bytes", 1, OUTPUT_LIMIT, "bytes")
    what = "step memory of deep_mlp, over eager's"
    met &= show(what, arena_over_eager, "ratio", 1, ARENA_LIMIT, "x")
    return int(not met)


def arena_over_eager() -> dict[str, Any]:
    """Returns the ratio of the memory of the compiled step to that of the eager step."""
    eager, compiled = (measured("step_memory", mode)["bytes"] for mode in OURS)
    return {"ratio": compiled / eager, "note": f"{compiled / MEBIBYTE:.1f} MiB of {eager / MEBIBYTE:.1f} MiB"}


def show(
    what: str, measure: Callable[[], dict[str, Any]], key: str, size: float, limit: float | None, unit: str
) -> bool:
    """Measures and prints one row; returns whether it is within its limit."""
    try:
        found = measure()
    except RuntimeError as error:
        print(f"{what:<42} fails: {str(error).splitlines()[-1]}", flush=True)
        return False
    value = found[key] / size
    kept = limit is None or value <= limit
    note = f" ({found['note']})" if "note" in found else ""
    verdict = "" if limit is None else f", at most {limit:g}: {'met' if kept else 'NOT MET'}"
    print(f"{what:<42} {value:8.2f} {unit}{note}{verdict}", flush=True)
    return kept


class Steps:
    """Memory of compiled steps, as asv tracks it from commit to commit."""

    unit = "bytes"
    version = "1"
    timeout = 300.0

    def track_step_memory(self) -> float:
        return measured("step_memory", COMPILED)["bytes"]

    def track_replay_allocations(self) -> float:
        return measured("replay_allocations", "mlp_tiny")["bytes"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
