"""Resident memory of eager programs: `python -m benchmarks.memory` prints a table, and asv follows the peaks.

Every measurement has a process of its own and does everything once on a small scale first, so that imports and compiled
kernels are not counted. Current memory is read from /proc, so the table needs Linux. Compiled steps are in
`compiled_memory.py`.
"""

import gc
import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import data
from benchmarks.apart import apart
from benchmarks.peers.workload import Batches, Step
from benchmarks.peers.workloads import WORKLOADS

ROWS, WIDTH, TOUCHED = 1_000_000, 32, 6_656
UPDATES = 20
STEPS, SETTLED, LOOKS = 10_000, 10, 20  # looked at 20 times, but not in the first tenth
MEBIBYTE = 2.0**20

PEAK_LIMIT = 1.2
# The dense gradient's result is also asked of rows: with momentum, every row that ever moved goes on moving, so that an
# update of Adam has to look at the whole table.
SPEED_LIMITS = {"SGD": 20.0, "Adagrad": 20.0, "Adam": 1.0}
DRIFT_LIMIT = 1.0


def resident(field: str = "VmRSS") -> float:
    """Returns this process's resident memory in bytes: now, or at its peak (`VmHWM`)."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024.0
    raise OSError(f"/proc/self/status has no {field}")


def reset_peak() -> None:
    """Resets the peak of resident memory to the present value."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


class Embedding:
    """A benchmark of sparse updates: a table, an optimizer with slots, and the rows of each batch."""

    def __init__(self, optimizer: str, rows: int = ROWS, touched: int = TOUCHED) -> None:
        import fastgrad as tf

        inputs = data.embedding(rows, WIDTH, touched)
        self.tf = tf
        self.table = tf.Variable(inputs["table"], name="table")
        self.optimizer = getattr(tf.keras.optimizers, optimizer)(0.1)
        self.optimizer.build([self.table])
        self.batches = itertools.cycle(
            [(tf.constant(ids), tf.constant(t)) for ids, t in zip(inputs["ids"], inputs["targets"], strict=True)]
        )

    def kept_bytes(self) -> float:
        """The size of the table and of the optimizer's slots."""
        return float(sum(v.numpy().nbytes for v in [self.table, *self.optimizer.variables]))

    def gradient(self) -> Any:
        """Returns the gradient of the next batch's squared error, as rows."""
        ids, targets = next(self.batches)
        with self.tf.GradientTape() as tape:
            rows = self.tf.nn.embedding_lookup(self.table, ids)
            loss = self.tf.reduce_mean(self.tf.square(rows - targets))
        return tape.gradient(loss, self.table)

    def update(self) -> None:
        """Runs a whole step: lookup, gradient, sparse update."""
        self.optimizer.apply_gradients([(self.gradient(), self.table)])


def embedding_peak(optimizer: str) -> dict[str, float]:
    """Returns the peak memory during sparse updates over the size of the table and its slots."""
    Embedding(optimizer, rows=10 * TOUCHED).update()
    gc.collect()
    before = resident()
    embedding = Embedding(optimizer)
    kept = embedding.kept_bytes()
    reset_peak()
    for _ in range(UPDATES):
        embedding.update()
    peak = resident("VmHWM") - before
    return {"kept": kept, "peak": peak, "ratio": peak / kept}


def embedding_speed(optimizer: str) -> dict[str, float]:
    """Returns the seconds of an update from rows and from a dense gradient, and their ratio, interleaved on two tables.

    A program makes updates of one kind only, so the first ones of a slice, which find the caches full of the other kind's
    data, are not timed.
    """
    by_rows, whole = Embedding(optimizer), Embedding(optimizer)
    gradients = itertools.cycle([by_rows.gradient() for _ in range(20)])
    dense = whole.tf.convert_to_tensor(whole.gradient())

    def timed(embedding: Embedding, gradient: Any) -> float:
        began = time.perf_counter()
        embedding.optimizer.apply_gradients([(gradient, embedding.table)])
        return time.perf_counter() - began

    def slice_of(embedding: Embedding, some: Iterator[Any], count: int) -> float:
        return statistics.median([timed(embedding, next(some)) for _ in range(2 + count)][2:])

    whole_gradients = itertools.repeat(dense)
    pairs = [(slice_of(by_rows, gradients, 20), slice_of(whole, whole_gradients, 3)) for _ in range(UPDATES)][1:]
    return {
        "sparse": statistics.median(sparse for sparse, _ in pairs),
        "dense": statistics.median(dense for _, dense in pairs),
        "ratio": statistics.median(dense / sparse for sparse, dense in pairs),
    }


def steps_drift(workload: str) -> dict[str, float]:
    """Returns the change of resident memory over 10,000 training steps after the first 1,000."""
    import fastgrad as tf

    chosen = WORKLOADS[workload]
    step, batches = chosen.programs["tensorflow"](tf, chosen.inputs())
    return drift(step, batches, STEPS)


def drift(step: Step, batches: Batches, steps: int) -> dict[str, float]:
    """Returns the change of resident memory over many calls, sampled regularly, without the first tenth."""
    endless = itertools.cycle(batches)
    seen = []
    for number in range(1, steps + 1):
        step(*next(endless))
        if number >= steps // SETTLED and number % (steps // LOOKS) == 0:
            gc.collect()
            seen.append(resident())
    return {"first": seen[0], "last": seen[-1], "drift": max(seen) - seen[0]}


MEASUREMENTS: dict[str, Callable[[str], dict[str, float]]] = {
    "embedding_peak": embedding_peak,
    "embedding_speed": embedding_speed,
    "steps_drift": steps_drift,
}


def main(command: list[str]) -> int:
    """Prints the table; with the name and argument of a measurement, prints its numbers as JSON instead.

    Returns:
        0 if every row is within its limit, else 1.
    """
    if command:
        measurement, argument = command
        print(json.dumps(MEASUREMENTS[measurement](argument)))
        return 0
    rows = []
    for optimizer in SPEED_LIMITS:
        found = apart("benchmarks.memory", "embedding_peak", optimizer)
        sizes = f"{found['peak'] / MEBIBYTE:.0f} MiB for {found['kept'] / MEBIBYTE:.0f} MiB of table and slots"
        rows.append((f"sparse update, {optimizer}: peak", sizes, found["ratio"], PEAK_LIMIT, "x, at most"))
    for optimizer, limit in SPEED_LIMITS.items():
        found = apart("benchmarks.memory", "embedding_speed", optimizer)
        times = f"{found['sparse'] * 1e3:.2f} ms, dense {found['dense'] * 1e3:.2f} ms"
        rows.append((f"sparse update, {optimizer}: speed", times, found["ratio"], limit, "x, at least"))
    for workload in ("mlp_small", "mlp_tiny"):
        found = apart("benchmarks.memory", "steps_drift", workload)
        sizes = f"{found['first'] / MEBIBYTE:.2f} MiB, at the end {found['last'] / MEBIBYTE:.2f} MiB"
        drift = found["drift"] / MEBIBYTE
        rows.append((f"{STEPS:,} steps of {workload}: growth", sizes, drift, DRIFT_LIMIT, "MiB, at most"))
    print(f"{TOUCHED:,} rows of a {ROWS:,} x {WIDTH} float32 table; steps after the first {STEPS // SETTLED:,}")
    met = True
    for what, numbers, value, limit, relation in rows:
        kept = value >= limit if relation.endswith("least") else value <= limit
        met &= kept
        print(f"{what:<38} {numbers:<46} {value:8.2f} {relation} {limit:g}: {'met' if kept else 'NOT MET'}")
    return int(not met)


class EmbeddingUpdate:
    """Memory and speed of sparse updates, as asv tracks them from commit to commit."""

    params = (tuple(SPEED_LIMITS),)
    param_names = ("optimizer",)
    version = "1"

    def track_peak(self, optimizer: str) -> float:
        return apart("benchmarks.memory", "embedding_peak", optimizer)["ratio"]

    def track_speed(self, optimizer: str) -> float:
        return apart("benchmarks.memory", "embedding_speed", optimizer)["ratio"]

    track_peak.unit = "x table and slots"
    track_speed.unit = "x dense"


class Steps:
    """Growth of memory in training, as asv tracks it from commit to commit."""

    unit = "bytes"
    version = "1"

    def track_drift(self) -> float:
        return apart("benchmarks.memory", "steps_drift", "mlp_small")["drift"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
