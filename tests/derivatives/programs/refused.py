"""Programs whose derivatives a compiler can't know or must not guess."""

import ctypes
import ctypes.util
import math

import numpy as np
from llvmlite import ir
from numba import float64, njit, objmode, stencil
from numba.extending import intrinsic

from tests.derivatives.table import A, X, formula, program


@program(X, refused=True)
def loop_over_a_set(x):
    total = 0.0
    for i in {1, 2}:  # noqa: PLC0208  # a list would be another program
        total += x[i]
    return total


@program(1.3, refused=True)
def object_mode(x):
    with objmode(y="float64"):
        y = math.gamma(x)
    return y * x


@program(X, refused=True)
def object_mode_writes_an_array(x):
    with objmode():
        x[0] = x[1] * x[2]
    return x[0] * x[3]


@njit
def squares(x):
    for value in x:
        yield value * value


@njit
def powers(x, n):
    y = 1.0
    for _ in range(n):
        y *= x
        yield y


@program(X, refused=True)
def generator_beside_an_array(x):
    total = 0.0
    for value, factor in zip(squares(x), x):
        total += value * factor
    return total


@njit
def mixed(x):
    yield 1
    yield x


@program(1.3, refused=True)
def generator_of_several_types(x):
    total = 0.0
    for value in mixed(x):
        total += value * x
    return total


@njit(error_model="numpy")
def quotients(x):
    for value in x:
        yield value / x[0]


@program(X, refused=True)
def generator_with_another_error_model(x):
    total = 0.0
    for value in quotients(x):
        total += value
    return total


@program(X, refused=True)
def generator_of_two_loops(x):
    total = 0.0
    values = squares(x)
    for k in range(2):
        for value in values:
            total += value * (k + 1)
    return total


formula("stencil_of_a_transpose", lambda a: products(a.T).sum(), A, refused=True)


@program(X, refused=True)
def generator_within_try(x):
    total = 0.0
    try:
        for value in squares(x):
            total += value
    except Exception:  # the one that Numba compiles
        total = x[0]
    return total


last = njit(lambda x: x[-1])


@stencil(neighborhood=((-1, 1),))
def passes_its_array(x):
    return x[0] * last(x)


@stencil
def products(x):
    return x[-1, 0] * x[0, 1]


@stencil(neighborhood=((-1, 1),))
def slices_its_array(x):
    return x[0] * x[-1:2].sum()


formula("stencil_that_passes_its_array", lambda x: passes_its_array(x).sum(), X, refused=True)
formula("stencil_that_slices_its_array", lambda x: slices_its_array(x).sum(), X, refused=True)


COSINE = ctypes.CDLL(ctypes.util.find_library("m")).cos
COSINE.argtypes, COSINE.restype = [ctypes.c_double], ctypes.c_double


formula("function_of_a_c_library", lambda x: COSINE(x) * x, 1.3, refused=True)


@intrinsic
def doubled(typing_context, x):
    def generate(context, builder, signature, arguments):
        return builder.fmul(arguments[0], ir.Constant(ir.DoubleType(), 2.0))

    return float64(float64), generate


formula("intrinsic_function", lambda x: doubled(x) * x, 1.3, refused=True)


@program(X, refused=True)
def bits_of_floats(x):
    bits = x.view(np.int64)
    bits[0] = bits[0] + 1024
    return x[0] * x[1]


@program(X, refused=True)
def floats_from_bits(x):
    bits = x.view(np.int64)
    return (bits & ~1023).view(np.float64).sum()


@program(3.7, refused=True)
def poisson_draw_of_a_rate(rate):
    np.random.seed(3)
    return np.random.poisson(rate) * rate


@program(2.7, refused=True)
def gamma_draw_of_a_shape(shape):
    np.random.seed(3)
    return np.random.gamma(shape) * shape


@program(0.4, refused=True)
def binomial_draw_of_a_probability(p):
    np.random.seed(3)
    return np.random.binomial(10, p) * p


@program(X, refused=True)
def integer_result(x):
    return len(x)


formula("array_result", lambda x: x * x, X, refused=True)
formula("complex_result", lambda x: complex(x, x * x), 1.3, refused=True)


@program(1.3, refused=True)
def two_results(x):
    return x, x * x


@program(1.3, refused=True)
def no_result(x):
    x = x * x


formula("boolean_result", lambda x: x > 0.0, 1.3, refused=True)
