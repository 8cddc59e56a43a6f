"""Complex numbers: arithmetic, functions, arrays, views, loops."""

import cmath
import math

import numba
import numpy as np
from numba.typed import List

from tests.derivatives.table import A, X, Y, copy_of, formula, program

Z = np.array([0.3 + 0.4j, 1.0 - 0.2j, -0.7j, 0.5 + 1.1j])
W = np.array([1.2 - 0.3j, -0.4 + 0.9j, 0.8 + 0.1j, -0.6 - 0.5j])
M = np.array([[1.2 + 0.1j, 0.3 - 0.4j, -0.5j], [0.7 + 0.2j, 2.1, 0.4 + 0.3j], [-0.2 + 0.5j, 0.6 - 0.1j, 1.7 + 0.8j]])
TABLE = np.array([0.5 + 1j, -0.3j, 1.2, 0.1 - 0.6j])
STRIDED = np.zeros((4, 3), np.complex128)[:, 1]
STRIDED[...] = Z


@program((0.7 + 0.4j, -0.3 + 1.1j))
def arithmetic(z, w):
    return (z * w + z / w - w * 2.0 + 3 * z - z / 2.0).real + (-z + +w).imag


@program((0.7 + 0.4j, 1.3))
def mixed_with_reals(z, x):
    w = x * z + x / z + z / x - x + z**x + x**z
    return w.real * w.imag


@program((0.7 + 0.4j, -0.3 + 1.1j))
def powers(z, w):
    v = z**2 + w**3 + z**-1 + w**0.5 + z**w + 2**z + z**0
    return v.real + v.imag * v.imag


@program(0j)
def powers_of_zero(z):
    v = z**2 + 3.0 * z**1 + z**3
    return v.real + 2.0 * v.imag


formula("modulus", lambda z: abs(z) + abs(z) ** 2 * abs(z * z), 3.0 + 4.0j, -0.1 + 0.2j)
formula("modulus_of_zero", lambda z, x: abs(z) * x, (0j, 1.0), gradient=((0j, 0.0),))


@program(0.7 + 0.4j)
def parts_and_conjugate(z):
    w = z.conjugate() * z
    return z.real * z.imag + w.real + (z - z.conjugate()).imag ** 2 + np.real(z) * np.imag(z) + np.conj(z).imag


@program((0.7 + 0.4j, 0.5 - 1j), (0.7 + 0.4j, 2.0))
def compared(z, w):
    total = z * w
    for value in (2.0 + 0j, 1j, 0j):
        if value == 1j or value == 2:  # noqa: PLR1714  # Numba compares one by one
            total += z * value
        if value and value != z:
            total *= w
        if not value:
            total += 1.0
    return total.real + total.imag


@program(0.7 + 0.4j, -0.3 - 1.1j)
def exponentials(z):
    w = cmath.exp(z) + cmath.log(z) + cmath.log10(z) + cmath.sqrt(z) + cmath.log(z, 2.5)
    return w.real - 2.0 * w.imag


@program(0.7 + 0.4j, -0.3 - 1.1j)
def trigonometric(z):
    w = cmath.sin(z) + cmath.cos(z) * cmath.tan(z) + cmath.sinh(z) * cmath.cosh(z) + cmath.tanh(z)
    return w.real - 2.0 * w.imag


@program(0.7 + 0.4j, -0.3 - 1.1j, 1.5 - 0.2j, 0.2 + 1.4j)
def inverse_trigonometric(z):
    w = cmath.asin(z) + cmath.acos(z) * cmath.atan(z) + cmath.asinh(z) + cmath.acosh(z) * cmath.atanh(z)
    return w.real - 2.0 * w.imag


@program((1.7, 0.4), (-1.7, 0.4))
def beside_the_branch_cuts(x, y):
    """On the branch cuts, on the side that the sign of 0 tells; along them the functions are smooth."""
    above, below = complex(x, 0.0), complex(x, -0.0)
    w = cmath.asin(above) + 2.0 * cmath.acos(below) + 3.0 * cmath.atanh(below) + y * cmath.sqrt(below)
    w += cmath.log(above) - cmath.acosh(below) * cmath.acosh(above)
    return w.real + w.imag


@program(0.7 + 0.4j, -0.3 - 1.1j)
def polar(z):
    r, phi = cmath.polar(z)
    w = cmath.rect(r * r, 0.5 * phi)
    return w.real * cmath.phase(z) + w.imag


@program((0.7, 0.4))
def complex_from_numbers(x, y):
    z = complex(x, y) + complex(x) * np.complex128(1j) + complex(2, y)
    return (z * z).imag


@program((0.7, 0.4))
def literals(x, y):
    z = 1j * x + (2.0 - 3j) * y
    return (z * z * 1j).real


@program((0.7 + 0.4j, 3))
def loop_carried(z, n):
    w = 1.0 + 0j
    for _ in range(n):
        w = w * z + 1.0 / z
    return w.real + w.imag


@program(0.3 + 0.5j, -0.1 + 0.65j)
def mandelbrot(c):
    z = 0j
    n = 0
    while n < 12 and z.real * z.real + z.imag * z.imag < 4.0:
        z = z * z + c
        n += 1
    return abs(z)


@program((0.7 + 0.4j, 0.2), (0.7 - 0.4j, 0.2))
def branch_that_makes_a_real_complex(z, x):
    w = z if z.imag > 0 else x
    return (w * w).real + (w * z).imag


@program(0.8 + 0.3j)
def newton(z):
    w = 1.0 + 0.5j
    for _ in range(6):
        w = w - (w * w * w - z) / (3.0 * w * w)
    return w.real + 2.0 * w.imag


rotated = numba.njit(lambda z, w: (z * cmath.exp(1j * abs(w)), (w, z.real)))


@program((0.7 + 0.4j, -0.3 + 1.1j))
def tuples_of_complex_numbers(z, w):
    u, (v, x) = rotated(z, w)
    pair = (u, v)
    total = 0j
    for part in pair:
        total += part * part
    return total.imag * x + pair[1].real


@program((Z, W))
def array_arithmetic(z, w):
    v = z * w + z / w - 2.0 * w + z**2 + 1j
    return v.real.sum() + (v.imag * v.imag).sum()


@program((Z, X))
def complex_and_real_arrays(z, x):
    v = x * z + x - z / 2 + x * 1j
    return (v * v).sum().real + np.abs(v).sum()


@program((Z, W), tags=("ufuncs",))
def ufuncs(z, w):
    v = np.exp(z) + np.log(w) + np.sqrt(z) * np.sin(w) + np.cos(z) + np.tanh(w) + np.conj(z) * np.square(w)
    u = np.expm1(z) + np.log1p(w) + np.exp2(z) + np.log2(w) + np.log10(z) + np.reciprocal(w) + np.negative(z)
    return v.real.sum() + (u.imag * v.imag).sum() + np.absolute(u).sum()


@program((Z, W))
def more_ufuncs(z, w):
    v = np.sinh(z) + np.cosh(w) * np.tan(z) + np.arcsin(z) + np.arccos(w) + np.arctan(z) + np.arcsinh(w)
    u = np.arccosh(z) + np.arctanh(w) + np.power(z, 3) + np.divide(z, w) + np.multiply(z, w) - np.subtract(z, w)
    return v.real.sum() + (u.imag * v.imag).sum()


angles = formula("angles", lambda z: (np.angle(z) * np.arange(4)).sum() + np.angle(z[1]), Z)


@program(Z)
def reductions(z):
    w = np.sum(z) * np.prod(z) + np.mean(z) + z.sum() * z.mean()
    return w.real * w.imag + np.cumsum(z)[2].real + np.cumprod(z)[3].imag


@program(M)
def reductions_along_an_axis(m):
    w = np.sum(m, axis=0) * m.sum(axis=1) + m.mean()
    return (w * w).sum().imag


formula("inner_products", lambda z, w: (np.dot(z, w) * np.vdot(z, w)).real + (z @ w).imag + np.vdot(z, z).real, (Z, W))


@program((M, Z[:3], A))
def matrix_products(m, z, a):
    v = m @ z
    return (
        (np.conj(v) * v).real.sum() + (m @ m).sum().imag + np.outer(z, v)[0, 1].real + (a.astype(m.dtype) @ v)[1].imag
    )


formula("norms", lambda z, m: np.linalg.norm(z) + np.linalg.norm(m) ** 2 + np.linalg.norm(z, 1) * 0.1, (Z, M))


@program((M, Z[:3]))
def linear_systems(m, z):
    x = np.linalg.solve(m, z)
    return x.real.sum() + (x * x).sum().imag


formula("inverse", lambda m: np.linalg.inv(m)[1, 1].real * np.linalg.inv(m)[0, 2].imag, M)


@program((Z, W))
def choices(z, w):
    v = np.where(z.real > 0.2, z * z, w)
    u = np.where(z.imag > 0, z, 1.0)
    return v.imag.sum() + (u * v).real.sum()


@program((Z, W))
def overwritten(z, w):
    for i in range(4):
        z[i] = z[i] * w[i] + z[i - 1]
        w[i] *= z[i]
    z[1] = 2.0
    z[2] += w[2] * w[2]
    return (z * w).sum().real + z[2].imag


@program((Z, W))
def overwritten_in_place(z, w):
    z *= w
    z += 1j
    z -= w.real
    z /= w
    return z.real.sum() + (z.imag**2).sum()


@program((Z, 0.3))
def local_arrays(z, x):
    u = np.zeros(4, np.complex128)
    v = np.empty_like(z)
    w = np.ones(4, dtype=np.complex128)
    for i in range(4):
        v[i] = z[3 - i] * x
        u[i] = x
        w[i] += u[i] * v[i]
    return (w * np.full(4, 0.5 + 1j) * np.zeros_like(z)).sum().real + (w * v).sum().imag


@program(Z)
def arrays_of_numbers(z):
    v = np.array([z[0] * z[1], 1j, z[2]])
    m = np.array([[z[0], z[3]], [2.0 * z[1], z[2]]])
    return (v * v).sum().real + (m @ m)[0, 1].imag


@program(Z)
def slices(z):
    z[1:3] = z[:2] * z[2:]
    z[::2] *= 2j
    v = z[::-1]
    v[0] = v[1] * v[2]
    return z.real.sum() + (z[1:] * z[:-1]).sum().imag


@program((Z, W, np.array([2, 0, 2])))
def selected_by_indices_and_masks(z, w, places):
    v = z[places] * w[:3]
    z[w.real > 0] = 1j * v[:2]
    w[places[:2]] = v[0]
    z.imag[z.real > 0.2] *= 2.0
    return (z[z.imag > -10.0] * w).sum().real + np.take(w, places)[1].imag


@program((Z, W))
def parts_that_swap(z, w):
    for i in range(4):
        z[i] = complex(z[i].imag, z[i].real) + w[i]
        w[i] = z[i] + w[i] * 1j
        z[i] += w[i]
        z[i] = z[i] + complex(w[i].imag, z[i - 1].real)
    return (z * w).sum().imag + z.real.sum()


@program(M)
def views_of_matrices(m):
    row = m[1]
    row *= 1j
    m.T[0] = row
    m[:, 2] *= m[:, 2]
    return (m.T @ m).sum().real + m.reshape(9)[5].imag + m.ravel()[7].real + m.flatten()[2].imag


@program((Z, X))
def parts_of_arrays_as_views(z, x):
    re, im = z.real, z.imag
    re[1] = im[2] * x[0]
    im[:] = im * x
    z.real[3] += re[1] ** 2
    z.imag[0] = x[1]
    return (z * z * z).sum().real + re.sum() * im[2]


@program((Z, X))
def parts_of_arrays_assigned(z, x):
    v = np.zeros(4, np.complex128)
    v.real[:] = x * x
    v.imag[1:] = x[1:] * z.real[1:]
    np.real(v)[0] *= 3.0
    z[:] = v.imag
    return (v * v).sum().imag + (z * z).sum().real


@program(np.array([0.5, -0.7]))
def views_in_a_loop(x):
    z = np.zeros((3, 2), np.complex128)
    for i in range(1, 3):
        row = z[i]
        row[:] = z[i - 1] + 1j * x
        row.imag[0] *= 2.0
        for value in row:
            z[0, 0] += value * value
    return z.real.sum() + z[0, 0].imag


@program((Z, W, True), (Z, W, False))
def one_of_two_arrays(z, w, first):
    v = z if first else w
    total = 0j
    for i in range(4):
        total += v[i] * v[i] * z[i]
    return total.imag


@program((X, 3))
def array_replaced_in_a_loop(x, n):
    z = x * (1.0 + 1j)
    for _ in range(n):
        z = z * z * 0.5 + 1j
    return z.real.sum() + z[1].imag


@program((STRIDED, copy_of(STRIDED)))
def strided_arguments(z, w):
    return (z * np.conj(w)).sum().imag + (z[1:] * w[0]).sum().real


@program((np.asfortranarray(M), Z[:3]))
def columns_in_memory(m, z):
    m[0] = z
    total = 0j
    for i in range(3):
        for j in range(3):
            total += m[i, j] * m[j, i] * z[i]
    return total.real + total.imag


@program(np.array(0.3 + 0.7j))
def array_without_axes(z):
    w = z * z
    return w.real + z[()].imag ** 2


@program(Z)
def global_array(z):
    total = 0j
    for k in range(4):
        total += TABLE[k] * z[k]
    return abs(total) + (TABLE[::-1] * z).sum().real


@program((Z, W))
def joined_and_moved(z, w):
    v = np.concatenate((z, w))[2:6]
    m = np.vstack((z, v)) * np.stack((w, z)) + np.roll(z, 1)
    return (m.T @ m).sum().real + np.diag(m[:, :2])[1].imag + np.trace(m[:, 1:3]).real + np.append(z, w)[5].imag


@program(Z)
def iterations_over_arrays(z):
    total = 0j
    for i, value in enumerate(z):
        total += value * (i + 1j)
    for a, b in zip(z, z[1:]):  # noqa: RUF007  # Numba's zip has no strict
        total += a * b
    return total.real + total.imag


@program(X)
def fourier_transform_by_recursive_halves(x):
    """Cooley and Tukey's transform in place."""
    n = 4
    z = np.empty(n, np.complex128)
    z[0], z[1], z[2], z[3] = x[0], x[2], x[1], x[3]
    size = 2
    while size <= n:
        root = cmath.exp(complex(0.0, -2.0 * math.pi / size))
        for start in range(0, n, size):
            factor = 1.0 + 0j
            for k in range(start, start + size // 2):
                a, b = z[k], z[k + size // 2] * factor
                z[k], z[k + size // 2] = a + b, a - b
                factor *= root
        size *= 2
    return (np.abs(z) ** 2 * np.arange(4)).sum()


@program(np.array([0.4, 1.1, -0.6]))
def quantum_circuit(angles):
    """Rotations of two qubits and a controlled phase; the expectation of the parity."""
    state = np.zeros(4, np.complex128)
    state[0] = 1.0
    for qubit in range(2):
        c, s = math.cos(angles[qubit] / 2), math.sin(angles[qubit] / 2)
        for i in range(4):
            if i & (1 << qubit) == 0:
                j = i | (1 << qubit)
                a, b = state[i], state[j]
                state[i], state[j] = c * a - 1j * s * b, c * b - 1j * s * a
    state[3] *= np.exp(1j * angles[2])
    mixed = state @ np.ones((4, 4), np.complex128) * 0.5
    return abs(mixed[1]) ** 2 + (state[0] * state[3].conjugate()).real


@program((Z.astype(np.complex64), X.astype(np.float32)))
def single_precision(z, x):
    w = z * x + np.exp(z) / z
    w[1] *= np.complex64(2j)
    return w.real.sum() + np.abs(w).sum() * w[0].imag


@program((np.complex64(0.7 + 0.4j), 1.3), tags=("float32",))
def single_and_double_precision(z, x):
    w = z * x + z**2 * np.complex64(1j)
    return w.real * x + abs(w)


@program((Z, W), parallel=False)
def abs2_in_a_loop(z, w):
    total = 0.0
    for i in range(4):
        d = z[i] - w[i]
        total += d.real**2 + d.imag**2
    return math.sqrt(total)


@program((Z, Y))
def sent_through_functions(z, y):
    a, (b, c) = rotated(z[0], z[1])
    z[2], (z[3], d) = rotated(a * y[0], b)
    return (z * z).sum().real + c * d


formula("sorted_complex", lambda z: np.sort(z)[0].real, Z, refused=True)


@program(Z, refused=True)
def variance(z):
    return np.var(z)


SINGULAR = np.array([[1.0 + 1j, 2j], [2.0 + 2j, 4j]])


@program(M, SINGULAR)
def determinant(m):
    d = np.linalg.det(m * (1 + 0.5j))
    return d.real + 2 * d.imag


@program(M)
def sign_and_logarithm_of_a_determinant(m):
    sign, logarithm = np.linalg.slogdet(m)
    return 2 * sign.real + 3 * sign.imag + logarithm


@program((0.3, M))
def determinant_of_real_numbers_made_complex(x, m):
    return np.linalg.det(m * x + np.eye(3) * 1j).imag * np.linalg.det(m.real)


@program((M, Z[:3]))
def solutions_and_inverses(m, z):
    return abs(np.linalg.solve(m, z)[1]) + np.linalg.solve(m, m.T)[0, 2].imag + abs(np.linalg.inv(m)[0, 1])


formula("gradient_of_complex_numbers_within", lambda x, z: np.sum(slopes_of_weighted(x, z)), (X, Z), refused=True)


weighted = numba.njit(lambda x, z: (x * np.abs(z)).sum())


@program((Z, W))
def list_of_complex_numbers(z, w):
    values = [z[0], w[0] * z[1]]
    for k in range(4):
        values.append(values[-1] * w[k] + 1j)
    values[0] = values[1] * values[2]
    values.pop(1)
    values.insert(2, z[3])
    values.reverse()
    values.extend(values[1:3])
    total = 0j
    for number, value in enumerate(values):
        total += value * (number + 1)
    return abs(total) + abs(sum(values)) * values[-1].real


@program(Z)
def comprehension_of_complex_numbers(z):
    squares = [value * value for value in z]
    array = np.array(squares)
    doubled = [z[0]] * 2 + [value**3 for value in z]
    return abs((array * z).sum()) + abs(doubled[1] * doubled[-1]) + (z[3] in doubled)


@program(Z)
def typed_list_of_complex_numbers(z):
    values = List()
    for value in z:
        values.append(value * value)
    values.append(values[0] * values.pop())
    return abs(values[0] * values[-1]) * len(values)


@program((0.7, Z))
def complex_number_or_none(x, z):
    best = None
    for value in z:
        if best is None or abs(value) > abs(best):
            best = value * x
    return abs(best) + best.imag


WAVE = np.dtype([("amplitude", np.complex128), ("frequency", np.float64), ("modes", np.complex128, (2,))])
WAVES = np.zeros(3, WAVE)
WAVES["amplitude"], WAVES["frequency"], WAVES["modes"] = Z[:3], X[:3], np.outer(W[:3], Z[:2])


@program(Z)
def records_with_complex_fields(z):
    waves = np.zeros(3, WAVE)
    for i in range(3):
        waves[i]["amplitude"] = z[i] * z[i - 1]
        waves[i]["frequency"] = abs(z[i])
        waves[i]["modes"][1] = z[0] * 1j
    waves[2] = waves[1]
    total = 0j
    for wave in waves:
        total += wave["amplitude"] * wave["frequency"] + wave["modes"][1]
    waves[1]["amplitude"] *= 2j
    return abs(total) + abs(waves["amplitude"].sum()) + waves["amplitude"][1].real


@program((X, WAVES))
def array_of_complex_records(x, waves):
    total = 0j
    for i in range(3):
        total += waves[i]["amplitude"] * x[i] + waves[i]["modes"][0] * waves[i]["frequency"]
    waves[0]["amplitude"] = x[0] * 1j
    return abs(total) + waves["amplitude"][0].imag * x[1]


import fastgrad as fg  # noqa: E402  # the derivative of a function above

slopes_of_weighted = fg.grad(weighted)
