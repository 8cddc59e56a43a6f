"""A derivative raises what the function raises: for sizes below 0, shapes that do not fit, and powers and quotients of 0."""

import inspect
import math

import numpy as np
import pytest
from numba import njit, typeof

import fastgrad as fg
from fastgrad._src.derivatives.codegen.functions_of_code import with_text

X = np.arange(1.0, 5.0)
FEW = np.array([0.0, 3.0])
NONE = np.zeros(0)
LAST_IS_NAN = np.array([1.0, -3.0, math.nan])
VECTOR = typeof(X)


@njit
def zeros(k):
    return np.zeros(k)


@njit
def unread_array(x, k):
    np.zeros(k)
    return x[0]


@njit
def unread_reshape(x, k):
    x.reshape((k, 2))
    return x[0]


@njit
def caught_size(x, k):
    try:
        result = x[0] + np.zeros(k).sum()
    except Exception:  # noqa: BLE001  # the one that Numba compiles
        result = x[1] * x[1]
    return result


@njit
def caught_power(x, k):
    try:
        result = x[0] ** k
    except Exception:  # noqa: BLE001  # the one that Numba compiles
        result = x[1] * x[1]
    return result


@njit
def item_of_slice(x, k):
    items = [x[0], x[1], x[2]]
    return items[k:][0]


@njit
def sum_of_slice(x, k):
    items = [x[0], x[1], x[2]]
    return sum(items[1:k])


CASES = {
    "an item of a slice of a list": (item_of_slice, X, 1),
    "an item of a slice of a list from its end": (item_of_slice, X, -1),
    "an item of an empty slice of a list": (item_of_slice, X, 9),
    "a slice of a list": (sum_of_slice, X, 2),
    "zeros": (njit(lambda x, k: x[0] * len(np.zeros(k)) + np.zeros(k).sum()), X, -1),
    "zeros of a difference": (njit(lambda x, k: x[0] + np.zeros(len(x) - k).size), X, 9),
    "zeros of integers": (njit(lambda x, k: x[0] * np.zeros(k, np.int64).sum()), X, -1),
    "zeros of a callee": (njit(lambda x, k: x[0] * zeros(k).sum()), X, -1),
    "zeros of a constant": (njit(lambda x: x[0] * np.zeros(-1).sum()), X),
    "zeros of 2**63 and above": (njit(lambda x, k: x[0] * np.zeros(np.uint64(k)).size), X, -1),
    "zeros of an unsigned number": (njit(lambda x, k: x[0] * np.zeros(np.uint64(k)).size), X, 3),
    "empty": (njit(lambda x, k: x[0] * np.empty((2, k)).size), X, -1),
    "ones": (njit(lambda x, k: x[0] * np.ones((k, 2)).sum()), X, -1),
    "full": (njit(lambda x, k: x[0] * np.full(k, 2.0).sum()), X, -1),
    "linspace": (njit(lambda x, k: x[0] * np.linspace(0.0, 1.0, k).sum()), X, -1),
    "eye": (njit(lambda x, k: x[0] * np.eye(k).sum()), X, -1),
    "identity": (njit(lambda x, k: x[0] * np.identity(k).sum()), X, -1),
    "broadcast_to": (njit(lambda x, k: np.broadcast_to(x, (k, 4)).sum()), X, -1),
    "broadcast_to one element": (njit(lambda x: np.broadcast_to(x, (1,)).sum()), X),
    "broadcast_to one row": (njit(lambda x, k: np.broadcast_to(x.reshape(2, 2), (k, 2)).sum()), X, 1),
    "extract by a shorter condition": (njit(lambda x, y: np.extract(y > 1.0, x).sum()), X, X[:3]),
    "extract by a longer condition": (njit(lambda x, y: np.extract(y > 1.0, x).sum()), X[:2], X),
    "extract by a longer condition that is False": (njit(lambda x, y: np.extract(y < 2.0, x).sum()), X[:2], X),
    "extract of nothing": (njit(lambda x, y: np.extract(y > 1.0, x).sum()), NONE, X),
    "quantile at NaN": (njit(lambda x, d: 2.0 * np.quantile(x, d)), X, math.nan),
    "quantile at a number above 1": (njit(lambda x, d: 2.0 * np.quantile(x, d)), X, 1.5),
    "random numbers": (njit(lambda x, k: x[0] * np.random.normal(0.0, 1.0, k).sum()), X, -1),
    "an array that nothing reads": (unread_array, X, -1),
    "a caught size": (caught_size, X, -1),
    "a size within try": (caught_size, X, 2),
    "reshape to one size below 0": (njit(lambda x, k: x.reshape(k, 2)[1, 0]), X, -3),
    "reshape to two sizes below 0": (njit(lambda x, k: x.reshape(k, -1).sum()), X, -2),
    "reshape to two sizes below 0 of arguments": (njit(lambda x, k, m: x.reshape(k, m).sum()), X, -2, -1),
    "reshape to two constant sizes below 0": (njit(lambda x: x.reshape((-1, -2)).sum()), X),
    "reshape of no elements": (njit(lambda x, k: x[:0].reshape((k, 3)).sum() + x[0]), X, -1),
    "reshape to another number of elements": (njit(lambda x, k, m: x.reshape(k, m).sum()), X, 3, 2),
    "reshape to no number of rows": (njit(lambda x, k: x.reshape(k, 3).sum()), X, -1),
    "a reshape that nothing reads": (unread_reshape, X, 3),
    "reciprocal by a power": (njit(lambda d: d**-1), 0.0),
    "power that underflows": (njit(lambda d: d**-2), 1e-200),
    "power of another number": (njit(lambda d: d**-3), 1.7),
    "power of a small float": (njit(lambda d: d**-3), np.float32(1.7)),
    "power of an argument": (njit(lambda d, k: d**k), 0.0, -1),
    "power of an argument that is defined": (njit(lambda d, k: d**k), 2.0, -3),
    "power of so many factors that C computes it": (njit(lambda d, k: d**k), 0.0, -(1 << 17)),
    "power of an integer": (njit(lambda d, k: d * 0**k), 1.0, -1),
    "the built-in power of a constant exponent": (njit(lambda x, k: x[0] * pow(k, -1)), X, 0),
    "the built-in power of a float": (njit(lambda d, k: 2.0 * pow(d, k)), 0.0, -1),
    "the built-in power of another float": (njit(lambda d, k: 2.0 * pow(d, k)), 1.7, -3),
    "powers of an array": (njit(lambda x, k: (x**k).sum()), FEW, -1),
    "NumPy's power": (njit(lambda d, k: 2.0 * np.power(d, k)), 0.0, -1),
    "a caught power": (caught_power, FEW, -2),
    "a power within try": (caught_power, X, -2),
    "variance of nothing": (njit(lambda x: np.var(2.0 * x)), NONE),
    "standard deviation of nothing": (njit(lambda x: 2.0 * x.std()), NONE),
    "variance of nothing with NumPy's errors": (njit(error_model="numpy")(lambda x: np.var(2.0 * x)), NONE),
    "norm with an infinite number": (njit(lambda x: np.linalg.norm(2.0 * x)), X * math.inf),
    "largest norm before NaN": (njit(lambda x: 2.0 * np.linalg.norm(x, np.inf)), LAST_IS_NAN),
    "largest norm after NaN": (njit(lambda x: 2.0 * np.linalg.norm(x, np.inf)), LAST_IS_NAN[::-1].copy()),
    "smallest norm before NaN": (njit(lambda x: 2.0 * np.linalg.norm(x, -np.inf)), LAST_IS_NAN),
    "largest norm of nothing": (njit(lambda x: 2.0 * np.linalg.norm(x, np.inf)), NONE),
    "norm of columns of NaN": (njit(lambda x: 2.0 * np.linalg.norm(x, 1)), np.eye(2) * math.nan),
    "norm of no columns": (njit(lambda x: 2.0 * np.linalg.norm(x, 1)), np.zeros((0, 2))),
    "norm by singular values of no matrix": (njit(lambda x: 2.0 * np.linalg.norm(x, 2)), np.zeros((0, 2))),
    "condition number of zeros": (njit(lambda x: 2.0 * np.linalg.cond(x)), np.zeros((2, 2))),
    "least squares of other sizes": (njit(lambda x, y: np.linalg.lstsq(x, y)[0].sum()), np.eye(2), X),
    "max of an empty list": (njit(lambda x, k: max([x[i] for i in range(k)])), X, 0),
    "min of an empty list": (njit(lambda x, k: min([x[i] for i in range(k)])), X, 0),
    "max of an empty array": (njit(lambda x: 2.0 * max(x)), NONE),
    "the built-in max before NaN": (njit(lambda x: 2.0 * max(x)), LAST_IS_NAN),
    "the built-in min after NaN": (njit(lambda x: 2.0 * min(x)), LAST_IS_NAN[::-1].copy()),
    "small integers of an array": (njit(lambda x: x[0] * x.astype(np.int32).sum()), X * 1e10),
    "mean of nothing": (njit(lambda x: np.mean(2.0 * x)), NONE),
}
MATRICES = {
    "Cholesky factor": njit(lambda a: np.linalg.cholesky(a).sum()),
    "Cholesky factor times NaN": njit(lambda a: np.linalg.cholesky(a).sum() * math.nan),
    "solution times NaN": njit(lambda a: np.linalg.solve(a, a[0]).sum() * math.nan),
    "eigenvalues times NaN": njit(lambda a: np.linalg.eigh(a)[0].sum() * math.nan),
}


def tangent_of(value):
    return 0 if isinstance(value, int) else np.ones_like(value)


def value_by_vjp(f, *arguments):
    value, pullback = fg.vjp(f, *arguments)
    pullback(1.0)
    return value


def none_of(result):
    return None


MODES = {
    "value_and_grad": lambda f, *arguments: fg.value_and_grad(f)(*arguments)[0],
    "vjp": value_by_vjp,
    "jvp": lambda f, *arguments: fg.jvp(f, arguments, tuple(map(tangent_of, arguments)))[0],
    "grad": lambda f, *arguments: none_of(fg.grad(f)(*arguments)),
    "jacobian": lambda f, *arguments: none_of(fg.jacobian(f)(*arguments)),
    "hvp": lambda f, *arguments: none_of(fg.hvp(f)(*arguments, tangent_of(arguments[0]))),
    "hessian": lambda f, *arguments: none_of(fg.hessian(f)(*arguments)),
}
"""What computes the value of a function, or None, on the way to its derivative."""


def outcome(function, *arguments):
    """Returns the value of a call, or the class of its error."""
    try:
        return function(*arguments)
    except Exception as error:  # noqa: BLE001  # any error is compared
        return type(error)


def assert_same_outcome(derivative, expected):
    if isinstance(expected, type) or isinstance(derivative, type):
        assert derivative is expected
    elif derivative is not None:
        np.testing.assert_allclose(derivative, expected, rtol=1e-6)


@pytest.mark.parametrize("mode", ["value_and_grad", "vjp", "jvp"])
@pytest.mark.parametrize("name", CASES)
def test_a_derivative_raises_what_the_function_raises(name, mode):
    function, *arguments = CASES[name]
    assert_same_outcome(outcome(MODES[mode], function, *arguments), outcome(function, *arguments))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "name", ["zeros", "an array that nothing reads", "reshape to two sizes below 0", "powers of an array"]
)
def test_every_transform_raises_what_the_function_raises(name, mode):
    function, *arguments = CASES[name]
    expected = outcome(function, *arguments)
    assert isinstance(expected, type)
    assert outcome(MODES[mode], function, *arguments) is expected


@pytest.mark.parametrize("size", [3, 9])
@pytest.mark.parametrize("element", [1.0, math.nan, math.inf])
@pytest.mark.parametrize("mode", ["value_and_grad", "jvp"])
@pytest.mark.parametrize("name", MATRICES)
def test_a_matrix_function_with_a_value_has_a_derivative(name, mode, element, size):
    matrix = np.eye(size) * size + np.diag(np.arange(float(size))) + 0.1
    matrix[0, 0] *= element
    function = MATRICES[name]
    assert_same_outcome(outcome(MODES[mode], function, matrix), outcome(function, matrix))


last_of_flat = njit(lambda x: x.flat[-1] * x.flat[0])


@pytest.mark.parametrize("mode", ["value_and_grad", "jvp"])
def test_python_decides_where_numba_reads_other_memory(mode):
    assert MODES[mode](last_of_flat, X) == 4.0


@njit
def arrays_of_known_sizes(x):
    n = len(x)
    total = x[0]
    for i in range(n):
        total += np.zeros(i + 1).sum() + np.ones((n // 2, min(n, 3), max(n - 9, 0))).sum() + np.empty(2 * n % 5).size
    return total + np.zeros_like(x).sum() + x.reshape(-1)[0] + x.reshape(x.size)[0]


@pytest.mark.parametrize(("transform", "types"), [(fg.value_and_grad, (VECTOR,)), (fg.hvp, (VECTOR, VECTOR))])
def test_sizes_that_are_known_to_be_at_least_0_are_not_checked(transform, types):
    text = inspect.getsource(with_text(transform(arrays_of_known_sizes).derive(types)))
    assert "zeros" in text
    assert "checked_size" not in text
    assert "checked_first_size" not in text
