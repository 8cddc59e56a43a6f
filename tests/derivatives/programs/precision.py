"""float32, complex128 and integers of several sizes."""

import numpy as np

from tests.derivatives.table import X, Y, formula, program

X32 = X.astype(np.float32)
Y32 = Y.astype(np.float32)


formula("float32_scalar", lambda x: np.float32(2.0) * x * x + np.sin(x), np.float32(1.3), np.float32(-0.4))
formula("float32_and_float64", lambda x, y: x * y + x * x, (np.float32(1.3), 0.7))
formula("float32_arrays", lambda x, y: (x * y * x).sum(), (X32, Y32))


@program(X32)
def float32_in_place(x):
    for i in range(1, 4):
        x[i] = x[i] * x[i - 1]
    return x.sum()


formula("float32_array_times_float64_array", lambda x, y: (x * y * y).sum(), (X32, Y), tags=("float32",))


@program(X, tags=("float32",))
def rounded_to_float32_on_the_way(x):
    y = np.empty(4, np.float32)
    for i in range(4):
        y[i] = x[i] * x[i]
    return float(y[0] * y[1]) + x[2] * y[3]


@program(X, tags=("float32",))
def cast_by_astype(x):
    y = x.astype(np.float32)
    return (y.astype(np.float64) * x).sum()


formula("scalar_cast", lambda x: float(np.float32(x) * np.float32(x)) * x, 1.3, tags=("float32",))


@program(X32, tags=("float32",))
def float32_accumulated_in_float64(x):
    total = 0.0
    for value in x:
        total += value * np.float64(value)
    return total


@program((X, Y))
def complex_array(x, y):
    z = x + 1j * y
    w = z * z * z.conjugate()
    return (w.real * w.imag).sum()


@program((X, Y))
def complex_array_written(x, y):
    z = np.zeros(4, np.complex128)
    for i in range(4):
        z[i] = complex(x[i], y[i]) * z[i - 1] + x[i]
    return z[3].real * z[2].imag + abs(z[1])


@program((X, Y))
def complex_ufuncs(x, y):
    z = np.exp(1j * x) * np.sqrt(y + 2j)
    return np.abs(z).sum() + z.real.sum() * z.imag.sum()


@program((X, np.array([0.3 + 0.4j, 1.0 - 0.2j, -0.7j, 0.5])))
def complex_constant_argument(x, z):
    w = (x * z).sum()
    return w.real * w.real + w.imag


@program((X, Y))
def real_and_imaginary_parts_as_views(x, y):
    z = x + 1j * y
    r = z.real
    return (r * r).sum() * z.imag[1] + (z * np.conj(z)).real.sum()


@program(X)
def discrete_fourier_transform(x):
    total = 0.0
    for k in range(4):
        z = 0j
        for n in range(4):
            z += x[n] * np.exp(-2j * np.pi * k * n / 4)
        total += abs(z) ** 2 * k
    return total


@program((X, np.array([1, 3, 0, 2], np.int8)))
def small_integers(x, n):
    total = 0.0
    for i in range(4):
        total += x[n[i]] * n[i] * x[i]
    return total


@program((X, np.array([250, 3, 130, 2], np.uint8), np.array([7, 0, 128, 1], np.uint8)))
def index_that_wraps_around(x, a, b):
    index = a + b
    total = 0.0
    for i in range(4):
        total += x[index[i] % 4] * x[i] * index[i]
    return total


@program((X, np.array([3, 0, 1, 2], np.uint64)))
def unsigned_indices(x, n):
    total = 0.0
    for i in range(4):
        total += x[n[i]] * x[i]
        x[n[i]] = total
    return total


@program((np.array([1.5, 2.5]), np.array([1, 2]), 0.7))
def integer_array_in_an_expression(x, n, s):
    return (x * n + n * s + n**2).sum() * s


@program((X, np.array([True, False, True, True])))
def boolean_array_in_an_expression(x, mask):
    return (x * mask + x * x * ~mask).sum()
