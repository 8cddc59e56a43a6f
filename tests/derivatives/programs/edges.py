"""Ties, kinks and zeros; empty arrays, arrays without dimensions, arguments that the result does not need."""

import math

import numpy as np

from tests.derivatives.table import X, formula, program

INF = math.inf


formula("abs_at_zero", lambda x: abs(x) + 2.0 * math.fabs(x) + x, 0.0, kink=True)
formula("abs_of_an_array_at_zero", lambda x: np.abs(x).sum(), np.zeros(2), kink=True)
formula("smooth_function_of_abs_at_zero", lambda x: abs(x) * x + abs(x) ** 3, 0.0, gradient=((0.0,),))
formula("max_of_equal_numbers", lambda x, y: max(x, y) * 2.0, (0.7, 0.7), kink=True)
formula("min_of_equal_numbers", lambda x, y: min(x, y) - 0.1, (0.7, 0.7), kink=True)


@program((0.7, 0.7), kink=True)
def maximum_of_equal_numbers(x, y):
    return np.maximum(x, y)


@program((np.array([0.7, 1.2]), np.array([0.7, 0.3])), kink=True)
def maximum_of_equal_elements(x, y):
    return np.maximum(x, y).sum()


formula("max_of_a_number_and_itself", lambda x: max(x, x), 0.7, gradient=((1.0,),))


@program(X, gradient=((np.full(4, 3.0),),))
def maximum_of_an_array_and_itself(x):
    return np.maximum(x, x).sum() + np.minimum(x, x).sum() + np.where(x >= x, x, x).sum()


formula("max_of_an_array_with_ties", lambda x: x.max(), np.array([0.4, 1.3, 1.3, 1.3]), kink=True)
formula("min_of_an_array_with_ties", lambda x: np.min(x) * 2.0, np.array([0.4, 0.4, 1.3]), kink=True)


@program(np.array([0.4, 1.3, 1.3]), kink=True)
def maximum_by_a_loop_with_ties(x):
    largest = x[0]
    for value in x:
        if value >= largest:
            largest = value
    return largest


formula("argmax_with_ties", lambda x: x[np.argmax(x)], np.array([1.3, 0.4, 1.3]), kink=True)


@program(np.array([1.3, 0.4, 1.3]), kink=True)
def sorted_with_ties(x):
    y = np.sort(x)
    return y[0] + 2.0 * y[1] + 3.0 * y[2]


@program(np.array([1.0, 0.4, -0.2]), np.array([0.1, 0.4, -1.0]), kink=True)
def clipped_at_the_bounds(x):
    return np.clip(x, -1.0, 1.0).sum()


formula("rectifier_at_zero", lambda x: x if x > 0.0 else 0.0, 0.0, kink=True)
formula("constant_power_zero_at_zero", lambda x: x**0 * 3.0, 0.0, gradient=((0.0,),))
formula("argument_power_zero_at_zero", lambda x, n: x**n, (0.0, 0), gradient=((0.0,),))
formula("argument_power_one_at_zero", lambda x, n: x**n, (0.0, 1), gradient=((1.0,),))
formula("argument_power_at_zero", lambda x, n: x**n, (0.0, 2), (0.0, 3), gradient=((0.0,), (0.0,)))


@program(np.array([0.0, 1.5]), gradient=((np.array([1.0, 4.0]),),))
def powers_of_an_array_at_zero(x):
    return (x**0 + x**1 + x**2).sum()


formula("whole_float_power_at_zero", lambda x: x**2.0 + x**3.0, 0.0, gradient=((0.0,),))


@program((0.0, 2.0), gradient=((0.0, 0.0),))
def active_power_of_zero(x, y):
    """Drake 23862, Stan 3031: the logarithm of zero times zero."""
    return x**y


formula("square_root_of_zero_times_zero", lambda x: math.sqrt(x) * 0.0, 0.0, gradient=((0.0,),), nan=True)


@program(0.0, gradient=((INF,),))
def square_root_of_zero(x):
    return math.sqrt(x)


@program((0.0, 0.0), kink=True, nan=True)
def norm_at_zero(x, y):
    """Taichi 4332: the norm of a zero vector."""
    return math.sqrt(x * x + y * y)


@program((0.0, 0.0), gradient=((0.0, 0.0),), nan=True)
def squared_norm_by_a_square_root_at_zero(x, y):
    """Taichi 4332: the square of the norm of a zero vector."""
    return math.sqrt(x * x + y * y) ** 2


formula("modulus_of_complex_zero", lambda x, y: abs(complex(x, y)), (0.0, 0.0), kink=True, nan=True)


@program((0.0, 0.0), kink=True)
def hypotenuse_of_zeros(x, y):
    return math.hypot(x, y)


@program(0.0, 0.5, gradient=((0.0,), (-0.1625370306360665,)))
def sinc_with_a_guard(x):
    if x == 0.0:
        return 1.0
    return math.sin(x) / x


@program(np.zeros(3), gradient=((np.zeros(3),),))
def norm_with_a_guard(x):
    squares = (x * x).sum()
    if squares > 0.0:
        return math.sqrt(squares)
    return 0.0


@program(np.array([0.0, 4.0]), gradient=((np.array([1.0, 0.25]),),))
def where_guards_a_square_root(x):
    """Tinygrad 12409, caustics 83: the derivative of the branch that is not chosen is infinite."""
    return np.where(x > 0.0, np.sqrt(x), x).sum()


@program(np.array([-1.0, 4.0]), gradient=((np.array([1.0, 0.25]),),))
def where_guards_a_square_root_of_a_negative_number(x):
    """Pytorch 187297: the derivative of the branch that is not chosen is NaN."""
    return np.where(x > 0.0, np.sqrt(x), x).sum()


@program(np.array([0.0, 4.0]), gradient=((np.array([2.0, -0.0625]),),), nan=True)
def where_guards_a_division(x):
    return np.where(x != 0.0, 1.0 / x, 2.0 * x).sum()


@program((INF, 0.5), (2.0, 0.5), gradient=((0.0, 1.0), (0.25, 3.0)))
def infinity_in_a_branch_that_is_not_taken(a, x):
    """Enzyme.jl 2285: infinity times zero in the reverse pass of a branch."""
    y = x * x
    if not math.isinf(a):
        y += a * y
    return y


@program((1e200, 1e-200), gradient=((3e-200, 3e200),))
def factors_that_overflow_together(x, y):
    return (x * y) * (1.0 + y * x)


@program(np.zeros(0), gradient=((np.zeros(0),),))
def empty_array(x):
    total = 1.0
    for value in x:
        total *= value
    return total + x.sum()


@program((X, 0))
def zero_trips(x, n):
    y = np.zeros(4)
    for i in range(n):
        y[i] = x[i]
    return (y * x).sum() + x[0] * x[0]


formula("array_without_dimensions", lambda x: x[()] * x[()], np.array(1.3))


@program(np.array([1.3]))
def array_of_one_element(x):
    x[0] = x[-1] * x[0]
    return x[0] * x[0]


formula("argument_not_used", lambda x, y: x * x, (1.3, 0.7))
formula("argument_used_for_a_comparison_only", lambda x, y: x * x if y > 0.0 else x, (1.3, 0.7))
formula("array_used_for_its_length_only", lambda x, y: x * len(y), (1.3, X))


@program((1.3, X))
def array_that_is_written_only(x, y):
    y[0] = x
    return x * x


formula("constant_result", lambda x: 2.5, 1.3)
formula("argument_as_the_result", lambda x: x, 1.3)
formula("element_as_the_result", lambda x: x[2], X)
formula("same_array_twice", lambda x, y: (x * y * y).sum() + x[0], (X, X))
formula("overlapping_arguments", lambda x, y: (x * y).sum() + y[0] * x[1], (X[:3], X[1:]))
