"""`fg.adjoint`: adjoints that users give, against central differences; and what is wrong with one is said."""

import ctypes
import ctypes.util
from typing import NamedTuple

import numba
import numpy as np
import pytest

import fastgrad as fg
from tests.derivatives.interpreted import forward, tangent_and_gradients, value_and_gradients
from tests.derivatives.table import A, V

MATRIX = A / 8.0
LIBM = ctypes.CDLL(ctypes.util.find_library("m"))
J0, J1 = LIBM.j0, LIBM.j1
for _bessel in (J0, J1):
    _bessel.argtypes, _bessel.restype = [ctypes.c_double], ctypes.c_double


@numba.njit
def root(a):
    """The square root by Newton's method."""
    x = max(1.0, a)
    while abs(x * x - a) > 1e-14 * a:
        x = 0.5 * (x + a / x)
    return x


@fg.adjoint(root)
def root_adjoint(g, x, a):
    return 0.5 * g / x


@numba.njit
def fixed_point(w, x):
    """The solution of z = tanh(w @ z + x)."""
    z = np.zeros_like(x)
    change = 1.0
    while change > 1e-15:
        new = np.tanh(w @ z + x)
        change = np.max(np.abs(new - z))
        z = new
    return z


@fg.adjoint(fixed_point)
def fixed_point_adjoint(g, z, w, x):
    slope = 1.0 - z * z
    u = slope * np.linalg.solve(np.eye(z.size) - w.T * slope, g)
    return np.outer(u, z), u


@fg.adjoint(J0)
def j0_adjoint(g, y, x):
    return -g * J1(x)


@numba.njit
def layers(w, x):
    """Calls an implicit layer in a loop, in a branch, and by a helper."""
    total = 0.0
    for number in range(3):
        x = fixed_point(w, x) if number != 1 else twice(w, x)
        total += x[0] * x[1]
    return total + np.sum(x * x)


twice = numba.njit(lambda w, x: 2.0 * fixed_point(w, 0.5 * x))


@numba.njit
def roots(v):
    total = 0.0
    for i in range(v.size):
        if v[i] > 0.5:
            total += root(v[i]) ** 3
    return total


@numba.njit
def bessel(x):
    total = 0.0
    for number in range(1, 4):
        total += J0(x * number) * number
    return total


def differences(function, value, step=1e-5):
    gradient = np.zeros_like(value)
    for index in np.ndindex(value.shape):
        moved = np.zeros_like(value)
        moved[index] = step
        gradient[index] = (function(value + moved) - function(value - moved)) / (2.0 * step)
    return gradient


def test_an_implicit_layer_in_a_loop_has_both_modes_and_second_derivatives():
    _, (of_w, of_x) = value_and_gradients(layers, (MATRIX, V), 1.0)
    np.testing.assert_allclose(of_w, differences(lambda w: layers(w, V), MATRIX), rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(of_x, differences(lambda x: layers(MATRIX, x), V), rtol=1e-8, atol=1e-9)
    text = forward(layers, (MATRIX, V))
    t = np.array([0.5, -1.0, 2.0])
    _, tangent = text(MATRIX, V, A, t)
    assert tangent == pytest.approx(np.sum(of_w * A) + of_x @ t, rel=1e-12)
    _, seconds = tangent_and_gradients(layers, (MATRIX, V), (A, t), (0.0, 1.0))
    expected = differences(lambda x: text(MATRIX, x, A, t)[1], V)
    np.testing.assert_allclose(seconds[1], expected, rtol=1e-7, atol=1e-8)
    expected = differences(lambda w: text(w, V, A, t)[1], MATRIX)
    np.testing.assert_allclose(seconds[0], expected, rtol=1e-7, atol=1e-8)


def test_a_root_has_derivatives_to_any_order():
    v = np.array([0.3, 1.7, 4.0])
    _, (gradient,) = value_and_gradients(roots, (v,), 1.0)
    np.testing.assert_allclose(gradient, [0.0, *1.5 * np.sqrt(v[1:])], rtol=1e-12)
    _, (second, _) = tangent_and_gradients(roots, (v,), (np.ones(3),), (0.0, 1.0))
    np.testing.assert_allclose(second, [0.0, *0.75 / np.sqrt(v[1:])], rtol=1e-12)
    assert fg.grad(root)(4.0) == pytest.approx(0.25)
    assert fg.grad(fg.grad(fg.grad(root)))(4.0) == pytest.approx(3.0 / 256.0)


def test_a_function_of_ctypes_has_an_adjoint():
    fg.check_gradients(bessel, 0.7)
    with pytest.raises(fg.errors.DifferentiationError, match=r"test_adjoints.py:\d+: j1 has no adjoint"):
        fg.grad(numba.njit(lambda x: J1(x) * x))(0.7)
    with pytest.raises(fg.errors.DifferentiationError, match="j1 has no adjoint"):
        fg.hessian(bessel)(0.7)


def test_a_function_of_cfunc_has_an_adjoint():
    @numba.cfunc("float64(float64)")
    def cube(x):
        return x**3

    with pytest.raises(fg.errors.DifferentiationError, match="cube has no adjoint"):
        value_and_gradients(lambda x: 2.0 * cube(x), (2.0,), 1.0)
    fg.adjoint(cube)(lambda g, y, x: 3.0 * g * x * x)
    assert value_and_gradients(lambda x: 2.0 * cube(x), (2.0,), 1.0) == (16.0, (24.0,))


def test_a_python_function_has_an_adjoint():
    def half(x):
        return x * 0.5

    @fg.adjoint(half)
    def half_adjoint(g, y, x):
        return 7.0 * g

    assert fg.grad(half)(1.0) == 7.0


def test_the_derivative_is_zero():
    detached = numba.njit(lambda x: 2.0 * x)
    assert fg.adjoint(detached, zero=True) is detached
    assert value_and_gradients(lambda x: x * detached(x), (3.0,), 1.0) == (18.0, (6.0,))
    assert forward(lambda x: x * detached(x), (3.0,))(3.0, 1.0) == (18.0, 6.0)


class Pair(NamedTuple):
    scale: float
    shift: float


def test_results_and_arguments_are_tuples_integers_and_functions():
    plus = numba.njit(lambda x: x + 1.0)

    @numba.njit
    def several(x, pair, n, function):
        return function(np.sum(x)) * pair.scale + pair.shift * n, n, x * pair.scale

    @fg.adjoint(several)
    def several_adjoint(g, no_g, g_array, y, count, array, x, pair, n, function):
        assert no_g is None
        of_x = np.full_like(x, g * pair.scale) + g_array * pair.scale
        return of_x, (g * function(np.sum(x)) + np.sum(g_array * x), g * n), None, None

    def used(x, scale, shift):
        y, n, array = several(x, Pair(scale, shift), 3, plus)
        return y * n + array[1] ** 2

    _, gradients = value_and_gradients(used, (V, 1.5, 0.2), 1.0)
    scaled = np.array([0.0, 2.0 * V[1] * 1.5**2, 0.0])
    np.testing.assert_allclose(gradients[0], 3.0 * 1.5 + scaled)
    np.testing.assert_allclose(gradients[1:], [3.0 * (np.sum(V) + 1.0) + 2.0 * V[1] ** 2 * 1.5, 9.0])
    text = forward(used, (V, 1.5, 0.2))
    _, tangent = text(V, 1.5, 0.2, V, 1.0, -2.0)
    assert tangent == pytest.approx(gradients[0] @ V + gradients[1] - 2.0 * gradients[2])


def test_a_tangent_takes_the_place_of_the_adjoint_in_forward_mode():
    scaled = numba.njit(lambda x, y: x * y)
    fg.adjoint(scaled, tangent=lambda tx, ty, result, x, y: 100.0 * tx)(lambda g, result, x, y: (10.0 * g, None))
    assert value_and_gradients(lambda x: np.sum(scaled(x, V)), (V,), 1.0)[1][0].tolist() == [10.0] * 3
    assert forward(lambda x: np.sum(scaled(x, V)), (V,))(V, np.ones(3))[1] == 300.0


def test_what_is_overwritten_after_the_call_is_kept_for_the_adjoint():
    def overwritten(x):
        total = 0.0
        for _ in range(2):
            y = fixed_point(MATRIX, x)
            x[:] = 0.3 * x
            total += y[0]
            y[:] = 0.0
        return total

    _, (gradient,) = value_and_gradients(overwritten, (V,), 1.0)
    np.testing.assert_allclose(gradient, differences(lambda x: overwritten(x.copy()), V), rtol=1e-8, atol=1e-9)


def test_float32_stays_float32():
    @numba.njit
    def square(x):
        return x * x

    fg.adjoint(square)(lambda g, y, x: 2 * g.astype(np.float64) * x)
    single = V.astype(np.float32)
    _, (gradient,) = value_and_gradients(lambda x: square(x)[:2], (single,), np.ones(2, np.float32))
    assert gradient.dtype == np.float32
    np.testing.assert_allclose(gradient, [*2.0 * V[:2], 0.0], rtol=1e-6)


def test_operations_of_users_take_the_adjoint():
    half = numba.njit(lambda x: x * 0.5)
    fg.adjoint(half)(lambda g, y, x: 7.0 * g)

    tripled = fg.elementwise(lambda x: 3.0 * half(x))
    x = fg.Variable([1.0, 2.0], dtype="float64")
    with fg.GradientTape() as tape:
        y = tripled(x)
    np.testing.assert_array_equal(tape.gradient(y, x), [21.0, 21.0])
    with pytest.raises(TypeError, match="adjoint of its own"):
        fg.elementwise(half)


@numba.njit
def written(x):
    x += 1.0
    return np.sum(x)


@numba.njit
def writes_by_another(x):
    x.sort()
    return x[0]


@numba.njit
def product(x, y, n):
    return x * y * n


def _writes_as_well(g, z, x, y, n):
    x *= g
    return x, None, None


WRONG = {
    "no function": (3.0, lambda g: g, TypeError, "expected a function of numba.njit"),
    "parameters": (product, lambda g: g, ValueError, "has 1 parameters"),
    "an odd number of parameters": (product, lambda g, y, x: x, ValueError, "3 arguments"),
    "writes": (written, lambda g, y, x: g * x, fg.errors.DifferentiationError, r"test_adjoints.py:\d+: written writes"),
    "writes by another": (writes_by_another, lambda g, y, x: g * x, fg.errors.DifferentiationError, "writes its argum"),
    "one of three": (product, lambda g, z, x, y, n: g, fg.errors.DifferentiationError, "tuple of 3 cotangents"),
    "a number for an array": (
        product,
        lambda g, z, x, y, n: (np.sum(g), None, None),
        fg.errors.DifferentiationError,
        "returned float64 for the cotangent of argument 0",
    ),
    "integers": (
        product,
        lambda g, z, x, y, n: (np.ones(3, np.int64), None, None),
        fg.errors.DifferentiationError,
        "int64, 1d, C.* for the cotangent of argument 0",
    ),
    "the number of results": (
        product,
        lambda g, h, z, w, x, y, n: (x, None, None),
        fg.errors.DifferentiationError,
        "7 parameters; product has 1 results: 5 are needed",
    ),
    "writes as well": (product, _writes_as_well, fg.errors.DifferentiationError, "writes results or arguments"),
    "a shape": (product, lambda g, z, x, y, n: (x[1:], None, None), ValueError, "argument 0 has another shape"),
}


def test_a_number_for_the_cotangent_of_a_tuple_is_an_error():
    scaled = numba.njit(lambda p, x: p[0] * p[1] * x)

    @fg.adjoint(scaled)
    def of_scaled(g, z, p, x):
        return g * x, g * p[0] * p[1]

    loss = numba.njit(lambda a, b: scaled((a, b), 2.0))

    with pytest.raises(
        fg.errors.DifferentiationError, match="of_scaled returned float64 for the cotangent of argument 0"
    ):
        fg.grad(loss)(3.0, 4.0)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_adjoint_is_an_error(name):
    function, adjoint, error, message = WRONG[name]

    def loss(x):
        return np.sum(function(x)) if function is not product else np.sum(product(x, 2.0, 3))

    def declare_and_use():
        fg.adjoint(function)(adjoint)
        value_and_gradients(loss, (V,), 1.0)

    with pytest.raises(error, match=message):
        declare_and_use()


def test_zero_takes_no_tangent():
    with pytest.raises(ValueError, match="zero=True"):
        fg.adjoint(product, tangent=lambda t: t, zero=True)


def test_code_that_numba_puts_in_place_of_calls_can_have_no_adjoint():
    @numba.njit(inline="always")
    def square(x):
        return x * x

    with pytest.raises(ValueError, match="square has the option inline='always' .* leave out the option"):
        fg.adjoint(square)


def test_complex_numbers():
    scaled_root = numba.njit(lambda z, a: np.sqrt(z) * a)

    @fg.adjoint(scaled_root)
    def scaled_root_adjoint(g, y, z, a):
        root = np.sqrt(z)
        return np.sum(g * np.conj(a)) * np.conj(0.5 / root), g * np.conj(root)

    def loss(z, a):
        return abs(scaled_root(z * 2, a).sum()) + scaled_root(z, a)[0].imag

    assert fg.check_gradients(numba.njit(loss), 0.5 + 0.2j, np.array([0.3 + 1j, -1.2 - 0.2j, 0.7])) is None
