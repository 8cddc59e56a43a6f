"""Elements moved from strides to strides, against NumPy."""

import numpy as np
import pytest

from fastgrad._src.kernels.movement.layout import Layout, contiguous, merged_dimensions
from fastgrad._src.kernels.movement.strided import strided_copy_launch
from fastgrad._src.kernels.runtime.eager_launch import run_on_thread_pool
from fastgrad._src.kernels.runtime.launch import Input, Launches, Output

DTYPES = ["int8", "float16", "float32", "int32", "float64", "int64", "complex128"]


def numbered(shape, dtype):
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def launch_of(view, dtype):
    """What copies a view of an array that begins where its base does."""
    dims = merged_dimensions(
        [(size, stride // view.itemsize) for size, stride in zip(view.shape, view.strides, strict=True)]
    )
    return strided_copy_launch(Input(0), Output(0), np.dtype(dtype), Layout(0, dims), contiguous(view.size))


def copied(x, view):
    y = np.full(view.shape, 99, x.dtype)
    run_on_thread_pool(Launches((launch_of(view, x.dtype),)), (x,), (y,))
    return y


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "shape", [(8, 17), (17, 8), (64, 64), (19, 333), (333, 21), (3, 700), (700, 3), (16, 32), (100, 100)]
)
def test_transposes(shape, dtype):
    x = numbered(shape, dtype)
    np.testing.assert_array_equal(copied(x, x.T), x.T)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("shape", "perm"),
    [
        ((3, 9, 5, 7), (0, 2, 3, 1)),
        ((3, 5, 7, 9), (0, 3, 1, 2)),
        ((2, 33, 4, 17), (0, 2, 3, 1)),
        ((2, 40, 50), (1, 2, 0)),
        ((20, 3, 30), (2, 1, 0)),
    ],
)
def test_axes_in_another_order(shape, perm, dtype):
    x = numbered(shape, dtype)
    np.testing.assert_array_equal(copied(x, x.transpose(perm)), x.transpose(perm))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_part_of_a_matrix(dtype):
    x = numbered((50, 40), dtype)
    np.testing.assert_array_equal(copied(x, x[:33, :19].T), x[:33, :19].T)


def test_vectors_are_transposed_where_there_are_any():
    def name(shape, dtype):
        return launch_of(numbered(shape, dtype).T, dtype).kernel.__name__

    assert name((32, 40), "float32") == name((32, 40), "int64") == "transpose_tiles"
    assert name((128, 40), "float16") == "move_tiles"
