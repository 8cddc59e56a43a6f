"""Fails on a slow-down that is certain: `python -m benchmarks.gate`, a few minutes, for every change.

Two kinds of numbers do not depend on how busy the machine is. The time of a step over that of the same arithmetic in
NumPy, or of a derivative over that of its function, the shortest of many slices of both in turn in one process: a case
fails when it is beyond its limit in three processes one after another. And the instructions of a call, counted by valgrind over those of a call of NumPy: the
difference between two numbers of calls, so that starting up is not counted. But processors differ (an eager gradient is 6 times
NumPy's time on one, 10 on another), so `gate.json` has what was measured by kind of processor and Python: on these a limit is close;
elsewhere it is far above the largest of them. `--record` adds this machine, or measures it again.
"""

import argparse
import functools
import itertools
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import data
from benchmarks.apart import ROOT, apart, thread_settings
from benchmarks.machine import machine_words

LIMITS = Path(__file__).with_name("gate.json")
ROUNDS, SLICE_SECONDS = 300, 0.0005
ATTEMPTS = 3
INSTRUCTIONS = "instructions of "
CALLS = ("compiled_call",)  # whose instructions are counted
# NumPy's pool of threads, too: as it begins it executes some twenty million instructions more in one process than in another.
ONE_THREAD = {**thread_settings(1), "FASTGRAD_NUM_THREADS": "1"}
# Between what was recorded and the limit: a busy machine changed no case by more than 8 %, and no count at all.
CLOSE = {"time": 1.2, "instructions": 1.1}
FAR = {"time": 2.0, "instructions": 1.5}
FEW_CALLS, MANY_CALLS = 1_000, 21_000  # starting up varies by a few thousand instructions
VALGRIND_TIMEOUT = 600.0
Case = Callable[[], tuple[Callable[[], Any], Callable[[], Any]]]


def eager_add() -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Returns calls of a small eager operation, in fastgrad and in NumPy."""
    import fastgrad as tf

    x = data.uniform(16)
    tensor = tf.constant(x)
    return lambda: tensor + tensor, lambda: x + x


def eager_gradient() -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Returns calls of a dense layer with its gradient, eagerly, in fastgrad and in NumPy."""
    import fastgrad as tf

    x, kernel = data.uniform(32, 64), data.uniform(64, 32, seed=1)
    tensor, variable = tf.constant(x), tf.Variable(kernel)

    def ours() -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(tf.tanh(tensor @ variable)))
        return tape.gradient(loss, variable)

    def numpys() -> Any:
        y = np.tanh(x @ kernel)
        return x.T @ (2.0 / y.size * y * (1.0 - y * y))

    return ours, numpys


def compiled_call() -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Returns calls of a nearly empty compiled step, and of NumPy."""
    import fastgrad as tf

    variables = [tf.Variable(float(number)) for number in range(10)]
    step, x, array = tf.function(lambda x: tf.add_n([x, *variables])), tf.constant(1.0), np.ones(16, np.float32)
    return lambda: step(x), lambda: np.add(array, array)


def compiled_product() -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Returns calls of a compiled matrix product with bias and activation, and of NumPy."""
    import fastgrad as tf

    x, kernel, bias = data.uniform(64, 128), data.uniform(128, 128, seed=1), data.uniform(128)
    variable, offset, tensor = tf.Variable(kernel), tf.Variable(bias), tf.constant(x)
    step = tf.function(lambda x: tf.nn.relu(tf.matmul(x, variable) + offset))
    return lambda: step(tensor), lambda: np.maximum(x @ kernel + bias, 0.0)


def compiled_chain() -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Returns calls of compiled element-wise operations with a mean, and of NumPy."""
    import fastgrad as tf

    x = data.uniform(100_000)
    tensor = tf.constant(x)
    step = tf.function(lambda x: tf.reduce_mean(tf.tanh(x * 2.0 + 1.0) * x))
    return lambda: step(tensor), lambda: np.mean(np.tanh(x * np.float32(2.0) + np.float32(1.0)) * x)


def compiled_training() -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Returns calls of a compiled step of `mlp_small`, and of its five products in NumPy."""
    import fastgrad as tf
    from benchmarks.peers.workloads import WORKLOADS

    workload = WORKLOADS["mlp_small"]
    inputs = workload.inputs()
    program = workload.programs["tensorflow"]
    assert program is not None
    step, batches = program(tf, inputs)
    function, batch = tf.function(step), batches[0]
    x, kernel0, kernel1 = inputs["x"][0], inputs["kernel0"], inputs["kernel1"]

    def numpys() -> Any:
        h = x @ kernel0
        y = h @ kernel1
        return x.T @ (y @ kernel1.T), h.T @ y

    return lambda: function(*batch), numpys


def numba_gradient() -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Returns calls of the gradient of a function of nested loops and minima, and of the function itself, both compiled by Numba."""
    import fastgrad as fg
    from benchmarks.gradbench.problems import kmeans

    points = data.uniform(200, 16)
    centroids = points[:20].copy()
    gradient = fg.grad(kmeans.cost, argnums=1)
    return lambda: gradient(points, centroids), lambda: kmeans.cost(points, centroids)


CASES: Mapping[str, Case] = {
    case.__name__: case
    for case in (
        eager_add,
        eager_gradient,
        compiled_call,
        compiled_product,
        compiled_chain,
        compiled_training,
        numba_gradient,
    )
}


def ratio(case: str) -> float:
    """Returns the ratio of fastgrad's time to NumPy's on one thread: the shortest of many interleaved slices.

    Some slices pass without another program on the processor, and what is shortest does not hang on the others.
    """
    calls = CASES[case]()
    for call in calls:
        _seconds(call, 10)
    times = [max(1, round(SLICE_SECONDS / min(_seconds(call, 1) for _ in range(10)))) for call in calls]
    best = [math.inf, math.inf]
    for _ in range(ROUNDS):
        for which, call in enumerate(calls):
            best[which] = min(best[which], _seconds(call, times[which]) / times[which])
    return best[0] / best[1]


def _seconds(call: Callable[[], Any], times: int) -> float:
    began = time.perf_counter()
    for _ in range(times):
        call()
    return time.perf_counter() - began


def instructions(call: str, times: int, folder: str) -> int:
    """Returns the number of instructions of a process with `times` calls of a case, by valgrind."""
    file = Path(folder, f"instructions_{call}_{times}")
    finished = subprocess.run(
        [
            str(shutil.which("valgrind")),
            "--tool=callgrind",
            f"--callgrind-out-file={file}",
            sys.executable,
            "-m",
            "benchmarks.gate",
            "--calls",
            f"{call}:{times}",
        ],
        cwd=ROOT,
        env=os.environ | ONE_THREAD | {"PYTHONHASHSEED": "0", "FASTGRAD_CACHE_DIR": folder},
        capture_output=True,
        text=True,
        check=False,
        timeout=VALGRIND_TIMEOUT,
    )
    found = re.search(r"Collected : (\d+)", finished.stderr)
    if finished.returncode or found is None:
        raise RuntimeError(f"valgrind ended with exit code {finished.returncode}:\n{finished.stderr[-2000:]}")
    return int(found[1])


@functools.cache
def instructions_of_a_call(call: str, folder: str) -> float:
    """Returns the instructions of a call: the difference between many calls and few, divided by their number."""
    few, many = (instructions(call, times, folder) for times in (FEW_CALLS, MANY_CALLS))
    return (many - few) / (MANY_CALLS - FEW_CALLS)


def instructions_over_numpy(call: str, folder: str) -> float:
    """Returns the ratio of the instructions of a case's call to those of a call of NumPy."""
    instructions(call, 1, folder)  # compiles what the others find: kernels for the processor that valgrind emulates
    with ThreadPoolExecutor(2) as pool:  # other processes change no count
        ours, numpys = pool.map(lambda which: instructions_of_a_call(which, folder), (call, "numpy"))
    print(f"{INSTRUCTIONS}{call}: {ours:,.0f}, of NumPy's {numpys:,.0f}")
    return ours / numpys


def make_calls(request: str) -> None:
    """Makes the calls that run under valgrind: a request is `compiled_call:100` or `numpy:100`."""
    which, times = request.split(":")
    call = eager_add()[1] if which == "numpy" else CASES[which]()[0]
    for _ in range(10 + int(times)):
        call()


def is_certainly_slower(measure: Callable[[], float], limit: float, attempts: int = ATTEMPTS) -> tuple[bool, float]:
    """Returns whether all attempts exceed the limit, and the best attempt."""
    best = math.inf
    for _ in range(attempts):
        best = min(best, measure())
        if best <= limit:
            return False, best
    return True, best


def machine_kind() -> str:
    """Returns the name of the processor with its stepping, and Python's version, on which ratios depend."""
    try:
        described = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        described = ""
    numbers = [
        found[1]
        for field in ("cpu family", "model", "stepping")
        if (found := re.search(rf"{field}\s*: (\d+)", described))
    ]
    return "-".join([*machine_words(), *numbers, f"python{sys.version_info.major}.{sys.version_info.minor}"])


def limits_of(recorded: Mapping[str, Mapping[str, float]], machine: str) -> dict[str, float]:
    """Returns the limit of each case: near the value recorded on this machine, else far above the largest value of all machines."""
    cases = {case for some in recorded.values() for case in some}

    def limit(case: str) -> float:
        sort = "instructions" if case.startswith(INSTRUCTIONS) else "time"
        if case in recorded.get(machine, {}):
            return recorded[machine][case] * CLOSE[sort]
        return max(some[case] for some in recorded.values() if case in some) * FAR[sort]

    return {case: limit(case) for case in cases}


def main(command: Sequence[str] | None = None) -> int:
    """Measures each case and compares it with its limit; returns 1 if a case is certainly slower, else 0.

    Returns:
        0 if no slow-down is certain, else 1.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--record", action="store_true", help=f"write what this machine does to {LIMITS.name}")
    parser.add_argument("--ratio", choices=CASES, help="only the ratio of this case, as JSON")
    parser.add_argument("--only", choices=["times", "counts"], help="times need an idle machine, counts do not")
    parser.add_argument("--calls", help=argparse.SUPPRESS)
    chosen = parser.parse_args(command)
    if chosen.calls:
        make_calls(chosen.calls)
        return 0
    if chosen.ratio:
        print(json.dumps({"ratio": ratio(chosen.ratio)}))
        return 0
    recorded: dict[str, dict[str, float]] = json.loads(LIMITS.read_text(encoding="utf-8")) if LIMITS.exists() else {}
    machine = machine_kind()
    limits = {} if chosen.record else limits_of(recorded, machine)
    known = "known" if machine in recorded else "not known, so that limits are far"
    print(f"{machine}: {known}" if limits else f"recording {machine}", flush=True)
    found, failed = {}, False
    times = _times() if chosen.only != "counts" else ()
    counts = _counts() if chosen.only != "times" else ()
    for name, measure in itertools.chain(times, counts):
        limit = limits.get(name, math.inf)
        counted = name.startswith(INSTRUCTIONS)
        try:
            slower, found[name] = is_certainly_slower(measure, limit, 1 if counted else ATTEMPTS)
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            if not counted:
                raise
            print(f"{name} are not counted: {error}")  # valgrind's failure is no slow-down
            continue
        failed |= slower
        verdict = "SLOWER" if slower else "fine"
        other = "its function's" if name == numba_gradient.__name__ else "NumPy's"
        print(f"{name:<30} {found[name]:8.3f} of {other}, at most {limit:.3g}: {verdict}", flush=True)
    if chosen.record:
        known_before = recorded.get(machine, {})
        recorded[machine] = known_before | {case: float(f"{value:.3g}") for case, value in found.items()}
        LIMITS.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return int(failed)


def _times() -> Iterator[tuple[str, Callable[[], float]]]:
    yield from ((case, functools.partial(_ratio_apart, case)) for case in CASES)


def _counts() -> Iterator[tuple[str, Callable[[], float]]]:
    if shutil.which("valgrind") is None:
        print("instructions are not counted: valgrind is not installed")
        return
    with tempfile.TemporaryDirectory() as folder:
        yield from (
            (f"{INSTRUCTIONS}{call}", functools.partial(instructions_over_numpy, call, folder)) for call in CALLS
        )


def _ratio_apart(case: str) -> float:
    return apart("benchmarks.gate", "--ratio", case, environment=ONE_THREAD)["ratio"]


if __name__ == "__main__":
    sys.exit(main())
