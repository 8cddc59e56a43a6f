"""Scalar functions: operators, `math`, `cmath`."""

import cmath
import math

import numpy as np

from tests.derivatives.table import formula, program

formula("four_operators", lambda x, y: (x + y) * (x - y) / y - x / (y * y), (1.3, 0.7), (-2.0, 3.0))
formula("unary_operators", lambda x, y: -x * +y * x - -(x * y), (1.3, 0.7))
formula("remainder", lambda x, y: x % y * x, (7.3, 2.0), (-7.3, 2.0), (7.3, -2.0))
formula("floor_division", lambda x, y: x // y * x + y, (7.3, 2.1), (-7.3, 2.1))


@program((7.3, 2.1), (-7.3, 2.1))
def divmod_of_floats(x, y):
    q, r = divmod(x, y)
    return q * r * r


formula("fmod", lambda x, y: np.fmod(x, y) * y, (7.3, 2.1), (-7.3, 2.1))
formula("power", lambda x, y: x**y, (1.3, 0.7), (2.0, -1.5), (0.4, 3.0))
formula("powers_of_constant_exponents", lambda x: x**2 + x**3 * x**-1 + x**-2 + (x * x) ** 0.5 + x**1 + x**0, 1.3, -1.3)


@program((1.3, 3), (-1.3, 3), (-1.3, -2), (1.3, 0), (-1.3, 0), (-0.4, 1))
def power_of_an_integer_argument(x, n):
    return x**n


formula("power_of_a_negative_base_and_whole_floats", lambda x: x**3.0 + x**2.0 * 0.5 - x**-1.0, -1.3, 1.3)
formula("power_of_a_constant_base", lambda x: 2.0**x + 3**x + math.e**x, 1.3, -0.4)
formula("math_pow", lambda x, y: math.pow(x, y) * math.pow(y, 2), (1.3, 0.7))
formula("pow_function", lambda x, y: pow(x, y) + pow(x, 3), (1.3, 0.7))
formula("sine_cosine_tangent", lambda x: math.sin(x) * math.cos(2 * x) + math.tan(x), 0.7, -2.1)
formula("inverse_trigonometric", lambda x: math.asin(x) * math.acos(x) + math.atan(3 * x), 0.7, -0.3)
formula("atan2", lambda y, x: math.atan2(y, x) * x, (0.7, 1.2), (0.7, -1.2), (-0.7, -1.2), (-0.7, 0.2))
formula("hyperbolic", lambda x: math.sinh(x) * math.tanh(x) + math.cosh(x), 0.7, -2.1)
formula("inverse_hyperbolic", lambda x: math.asinh(x) + math.acosh(x + 1.0) * math.atanh(x), 0.7, 0.2)
formula("exponentials", lambda x: math.exp(x) + math.expm1(x) * x, 0.7, -2.1)
formula("logarithms", lambda x: math.log(x) + math.log2(x) * math.log10(x) + math.log1p(x), 0.7, 3.1)
formula("square_root", lambda x: math.sqrt(x) * np.sqrt(x + 1.0) + np.cbrt(x), 0.7, 3.1)
formula("hypotenuse", lambda x, y: math.hypot(x, y) * x, (0.7, 3.1), (-0.7, 0.1))
formula("copysign", lambda x, y: math.copysign(x, y) * x * y, (0.7, -3.1), (-0.7, 3.1))
formula("error_functions", lambda x: math.erf(x) * math.erfc(x / 2), 0.7, -2.1)
formula("gamma_functions", lambda x: math.gamma(x) + math.lgamma(x) * x, 0.7, 3.1)
formula("angles_converted", lambda x: math.radians(x * 100) * math.degrees(x), 0.7, -2.1)
formula("ldexp", lambda x, n: math.ldexp(x * x, n), (0.7, 3))


@program(0.7, 23.0)
def frexp(x):
    mantissa, exponent = math.frexp(x)
    return mantissa * mantissa * (exponent + 2)


formula("constants", lambda x: x * math.pi + math.e * x * x + math.tau / x, 0.7)
formula("integers_and_floats", lambda x, n: x * n + n // 2 + (n + 1) * x / n - n * (1 << n), (1.3, 2))
formula("booleans_as_numbers", lambda x, y: (x > y) * x + (x < y) * y * 5.0 + True * x * y, (1.3, 0.7))
formula("converted_to_float", lambda x: float(x) * np.float64(x * x) + float(3) * x, 0.7)


@program((0.7, 1.2))
def complex_from_parts(x, y):
    z = complex(x, y)
    w = z * z * z
    return w.real * w.imag


@program((0.7, 1.2))
def complex_literals(x, y):
    z = x + 1j * y
    w = (z + 2j) / (z - 0.5)
    return w.real + w.imag * y


@program((0.7, 1.2))
def complex_modulus(x, y):
    z = complex(x, y)
    return abs(z) * abs(z * z + 1.0)


@program((0.7, 1.2))
def complex_conjugate(x, y):
    z = complex(x * y, y)
    return (z * z.conjugate()).real + (z.conjugate() ** 2).imag


@program((0.7, 1.2))
def complex_exponential_and_logarithm(x, y):
    z = cmath.exp(complex(x, y)) * cmath.log(complex(y, x))
    return z.real - z.imag


@program((0.7, 1.2))
def complex_trigonometric(x, y):
    z = complex(x, y)
    w = cmath.sin(z) * cmath.cosh(z) + cmath.tan(z) + cmath.sinh(z) * cmath.cos(z)
    return w.real * w.imag


@program((0.7, 1.2))
def complex_square_root(x, y):
    w = cmath.sqrt(complex(x, y)) + complex(y, x) ** 0.5
    return w.real * w.imag


@program((0.7, 1.2), (-0.7, -1.2))
def complex_phase_and_polar(x, y):
    z = complex(x, y)
    r, phi = cmath.polar(z * z)
    w = cmath.rect(r, phi * 0.5)
    return cmath.phase(z) * r + w.imag


@program((0.7, 1.2), (0.7, -1.2))
def complex_power(x, y):
    z = complex(x, y) ** 3 + complex(y, x) ** complex(0.5, 0.2)
    return z.real + z.imag


@program((0.7, 1.2))
def complex_loop(x, y):
    c = complex(x * 0.3, y * 0.2)
    z = 0j
    for _ in range(5):
        z = z * z + c
    return z.real * z.real + z.imag


@program(0.7)
def numpy_scalar_functions(x):
    return np.sin(x) * np.exp(-x) + np.arctan2(x, 2.0) + np.log1p(x * x) + np.square(x) * np.reciprocal(x + 3.0)


@program((0.7, 1.2), (1.2, 0.7))
def numpy_scalar_maximum(x, y):
    return np.maximum(x, y) * np.minimum(x, y) ** 2 + np.abs(x - y)


formula("sign", lambda x: np.sign(x) * x * x, 0.7, -0.7)


@program((0.7, 1.2))
def large_and_small_numbers(x, y):
    return (x * 1e150) * (y * 1e-150) + math.log(math.exp(x * 100.0) * y)


@program(30.0, -40.0)
def logistic_of_large_arguments(x):
    return 1.0 / (1.0 + math.exp(-x * 0.1)) + math.log1p(math.exp(-abs(x))) * x
