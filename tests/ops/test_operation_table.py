"""Facts that hold for every row of the operation table; a new row is tested by being there."""

from __future__ import annotations

import copy
import itertools
import math
import pickle
import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrad as tf
from fastgrad._src.core.operation import TABLE, Binary, Form, Unary
from fastgrad._src.core.recording import Recorder
from fastgrad._src.scalars.formulas import Number, arity_of, expand, text_of, trace
from tests import whole_table
from tests.gradients import check_gradient
from tests.ops.samples import SAMPLES, Sample, recorded

whole_table.load()

SCALARS = [name for name, row in TABLE.items() if row.lowering.elementwise.term is not None and name != "cast"]
DIFFERENTIABLE = [name for name, row in TABLE.items() if row.gradient is not None and row.lowering.collective is None]
UNARY = [name for name, row in TABLE.items() if type(row) is Unary]
# Parts of gradients are given arrays of one shape.
BINARY = [name for name, row in TABLE.items() if type(row) is Binary and not name.endswith("_gradient")]
FLOAT64, BOOL, INT64 = np.dtype(np.float64), np.dtype(bool), np.dtype(np.int64)


# ---- the scalar expression says what the array function does ---------------------------------------------

AWKWARD = [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 1.5, 2.5, -2.5, 3.0, 1e-5, -20.0, 40.0, 711.0, 5e-324, 1e300]
AWKWARD += [-1e300, math.inf, -math.inf, math.nan]


def _lgamma(x: float) -> np.float64:
    """`math.lgamma`, with infinities where it raises."""
    try:
        return np.float64(math.lgamma(x))
    except (ValueError, OverflowError):  # a pole, or too large a result
        return np.float64(math.inf)


def _scalar_names() -> dict[str, Any]:
    from scipy import special

    names: dict[str, Any] = {
        name: getattr(np, name)
        for name in [
            "exp",
            "expm1",
            "log",
            "log1p",
            "log2",
            "log10",
            "hypot",
            "sqrt",
            "sin",
            "cos",
            "tan",
            "sinh",
            "cosh",
        ]
    }
    names |= {
        name: getattr(np, name)
        for name in ["tanh", "floor", "ceil", "rint", "trunc", "isnan", "isinf", "isfinite", "sign", "fmod"]
    }
    names |= {name: getattr(np, name) for name in ["maximum", "minimum", "nextafter", "abs"]}
    names |= {
        "a" + name[3:]: getattr(np, name) for name in ["arcsin", "arccos", "arctan", "arcsinh", "arccosh", "arctanh"]
    }
    names |= {
        "atan2": np.arctan2,
        "pow": lambda x, y: np.power(np.array([x]), np.array([y]))[0],
        "erf": special.erf,
        "erfc": special.erfc,
        "pi": math.pi,
    }
    names |= {
        "inf": math.inf,
        "nan": math.nan,
        "lgamma": _lgamma,
    }
    names |= {"where": lambda condition, x, y: x if condition else y, "__builtins__": {}}
    return names


@cache
def _compiled(name: str) -> Any:
    term = TABLE[name].lowering.elementwise.term
    names = ["x", "y", "z", "w"][: arity_of(term)]
    return len(names), eval(f"lambda {', '.join(names)}: {_source(name, names)}", _scalar_names())


def _source(name: str, names: Sequence[str] = ("x", "y", "z", "w")) -> str:
    """The Python expression of a row's term."""

    def text_of_leaf(leaf: Any) -> str:
        return f"({leaf.value!r})" if isinstance(leaf, Number) else names[leaf.position]

    return text_of(expand(trace(TABLE[name].lowering.elementwise.term)), text_of_leaf)


def _operands(name: str, arity: int, values: list[float]) -> list[list[Any]]:
    """For each input the numbers it is tried at, of the dtype that the row takes."""
    dtypes = TABLE[name].dtypes
    if name == "masked":
        return [[np.float64(v) for v in values], [np.True_, np.False_]]
    if name == "where":
        return [[np.True_, np.False_], [np.float64(v) for v in values], [np.float64(v) for v in values[:4]]]
    if FLOAT64 in dtypes:
        return [[np.float64(v) for v in values[: len(values) if arity < 4 else 8]]] * arity
    if BOOL in dtypes:
        return [[np.True_, np.False_]] * arity
    return [[np.int64(v) for v in (-7, -2, -1, 0, 1, 3, 2**40)]] * arity


def _check_scalar(name: str, operands: tuple[Any, ...]) -> None:
    _, expression = _compiled(name)
    with np.errstate(all="ignore"):
        expected = np.asarray(TABLE[name].run(*[np.array([value]) for value in operands]))[0]
        got = expression(*operands)
    what = f"{name}{operands} is {expected!r}, its code {_source(name)} gives {got!r}"
    if np.isnan(expected) if isinstance(expected, np.floating) else False:
        assert np.isnan(got), what
        return
    assert np.isclose(float(got), float(expected), rtol=1e-12, atol=5e-324), what
    if expected == 0 and isinstance(expected, np.floating) and 0 in operands:  # no underflow
        assert np.signbit(got) == np.signbit(expected), what


@pytest.mark.parametrize("name", SCALARS)
def test_code_equals_run_at_awkward_numbers(name: str) -> None:
    arity, _ = _compiled(name)
    for operands in itertools.product(*_operands(name, arity, AWKWARD)):
        _check_scalar(name, operands)


@settings(max_examples=30)
@given(values=st.lists(st.floats(allow_subnormal=True), min_size=2, max_size=2))
def test_code_equals_run_at_any_number(values: list[float]) -> None:
    for name in SCALARS:
        arity, _ = _compiled(name)
        if FLOAT64 in TABLE[name].dtypes and arity <= 2 and name != "masked":
            _check_scalar(name, tuple(np.float64(v) for v in values[:arity]))


# ---- gradients -----------------------------------------------------------------------------------------


def _inside(domain: tuple[float, float] | None, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Random numbers inside a domain, away from its ends, from 0 and from whole numbers, where kinks are."""
    low, high = domain or (-math.inf, math.inf)
    low = low + 0.13 if math.isfinite(low) else max(-1.9, min(-1.9, high - 3))
    high = high - 0.13 if math.isfinite(high) else max(1.9, low + 1.9)
    values = np.random.default_rng(seed).uniform(low, high, shape)
    near = np.abs(values - np.round(values)) < 0.05
    return np.where(near, np.clip(values + 0.11, low, high), values)


def _sample(name: str) -> Sample | None:
    row = TABLE[name]
    if name in SAMPLES:
        return SAMPLES[name]
    if type(row) is Unary and FLOAT64 in row.dtypes:
        return Sample(row, (_inside(row.domain, (2, 3), 1),))
    if type(row) is Binary and FLOAT64 in row.dtypes:
        second = (3,) if name in BINARY else (2, 3)
        return Sample(row, (_inside(row.domain, (2, 3), 2), _inside(row.domain, second, 3)))
    return None


class _Names(Recorder):
    """A recorder that keeps the names of the operations that run."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def on_operation(self, operation: Any, inputs: Any, outputs: Any, attributes: Any) -> None:
        self.seen.add(operation.name)


@cache
def _reached(name: str) -> frozenset[str]:
    """The rows that a sample's derivatives up to its order lead through."""
    sample = _sample(name)
    assert sample is not None
    names = _Names()
    recorded(names, sample, derivative=sample.order == 2)
    return frozenset(names.seen)


@pytest.mark.completeness
def test_every_differentiable_row_has_a_sample() -> None:
    reached = {name for source in DIFFERENTIABLE if _sample(source) for name in _reached(source)}
    missing = sorted(set(DIFFERENTIABLE) - reached)
    assert not missing, f"tests/ops/samples.py has no sample that leads through {missing}"


class _Orders(Recorder):
    """The operations whose results are not in row-major order, though no form says so and all inputs are."""

    def __init__(self) -> None:
        self.found: set[str] = set()

    def on_operation(self, operation: Any, inputs: Any, outputs: Any, attributes: Any) -> None:
        has_order_of_inputs = operation.lowering.index_map.views is not None or operation.form in (
            Form.ELEMENTWISE,
            Form.REDUCE,
        )
        if not has_order_of_inputs and all(x._array.flags.c_contiguous for x in inputs):
            self.found |= {operation.name for y in outputs if not y._array.flags.c_contiguous}


@pytest.mark.parametrize("name", SAMPLES)
def test_results_are_in_row_major_order(name: str) -> None:
    """Programs of tapes rely on it: NumPy's products round by the order of their operands."""
    orders = _Orders()
    recorded(orders, SAMPLES[name], derivative=True)
    assert orders.found == set()


@pytest.mark.completeness
def test_every_sample_is_of_a_row_and_reaches_it() -> None:
    assert sorted(set(SAMPLES) - set(TABLE)) == []
    assert [name for name in SAMPLES if name not in _reached(name) and name not in ("spread", "gather_segments")] == []


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradient_equals_central_differences(name: str) -> None:
    sample = _sample(name)
    if sample is not None:  # else it is part of another's gradient: the test above knows
        check_gradient(sample.function, *sample.arrays, rtol=1e-5)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradient_of_gradient_equals_central_differences(name: str) -> None:
    sample = _sample(name)
    if sample is not None and sample.order == 2:
        check_gradient(sample.function, *sample.arrays, order=2, rtol=1e-4, atol=1e-6)


# ---- shapes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize(
    "shapes", [((2, 3), (3,)), ((2, 1), (1, 3)), ((), (2, 2)), ((2, 2), ()), ((0, 3), (3,)), ((1,), (0, 1))]
)
def test_binary_rows_broadcast_values_and_gradients(name: str, shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    row = TABLE[name]
    if FLOAT64 in row.dtypes:
        x, y = [tf.constant(_inside(row.domain, shape, 5 + place)) for place, shape in enumerate(shapes)]
    else:
        kind = BOOL if BOOL in row.dtypes else INT64
        x, y = [tf.constant(np.ones(shape, kind)) for shape in shapes]
    with tf.GradientTape() as tape:
        if FLOAT64 in row.dtypes:
            tape.watch([x, y])
        z = row(x, y)
    assert z.shape == np.broadcast_shapes(*shapes)
    whole = row(tf.broadcast_to(x, z.shape), tf.broadcast_to(y, z.shape))
    np.testing.assert_array_equal(z.numpy(), whole.numpy())
    if row.gradient is not None and z.dtype.is_differentiable:
        for source, gradient in zip((x, y), tape.gradient(z, [x, y]), strict=True):
            assert gradient is None or gradient.shape == source.shape


@pytest.mark.parametrize("name", BINARY)
def test_binary_rows_refuse_shapes_and_dtypes_that_do_not_go_together(name: str) -> None:
    row = TABLE[name]
    dtype = FLOAT64 if FLOAT64 in row.dtypes else min(row.dtypes, key=str)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"Incompatible shapes: \[2, 3\] vs\. \[4\]"):
        row(tf.ones((2, 3), dtype), tf.ones((4,), dtype))
    other = tf.float32 if dtype == FLOAT64 else tf.float64
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected to be a"):
        row(tf.ones((2,), dtype), tf.ones((2,), other))


# ---- dtypes --------------------------------------------------------------------------------------------

REAL_OF_COMPLEX = {"abs", "real", "imag", "angle"}


@pytest.mark.parametrize("name", UNARY + BINARY)
def test_rows_keep_the_dtype_at_every_rank_and_refuse_the_others(name: str) -> None:
    row = TABLE[name]
    number = 2 if name in ("acosh", "zeta") else 1
    for dtype in (d.numpy for d in _ALL):
        x = tf.constant(np.full((3,), number).astype(dtype))
        inputs = (x,) if type(row) is Unary else (x, x)
        if dtype not in row.dtypes:
            with pytest.raises(tf.errors.InvalidArgumentError, match=f"got dtype {x.dtype.name}"):
                row(*inputs)
            continue
        y = row(*inputs)
        scalar = row(*[tf.constant(number, x.dtype) if x.dtype != tf.bool else tf.constant(True) for x in inputs])
        assert y.shape == (3,)
        assert scalar.shape == ()
        assert scalar.dtype == y.dtype
        if y.dtype != tf.bool and name != "complex":
            wanted = x.dtype.real_dtype if name in REAL_OF_COMPLEX else x.dtype
            assert y.dtype == wanted


_ALL = (tf.float16, tf.bfloat16, tf.float32, tf.float64, tf.int8, tf.int16, tf.int32, tf.int64)
_ALL += (tf.uint8, tf.uint16, tf.uint32, tf.uint64, tf.bool, tf.complex64, tf.complex128)


def test_half_widths_are_as_good_as_float32_rounded() -> None:
    """bfloat16 and float16 results are within one unit of the float32 result rounded to them."""
    for name in UNARY:
        row = TABLE[name]
        if FLOAT64 not in row.dtypes or row.form is not Form.ELEMENTWISE:
            continue
        for dtype in (tf.bfloat16, tf.float16):
            if dtype.numpy not in row.dtypes:
                continue
            x = _inside(row.domain, (50,), 9).astype(dtype.numpy)
            y = row(tf.constant(x)).numpy()
            if y.dtype == BOOL:
                continue
            exact = np.asarray(row(tf.constant(x.astype(np.float32))).numpy(), np.float64)
            unit = 2.0**-7 if dtype is tf.bfloat16 else 2.0**-10
            np.testing.assert_allclose(y.astype(np.float64), exact, rtol=4 * unit, atol=unit, err_msg=f"{name} {dtype}")


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
@pytest.mark.parametrize("name", UNARY)
def test_half_widths_are_right_at_every_number(name: str, dtype: tf.DType) -> None:
    """All 65536 numbers of the dtype: at most two roundings from the float64 result."""
    row = TABLE[name]
    if dtype.numpy not in row.dtypes or FLOAT64 not in row.dtypes:
        return
    x = np.arange(65536, dtype=np.uint16).view(dtype.numpy)
    y = row(tf.constant(x)).numpy()
    if y.dtype != dtype.numpy:
        return
    with np.errstate(all="ignore"):
        exact = row(tf.constant(x.astype(np.float64))).numpy().astype(np.float32).astype(dtype.numpy)
    nan = np.isnan(y.astype(np.float32))
    np.testing.assert_array_equal(nan, np.isnan(exact.astype(np.float32)))
    steps = [
        np.where(bits < 0, -(bits & 0x7FFF), bits) for bits in (v[~nan].view(np.int16).astype(int) for v in (y, exact))
    ]
    assert np.abs(steps[0] - steps[1]).max() <= 2


# ---- NumPy's floating-point errors -----------------------------------------------------------------------


@pytest.mark.parametrize("name", UNARY + BINARY)
def test_rows_and_gradients_are_silent_whatever_numpy_is_told(name: str) -> None:
    row = TABLE[name]
    values = [*AWKWARD, 1e-45, 65504.0, 3e38, -104.0]
    for dtype in row.dtypes - frozenset([np.dtype(object)]):
        with np.errstate(all="ignore"):
            x = np.array(values if dtype.kind in "fVc" else [0, 1, 2, 100, 127]).astype(dtype)
        inputs = [tf.constant(x)] if type(row) is Unary else [tf.constant(x[:, None]), tf.constant(x)]
        with warnings.catch_warnings(), np.errstate(all="raise"):
            warnings.simplefilter("error")
            try:
                with tf.GradientTape() as tape:
                    tape.watch([x for x in inputs if x.dtype.is_differentiable])
                    y = row(*inputs)
                assert y.shape == np.broadcast_shapes(*[x.shape for x in inputs])
                if y.dtype.is_differentiable:
                    tape.gradient(y, inputs)
            except tf.errors.InvalidArgumentError:
                pass  # an integer division by zero


# ---- what a row is -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TABLE)
def test_public_rows_are_documented_and_named(name: str) -> None:
    row = TABLE[name]
    assert row.__name__ == row.name == name
    assert callable(row.run)
    assert isinstance(row.form, Form)
    if type(row) in (Unary, Binary):
        assert row.__doc__ not in (None, Unary.__doc__, Binary.__doc__)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", [n for n, row in TABLE.items() if type(row) is Binary and n.endswith("_gradient")])
def test_parts_of_gradients_broadcast(name: str, dtype: type) -> None:
    # All rows of tf.vectorized_map may have one gradient, or one of the values that it is read with.
    row, rng = TABLE[name], np.random.default_rng(0)
    one, several = rng.uniform(0.1, 0.9, (4,)).astype(dtype), rng.uniform(0.1, 0.9, (3, 4)).astype(dtype)
    spread = np.broadcast_to(one, (3, 4)).copy()
    np.testing.assert_array_equal(row.run(one, several), row.run(spread, several))
    np.testing.assert_array_equal(row.run(several, one), row.run(several, spread))


@pytest.mark.parametrize("name", TABLE)
def test_copies_and_pickles_of_rows_are_the_rows(name: str) -> None:
    row = TABLE[name]
    for twin in (copy.copy(row), copy.deepcopy(row), pickle.loads(pickle.dumps(row))):
        assert twin is row


# ---- what passes of the compiler ask rows --------------------------------------------------------------


def test_one_instruction_without_errors_is_cheap() -> None:
    cheap = {name for name, row in TABLE.items() if row.lowering.is_cheap}
    assert {"add", "multiply", "negative", "cast", "maximum", "where", "equal", "logical_not", "identity"} < cheap
    # Several instructions, a division, a function, no expression, no element-wise operation.
    assert not cheap & {
        "relu6",
        "squared_difference",
        "divide",
        "floormod",
        "exp",
        "left_shift",
        "leaky_relu",
        "reshape",
    }
    assert {"whole_turns", "ends_turn"} < cheap  # they have no expression, and their rows say so


def test_cheap_rows_never_fail() -> None:
    for name in SCALARS:
        row = TABLE[name]
        if row.lowering.is_cheap and INT64 in row.dtypes:
            zeros = [np.zeros((), INT64)] * _compiled(name)[0]
            assert np.shape(row.run(*zeros)) == ()  # integer divisions refuse zeros


@pytest.mark.parametrize(
    ("name", "calls"),
    [
        ("add", 0),
        ("where", 0),
        ("relu6", 0),
        ("divide", 0),
        ("exp", 1),
        ("sigmoid", 1),
        ("softplus", 2),
        ("reshape", 0),
    ],
)
def test_functions_of_many_instructions_are_counted(name: str, calls: int) -> None:
    assert TABLE[name].lowering.function_calls == calls


def test_a_slope_is_the_derivative() -> None:
    x = np.linspace(-3, 3, 13)
    activations = [
        row for row in TABLE.values() if row.lowering.elementwise.derivative is not None and type(row) is Unary
    ]
    products = [
        row for row in TABLE.values() if row.lowering.elementwise.derivative is not None and type(row) is Binary
    ]
    assert activations
    assert {row.lowering.elementwise.derivative for row in activations} == {
        row.lowering.elementwise.derivative for row in products
    }
    for row in activations:
        with tf.GradientTape() as tape:
            tape.watch(t := tf.constant(x))
            y = row(t)
        np.testing.assert_allclose(
            row.lowering.elementwise.derivative(x), tape.gradient(y, t), rtol=1e-13, err_msg=row.name
        )
    for row in products:
        np.testing.assert_array_equal(
            row(x[::-1], x), x[::-1] * row.lowering.elementwise.derivative(x).numpy(), err_msg=row.name
        )


INDEX_MAPS: dict[str, tuple[list[np.ndarray], dict[str, Any]]] = {
    "stop_gradient": ([np.arange(24.0).reshape(2, 3, 4)], {}),
    "recomputed_input": ([np.arange(24.0).reshape(2, 3, 4)], {}),
    "split": ([np.arange(24.0).reshape(2, 3, 4)], {"sizes": (1, 2), "axis": 1}),
    "concat": ([np.arange(24.0).reshape(2, 3, 4), np.arange(16.0).reshape(2, 2, 4)], {"axis": 1}),
    "pad": ([np.arange(24.0).reshape(2, 3, 4), np.array(7.0)], {"paddings": ((0, 1), (2, 0), (1, 3))}),
    "strided_slice": ([np.arange(24.0).reshape(2, 3, 4)], {"key": ((0, 2, 1), (2, 0, -1), (1, 4, 2))}),
    "broadcast_to": ([np.arange(8.0).reshape(2, 1, 4)], {"shape": (2, 3, 4)}),
}


@pytest.mark.parametrize("perm", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row.lowering.index_map.transposed is not None])
def test_index_maps_before_a_transpose_give_the_elements_after_it(name: str, perm: tuple[int, ...]) -> None:
    row, (arrays, attributes) = TABLE[name], INDEX_MAPS[name]
    before = [x.transpose(np.argsort(perm)) if x.ndim else x for x in arrays]
    changed = row.lowering.index_map.transposed(perm, arrays[0].shape, **attributes)
    expected, got = row.run(*arrays, **attributes), row.run(*before, **{**attributes, **changed})
    for y, base in zip(*[x if isinstance(x, tuple | list) else [x] for x in (expected, got)], strict=True):
        np.testing.assert_array_equal(y, base.transpose(perm))


def test_no_row_of_a_comparison_has_a_gradient() -> None:
    for name in (
        "equal",
        "not_equal",
        "less",
        "greater",
        "floor",
        "ceil",
        "round",
        "rint",
        "floordiv",
        "argmax",
        "is_nan",
    ):
        assert TABLE[name].gradient is None, name
    x = tf.constant([0.5, 1.5])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        results = [tf.floor(x), tf.round(x), x // 2.0, tf.cast(x > 1.0, tf.float32), tf.cast(tf.argmax(x), tf.float32)]
        signs = tf.sign(x)
    assert [tape.gradient(y, x) for y in results] == [None] * len(results)
    assert tape.gradient(signs, x).numpy().tolist() == [0.0, 0.0]
