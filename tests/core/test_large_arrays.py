"""Element-wise operations of large arrays run kernels, with the bits of the functions that small arrays take."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.core import large_arrays
from fastgrad._src.core.operation import LARGE, LARGE_FOR_SLOW_FUNCTIONS, NEVER, TABLE, Form
from fastgrad._src.kernels.runtime.thread_pool import compute_pool
from fastgrad._src.scalars.formulas import arity_of

RNG = np.random.default_rng(0)
SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 1e-40, -1e-40, 3e38, 0.5, 2.0])
ROWS = [row for row in TABLE.values() if row.large is not NEVER and row.run_if_large is None]
DTYPES = ("float32", "float64", "int32", "int64", "bool", "uint8")
SHAPES = [
    ((30, 100), (30, 100)),
    ((30, 100), ()),
    ((), (30, 100)),
    ((30, 100), (100,)),
    ((30, 100), (30, 1)),
    ((1, 100), (30, 1)),
    ((3, 10, 100), (10, 1)),
]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(large_arrays, "RUNS_BEFORE_KERNEL", 0)


def elements(shape, dtype):
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return np.asarray(RNG.integers(0, 2, shape)).astype(bool)
    if dtype.kind in "iu":
        return np.asarray(RNG.integers(1, 50, shape)).astype(dtype)
    x = np.asarray(RNG.normal(size=shape) * 3).astype(dtype)
    flat = x.reshape(-1)
    places = RNG.choice(flat.size, min(flat.size, 20 * SPECIAL.size), replace=False)
    with np.errstate(over="ignore", under="ignore"):
        flat[places] = np.resize(SPECIAL, places.size).astype(dtype)
    return x


def operands(row, dtype, shapes):
    first, second = shapes
    if row.name == "where":
        return [elements(first, "bool"), elements(first, dtype), elements(second, dtype)]
    if row.name == "add_n":  # no broadcasting
        return [elements(first, dtype) for _ in range(3)]
    return [elements(shape, dtype) for shape in (first, *[second] * 3)][: arity_of(row.lowering.elementwise.term)]


def assert_same_bits(got, wanted, of_zeros=True):
    assert (got.shape, got.dtype) == (wanted.shape, wanted.dtype)
    np.testing.assert_array_equal(got, wanted)
    if got.dtype.kind == "f" and of_zeros:
        is_number = ~np.isnan(wanted)
        np.testing.assert_array_equal(np.signbit(got)[is_number], np.signbit(wanted)[is_number])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_kernels_have_the_bits_of_the_functions(row):
    compared = 0
    for dtype in DTYPES:
        if row.name != "where" and np.dtype(dtype) not in row.dtypes:
            continue
        attributes = {"dtype": "int16"} if row.name == "cast" else {}
        for shapes in SHAPES if dtype == "float32" else SHAPES[:2]:
            xs = operands(row, dtype, shapes)
            with np.errstate(all="ignore"):
                wanted = np.asarray(row.run(*xs, **attributes))
                got = large_arrays._run_kernel(row, xs, attributes)
            if got is not None:
                # Which of two zeros NumPy's maximum is depends on the processor.
                assert_same_bits(got, wanted, row.name not in {"maximum", "minimum", "clip_by_value", "relu", "relu6"})
                compared += 1
    assert compared or row.name == "cast"


@pytest.mark.parametrize(
    "views",
    [
        lambda x, y: (x, y[:, :1]),
        lambda x, y: (x[:, 5:-3], y[:, :-8]),
        lambda x, y: (x[:, 5:-3], y[0, :-8]),
        lambda x, y: (x.T, y.T),
        lambda x, y: (x.T, np.float32(2.0).reshape(())),
        lambda x, y: (x.T, y.reshape(x.T.shape)),
        lambda x, y: (x[::-1], y[:, ::-1]),
        lambda x, y: (np.broadcast_to(x[:1, :1], x.shape), y[:, ::2].repeat(2, 1)[:, : x.shape[1]]),
    ],
)
def test_views_have_the_bits_of_the_function(views):
    for shape in ((30, 100), (700, 800)):
        given = views(elements(shape, "float32"), elements(shape, "float32"))
        with np.errstate(all="ignore"):
            wanted = np.add(*given)
            found = large_arrays.run_large(TABLE["add"], given, {})
        assert_same_bits(found, wanted)


def test_a_scalar_leaves_the_order_in_memory():
    y = large_arrays.run_large(TABLE["multiply"], [elements((600, 500), "float32").T, np.array(2.0, np.float32)], {})
    assert y.T.flags.c_contiguous


def test_casts():
    for source in ("float32", "float64", "int32", "int64", "bool", "uint8"):
        for target in ("float32", "float64", "int32", "int64", "bool", "uint8"):
            x = elements((40, 50), source)
            x = np.where(np.isfinite(x), np.clip(x, -100, 100), 1).astype(source)
            got = large_arrays.run_large(TABLE["cast"], [x], {"dtype": target})
            assert_same_bits(got, TABLE["cast"].run(x, dtype=target))


def test_rows_with_kernels_of_their_own_are_not_among_them():
    names = {row.name for row in ROWS}
    assert {"add", "relu", "where", "sqrt", "cast", "square"} <= names
    assert not {"exp", "sin", "gelu", "pow", "identity", "reduce_sum", "sigmoid"} & names
    assert all(row.form is Form.ELEMENTWISE for row in ROWS)


@pytest.fixture
def kernel_runs(monkeypatch):
    """The names of the operations that ran kernels."""
    names = []
    run = large_arrays._run_kernel

    def counted(row, arrays, attributes):
        result = run(row, arrays, attributes)
        if result is not None:
            names.append(row.name)
        return result

    monkeypatch.setattr(large_arrays, "_run_kernel", counted)
    return names


def test_sizes_decide(kernel_runs):
    small, large = np.ones(LARGE - 1, np.float32), np.ones(LARGE, np.float32)
    tf.constant(small) + tf.constant(small)
    tf.constant(small) + 1.0
    assert kernel_runs == []
    tf.constant(large) + tf.constant(large)
    1.0 - tf.constant(large)
    assert kernel_runs == ["add", "subtract"]
    slow = tf.ones(LARGE_FOR_SLOW_FUNCTIONS)
    tf.nn.relu(slow), tf.where(slow > 0.0, slow, 0.0)
    assert kernel_runs[2:] == ["relu", "where"]
    tf.clip_by_value(slow, 0.0, 2.0)  # reads and writes once
    assert kernel_runs[4:] == ["clip_by_value"]


def test_the_first_runs_compile_nothing(monkeypatch, kernel_runs):
    monkeypatch.setattr(large_arrays, "RUNS_BEFORE_KERNEL", 3)
    monkeypatch.setattr(large_arrays, "_runs", {})
    monkeypatch.setattr(large_arrays, "_known", {})
    x = tf.ones(LARGE)
    for _ in range(5):
        np.testing.assert_array_equal((x * x).numpy(), np.ones(LARGE))
    assert kernel_runs == ["multiply", "multiply"]


def test_functions_that_are_recorded_make_no_kernels(monkeypatch, kernel_runs):
    monkeypatch.setattr(large_arrays, "_known", {})
    x = tf.ones(LARGE)
    tf.function(lambda x: x * x + x)(x)
    assert kernel_runs == []
    assert large_arrays._known == {}
    x * x + x
    assert kernel_runs == ["multiply", "add"]


def test_results_have_the_order_in_memory_of_numpys():
    x, y = elements((64, 48, 5), "float32"), elements((5, 64, 48), "float32")
    for xs in (
        [x.transpose(2, 0, 1), y],
        [x.transpose(2, 0, 1), x.transpose(2, 0, 1)],
        [x.transpose(2, 0, 1), np.float32(2.0).reshape(())],
        [x[::2], x[::2]],
        [np.broadcast_to(np.float32(3.0), x.shape), x],
        [np.broadcast_to(np.float32(3.0), x.shape)] * 2,
        [np.broadcast_to(x[:, :1], x.shape), x],
    ):
        with np.errstate(all="ignore"):
            wanted = np.multiply(*xs)
            got = large_arrays.run_large(TABLE["multiply"], xs, {})
        assert_same_bits(got, wanted)
        assert got.strides == wanted.strides


def test_gradients_and_errors_are_those_of_small_arrays():
    x = tf.Variable(elements((600, 500), "float64"))
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(tf.where(x > 0.0, x * 2.0, tf.nn.relu(x)))
    np.testing.assert_array_equal(tape.gradient(y, x).numpy(), np.where(x.numpy() > 0, 2.0, 0.0))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\[600, 500\] vs. \[3\]"):
        x + tf.ones(3, tf.float64)


@pytest.mark.parametrize("dtype", ["float32", "int32", "float64"])
@pytest.mark.parametrize("view", ["whole", "transposed", "repeated", "reversed"])
def test_writes_of_large_variables(view, dtype):
    x = elements((1000, 1000), dtype)
    x = {"whole": x, "transposed": x.T, "repeated": np.broadcast_to(x[:1], x.shape), "reversed": x[::-1]}[view]
    start = elements((1000, 1000), dtype)
    v, delta = tf.Variable(start), tf.constant(x)
    before = v.value()
    with np.errstate(all="ignore"):
        for _ in range(2):  # the second time by a kernel
            v.assign(start)
            assert_same_bits(v.assign_add(delta).numpy(), start + x)
            assert_same_bits(v.assign_sub(delta).numpy(), start + x - x)
            assert_same_bits(v.assign(delta).numpy(), x)
            assert_same_bits(v.assign_add(v).numpy(), x + x)
        assert_same_bits(v.assign(v).numpy(), x + x)
    assert_same_bits(before.numpy(), start)


@pytest.mark.parametrize("dtype", ["float32", "int16", "bool", "complex128"])
def test_variables_of_all_dtypes_are_written_by_all_threads(dtype, monkeypatch):
    copies = []
    run = large_arrays.run_on_thread_pool
    monkeypatch.setattr(large_arrays, "run_on_thread_pool", lambda *given: copies.append(given) or run(*given))
    x = RNG.integers(0, 2, 4_000_001).astype(dtype)
    before, v = compute_pool.threads, tf.Variable(np.zeros_like(x))
    try:
        for threads in (1, 2, 3):
            compute_pool.resize(threads)
            copies.clear()
            v.assign(np.zeros_like(x)).assign(x)
            np.testing.assert_array_equal(v.numpy(), x)
            assert len(copies) == (2 if threads > 1 else 0)
    finally:
        compute_pool.resize(before)


def test_texts_of_large_variables_are_written():
    v = tf.Variable(np.full(LARGE, "a", object))
    assert set(v.assign(np.full(LARGE, "b", object)).numpy()) == {b"b"}


@pytest.mark.parametrize("index", [np.s_[:, 10:190], np.s_[::2], np.s_[::-2, 3:]])
def test_slow_functions_of_slices_run_kernels(index, kernel_runs, monkeypatch):
    """A copy of rows costs less than the function by NumPy."""
    plain = []
    run = large_arrays.run_on_thread_pool
    monkeypatch.setattr(large_arrays, "run_on_thread_pool", lambda *given: plain.extend(given[1]) or run(*given))
    x = elements((300, 400), "float32")[index]
    with np.errstate(all="ignore"):
        assert_same_bits(tf.sqrt(tf.constant(x)).numpy(), np.sqrt(x))
        assert_same_bits(tf.math.squared_difference(tf.constant(x), 2.0).numpy(), np.square(x - np.float32(2)))
        tf.clip_by_value(tf.constant(x), -1.0, 1.0), tf.constant(x) + 1.0
    assert kernel_runs == ["sqrt", "squared_difference", "clip_by_value"]
    assert all(type(array) is np.ndarray for array in plain)  # else the launches make a frame at each call
