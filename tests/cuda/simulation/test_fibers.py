"""Threads of a simulated block are stacks of native code."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fastgrad._src.cuda.codegen.body import block_size, shared_array, synchronize, thread_index
from fastgrad._src.cuda.codegen.kernel import device_kernel
from tests.cuda.simulation.lock_step import simulate

FLOATS = ("float32", "float64")


@device_kernel("x: in[T], y: out[T], turns: int, first: int, last: int", T=FLOATS)
def passed_on(x, y, turns, first, last):
    """Each thread gives its number to the next one, again and again, and adds up what it gets."""
    parts = shared_array(T, 1024)
    for unit in range(first, last):
        total, mine = T(0), x[unit * block_size() + thread_index()]
        for _ in range(turns):
            parts[thread_index()] = mine
            synchronize()
            mine = parts[(thread_index() + 1) % block_size()]
            total += mine
            synchronize()
        y[unit * block_size() + thread_index()] = total


def assert_all_are_passed_on(units, threads, seed):
    x = np.random.default_rng(seed).normal(size=(units, threads))
    y = np.empty_like(x)
    simulate(passed_on, {"T": "float64"}, [x, y, threads], units, threads=threads)
    np.testing.assert_allclose(y, np.broadcast_to(x.sum(1, keepdims=True), x.shape), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("threads", [32, 256, 1024])
def test_threads_keep_what_they_have_while_others_run(threads):
    assert_all_are_passed_on(3, threads, threads)


def test_several_threads_of_python_simulate():
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(assert_all_are_passed_on, 20, 64, seed) for seed in range(8)]:
            done.result()
