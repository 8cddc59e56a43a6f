"""Kernels give in Numba's simulator what they give in ours, to the bit: `test_numbas_simulator.py` runs this file."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.core.operation import TABLE
from fastgrad._src.cuda.kernels.choice import row_launches_on_device
from tests.cuda.kernels.groups import assert_the_same_on_device
from tests.cuda.numbas_simulator import adapter
from tests.cuda.simulation import lock_step

F32 = np.float32
OURS = lock_step.simulate
launched = []


@pytest.fixture(autouse=True)
def by_both(monkeypatch):
    """What is simulated is so by both, with equal results."""

    def simulate(kernel, dtypes, arguments, *sizes):
        copies = [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]
        answer = OURS(kernel, dtypes, copies, *sizes)
        assert adapter.simulate(kernel, dtypes, arguments, *sizes) == answer
        for ours, numbas in zip(copies, arguments, strict=True):
            np.testing.assert_array_equal(ours, numbas)
        launched.append(kernel.name)
        return answer

    monkeypatch.setattr(lock_step, "simulate", simulate)
    launched.clear()
    yield
    assert launched


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(F32)


def run(name, inputs, outputs, threads=32, **attributes):
    found = row_launches_on_device(TABLE[name], inputs, outputs, attributes)
    return lock_step.run_on_simulation(found, inputs, outputs, threads=threads)


def check(name, *inputs, threads=32, **attributes):
    """Runs an operation, and looks whether the result is the CPU's."""
    wanted = TABLE[name].run(*inputs, **attributes)
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    outputs = [np.full(y.shape, 3, y.dtype) for y in wanted]
    assert run(name, inputs, outputs, threads, **attributes) is None
    for got, expected in zip(outputs, wanted, strict=True):
        np.testing.assert_allclose(got, expected, 1e-5, 1e-6)


@pytest.mark.parametrize("name", ["max_pool", "avg_pool"])
def test_pooling(name):
    window = {"kernel": (2, 3), "strides": (2, 1), "padding": ((0, 1), (1, 1)), "dilations": (1, 1)}
    check(name, numbers(2, 5, 6, 3), **window)


def test_a_product():
    check("matmul", numbers(9, 11), numbers(11, 7), transpose_a=False, transpose_b=False)


def test_a_label_out_of_range_is_said():
    outputs = [np.zeros(4, F32), np.zeros((4, 7), F32)]
    assert run("sparse_softmax_cross_entropy", [numbers(4, 7), np.array([1, 7, 0, -2])], outputs) == 1


@pytest.mark.parametrize(
    "program",
    [
        lambda x, y: tf.exp(x) * y - tf.nn.relu(y),
        lambda x, y: tf.reduce_sum(x * y, 1),
        lambda x, y: tf.reduce_max(x - y, 0),
        lambda x, y: tf.reduce_min(x, 1) + tf.reduce_mean(y),
    ],
)
@pytest.mark.parametrize("columns", [36, 37])
def test_groups(program, columns):
    assert_the_same_on_device(program, numbers(5, columns), numbers(5, columns, seed=1))
