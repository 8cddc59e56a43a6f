"""Runs cases of rows: `python -m tests.reliability.boundaries.sweep COUNT [ROW ...]` prints the number of cases, failures and used kernels as JSON."""

from __future__ import annotations

import itertools
import json
import math
import sys
import traceback
import zlib
from collections.abc import Iterable

import numpy as np

import fastgrad as tf
from tests.kernels.every_kernel import all_kernels
from tests.reliability.boundaries.cases import Case, Tally, small_work_is_shared
from tests.reliability.boundaries.groups import GROUPS, make, with_gradients
from tests.reliability.boundaries.properties import ALL
from tests.reliability.boundaries.sampling import Sample, long_samples, short_samples

LARGE = 12


def failures_of(name: str, samples: Iterable[Sample], tally: Tally) -> list[str]:
    """Runs cases of a row; returns the text of each failure.

    Args:
        name: of the row.
        samples: the cases.
        tally: counts them.
    """
    failures: list[str] = []
    by_threads = sorted(samples, key=lambda sample: sample.threads)
    for threads, group in itertools.groupby(by_threads, key=lambda sample: sample.threads):
        with small_work_is_shared(threads):
            for sample in group:
                case = None
                try:
                    case = Case(ALL[name][sample.number], sample.dtype, sample.sizes, sample.seed)
                    case.run(threads, tally)
                    case.run_compiled(tally)
                except Exception:  # noqa: BLE001 - whatever it is, the other cases of the row are tried
                    failures.append(f"{name} {sample}\n{case}\n{traceback.format_exc(limit=-3)}")
    return failures


def used_kernels() -> list[str]:
    """Module and name of each kernel that this process has compiled or loaded."""
    return sorted(kernel_name(kernel) for kernel in all_kernels() if len(kernel))


def kernel_name(kernel: object) -> str:
    return f"{kernel.function.__module__}.{kernel.__name__}".removeprefix("fastgrad._src.kernels.")  # type: ignore[attr-defined]


def samples_for_kernels(name: str) -> list[Sample]:
    """Cases of the long form of a row: the first of each dtype of each property, the `LARGE` largest, and every tenth."""
    samples = long_samples(name)
    first: dict[tuple[int, str], Sample] = {}
    for sample in samples:
        first.setdefault((sample.number, sample.dtype), sample)
    by_size = sorted(samples, key=lambda sample: -math.prod([max(1, size) for size in sample.sizes]))
    return list(dict.fromkeys([*first.values(), *by_size[:LARGE], *samples[::10]]))


def run_groups() -> list[str]:
    """Runs each program of `groups.py` once in each dtype, with its gradients; returns the text of each failure."""
    failures: list[str] = []
    for name, dtype in itertools.product(GROUPS, ("float32", "float64")):
        try:
            with small_work_is_shared(2):
                arrays = make(np.random.default_rng(0), 33, 17, 16)
                program = tf.function(lambda *tensors, name=name: with_gradients(GROUPS[name], *tensors))
                for _ in range(3):  # the first call records
                    program(*[tf.constant(x, dtype) for x in arrays])
        except Exception:  # noqa: BLE001 - whatever it is, the other programs are run
            failures.append(f"{name} {dtype}\n{traceback.format_exc(limit=-3)}")
    return failures


def main(chosen: str, *names: str) -> None:
    """Prints a JSON object: the number of cases, what failed, and which kernels were used.

    Args:
        chosen: the number of random cases of each row, or "kernels" for `samples_for_kernels` and the programs of `groups.py`.
        names: of rows; none means all.
    """
    tally = Tally()
    failures: list[str] = []
    for name in names or sorted(ALL):
        seed = zlib.crc32(name.encode())
        samples = samples_for_kernels(name) if chosen == "kernels" else short_samples(name, int(chosen), seed)
        failures += failures_of(name, samples, tally)
    if chosen == "kernels":
        failures += run_groups()
    print(json.dumps({"cases": tally.cases, "failures": failures, "kernels": used_kernels()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
