"""Scalar functions: operators, `math`, `cmath`."""

import cmath
import math

import numpy as np

from tests.derivatives.table import program


@program((1.3, 0.7), (-2.0, 3.0))
def four_operators(x, y):
    return (x + y) * (x - y) / y - x / (y * y)


@program((1.3, 0.7))
def unary_operators(x, y):
    return -x * +y * x - -(x * y)


@program((7.3, 2.0), (-7.3, 2.0), (7.3, -2.0))
def remainder(x, y):
    return x % y * x


@program((7.3, 2.1), (-7.3, 2.1))
def floor_division(x, y):
    return x // y * x + y


@program((7.3, 2.1), (-7.3, 2.1))
def divmod_of_floats(x, y):
    q, r = divmod(x, y)
    return q * r * r


@program((7.3, 2.1), (-7.3, 2.1))
def fmod(x, y):
    return np.fmod(x, y) * y


@program((1.3, 0.7), (2.0, -1.5), (0.4, 3.0))
def power(x, y):
    return x**y


@program(1.3, -1.3)
def powers_of_constant_exponents(x):
    return x**2 + x**3 * x**-1 + x**-2 + (x * x) ** 0.5 + x**1 + x**0


@program((1.3, 3), (-1.3, 3), (-1.3, -2), (1.3, 0), (-1.3, 0), (-0.4, 1))
def power_of_an_integer_argument(x, n):
    return x**n


@program(-1.3, 1.3)
def power_of_a_negative_base_and_whole_floats(x):
    return x**3.0 + x**2.0 * 0.5 - x**-1.0


@program(1.3, -0.4)
def power_of_a_constant_base(x):
    return 2.0**x + 3**x + math.e**x


@program((1.3, 0.7))
def math_pow(x, y):
    return math.pow(x, y) * math.pow(y, 2)


@program((1.3, 0.7))
def pow_function(x, y):
    return pow(x, y) + pow(x, 3)


@program(0.7, -2.1)
def sine_cosine_tangent(x):
    return math.sin(x) * math.cos(2 * x) + math.tan(x)


@program(0.7, -0.3)
def inverse_trigonometric(x):
    return math.asin(x) * math.acos(x) + math.atan(3 * x)


@program((0.7, 1.2), (0.7, -1.2), (-0.7, -1.2), (-0.7, 0.2))
def atan2(y, x):
    return math.atan2(y, x) * x


@program(0.7, -2.1)
def hyperbolic(x):
    return math.sinh(x) * math.tanh(x) + math.cosh(x)


@program(0.7, 0.2)
def inverse_hyperbolic(x):
    return math.asinh(x) + math.acosh(x + 1.0) * math.atanh(x)


@program(0.7, -2.1)
def exponentials(x):
    return math.exp(x) + math.expm1(x) * x


@program(0.7, 3.1)
def logarithms(x):
    return math.log(x) + math.log2(x) * math.log10(x) + math.log1p(x)


@program(0.7, 3.1)
def square_root(x):
    return math.sqrt(x) * np.sqrt(x + 1.0) + np.cbrt(x)


@program((0.7, 3.1), (-0.7, 0.1))
def hypotenuse(x, y):
    return math.hypot(x, y) * x


@program((0.7, -3.1), (-0.7, 3.1))
def copysign(x, y):
    return math.copysign(x, y) * x * y


@program(0.7, -2.1)
def error_functions(x):
    return math.erf(x) * math.erfc(x / 2)


@program(0.7, 3.1)
def gamma_functions(x):
    return math.gamma(x) + math.lgamma(x) * x


@program(0.7, -2.1)
def angles_converted(x):
    return math.radians(x * 100) * math.degrees(x)


@program((0.7, 3))
def ldexp(x, n):
    return math.ldexp(x * x, n)


@program(0.7, 23.0)
def frexp(x):
    mantissa, exponent = math.frexp(x)
    return mantissa * mantissa * (exponent + 2)


@program(0.7)
def constants(x):
    return x * math.pi + math.e * x * x + math.tau / x


@program((1.3, 2))
def integers_and_floats(x, n):
    return x * n + n // 2 + (n + 1) * x / n - n * (1 << n)


@program((1.3, 0.7))
def booleans_as_numbers(x, y):
    return (x > y) * x + (x < y) * y * 5.0 + True * x * y


@program(0.7)
def converted_to_float(x):
    return float(x) * np.float64(x * x) + float(3) * x


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


@program(0.7, -0.7)
def sign(x):
    return np.sign(x) * x * x


@program((0.7, 1.2))
def large_and_small_numbers(x, y):
    return (x * 1e150) * (y * 1e-150) + math.log(math.exp(x * 100.0) * y)


@program(30.0, -40.0)
def logistic_of_large_arguments(x):
    return 1.0 / (1.0 + math.exp(-x * 0.1)) + math.log1p(math.exp(-abs(x))) * x
