"""The functions and operators that a traced function may use give what NumPy and ``math`` give."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special

import fastgrad as fg
from fastgrad._src.custom_operations.symbols import FUNCTIONS, NotFollowedError
from fastgrad._src.custom_operations.tracer import trace

FLOAT32, FLOAT64, INT32, BOOL = map(np.dtype, (np.float32, np.float64, np.int32, bool))
X = np.array([-2.5, -1.0, -0.3, -0.0, 0.0, 0.4, 1.0, 1.5, 3.0, math.inf, -math.inf, math.nan])
Y = np.array([2.0, -0.5, 1.5, -1.0, 3.0, -2.0, 0.25, 1.0, -3.0, 2.0, 1.0, 1.0])


def run(function, *arrays):
    (formula,) = trace(function, tuple([x.dtype for x in arrays]))
    with np.errstate(all="ignore"):
        return formula.run(*arrays)


def reference(name):
    for module in (np, special, math):
        if hasattr(module, name):
            return np.vectorize(getattr(module, name), otypes=[float]) if module is math else getattr(module, name)
    raise AssertionError(name)


ONE = [name for name in FUNCTIONS if name not in {"float", "int", "where", "clip", "lgamma"}]
ODD = {
    "degrees": 1e-15,
    "lgamma": 1e-13,
    "gammaln": 1e-13,
    "psi": 1e-13,
    "digamma": 1e-13,
    "exp2": 1e-15,
    "log2": 1e-15,
    "log10": 1e-15,
}


def arity_of(name):
    function = getattr(np, name, None) or getattr(special, name, None)
    if isinstance(function, np.ufunc):
        return function.nin
    return {"pow": 2, "atan2": 2}.get(name, 1)


@pytest.mark.parametrize("name", ONE)
def test_functions_give_what_numpy_gives(name):
    arity = arity_of(name)
    whole = name.startswith("bitwise") or name in {"invert", "left_shift", "right_shift"}
    arrays = [np.array([5, 3, 12, 0]), np.array([3, 1, 2, 4])] if whole else [X, Y]
    if name in {"gammaln", "psi", "digamma"}:  # at their poles TensorFlow has other values
        arrays = [np.array([0.3, 1.0, 2.5, 40.0, math.nan])]
    arrays = arrays[:arity]
    function = getattr(special, name, None) or getattr(np, name, None) or getattr(math, name)
    namespace = {"function": function}
    code = "def call(x, y): return function(x, y)" if arity == 2 else "def call(x): return function(x)"
    exec(code, namespace)
    got = run(namespace["call"], *arrays)
    with np.errstate(all="ignore"):
        expected = reference(name if name != "pow" else "power")(*arrays) if name != "atan2" else np.arctan2(*arrays)
    assert got.dtype == np.asarray(expected).dtype
    np.testing.assert_allclose(got, expected, rtol=ODD.get(name, 1e-15), atol=1e-15 if name == "exp2" else 0)


def test_lgamma_is_that_of_math():
    x = np.array([0.5, 1.0, 2.5, 10.0])
    np.testing.assert_allclose(run(lambda x: -math.lgamma(x), x), [-math.lgamma(v) for v in x], atol=1e-15)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: x + y - 2 * x / y,
        lambda x, y: (x // y) + x % y,
        lambda x, y: 1 - x + (2 - y) * (3 / x) + 7 // y + 7 % y,
        lambda x, y: abs(x) ** y + 2.0**y,
        lambda x, y: x**1 + x**2 + x**3 + x**4 + x**5 + y**-1,
        lambda x, y: np.where(x > y, x, y) + np.where(x == y, 1, 2) + np.where((x < y) & ~(x <= 0), 1.0, 0.0),
        lambda x, y: np.clip(x, -1, 1) + np.maximum(x, 0.5) - np.minimum(y, 0.5),
        lambda x, y: (x != y) * 2.0 + ((x >= 0) | (y > 0)) + ((x < 0) ^ (y < 0)),
        lambda x, y: -x + +y + round(x) + math.floor(y) + math.ceil(x),
        lambda x, y: np.float64(0.5) * y * x + math.pi,
    ],
)
@pytest.mark.filterwarnings("ignore:Bitwise inversion:DeprecationWarning")  # of Python's own bool
def test_operators_give_what_numpy_gives(function):
    x, y = X[[0, 1, 2, 5, 6, 7, 8]], Y[[0, 1, 2, 5, 6, 7, 8]]
    plain = np.vectorize(function, otypes=[float])
    np.testing.assert_allclose(run(function, x, y), plain(x, y), rtol=1e-13)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: 1 / (1 + math.exp(-x)),
        lambda x: x / (math.exp(-x) + 1.0),
        lambda x: 2.0 / (1.0 + math.exp(2.0 * x)),
        lambda x: x / (1.0 + np.exp(x)),
    ],
)
def test_quotients_by_one_and_an_exponential_are_logistic_functions(function):
    (formula,) = trace(function, (FLOAT64,))
    rows = [term.operation.name for term in formula.terms if term.operation is not None]
    assert "sigmoid" in rows
    assert "divide" not in rows
    np.testing.assert_allclose(formula.run(X[:9]), [function(x) for x in X[:9].tolist()], rtol=1e-14)


def test_branches_and_builtin_functions_of_python():
    def function(x, y):
        if x > 0 and not y < 0:
            return max(x, y)
        return min(x, y, -1.0) if x != y else float(x)

    expected = [function(a, b) for a, b in zip(X.tolist(), Y.tolist(), strict=True)]
    np.testing.assert_array_equal(run(function, X, Y), expected)


@pytest.mark.parametrize("dtype", [FLOAT32, FLOAT64])
def test_python_numbers_take_the_dtype_that_they_meet(dtype):
    x = X.astype(dtype)
    assert run(lambda x: 0.5 * x + 1, x).dtype == dtype
    assert run(lambda x: np.float64(0.5) * x, x).dtype == dtype, "np.float64 is a Python float"
    assert run(lambda x: np.float32(0.5) * x, x).dtype == dtype


def test_integers_meet_numbers_as_in_numpy():
    x = np.array([3, -7, 100], np.int8)
    assert run(lambda x: x * 2 + 1, x).dtype == np.int8
    assert run(lambda x: x * 1000, x).dtype == np.int64, "1000 is no int8"
    assert run(lambda x: x * 0.5, x).dtype == FLOAT64
    assert run(lambda x: int(x / 2), x).tolist() == [1, -3, 50]
    assert run(lambda x: -math.exp(x), x).dtype == FLOAT64
    assert run(lambda x: (x > 0) + (x > 1), x).dtype == np.int64


def test_conversions():
    assert run(lambda x: -np.float32(x), X).dtype == FLOAT32
    assert run(lambda x: -float(x), np.array([1, 2])).dtype == FLOAT64


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda x: -math.gamma(x), "gamma"),
        (lambda x: [1, 2, 3][x], "value of a number"),
        (lambda x: "text", "no number"),
        (lambda x: x + "text", "no number"),
        (lambda x: pow(x, 2, 3), "modulus"),
        (lambda x: -np.add.reduce(x), "reduce"),
    ],
)
def test_what_no_formula_says_is_refused_with_the_line(function, reason):
    with pytest.raises(NotFollowedError, match=rf"test_symbols.py:\d+: .*{reason}"):
        trace(function, (FLOAT64,))


# ---- exact points ------------------------------------------------------------------------------------------

POWERS_OF_TEN = np.array([float(f"1e{k}") for k in range(-307, 309)])
POWERS_OF_TWO = 2.0 ** np.arange(-1074.0, 1024.0)
CORNERS = [0.0, -0.0, 1.0, -1.0, 2.0, -3.0, 0.5, 5.0, 7.5, 1e300, -1e-300, math.inf, -math.inf, math.nan]
FIRST, SECOND = (grid.ravel() for grid in np.meshgrid(CORNERS, CORNERS))


def by_math(function, *arrays):
    """What Python's function gives; NaN where it raises ValueError."""

    def value(*numbers):
        try:
            return function(*numbers)
        except ValueError:
            return math.nan

    return np.array([value(*map(float, numbers)) for numbers in zip(*arrays, strict=True)])


@pytest.mark.parametrize(
    ("function", "arrays"),
    [
        (math.log10, [POWERS_OF_TEN]),
        (math.log2, [POWERS_OF_TWO]),
        (lambda x: math.floor(math.log10(x)), [POWERS_OF_TEN]),
        (lambda x: 2.0**x, [np.arange(-1074.0, 1024.0)]),
        (lambda x: math.pow(10.0, x), [np.arange(23.0)]),
        (math.sqrt, [np.arange(2000.0) ** 2]),
        (lambda x, n: x**n, [grid.ravel() for grid in np.meshgrid(np.arange(-12.0, 13.0), np.arange(12.0))]),
        (math.remainder, [FIRST, SECOND]),
        (math.fmod, [FIRST, SECOND]),
        (math.copysign, [FIRST, SECOND]),
        (math.hypot, [FIRST, SECOND]),
        *[
            (math.hypot, [np.array([3.0, 5.0, 8.0]) * s, np.array([4.0, 12.0, 15.0]) * s])
            for s in (1.0, 2.0**1000, 2.0**-1060)
        ],
        *[
            (getattr(math, name), [np.array([0.0, -0.0])])
            for name in ("sin", "tan", "asin", "atan", "sinh", "tanh", "asinh")
        ],
        *[
            (getattr(math, name), [np.array([0.0, math.inf, -math.inf])])
            for name in ("erf", "erfc", "exp", "expm1", "atan")
        ],
        *[(getattr(math, name), [np.array([1.0, 2.0])]) for name in ("lgamma", "log2")],
        (math.atan2, [np.array([0.0, -0.0, 1.0, -1.0, 0.0, -0.0]), np.array([1.0, 1.0, 0.0, 0.0, -1.0, -1.0])]),
    ],
)
def test_exact_points_are_those_of_the_c_library(function, arrays):
    expected = by_math(function, *arrays)
    operation = fg.elementwise(_of_arity(function, len(arrays)))
    compiled = fg.function(operation)
    for found in (operation(*arrays), compiled(*arrays), compiled(*arrays)):
        np.testing.assert_array_equal(found.numpy(), expected)
        zeros = expected == 0
        np.testing.assert_array_equal(np.signbit(found.numpy()[zeros]), np.signbit(expected[zeros]))


def _of_arity(function, count):
    # `math` has no Python functions, which `elementwise` takes.
    return (lambda x: function(x)) if count == 1 else (lambda x, y: function(x, y))  # noqa: PLW0108


def test_sides_whose_squares_are_out_of_range_have_a_hypotenuse_and_a_gradient():
    hypot = fg.elementwise(_of_arity(math.hypot, 2))
    x, y = fg.constant([3e20, 1e-30, 3.0]), fg.constant([4e20, 0.0, 4.0])
    with fg.GradientTape() as tape:
        tape.watch([x, y])
        z = hypot(x, y)
    np.testing.assert_allclose(z.numpy(), [5e20, 1e-30, 5.0], rtol=1e-7)
    slopes = tape.gradient(z, [x, y])
    np.testing.assert_allclose([slope.numpy() for slope in slopes], [[0.6, 1.0, 0.6], [0.8, 0.0, 0.8]], rtol=1e-6)


# ---- operations that may fail ------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.int64, np.int32])
@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: x // y if y != 0 else 0,
        lambda x, y: 0 if y == 0 else x // y,
        lambda x, y: x % y if y != 0 else -1,
        lambda x, y: 1 if y != 0 and x // y > 2 else 0,
        lambda x, y: (x % y if x > y else y % x) if x != 0 and y != 0 else 0,
        lambda x, y: x**y if y >= 0 else 0,
        lambda x, y: divided(x, y) if y != 0 else 0,
    ],
)
def test_conditions_protect_operations_of_integers_that_may_fail(function, dtype):
    x, y = np.array([7, 5, 0, 9, 2], dtype), np.array([2, 0, 0, -3, 3], dtype)
    expected = [function(int(a), int(b)) for a, b in zip(x, y, strict=True)]
    operation = fg.elementwise(function)
    for call in (operation, fg.function(operation)):
        for _ in range(3):
            assert call(x, y).numpy().tolist() == expected


def divided(x, y):
    return x // y


def test_an_error_of_a_nested_operation_is_not_raised_in_a_branch_that_is_not_taken():
    @fg.elementwise
    def positive(x):
        if x < 0:
            raise ValueError("negative")
        return x

    whole = fg.elementwise(lambda x, y: x // y)
    assert fg.elementwise(lambda x: positive(x) if x > 0 else 0.0)([1.0, -1.0]).numpy().tolist() == [1, 0]
    assert fg.elementwise(lambda x, y: whole(x, y) if y != 0 else 0)([7, 5], [2, 0]).numpy().tolist() == [3, 0]


@pytest.mark.parametrize("number", [2**63, 2**70])
def test_integers_out_of_range_are_refused(number):
    with pytest.raises(fg.errors.InvalidArgumentError, match=rf"{number} beside int64.*Write it as a float"):
        fg.elementwise(lambda x: x + number)(np.array([1]))
