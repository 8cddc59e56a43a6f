"""Casts by types."""

import numpy as np
from numba import float64, types

from tests.derivatives.table import V, formula, program

formula("type_of_a_number", lambda x: type(x)(0.5) * x * x, 2.3, np.float32(0.7))


@program(V)
def type_of_an_element(x):
    total = type(x[0])(0)
    for element in x:
        total += type(element)(2) * element
    return total


formula("type_of_an_integer", lambda n, x: type(n)(x) * x, (3, 2.5))
formula("types_of_numba", lambda x: types.float64(x) * float64(0.5) + types.int64(x) * x, 2.3)


@program((2.3, 0.4))
def type_of_a_complex_number(x, y):
    z = type(complex(x, y))(x) * 2.0
    return z.real * z.real + z.imag * y
