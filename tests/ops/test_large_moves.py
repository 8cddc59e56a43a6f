"""Operations that copy elements do so by kernels if arrays are large; the elements are those that NumPy copies."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.core.operation import TABLE
from fastgrad._src.kernels.movement import memory_order
from fastgrad._src.kernels.movement.memory_order import in_row_major_order, is_view_of_shape
from fastgrad._src.kernels.runtime.thread_pool import compute_pool
from fastgrad._src.ops import indexing

DTYPES = ("float32", "float64", "float16", "int32", "int64", "bool", "uint8", "complex128", "object")


def elements(shape, dtype="float32"):
    numbers = np.random.default_rng(0).normal(size=shape) * 50
    return (
        np.array([str(n).encode() for n in numbers.ravel()], object).reshape(shape)
        if dtype == "object"
        else (numbers.astype(dtype))
    )


def zero(dtype):
    return np.array(b"", object) if dtype == "object" else np.zeros((), dtype)


MOVES = {
    "concat of rows": lambda x: ("concat", (x, x[:3], x), {"axis": 0}),
    "concat of columns": lambda x: ("concat", (x, np.ascontiguousarray(x[:, :5]), x), {"axis": 1}),
    "concat of views": lambda x: ("concat", (x[:, ::2], x[:, 1:9]), {"axis": 1}),
    "concat with nothing": lambda x: ("concat", (x, x[:0]), {"axis": 0}),
    "stack": lambda x: ("stack", (x, x[::-1], x), {"axis": 1}),
    "stack last": lambda x: ("stack", (x, x), {"axis": 2}),
    "pad": lambda x: ("pad", (x, zero(x.dtype.name)), {"paddings": ((2, 0), (1, 3))}),
    "tile": lambda x: ("tile", (x,), {"multiples": (2, 3)}),
    "tile to nothing": lambda x: ("tile", (x,), {"multiples": (2, 0)}),
    "gather": lambda x: ("gather", (x, np.array([[3, 0], [3, 19]])), {"axis": 0, "batch_dims": 0}),
    "gather of columns": lambda x: ("gather", (x, np.array([4, 4, 0])), {"axis": 1, "batch_dims": 0}),
    "reshape": lambda x: ("reshape", (x,), {"shape": (30, 20)}),
    "reshape of a transpose": lambda x: ("reshape", (x.T,), {"shape": (60, 10)}),
    "reshape of a part": lambda x: ("reshape", (x[1:, :7],), {"shape": (7, 19)}),
    "reshape of repetitions": lambda x: (
        "reshape",
        (np.broadcast_to(x[:, :, None], (20, 30, 4)),),
        {"shape": (80, 30)},
    ),
}


@pytest.fixture
def all_are_large(monkeypatch):
    """Limits of sizes under which kernels move all arrays."""

    def set_limits():
        monkeypatch.setattr(indexing, "LEAST_MOVED_ELEMENTS", 1)
        for limit in ("LEAST_COPIED_ELEMENTS", "LEAST_ELEMENTS_OF_ROWS", "LEAST_ROW_ELEMENTS"):
            monkeypatch.setattr(memory_order, limit, 1)
        memory_order._copy_launches.cache_clear()

    yield set_limits
    memory_order._copy_launches.cache_clear()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("move", MOVES)
def test_large_arrays_are_moved_as_small_ones(move, dtype, all_are_large):
    name, arrays, attributes = MOVES[move](elements((20, 30), dtype))
    row = TABLE[name]
    wanted = row.run(*arrays, **attributes)
    all_are_large()
    found = (row.run_if_large or row.run)(*arrays, **attributes)
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    np.testing.assert_array_equal(found, wanted)
    assert found.tobytes() == wanted.tobytes() or dtype == "object"


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x[:, 3:-2],
        lambda x: x[1::2, ::-1],
        lambda x: x[::-1, 2:5, ::-3],
        lambda x: x.transpose(1, 2, 0),
        lambda x: np.broadcast_to(x[:, :1], x.shape),
        lambda x: np.broadcast_to(x[None], (3, *x.shape)),
        lambda x: x.reshape(4, 5, 6, 5, 8)[:, ::2, 1:, ::-1],
        lambda x: x[:, 0, 0],
    ],
)
@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "complex128"])
def test_copies_of_views(view, dtype, all_are_large):
    all_are_large()
    x = view(elements((20, 30, 8), dtype))
    found = in_row_major_order(x)
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, x)


def test_copies_of_fields():
    fields = np.zeros(5000, [("a", "int8"), ("b", "float32")])
    fields["b"] = np.arange(5000)
    np.testing.assert_array_equal(in_row_major_order(fields["b"]), np.arange(5000))


@pytest.mark.parametrize(
    ("shape", "is_view"),
    [((600,), False), ((10, 2, 30), True), ((20, 5, 6), True), ((40, 15), False), ((20, 1, 30), True)],
)
def test_views_of_another_shape(shape, is_view):
    x = np.zeros((20, 40))[:, :30]
    assert is_view_of_shape(x, shape) == is_view == np.shares_memory(x, x.reshape(shape))


def test_positions_outside_are_refused(all_are_large):
    all_are_large()
    for index in (20, -1):
        with pytest.raises(tf.errors.InvalidArgumentError, match="gather"):
            tf.gather(tf.constant(elements((20, 30))), [0, index])


def test_threads_share_large_copies():
    before = compute_pool.threads
    x = elements((700, 900))
    try:
        for threads in (1, 2, 3):
            compute_pool.resize(threads)
            np.testing.assert_array_equal(tf.concat([x, x], 1), np.concatenate([x, x], 1))
            np.testing.assert_array_equal(tf.pad(x, [[1, 2], [3, 4]]), np.pad(x, [[1, 2], [3, 4]]))
            np.testing.assert_array_equal(tf.gather(x, np.arange(700)[::-1]), x[::-1])
            np.testing.assert_array_equal(tf.reshape(tf.transpose(x), (-1,)), x.T.ravel())
    finally:
        compute_pool.resize(before)
