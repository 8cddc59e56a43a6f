"""Scalar functions that no formula says, as kernels."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np

from fastgrad._src.custom_operations.scalar_kernel import scalar_kernel

FLOAT32, FLOAT64, INT32, INT64, BOOL = map(np.dtype, (np.float32, np.float64, np.int32, np.int64, bool))


def halvings(x):
    count = 0
    while x > 1.0:
        x /= 2.0
        count += 1
    return count


def remainder(x, keep):
    while keep and x > 1.0:
        x -= 1.0
    return x


def is_above(x):
    while x > 1.0:
        x -= 1.0
    return x > 0.5


def raises(x):
    if x < 0:
        raise ValueError("negative")
    return x


def run(function, *arrays):
    found = scalar_kernel(function.__name__, function, tuple([x.dtype for x in arrays]))
    assert found is not None
    kernel, dtype = found
    y = np.zeros(len(arrays[0]), dtype)
    kernel(*arrays, y, *[1] * len(arrays), 0, len(y))
    return y


X = np.array([0.25, 1.5, 9.75])


def test_results_have_the_dtype_of_the_inputs_or_numbas():
    counts = run(halvings, X)
    assert counts.dtype == INT64
    assert counts.tolist() == [0, 1, 4]
    assert run(halvings, np.array([16], np.int32)).tolist() == [4]
    rest = run(remainder, X.astype(np.float32), np.array([True, True, False]))
    assert rest.dtype == FLOAT32
    assert rest.tolist() == [0.25, 0.5, 9.75]


def test_results_may_be_bools():
    above = run(is_above, X)
    assert above.dtype == BOOL
    assert above.tolist() == [False, False, True]


def test_functions_that_are_none_for_kernels_are_left_to_plain_numba():
    factor = 2.0

    def enclosed(x):
        while x > factor:
            x /= factor
        return x

    def defaults(x, y=1.0):
        return x * y

    for function, inputs in ((raises, (FLOAT64,)), (enclosed, (FLOAT64,)), (defaults, (FLOAT64, FLOAT64))):
        assert scalar_kernel("f", function, inputs) is None
        assert scalar_kernel("f", function, inputs) is None, "and what the disk cache says of it"


PROGRAM = """
import sys
import fastgrad as fg

@fg.elementwise
def halvings(x):
    count = 0
    while x > 1.0:
        x /= 2.0
        count += 1
    return count

@fg.function
def step(x):
    return halvings(x) + 1

for _ in range(3):
    y = step(fg.constant([8.0, 1.0]))
print(y.numpy().tolist(), "numba" in sys.modules)
"""


def test_a_warm_process_does_without_numba(tmp_path):
    outputs = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "FASTGRAD_CACHE_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
            timeout=600,
        )
        .stdout.split(" ")[-1]
        .strip()
        for _ in range(2)
    ]
    assert outputs == ["True", "False"]
