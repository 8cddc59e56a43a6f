"""Elements that are moved on a simulated GPU, from any strides to any strides."""

import numpy as np
import pytest

from fastgrad._src.cuda.kernels.choice import converted_launches
from fastgrad._src.kernels.movement.layout import contiguous, of_shape, sliced, transposed
from fastgrad._src.kernels.movement.strided import clear_launch, strided_copy_launch
from fastgrad._src.kernels.runtime.copies_and_jumps import copy_bytes
from fastgrad._src.kernels.runtime.launch import Input, Launch, Launches, Output
from tests.cuda.simulation.lock_step import run_on_simulation

DTYPES = ("uint8", "uint16", "float32", "float64", "complex128")


def ran(launch, inputs, output):
    """Runs a launch of the CPU on the simulated GPU."""
    assert run_on_simulation(converted_launches(Launches((launch,))), inputs, [output]) is None


def numbers(shape, dtype):
    return np.random.default_rng(0).integers(1, 200, shape).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(70, 65), (3, 40, 37), (2, 33, 65)])
def test_matrices_are_transposed(shape, dtype):
    x, axes = numbers(shape, dtype), [*range(len(shape) - 2), len(shape) - 1, len(shape) - 2]
    y = np.zeros_like(x.transpose(axes), order="C")
    launch = strided_copy_launch(
        Input(0), Output(0), x.dtype, transposed(of_shape(shape), shape, axes), contiguous(x.size)
    )
    ran(launch, [x], y)
    np.testing.assert_array_equal(y, x.transpose(axes))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("shape", "key"),
    [
        ((6, 64), [(1, 5, 1), (16, 48, 1)]),
        ((6, 64), [(None, None, -2), (0, 64, 1)]),
        ((3, 4, 5, 32), [(0, 3, 2), (1, 3, 1), (0, 5, 3), (16, 32, 1)]),
        ((6, 37), [(1, 5, 1), (3, 30, 1)]),
        ((6, 37), [(1, 5, 1), (30, 3, -2)]),
    ],
)
def test_slices_are_copied_and_written(shape, key, dtype):
    x = numbers(shape, dtype)
    part = x[tuple([slice(*one) for one in key])]
    layout = sliced(of_shape(shape), shape, key)
    y = np.zeros(part.shape, dtype)
    ran(strided_copy_launch(Input(0), Output(0), x.dtype, layout, contiguous(part.size)), [x], y)
    np.testing.assert_array_equal(y, part)
    back, wanted = np.zeros(shape, dtype), np.zeros(shape, dtype)
    wanted[tuple([slice(*one) for one in key])] = part
    ran(strided_copy_launch(Input(0), Output(0), x.dtype, contiguous(part.size), layout), [part.copy()], back)
    np.testing.assert_array_equal(back, wanted)


@pytest.mark.parametrize("size", [1, 14, 16, 1000, 1003])
def test_bytes_are_copied_and_cleared(size):
    x, y = numbers(size, np.uint8), np.zeros(size, np.uint8)
    ran(Launch(copy_bytes[()], (Input(0), Output(0), size), -(-size // 64)), [x], y)
    np.testing.assert_array_equal(y, x)
    for dtype in DTYPES:
        y = np.ones(size, dtype)
        ran(clear_launch(Output(0), y), [], y)
        assert not y.any()
