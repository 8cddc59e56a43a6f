"""One peer's process: `python -m benchmarks.peers.worker`, driven by lines of JSON over its pipes.

It answers `{"do": "start", …}` with the seconds of the first calls, `{"do": "prepare", …}` with those, versions and losses,
`{"do": "slice", …}` with the seconds of a timed stretch of steps (and with `peak` of the arithmetic that the machine can do) and `{"do": "kernels"}` with what a compiled step of fastgrad
consists of. It needs Python, NumPy and the peer's library, not fastgrad; for the triad of some workloads also Numba.
"""

import ctypes
import functools
import importlib
import importlib.util
import itertools
import json
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.peers.kernels import kernels_of
from benchmarks.peers.known import PEERS, Peer
from benchmarks.peers.triad import Triad
from benchmarks.peers.workload import Step
from benchmarks.peers.workloads import WORKLOADS

LOSSES = 20
FIRST_CALLS = 4  # the first may only record, a later one compiles
CALIBRATION_SECONDS = 0.2
WORDS = 200


def main() -> None:
    """Reads requests as lines of JSON and prints an answer for each; output of libraries goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    die_with_parent()
    running: Training | None = None
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] in ("start", "prepare"):
            try:
                running = Training(PEERS[request["peer"]], request)
                answer = running.start() if request["do"] == "start" else running.prepare()
            except MissingError as error:
                answer = {"missing": str(error)}
            except Exception as error:  # noqa: BLE001 - whatever it is goes into the table
                traceback.print_exc()
                answer = {"failed": first_words(error)}
        elif request["do"] == "kernels":
            assert running is not None, "kernels before prepare"
            answer = {"kernels": kernels_of(running.step)}
        else:
            assert running is not None, "slice before prepare"
            answer = running.slice(request["warm_seconds"], request["steps"], request["triad"])
            if request.get("peak"):
                answer["peak"] = running.arithmetic().flops_per_second()
        answers.write(json.dumps(answer) + "\n")


class MissingError(Exception):
    """An error: the peer's library, or a needed function of it, is missing."""


def first_words(error: Exception) -> str:
    """Returns an error's class and the first line of its message, shortened for a table."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:WORDS]


def die_with_parent() -> None:
    """Makes Linux kill this process when the runner ends, even while it is stopped."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1 is PR_SET_PDEATHSIG


def limit_threads(threads: int) -> None:
    """Limits this process to so many processors, by which libraries such as XLA size their thread pools."""
    if hasattr(os, "sched_setaffinity"):
        processors = sorted(os.sched_getaffinity(0), key=lambda number: (place_in_core(number), number))
        os.sched_setaffinity(0, processors[:threads])


def place_in_core(processor: int) -> int:
    """Returns the index of a hardware thread within its core: 0 for the first, 1 for the second."""
    siblings = Path(f"/sys/devices/system/cpu/cpu{processor}/topology/thread_siblings_list")
    try:
        spans = [span.split("-") for span in siblings.read_text(encoding="ascii").strip().split(",")]
    except OSError:
        return 0
    return sum(max(0, min(int(span[-1]), processor - 1) - int(span[0]) + 1) for span in spans)


def load(peer: Peer, threads: int) -> ModuleType:
    """Imports the peer's library, sets its number of threads, and returns the module.

    Raises:
        MissingError: it is not installed, or has no function that compiles a step.
    """
    for name in peer.modules:
        if importlib.util.find_spec(name) is None:
            raise MissingError(name)
    library, *_ = map(importlib.import_module, peer.modules)
    if not peer.can_compile(library):
        raise MissingError(f"{library.__name__}.{peer.compile}")
    if library.__name__ == "torch":
        library.set_num_threads(threads)
        library.set_num_interop_threads(threads)
    elif library.__name__ == "tensorflow":
        library.config.threading.set_intra_op_parallelism_threads(threads)
        library.config.threading.set_inter_op_parallelism_threads(threads)
    return library


def arithmetic(threads: int) -> Any:
    """Returns the benchmark of peak arithmetic; only in fastgrad's processes, as it needs llvmlite."""
    from benchmarks.peers.limits import Arithmetic

    return Arithmetic(threads)


def peak_bytes() -> int:
    """Returns the largest resident memory of this process so far."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # kilobytes, on macOS bytes
        return peak if sys.platform == "darwin" else peak * 1024
    # Linux's ru_maxrss begins with the size of the process that started this one.
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))


def wait_for_compilation() -> None:
    """Waits until fastgrad compiles nothing ahead of use, which would take a processor from the steps that are timed."""
    module = sys.modules.get("fastgrad._src.jit.compile_ahead")
    while module is not None and module.COMPILATION_AHEAD.is_at_work():
        time.sleep(0.01)


class Training:
    """The training step of a workload in this process."""

    def __init__(self, peer: Peer, request: dict[str, Any]) -> None:
        limit_threads(request["threads"])
        began = time.perf_counter()
        self.library = load(peer, request["threads"])
        self.import_seconds = time.perf_counter() - began
        with np.load(request["inputs"]) as file:
            inputs = dict(file)
        workload = WORKLOADS[request["workload"]]
        program = peer.program(workload)
        assert program is not None, "asked for a workload without a program"
        began = time.perf_counter()
        step, batches = program(self.library, inputs)
        self.step: Step = peer.compiled(self.library, step)
        self.build_seconds = time.perf_counter() - began
        self.arithmetic = functools.cache(lambda: arithmetic(request["threads"]))
        self.make_triad = functools.cache(lambda: Triad(workload.bytes_moved, request["threads"]))
        self.batches: Iterator[tuple[Any, ...]] = itertools.cycle(batches)

    def start(self) -> dict[str, Any]:
        """Runs the first calls; returns their losses and the seconds until the step was compiled."""
        began = time.perf_counter()
        losses = [float(self.step(*next(self.batches)))]
        first = time.perf_counter() - began
        losses += [float(self.step(*next(self.batches))) for _ in range(FIRST_CALLS - 1)]
        return {
            "losses": losses,
            "import_seconds": self.import_seconds,
            "build_seconds": self.build_seconds,
            "first_step_seconds": first,
            "ready_seconds": self.build_seconds + time.perf_counter() - began,
        }

    def prepare(self) -> dict[str, Any]:
        """Runs the first calls and more steps; returns losses and the number of steps per second."""
        started = self.start()
        started["losses"] += [float(self.step(*next(self.batches))) for _ in range(LOSSES - FIRST_CALLS)]
        self.run(CALIBRATION_SECONDS / 4)
        wait_for_compilation()
        steps, seconds = self.run(CALIBRATION_SECONDS)
        return started | {
            "version": self.library.__version__,
            "python": sys.version.split()[0],
            "steps_per_second": steps / seconds,
            "peak_megabytes": peak_bytes() / 1e6,
        }

    def run(self, seconds: float) -> tuple[int, float]:
        """Runs steps until `seconds` are over; returns how many, and how long it took."""
        done = 0
        began = time.perf_counter()
        while done == 0 or time.perf_counter() - began < seconds:
            loss = self.step(*next(self.batches))
            done += 1
        float(loss)
        return done, time.perf_counter() - began

    def slice(self, warm_seconds: float, steps: int, triad: bool) -> dict[str, Any]:
        """Warms up, then times `steps` steps until the last one's loss is known; then the triad if asked for."""
        self.run(warm_seconds)
        step, batches = self.step, self.batches
        began = time.perf_counter()
        for _ in range(steps):
            loss = step(*next(batches))
        final = float(loss)
        seconds = time.perf_counter() - began
        if not np.isfinite(final):
            raise FloatingPointError(f"the loss became {final}")
        return {"seconds": seconds} | ({"triad": self.make_triad().bytes_per_second()} if triad else {})


if __name__ == "__main__":
    main()
