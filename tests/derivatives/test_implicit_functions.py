"""`fg.implicit_root` and `fg.fixed_point`: roots have the derivatives of the implicit function theorem, against central differences."""

import numba
import numpy as np
import pytest

import fastgrad as fg

kepler = numba.njit(lambda e, anomaly, eccentricity: e - eccentricity * np.sin(e) - anomaly)


@numba.njit
def newton(e, anomaly, eccentricity):
    for _ in range(50):
        e -= kepler(e, anomaly, eccentricity) / (1.0 - eccentricity * np.cos(e))
    return e


kepler_root = fg.implicit_root(kepler, newton)


squared_root = numba.njit(lambda anomaly, eccentricity: kepler_root(1.0, anomaly, eccentricity) ** 2)


@numba.njit
def chain(z, x):
    """The residual of a quadratic equation for each element, which has the element before it as a coefficient."""
    out = np.empty_like(z)
    for i in range(z.size):
        out[i] = z[i] + (0.5 * z[i] ** 2 * z[i - 1] if i > 0 else 0.0) - x[i]
    return out


@numba.njit
def solve_chain(z, x):
    z = z.copy()
    for _ in range(100):
        z -= 0.7 * chain(z, x)
    return z


chain_root = fg.implicit_root(chain, solve_chain)
V = np.array([0.5, 0.9, 0.7])


sum_of_chain = numba.njit(lambda start, x: np.sum(chain_root(start, x) ** 3))


def difference(function, x, step):
    return (function(x + step) - function(x - step)) / (2.0 * step)


def test_a_root_of_a_number_is_differentiated_in_both_modes_and_to_the_third_order():
    assert kepler_root(1.0, 0.5, 0.3) == newton(1.0, 0.5, 0.3)
    slope = 1.0 - 0.3 * np.cos(kepler_root(1.0, 0.5, 0.3))
    by_start, by_anomaly, _ = fg.grad(kepler_root, (0, 1, 2))(1.0, 0.5, 0.3)
    assert by_start == 0.0
    assert by_anomaly == pytest.approx(1.0 / slope, rel=1e-14)
    fg.check_gradients(squared_root, 0.5, 0.3)
    second = fg.grad(fg.grad(squared_root))
    first = fg.grad(squared_root)
    assert second(0.5, 0.3) == pytest.approx(difference(lambda a: first(a, 0.3), 0.5, 1e-5), rel=1e-8)
    third = fg.grad(second)
    assert third(0.5, 0.3) == pytest.approx(difference(lambda a: second(a, 0.3), 0.5, 1e-5), rel=1e-8)


def test_a_fixed_point_is_differentiated_in_both_modes_and_to_the_second_order():
    @numba.njit
    def iterate(z, a):
        for _ in range(200):
            z = np.cos(a * z)
        return z

    cosine = fg.fixed_point(numba.njit(lambda z, a: np.cos(a * z)), iterate)
    z = iterate(1.0, 0.7)
    fg.check_gradients(cosine, 1.0, 0.7)
    first = fg.grad(cosine, 1)
    assert first(1.0, 0.7) == pytest.approx(-np.sin(0.7 * z) * z / (1.0 + 0.7 * np.sin(0.7 * z)), rel=1e-14)
    expected = difference(lambda a: first(1.0, a), 0.7, 1e-5)
    assert fg.grad(fg.grad(cosine, 1), 1)(1.0, 0.7) == pytest.approx(expected, rel=1e-8)


def test_a_root_of_an_array_is_differentiated_in_both_modes_and_to_the_second_order():
    first, start, v = fg.grad(sum_of_chain, 1), np.zeros(3), np.array([1.0, -2.0, 0.5])
    expected = difference(lambda t: sum_of_chain(start, V + t * v), 0.0, 1e-5)
    assert first(start, V) @ v == pytest.approx(expected, rel=1e-8)
    assert fg.jvp(sum_of_chain, (start, V), (start, v))[1] == pytest.approx(expected, rel=1e-8)
    expected = difference(lambda t: first(start, V + t * v), 0.0, 1e-5)
    np.testing.assert_allclose(fg.hvp(sum_of_chain, 1)(start, V, v), expected, rtol=1e-7)
    with pytest.raises(np.linalg.LinAlgError, match="singular"):
        first(np.array([-1.0, 1.0]), np.array([-1.0, 0.5]))


def test_float32_and_parameters_without_derivatives():
    power = numba.njit(lambda z, a, n, pair: z**n - a * pair[0])

    def solve(z, a, n, pair):
        return (a * pair[0]) ** (np.float32(1.0) / n)

    root = fg.implicit_root(power, solve)
    value, (by_a, by_pair) = fg.value_and_grad(root, (1, 3))(np.float32(1.0), np.float32(4.0), 2, (np.float32(4.0), 7))
    assert value == 4.0
    assert by_a == pytest.approx(0.5, rel=1e-6)
    assert by_pair[0] == pytest.approx(0.5, rel=1e-6)


def test_a_singular_jacobian_is_an_error():
    square_root = fg.implicit_root(lambda z, a: z * z - a, lambda z, a: np.sqrt(a))
    assert fg.grad(square_root, 1)(1.0, 4.0) == pytest.approx(0.25, rel=1e-15)
    with pytest.raises(np.linalg.LinAlgError, match="derivative of the function is 0 at its root"):
        fg.grad(square_root, 1)(1.0, 0.0)
    with pytest.raises(np.linalg.LinAlgError, match="derivative of the function is 0 at its root"):
        fg.jvp(square_root, (1.0, 0.0), (0.0, 1.0))


def test_what_does_not_fit_is_said_with_the_users_line():
    with pytest.raises(
        ValueError, match=r"test_implicit_functions.py:\d+: implicit_root: .* has 2 parameters and .* has 3"
    ):
        fg.implicit_root(lambda z, a: z - a, lambda z, a, b: a)
    with pytest.raises(ValueError, match=r"at least one"):
        fg.fixed_point(lambda z: z, lambda z: z)
    with pytest.raises(TypeError, match=r"implicit_root: expected a Python function"):
        fg.implicit_root(np.sin, newton)
    pair = fg.implicit_root(lambda z, a: z - a, lambda z, a: (a, a))
    with pytest.raises(fg.errors.DifferentiationError, match=r"test_implicit_functions.py:\d+: .* return the root"):
        fg.vjp(pair, 1.0, 2.0)[1]((1.0, 1.0))


def test_an_equation_that_writes_the_unknown_is_refused():
    @numba.njit
    def equation(z, a):
        z[0] = a[0]
        return z - a

    root = fg.implicit_root(equation, lambda z, a: a.copy())
    total = numba.njit(lambda a: np.sum(root(np.zeros(2), a)))
    with pytest.raises(
        fg.errors.DifferentiationError, match=r"test_implicit_functions.py:\d+: equation writes the unknown"
    ):
        fg.grad(total)(np.ones(2))


def test_a_root_is_part_of_an_operation_on_tensors():
    @fg.kernel("(n)->(n)")
    @numba.njit
    def anomalies(x):
        out = np.empty_like(x)
        for i in range(x.size):
            out[i] = kepler_root(1.0, x[i], 0.3)
        return out

    x = fg.Variable([0.5, 1.5], dtype="float64")
    with fg.GradientTape() as tape:
        y = anomalies(x)
    expected = [fg.grad(kepler_root, 1)(1.0, a, 0.3) for a in (0.5, 1.5)]
    np.testing.assert_allclose(tape.gradient(y, x).numpy(), expected, rtol=1e-14)
