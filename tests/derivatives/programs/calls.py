"""Calls: helpers, recursion, closures, globals, functions as arguments."""

import math

import numpy as np
from numba import njit

from tests.derivatives.table import A, P, X, Y, formula, program

SCALE = 1.7
COUNT = 3
WEIGHTS = np.array([0.5, -1.5, 2.0, 0.25])
TABLE = ((1.0, 2.0), (3.0, 4.0))


square = njit(lambda x: x * x)


@njit(inline="always")
def cube(x):
    return x * x * x


both = njit(lambda x, y: (x * y, x + y))


@njit
def squared_in_place(x):
    for i in range(len(x)):
        x[i] = x[i] * x[i]


tail = njit(lambda x: x[1:])


@njit
def first_of(x):
    for value in x:
        if value > 0.5:
            return value * value
    return 0.0


polynomial = njit(lambda x, c0=1.0, c1=2.0, c2=0.5: c0 + c1 * x + c2 * x * x)


@njit
def factorial(x, n):
    if n <= 0:
        return 1.0
    return x * n * factorial(x, n - 1)


@njit
def fibonacci(x, n):
    if n < 2:
        return x + n
    return fibonacci(x, n - 1) * 0.5 + fibonacci(x, n - 2) * x


@njit
def halves(x, lo, hi):
    if hi - lo == 1:
        return x[lo] * x[lo]
    middle = (lo + hi) // 2
    return halves(x, lo, middle) * halves(x, middle, hi) + x[lo]


@njit
def sink(x, i):
    if i < len(x) - 1:
        x[i + 1] += x[i] * x[i]
        sink(x, i + 1)


applied = njit(lambda f, x: f(x) * f(x + 1.0))


@njit
def adder(x, total):
    total[0] += x * x
    return total[0]


@njit
def of_many(*values):
    total = 0.0
    for value in values:
        total += value * value
    return total


@njit
def simpson(f, a, b, n):
    h = (b - a) / n
    total = f(a) + f(b)
    for i in range(1, n):
        total += (4 if i % 2 else 2) * f(a + i * h)
    return total * h / 3


formula("helper", lambda x: square(x) * square(x + 1.0), 1.3)
formula("helper_of_a_helper_result", lambda x: square(square(cube(x))), 1.3)


@program((1.3, 0.7))
def helper_with_two_results(x, y):
    a, b = both(x, y)
    c, d = both(b, a)
    return c * d * a


formula("helper_with_defaults", lambda x, y: polynomial(x) * polynomial(y, 3.0) + polynomial(x, y, c2=x), (1.3, 0.7))
formula("helper_with_keywords", lambda x, y: polynomial(x, c2=x, c1=y), (1.3, 0.7))
formula("helper_of_many_arguments", lambda x, y: of_many(x, y) * of_many(x * y, x, 2.0), (1.3, 0.7))


@program(X)
def helper_that_writes(x):
    squared_in_place(x)
    squared_in_place(x)
    return x[0] * x[1] + x[2]


@program(X)
def helper_that_writes_a_view(x):
    squared_in_place(x[1:3])
    squared_in_place(x[::2])
    return x.sum()


@program(X)
def helper_that_writes_a_copy(x):
    y = x.copy()
    squared_in_place(y)
    return (x * y).sum()


@program(A)
def helper_that_writes_rows(a):
    for i in range(3):
        squared_in_place(a[i])
    return a[0, 0] * a[1, 1] * a[2, 2]


@program(X)
def helper_that_returns_a_view(x):
    v = tail(tail(x))
    v[0] = v[1] * v[0]
    return (x * x).sum()


formula("helper_with_an_early_return", lambda x: first_of(x) * first_of(x[::-1]) + x[0], X)


@program(X)
def helper_that_accumulates(x):
    total = np.zeros(1)
    result = 1.0
    for value in x:
        result *= adder(value, total)
    return result


@program(X)
def helper_whose_result_is_dropped(x):
    square(x[0])
    adder(x[1], x)
    return x[0] * x[0]


@program(X)
def helper_in_a_condition(x):
    total = 0.0
    for value in x:
        if square(value) > 1.0:
            total += cube(value)
    return total


@program(X)
def helper_in_nested_loops(x):
    total = 0.0
    for i in range(4):
        for j in range(i):
            total = square(total * 0.3 + x[i] * x[j])
    return total


@program((1.3, 4), (1.3, 0))
def recursion(x, n):
    return factorial(x, n)


@program((1.3, 5))
def recursion_of_two_calls(x, n):
    return fibonacci(x, n)


formula("recursion_over_halves", lambda x: halves(x, 0, 4), X)


@program(X)
def recursion_that_writes(x):
    sink(x, 0)
    return x[3] * x[1]


@program((1.3, 0.7))
def closure_over_a_local(x, y):
    def scaled(z):
        return z * y

    return scaled(x) * scaled(x * x)


@program((1.3, 0.7))
def closure_over_a_computed_value(x, y):
    k = x * y

    def scaled(z):
        return z * k + x

    return scaled(scaled(y))


@program((X, Y))
def closure_over_an_array(x, y):
    def weighted(i):
        return x[i] * y[3 - i]

    total = 1.0
    for i in range(4):
        total = total * 0.5 + weighted(i)
    return total


@program(X)
def closure_that_writes(x):
    def double(i):
        x[i] = x[i] * x[i - 1]

    for i in range(1, 4):
        double(i)
    return x.sum()


@program(1.3)
def lambda_expression(x):
    f = lambda z: z * z * x
    return f(2.0) + f(x)


def scaled_by(factor, weights):
    def scaled(x):
        return (x * weights).sum() * factor

    return njit(scaled)


SCALED = scaled_by(2.5, np.array([1.0, 2.0, 3.0, 4.0]))


formula("closure_made_outside", lambda x: SCALED(x * x) * SCALED(x), X)
formula("global_float", lambda x: x * SCALE**2 + SCALE / x, 1.3)


@program(X)
def global_array(x):
    total = 0.0
    for i in range(COUNT + 1):
        total += x[i] * x[i] * WEIGHTS[i]
    return total


formula("global_array_times_array", lambda x: (x * x * WEIGHTS).sum() + WEIGHTS[1:] @ x[1:], X)
formula("global_tuple", lambda x, y: x * TABLE[0][1] + y * x * TABLE[1][0], (1.3, 0.7))
formula("function_as_an_argument", lambda x: applied(square, x) + applied(cube, x), 1.3)
formula("quadrature_of_a_helper", lambda a, b: simpson(square, a, b, 4) * simpson(math.sin, a, b, 2), (0.2, 1.3))
formula("function_argument_of_the_program", lambda f, x: f(x) * f(f(x)), (square, 1.3), (cube, 1.3))


@program((1.3, True), (1.3, False))
def function_chosen_by_a_branch(x, flag):
    if flag:
        y = square(x)
    else:
        y = cube(x)
    return y * square(y)


@program(1.3)
def functions_in_a_tuple(x):
    for f in (square, square):
        x = f(x) + 0.1
    return x


@program((P, 5))
def runge_kutta(p, n):
    def slope(y, v):
        return v, p[0] * (1.0 - y * y) * v - p[1] * y

    y, v = p[2], p[3]
    for _ in range(n):
        a, b = slope(y, v)
        c, d = slope(y + 0.05 * a, v + 0.05 * b)
        y, v = y + 0.1 * c, v + 0.1 * d
    return y * y + v


@program((9.0, 1.0))
def newton_with_helpers(a, x):
    for _ in range(6):
        x = x - (cube(x) - a) / (3.0 * square(x))
    return x


@program(X)
def array_result_of_a_helper(x):
    y = squares_of(x)
    y[0] = y[1] * y[2]
    return (x * y).sum()


@njit
def squares_of(x):
    y = np.empty_like(x)
    for i in range(len(x)):
        y[i] = square(x[i])
    return y
