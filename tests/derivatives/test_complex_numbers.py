"""Complex numbers: values as Numba's, the tape's convention, cotangents and tangents, layouts, what is refused."""

from __future__ import annotations

import cmath
import itertools

import numpy as np
import pytest
from numba import njit

import fastgrad as fg
from fastgrad.errors import DifferentiationError

Z = np.array([0.3 + 0.4j, 1.0 - 0.2j, -0.7j, 0.5 + 1.1j])


def functions_of_cmath(z):
    exponentials = (cmath.exp(z), cmath.log(z), cmath.log10(z), cmath.sqrt(z), z * z, z / (2.0 - 1j), z * 3.0, z**2.5)
    circular = (cmath.sin(z), cmath.cos(z), cmath.tan(z), cmath.asin(z), cmath.acos(z), cmath.atan(z))
    hyperbolic = (cmath.sinh(z), cmath.cosh(z), cmath.tanh(z), cmath.asinh(z), cmath.acosh(z), cmath.atanh(z))
    return exponentials, circular, hyperbolic


def functions_of_numpy(z):
    exponentials = (np.exp(z), np.log(z), np.log10(z), np.log2(z), np.sqrt(z), np.square(z), np.power(z, 2.5))
    near_one = (np.expm1(z), np.log1p(z), np.exp2(z), np.reciprocal(z), np.divide(z, 2.0 - 1j))
    circular = (np.sin(z), np.cos(z), np.tan(z), np.arcsin(z), np.arccos(z), np.arctan(z))
    hyperbolic = (np.sinh(z), np.cosh(z), np.tanh(z), np.arcsinh(z), np.arccosh(z), np.arctanh(z))
    return exponentials, near_one, circular, hyperbolic


POINTS = [complex(x, y) for x, y in itertools.product((-2.0, -0.5, -0.0, 0.0, 0.5, 2.0), repeat=2)]
"""Points on branch cuts, on both sides of them, and elsewhere."""


@pytest.mark.parametrize("function", [functions_of_cmath, functions_of_numpy])
def test_values_are_numbas_and_derivatives_satisfy_cauchy_and_riemann(function):
    compiled = njit(function)
    forward = fg.jvp(compiled)
    for z in POINTS:
        if z.imag == 0.0 and z.real in (0.0, 2.0):
            continue
        value, tangent = forward(z, 1.0 + 0j)
        _, turned = forward(z, 1j)
        for group, expected in zip(value, compiled(z), strict=True):
            assert np.array(group).tobytes() == np.array(expected).tobytes(), z
        for group, along_i, function_values in zip(tangent, turned, value, strict=True):
            np.testing.assert_allclose(along_i, np.array(group) * 1j, rtol=1e-13, atol=1e-13)
            assert len(group) == len(function_values)
    z, step = 0.4 - 0.7j, 1e-6
    _, tangent = forward(z, 1.0 + 0j)
    for group, above, below in zip(tangent, compiled(z + step), compiled(z - step), strict=True):
        np.testing.assert_allclose(group, (np.array(above) - np.array(below)) / (2 * step), rtol=1e-8)


@pytest.mark.parametrize("side", [0.0, -0.0])
def test_slopes_on_branch_cuts_are_those_of_their_side(side):
    def sides(x, y):
        z = complex(x, y)
        return np.array([cmath.sqrt(z), cmath.log(z), cmath.asin(z), cmath.acos(z), cmath.acosh(z), cmath.atanh(z)])

    def of_i(x, y):
        z = complex(y, x)
        return np.array([cmath.asinh(z), cmath.atan(z)])

    for function, at in ((sides, -1.5), (of_i, -1.5), (of_i, 1.5)):
        compiled = njit(function)
        _, slope = fg.jvp(compiled, (at, side), (1.0, 0.0))
        expected = (compiled(at + 1e-6, side) - compiled(at - 1e-6, side)) / 2e-6
        np.testing.assert_allclose(slope, expected, rtol=1e-8)


def test_gradients_are_those_of_the_tape():
    def loss(z, w, x):
        v = z * w / (1.5 + np.conj(z)) + np.exp(z * 1j) * x
        return (np.abs(v) ** 2).sum() + np.log(w[0]).imag * v[1].real

    w, x = np.array([1.2 - 0.3j, -0.4 + 0.9j, 0.8 + 0.1j, -0.6 - 0.5j]), np.array([0.5, -1.0, 2.0, 1.5])
    gradients = fg.grad(loss, argnums=(0, 1, 2))(Z, w, x)
    variables = [fg.Variable(value) for value in (Z, w, x)]
    with fg.GradientTape() as tape:
        a, b, c = variables
        v = a * b / (1.5 + fg.math.conj(a)) + fg.exp(a * 1j) * fg.cast(c, "complex128")
        result = fg.reduce_sum(fg.abs(v) ** 2) + fg.math.imag(fg.math.log(b[0])) * fg.math.real(v[1])
    for found, expected in zip(gradients, tape.gradient(result, variables), strict=True):
        np.testing.assert_allclose(found, expected.numpy(), rtol=1e-12)


def test_a_step_against_the_gradient_goes_downhill():
    def loss(z):
        return abs(z * z - 2j)

    z, slope = 1.5 + 0.2j, fg.grad(loss)
    assert slope(z) == pytest.approx(np.conj(2 * z) * (z * z - 2j) / abs(z * z - 2j))
    for _ in range(200):
        z -= 0.05 * slope(z)
    assert abs(z - cmath.sqrt(2j)) < 0.2


def test_the_derivative_of_the_modulus_at_zero_is_zero():
    def modulus(z):
        return np.abs(z).sum()

    np.testing.assert_array_equal(fg.grad(modulus)(np.array([0j, 3 + 4j])), [0.0, 0.6 + 0.8j])


def test_pullbacks_and_tangents_of_complex_results():
    def function(z, x):
        return z * z * x, np.sum(z), x

    (squares, total, same), pullback = fg.vjp(function, Z, 2.0)
    np.testing.assert_array_equal(squares, 2.0 * Z * Z)
    assert total == np.sum(Z)
    assert same == 2.0
    cotangent = Z[::-1].copy()
    dz, dx = pullback((cotangent, 1j, 3.0))
    np.testing.assert_allclose(dz, np.conj(4.0 * Z) * cotangent + 1j, rtol=1e-14)
    assert dx == pytest.approx(np.sum(np.conj(Z * Z) * cotangent).real + 3.0)
    _, (of_squares, of_total, of_same) = fg.jvp(function, (Z, 2.0), (cotangent, 0.5))
    np.testing.assert_allclose(of_squares, 4.0 * Z * cotangent + 0.5 * Z * Z, rtol=1e-14)
    assert (of_total, of_same) == (np.sum(cotangent), 0.5)


def test_real_cotangents_of_complex_numbers_are_converted():
    _, pullback = fg.vjp(lambda z: z * 1j, Z)
    np.testing.assert_array_equal(pullback(np.ones(4))[0], np.full(4, -1j))
    _, tangent = fg.jvp(lambda z: z * 1j, (1.0 + 1j,), (2.0,))
    assert tangent == 2j
    with pytest.raises(TypeError, match="vjp: a real number or array has no complex"):
        fg.vjp(lambda x: x * 2.0, 1.5)[1](1j)
    with pytest.raises(TypeError, match="jvp: a real number or array has no complex"):
        fg.jvp(lambda x: x * 2.0, (1.5,), (1j,))


@pytest.mark.parametrize("order", ["C", "F", "strided"])
def test_arrays_of_each_layout(order):
    def function(m):
        m[0] = m[1] * m[0]
        return (m.T * m[0, 1] + m[1, 0]).sum().imag + (m * m)[1].sum().real

    plain = np.arange(6).reshape(2, 3) * (0.3 + 0.1j) + 1j
    expected = fg.grad(function)(plain.copy())
    array = np.asfortranarray(plain) if order == "F" else plain.copy()
    if order == "strided":
        array = np.zeros((2, 6, 2), np.complex128)[:, ::2, 1]
        array[...] = plain
    np.testing.assert_array_equal(fg.grad(function)(array), expected)
    assert array[0, 2] == plain[1, 2] * plain[0, 2]


def test_results_that_are_views_have_their_elements():
    def function(m, z):
        local = np.zeros((2, 2), np.complex128)
        local[0] = z[1:3] * 1j
        return m[:, 1], m.T, local[0], z[::2].real, m[0, 0], z

    m = np.arange(6).reshape(3, 2) + 1j
    (column, turned, row, real, item, same), tangents = fg.jvp(function, (m, Z), (m * 2.0, Z * 1j))
    np.testing.assert_array_equal(column, m[:, 1])
    np.testing.assert_array_equal(turned, m.T)
    np.testing.assert_array_equal(row, Z[1:3] * 1j)
    np.testing.assert_array_equal(real, Z[::2].real)
    assert item == m[0, 0]
    np.testing.assert_array_equal(same, Z)
    np.testing.assert_array_equal(tangents[0], 2.0 * m[:, 1])
    np.testing.assert_array_equal(tangents[1], 2.0 * m.T)
    np.testing.assert_array_equal(tangents[3], (Z * 1j)[::2].real)


def test_single_precision_stays():
    def function(z, w):
        return abs(z[0] * w + z[1] ** 2) + z[2].imag

    z, w = Z.astype(np.complex64), np.complex64(0.5 - 1j)
    dz, dw = fg.grad(function, argnums=(0, 1))(z, w)
    assert dz.dtype == np.complex64
    expected = fg.grad(function, argnums=(0, 1))(Z, 0.5 - 1j)
    np.testing.assert_allclose(dz, expected[0], rtol=1e-5, atol=1e-6)
    assert dw == pytest.approx(expected[1], rel=1e-5)


def test_second_derivatives():
    def loss(z):
        return (np.abs(z) ** 4).sum()

    v = 1j * Z + 0.5
    step = 1e-6
    expected = (fg.grad(loss)(Z + step * v) - fg.grad(loss)(Z - step * v)) / (2 * step)
    np.testing.assert_allclose(fg.hvp(loss)(Z, v), expected, rtol=1e-8)
    slope = fg.grad(njit(lambda z: (z * z * z).real))
    assert fg.grad(njit(lambda z: slope(z).imag))(1 + 2j) == pytest.approx(-1j * np.conj(6 * (1 + 2j)))


def test_arguments_that_share_memory_are_an_error():
    def function(z, x):
        z[0] = 2.0 * z[1]
        return (z * x[0]).sum().real

    z = Z.copy()
    assert fg.grad(function, argnums=(0, 1))(z, np.ones(2))[1].shape == (2,)
    with pytest.raises(ValueError, match="the arguments z and x share memory"):
        fg.grad(function, argnums=(0, 1))(z, z.real)


def test_check_gradients_along_both_axes():
    fg.check_gradients(lambda z, x: (np.exp(z) * x, abs(z[0])), Z, 0.7)
    fg.check_gradients(lambda z: z * z + 1j, 0.7 + 0.2j)

    def jump(z):
        return z.real + round(z.imag) * 100.0

    with pytest.raises(AssertionError, match="imaginary part of z"):
        fg.check_gradients(jump, 0.3 + 0.5j)


def test_jacobian_of_a_complex_result():
    found = fg.jacobian(lambda x: x * x * 1j)(np.array([1.0, 2.0]))
    np.testing.assert_array_equal(found, np.diag([2j, 4j]))


@pytest.mark.parametrize(
    ("function", "arguments", "reason"),
    [
        (lambda z: z * z, (1j,), "returns complex128; the gradient of one float is defined"),
        (lambda z: np.sort(z)[0].real, (Z,), "numpy.sort .*of complex numbers"),
        (lambda z: np.var(z) + 1.0, (Z,), "numpy.var of complex numbers"),
        (lambda z: np.maximum(z, 1j).sum().real, (Z,), "maximum.* of complex numbers"),
        (lambda z: np.sign(z[0]).real, (Z,), "sign.* of complex numbers"),
    ],
)
def test_what_has_no_rule_is_refused_with_its_line(function, arguments, reason):
    with pytest.raises(DifferentiationError, match=rf"test_complex_numbers.py:\d+: .*{reason}"):
        fg.grad(function)(*arguments)


def test_second_derivatives_of_complex_determinants_are_refused():
    with pytest.raises(DifferentiationError, match=r"\.py:\d+: .*svd of complex numbers"):
        fg.hessian(lambda x: abs(np.linalg.det(np.eye(2) * x * 1j)))(2.0)


def test_matrices_of_derivatives_with_respect_to_complex_numbers_are_refused():
    with pytest.raises(DifferentiationError, match=r"test_complex_numbers.py:\d+: jacobian: the argument z is complex"):
        fg.jacobian(lambda z: z * z)(Z)


def test_kernels_have_the_gradients_of_the_tape():
    @fg.kernel("(n),()->(n),()", dtype=["complex128", "float64"])
    def scaled(z, x):
        return z * z * x, np.abs(z).sum()

    def by_kernel(z, x):
        return scaled(z, x)

    def by_operations(z, x):
        return z * z * fg.cast(x, "complex128"), fg.reduce_sum(fg.abs(z), axis=-1)

    found = []
    for function in (by_kernel, by_operations):
        z, x = fg.Variable(Z.reshape(2, 2)), fg.Variable(2.0, dtype="float64")
        with fg.GradientTape() as outer:
            with fg.GradientTape() as tape:
                squares, sums = function(z, x)
                loss = fg.reduce_sum(fg.math.real(squares) * fg.math.imag(squares)) + fg.reduce_sum(sums**2)
            first = tape.gradient(loss, [z, x])
            total = fg.reduce_sum(fg.abs(first[0])) + first[1] ** 2
        found.append([part.numpy() for part in [*first, *outer.gradient(total, [z, x])]])
    for kernel, operations in zip(*found, strict=True):
        np.testing.assert_allclose(kernel, operations, rtol=1e-10)
