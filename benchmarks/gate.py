"""Fails on a slow-down that is certain: `python -m benchmarks.gate`, a few minutes, for every change.

Two kinds of numbers do not depend on how fast or busy the machine is. The time of a step over that of the same arithmetic in
NumPy, the shortest of many slices of both in turn in one process: a case fails when it is beyond its limit in three processes
one after another. And the instructions of a call of a compiled step, counted by valgrind over those of a call of NumPy: the
difference between two numbers of calls, so that starting up is not counted. Limits stand in `gate.json`, with room
for other machines; `--record` writes new ones.
"""

import argparse
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import data
from benchmarks.apart import ROOT, apart

LIMITS = Path(__file__).with_name("gate.json")
ROUNDS, SLICE_SECONDS = 300, 0.0005
ATTEMPTS = 3
ROOM = {"ratio": 1.6, "instructions": 1.25}  # between what is measured and the limit that is recorded
FEW_CALLS, MANY_CALLS = 1_000, 21_000  # starting up varies by a few million instructions
VALGRIND_TIMEOUT = 600.0
Case = Callable[[], tuple[Callable[[], Any], Callable[[], Any]]]


def eager_add() -> tuple[Callable[[], Any], Callable[[], Any]]:
    """One small eager operation: what a call costs."""
    import fastgrad as tf

    x = data.uniform(16)
    tensor = tf.constant(x)
    return lambda: tensor + tensor, lambda: x + x


def eager_gradient() -> tuple[Callable[[], Any], Callable[[], Any]]:
    """A dense layer with a tape, eagerly."""
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
    """A call of a compiled step that does next to nothing, beside one call of NumPy."""
    import fastgrad as tf

    variables = [tf.Variable(float(number)) for number in range(10)]
    step, x, array = tf.function(lambda x: tf.add_n([x, *variables])), tf.constant(1.0), np.ones(16, np.float32)
    return lambda: step(x), lambda: np.add(array, array)


def compiled_product() -> tuple[Callable[[], Any], Callable[[], Any]]:
    """A matrix product with bias and activation, compiled."""
    import fastgrad as tf

    x, kernel, bias = data.uniform(64, 128), data.uniform(128, 128, seed=1), data.uniform(128)
    variable, offset, tensor = tf.Variable(kernel), tf.Variable(bias), tf.constant(x)
    step = tf.function(lambda x: tf.nn.relu(tf.matmul(x, variable) + offset))
    return lambda: step(tensor), lambda: np.maximum(x @ kernel + bias, 0.0)


def compiled_chain() -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Element-wise operations and a mean, compiled into one pass."""
    import fastgrad as tf

    x = data.uniform(100_000)
    tensor = tf.constant(x)
    step = tf.function(lambda x: tf.reduce_mean(tf.tanh(x * 2.0 + 1.0) * x))
    return lambda: step(tensor), lambda: np.mean(np.tanh(x * np.float32(2.0) + np.float32(1.0)) * x)


def compiled_training() -> tuple[Callable[[], Any], Callable[[], Any]]:
    """A whole step of `mlp_small`, beside its five products in NumPy."""
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


CASES: Mapping[str, Case] = {
    case.__name__: case
    for case in (eager_add, eager_gradient, compiled_call, compiled_product, compiled_chain, compiled_training)
}


def ratio(case: str) -> float:
    """fastgrad's time over NumPy's, both on one thread: each the shortest of many short slices, taken in turn.

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
    """How many instructions a process executes that makes so many calls, by valgrind."""
    file = Path(folder, "instructions")
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
        env=os.environ | {"PYTHONHASHSEED": "0", "FASTGRAD_CACHE_DIR": folder, "FASTGRAD_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=VALGRIND_TIMEOUT,
    )
    found = re.search(r"Collected : (\d+)", finished.stderr)
    if finished.returncode or found is None:
        raise RuntimeError(f"valgrind ended with exit code {finished.returncode}:\n{finished.stderr[-2000:]}")
    return int(found[1])


def instructions_over_numpy(folder: str) -> float:
    """Instructions of a call of a compiled step over those of a call of NumPy."""
    instructions("compiled", 1, folder)  # compiles what the others find
    per_call = [
        (instructions(call, MANY_CALLS, folder) - instructions(call, FEW_CALLS, folder)) / (MANY_CALLS - FEW_CALLS)
        for call in ("compiled", "numpy")
    ]
    print(f"instructions of a call: {per_call[0]:,.0f}, of NumPy's {per_call[1]:,.0f}")
    return per_call[0] / per_call[1]


def make_calls(request: str) -> None:
    """What runs under valgrind: `compiled:100` or `numpy:100`."""
    which, times = request.split(":")
    call = compiled_call()[which == "numpy"]
    for _ in range(10 + int(times)):
        call()


def certainly_slower(measure: Callable[[], float], limit: float, attempts: int = ATTEMPTS) -> tuple[bool, float]:
    """Whether each of some attempts is beyond the limit; and the best of them."""
    best = math.inf
    for _ in range(attempts):
        best = min(best, measure())
        if best <= limit:
            return False, best
    return True, best


def main(command: Sequence[str] | None = None) -> int:
    """Measures each case and compares it with its limit.

    Returns:
        0 if no slow-down is certain, else 1.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--record", action="store_true", help=f"write limits with room ({ROOM}) to {LIMITS.name}")
    parser.add_argument("--ratio", choices=CASES, help="only the ratio of this case, as JSON")
    parser.add_argument("--calls", help=argparse.SUPPRESS)
    chosen = parser.parse_args(command)
    if chosen.calls:
        make_calls(chosen.calls)
        return 0
    if chosen.ratio:
        print(json.dumps({"ratio": ratio(chosen.ratio)}))
        return 0
    limits: dict[str, float] = json.loads(LIMITS.read_text(encoding="utf-8")) if LIMITS.exists() else {}
    failed = False
    for case in CASES:
        limit = math.inf if chosen.record else limits[case]
        slower, found = certainly_slower(lambda case=case: _ratio_apart(case), limit)
        failed |= slower
        print(
            f"{case:<20} {found:8.3f} of NumPy's time, at most {limit:g}: {'SLOWER' if slower else 'fine'}", flush=True
        )
        limits[case] = float(f"{found * ROOM['ratio']:.3g}") if chosen.record else limit
    failed |= _count_instructions(limits, record=chosen.record)
    if chosen.record:
        LIMITS.write_text(json.dumps(limits, indent=1) + "\n", encoding="utf-8")
    return int(failed)


def _ratio_apart(case: str) -> float:
    environment = {"FASTGRAD_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return apart("benchmarks.gate", "--ratio", case, environment=environment)["ratio"]


def _count_instructions(limits: dict[str, float], *, record: bool) -> bool:
    name = "instructions_over_numpy"
    if shutil.which("valgrind") is None:
        print("instructions are not counted: valgrind is not installed")
        return False
    try:
        with tempfile.TemporaryDirectory() as folder:
            found = instructions_over_numpy(folder)
    except (RuntimeError, subprocess.TimeoutExpired) as error:  # valgrind's failure is no slow-down
        print(f"instructions are not counted: {error}")
        return False
    limit = math.inf if record else limits[name]
    print(f"{name:<20} {found:8.3f}, at most {limit:g}: {'SLOWER' if found > limit else 'fine'}", flush=True)
    if record:
        limits[name] = float(f"{found * ROOM['instructions']:.3g}")
    return found > limit


if __name__ == "__main__":
    sys.exit(main())
