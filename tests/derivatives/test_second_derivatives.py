"""Second derivatives: reverse mode of the function of tangents, and functions of tangents that others call."""

import cmath
import math
from typing import NamedTuple

import numba
import numpy as np
import pytest

import fastgrad as fg
from tests.derivatives import central
from tests.derivatives.interpreted import tangent_and_gradients, value_and_gradients

X = np.array([0.4, 1.3, 0.7, 2.1])
T = np.array([1.0, -0.5, 2.0, 0.3])


def assert_second_derivative_is_that_of_gradients(function, *arguments):
    """Compares the gradient of the tangent along ``T`` with central differences of gradients."""
    directions = (T[: arguments[0].size].reshape(arguments[0].shape), *[np.zeros_like(x) for x in arguments[1:]])
    (_, tangent), found = tangent_and_gradients(function, arguments, directions, (0.0, 1.0))
    _, gradients = value_and_gradients(function, arguments, 1.0)
    assert tangent == pytest.approx(np.sum(gradients[0] * directions[0]), rel=1e-10, abs=1e-12)
    for place, second in enumerate(found[: len(arguments)]):

        def moved(step, place=place):
            return value_and_gradients(function, (arguments[0] + step * directions[0], *arguments[1:]), 1.0)[1][place]

        step = 2.0**-10
        pairs = [(moved(h) - moved(-h)) / (2 * h) for h in (step, step / 2)]
        right = pairs[1] + (pairs[1] - pairs[0]) / 3
        np.testing.assert_allclose(second, right, rtol=1e-6, atol=1e-8)
    for of_tangent, gradient in zip(found[len(arguments) :], gradients, strict=True):
        np.testing.assert_allclose(of_tangent, gradient, rtol=1e-11, atol=1e-12)


def normalized_in_a_loop(x):
    p, total = np.ones(x.size) / x.size, 0.0
    for t in range(3):
        q = np.zeros(x.size)
        for j in range(x.size):
            q[j] += p[j] * x[j] + t
        c = q.sum()
        total += math.log(c)
        p = q / c
    return total


def softmax_rows(x):
    a = np.exp(x.reshape(2, -1))
    for i in range(a.shape[0]):
        a[i] /= a[i].sum()
    return (a[0] * a[1]).sum() + a.max()


def loop_that_ends(x):
    y, n = x[0], 0
    while y < 20.0 and n < 9:
        y = y * x[1] + math.sqrt(x[2] * n + 0.1)
        if n == 3:
            n += 2
            continue
        n += 1
    return y


def branches(x):
    total = 0.0
    for value in x:
        if value > 1.0:
            total += value**3 if value < 2.0 else math.log(value)
        else:
            total += min(value, 0.5) * max(total, value)
    return total * np.prod(x)


def exchanged(x):
    a, b = x.copy(), np.zeros_like(x)
    for t in range(3):
        for i in range(x.size):
            b[i] = a[i] * a[i - 1] + 0.1 * t
        a, b = b, a
    return (a * b).sum()


def written_argument_of_a_call(x):
    def change(y):
        y[0] = y[1] * y[0]

    z = x.copy()
    change(z[1:])
    change(z)
    return (z * z * x).sum()


def list_of_arrays(x):
    rows = [x * x]
    for i in range(2):
        rows.append(rows[i] * x[i])
    return (rows[1] * rows[2]).sum()


def linear_system(x):
    a = np.eye(2) + x.reshape(2, 2)
    return (np.linalg.solve(a, x[:2]) ** 2).sum() + np.linalg.det(a)


@pytest.mark.parametrize(
    "function",
    [
        normalized_in_a_loop,
        softmax_rows,
        loop_that_ends,
        branches,
        exchanged,
        written_argument_of_a_call,
        list_of_arrays,
        linear_system,
    ],
    ids=lambda function: function.__name__,
)
def test_reverse_mode_of_tangents_agrees_with_differences_of_gradients(function):
    assert_second_derivative_is_that_of_gradients(function, X)


COMPLEX_FUNCTIONS = [
    *(cmath.exp, cmath.log, cmath.log10, cmath.sqrt, cmath.sin, cmath.cos, cmath.tan),
    *(cmath.sinh, cmath.cosh, cmath.tanh, cmath.asin, cmath.acos, cmath.atan, cmath.asinh, cmath.acosh, cmath.atanh),
    *(np.exp2, np.expm1, np.log1p, np.log2, np.reciprocal, np.conjugate, abs, cmath.phase),
]


@pytest.mark.parametrize("function", COMPLEX_FUNCTIONS, ids=lambda function: function.__name__)
def test_second_derivatives_of_functions_of_complex_numbers(function):
    def parts(x):
        z = complex(x[0], -x[1])
        w = function(z) * z
        return w.real * w.imag + w.real**2

    assert_second_derivative_is_that_of_gradients(parts, X[:2])


def powers(x):
    z = complex(x[0], -x[1])
    w = z ** (0.3 + 0.2j) + (2.0 + 1j) ** z + z**2 + (z + 1.0) / (z * z + 2.0)
    return w.real * w.imag


def array_of_complex_numbers(x):
    z = np.array([complex(x[0], x[1]), complex(x[1], x[2])])
    w = np.exp(z) * np.sqrt(z) + np.tanh(z)
    total = 0j
    for _ in range(3):
        w = w * z / np.abs(w)
        total += w.sum()
    return total.real * total.imag


@pytest.mark.parametrize("function", [powers, array_of_complex_numbers], ids=lambda function: function.__name__)
def test_second_derivatives_of_complex_expressions(function):
    assert_second_derivative_is_that_of_gradients(function, X)


# ---- functions of tangents that other functions call -----------------------------------------------------------------


@numba.njit
def of_rows(x, w):
    y = x.reshape(2, -1)
    total = 0.0
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            total += math.sin(y[i, j]) * w**2
    return total * x[0]


@numba.njit
def raising(x, kind):
    if x < 0.0:
        raise ValueError("negative")
    if kind == "sin":
        return math.sin(x) * x
    return x**3


@numba.njit
def writing(x):
    x[0] = x[0] * x[1]
    return (x * x).sum()


@numba.njit
def writing_one_of_two(x, y):
    x[0] = x[0] * x[1]
    x[1] = x[0] * y[1] + x[1] * y[0]
    return (x * x).sum() * y[0]


@numba.njit
def squares(x):
    return x * x


class Point(NamedTuple):
    u: np.ndarray
    n: int
    w: tuple[float]


@numba.njit
def of_a_tuple(p, scale):
    return (p[0] ** 3).sum() * p[1] * p[2][0] ** 2 * scale


@numba.njit
def of_a_function(f, none, x):
    return (f(x) ** 2).sum() if none is None else 0.0


@numba.njit
def complex_product(z):
    return cmath.exp(z) * z


@numba.njit
def solving(x):
    return np.linalg.solve(np.eye(2) + x[:2, :2], x[2, :2])


@numba.njit
def one_of_several_arrays(x, n):
    a = x
    if n > 1:
        a = x * 2.0
    b = np.zeros(2)
    for _ in range(2):
        b = a * b + a
        a = b
    return a * b


of_rows_tangent = fg.jvp(of_rows, argnums=(0, 1))
raising_tangent = fg.jvp(raising, argnums=0)
writing_tangent = fg.jvp(writing, argnums=0)
tuple_gradient = fg.grad(of_a_tuple)
value_and_gradients_of_tuple = fg.value_and_grad(of_a_tuple, argnums=(1, 0))
called_gradient = fg.grad(of_a_function, argnums=2)
writing_one_tangent = fg.jvp(writing_one_of_two, argnums=1)
complex_tangent = fg.jvp(complex_product, argnums=0)
solving_tangent = fg.jvp(solving, argnums=0)
solving_jacobian = fg.jacobian(solving)
several_tangent = fg.jvp(one_of_several_arrays, argnums=0)


def rows_of_an_array(x):
    total = 0.0
    for i in range(x.shape[0] - 1):
        value, tangent = of_rows_tangent(x[i], x[0, 0], x[i + 1], 2.0)
        total += value * tangent
    return total


def caught(x):
    total = 0.0
    for value in (x[0, 0], x[0, 1] - 5.0, x[1, 0]):
        try:
            _, tangent = raising_tangent(value, "sin", 1.0)
            total += tangent * value
            _, tangent = raising_tangent(value * value, "cube", value)
            total += tangent
        except Exception:  # noqa: BLE001  # Numba catches no other
            total += 2.0 * value**2
    return total


def of_a_function_that_writes(x):
    y = x[0].copy()
    value, tangent = writing_tangent(y[1:], x[1, :-1])
    return value * tangent + (y * y * x[0]).sum()


def of_a_tangent_that_is_a_written_argument(x):
    y = x[0, :2].copy()
    value, tangent = writing_one_tangent(y, x[1, :2], y)
    return value * tangent + (y * y).sum()


def of_tuples(x):
    u, _, (w,) = tuple_gradient((x[0], 3, (x[1, 1],)), x[0, 0])
    value, (scale, (v, _, _)) = value_and_gradients_of_tuple(Point(x[0] * x[1], 2, (x[2, 0],)), x[0, 1])
    return (u * x[1]).sum() * w + value * scale * (v * u).sum()


def of_a_function_that_is_an_argument(x):
    return (called_gradient(squares, None, x[0]) * x[1]).sum()


def of_complex_numbers(x):
    value, tangent = complex_tangent(complex(x[0, 0], 0.3), complex(0.5, x[0, 1]))
    return (value * tangent).real + tangent.imag


def of_a_linear_system(x):
    value, tangent = solving_tangent(x, x * x)
    _, other = solving_tangent(x * 0.5, x * 2.0)
    return (value * tangent).sum() + (other * other).sum()


def of_a_jacobian(x):
    return (solving_jacobian(x) ** 2).sum()


def of_one_of_several_arrays(x):
    total = 0.0
    for i in range(2):
        value, tangent = several_tangent(x[i, :2], i, x[:2, i])
        total += (value * tangent).sum()
    return total


@pytest.mark.parametrize(
    "function",
    [
        rows_of_an_array,
        caught,
        of_a_function_that_writes,
        of_a_tangent_that_is_a_written_argument,
        of_tuples,
        of_a_function_that_is_an_argument,
        of_complex_numbers,
        of_a_linear_system,
        of_a_jacobian,
        of_one_of_several_arrays,
    ],
    ids=lambda function: function.__name__,
)
def test_a_function_that_calls_a_function_of_tangents_has_derivatives(function):
    x = np.random.default_rng(1).normal(size=(3, 4)) + 0.5
    compiled = numba.njit(function)
    _, (found,) = value_and_gradients(compiled, (x,), 1.0)
    for index in np.ndindex(x.shape):

        def moved(step, index=index):
            y = x.copy()
            y[index] += step
            return compiled(y)

        right, error = central.extrapolated(moved, 2.0**-8, np.finfo(float).eps)
        assert found[index] == pytest.approx(right, rel=1e-8, abs=float(error) + 1e-8)


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("step", [-1, 1, 2])
def test_arguments_that_share_memory_which_a_function_of_tangents_writes_are_an_error(apart, step):
    @numba.njit
    def shared(x, n):
        y = x * x
        return writing_one_tangent(y[:n][::step], y[n - 1 + apart :], x[n - 1 + apart :])[1]

    x = np.linspace(0.5, 1.5, 6)
    if apart:
        _, (gradient,) = value_and_gradients(shared, (x, 3), 1.0, (0,))
        h = 2.0**-16
        assert gradient.sum() == pytest.approx((shared(x + h, 3) - shared(x - h, 3)) / (2 * h), rel=1e-6)
        return
    with pytest.raises(ValueError, match="the arguments x and y share memory"):
        value_and_gradients(shared, (x, 3), 1.0, (0,))


def test_two_calls_of_one_function_of_tangents_have_names_of_their_own():
    @numba.njit
    def cube(x):
        return x[0] ** 3

    slope = fg.jvp(cube, argnums=0)

    def both(x):
        return slope(x[:1], x[:1])[1] * slope(x[1:2], x[:1])[1]

    _, (found,) = value_and_gradients(numba.njit(both), (X,), 1.0)
    a, b = X[:2]
    np.testing.assert_allclose(found, [36 * a**3 * b**2, 18 * a**4 * b, 0.0, 0.0], rtol=1e-12)


@numba.njit
def squared_repeatedly(x, depth):
    if depth == 0:
        return x * 2.0
    return squared_repeatedly(x * x[::-1], depth - 1)


@numba.njit
def power(matrix, n):
    if n == 0:
        return np.eye(matrix.shape[0])
    half = power(matrix, n // 2)
    return half @ half @ matrix if n % 2 else half @ half


@numba.njit
def halves(x, depth):
    """Arrays of two sizes, and a number."""
    if depth == 0:
        return x * x, x[: x.size // 2] * 1.0, x.sum()
    first, second, total = halves(np.sin(x), depth - 1)
    return first * x, second * total, total


@pytest.mark.parametrize("size", [2, 5])
@pytest.mark.parametrize("depth", [0, 1, 3])
def test_recursive_functions_that_return_arrays(size, depth):
    @numba.njit
    def function(x):
        first, second, total = halves(x, depth)
        matrix = np.outer(x, x) + np.eye(x.size)
        return (
            squared_repeatedly(x, depth)[0] + (first * first).sum() + second.sum() * total + power(matrix, depth)[0, 1]
        )

    x = np.linspace(0.6, 1.1, size)
    gradient, hessian = fg.grad(function), fg.hessian(function)(x)
    (by_differences,), _ = central.reference(function, (x,), (0,))
    np.testing.assert_allclose(gradient(x), by_differences.astype(float), rtol=1e-8)
    for row in range(size):
        direction = np.eye(size)[row]
        step = 1e-4 * direction
        slope = (
            8 * (gradient(x + step) - gradient(x - step)) - (gradient(x + 2 * step) - gradient(x - 2 * step))
        ) / 12e-4
        np.testing.assert_allclose(hessian[row], slope, rtol=1e-6, atol=1e-7)
