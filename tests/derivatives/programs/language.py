"""The rest of the language: arguments that are not numbers, chained assignments, slices and ranges as values."""

import math

import numpy as np

from tests.derivatives.table import A, X, Y, formula, program


@program((X, None), (X, 0.7))
def argument_that_may_be_none(x, scale):
    if scale is None:
        return (x * x).sum()
    return (x * scale).sum() * scale


@program((1.3, "square"), (1.3, "cube"), (1.3, "other"))
def text_chooses(x, kind):
    if kind == "square":
        return x * x
    elif kind == "cube":
        return x * x * x
    return x


formula("tuple_of_integers_as_an_argument", lambda x, places: x[places[0]] * x[places[1]] * places[1], (X, (2, 3)))
formula("slice_as_an_argument", lambda x, part: (x[part] * x[part]).sum() * x[0], (X, slice(1, 3)))


@program(X)
def slice_as_a_value(x):
    part = slice(1, 3)
    x[part] = x[part] * x[0]
    return (x * x).sum()


@program(1.3)
def chained_assignment(x):
    a = b = x * x
    a = a * b
    return a + b


@program(X)
def chained_assignment_to_elements(x):
    x[0] = x[1] = x[2] * x[3]
    return x[0] * x[1]


@program((1.3, 0.7))
def starred_in_a_call(x, y):
    t = (x * y, x)
    return max(*t) * math.atan2(*t)


@program(X)
def loop_without_effect(x):
    for value in x:
        pass
    return x[1] * value


@program(X)
def range_as_a_value(x):
    places = range(1, 4, 2)
    total = 1.0
    for i in places:
        total *= x[i]
    return total * len(places)


@program((X, Y))
def index_of_an_index(x, y):
    order = np.array([3, 1, 0, 2])
    return x[order[order[0]]] * y[order[order[1]]]


@program(A)
def matrix_indexed_by_a_tuple(a):
    place = (1, 2)
    a[place] = a[place] * a[0, 0]
    return a[place] * a[1, 2]


@program((1.3, 0.7))
def comparison_stored_in_a_local(x, y):
    larger = x > y
    z = x if larger else y
    if larger:
        z = z * x
    return z


@program((X, 2))
def integer_arithmetic_steers(x, n):
    k = (n * 7 + 3) // 2 % 4
    m = (n << 2) >> 1 & 3
    return x[k] * x[m] ** 2 + x[-k] * x[k ^ 1]


@program(X)
def minimum_of_lengths(x):
    n = min(len(x), 3)
    total = 0.0
    for i in range(n):
        total += x[i] * x[n - 1 - i]
    return total * n


@program(X)
def parameter_name_used_for_another_type(x):
    y = x[0] * x[1]
    n = len(x)
    total = y * n
    total = total * total + y
    return total


@program((0.8, 5))
def integer_becomes_a_float(x, n):
    total = 0
    for i in range(n):
        total = total + x * i
    return total * x


@program((0.8, 3), (0.8, 0))
def factorial_series(x, n):
    term, total = 1.0, 1.0
    for k in range(1, n + 1):
        term *= x / k
        total += term
    return total


@program(A)
def while_with_an_index_pair(a):
    i, j, total = 0, 0, 0.0
    while i < 3 and j < 3:
        total += a[i, j] * a[j, i]
        if a[i, j] > 1.0:
            i += 1
        else:
            j += 1
    return total


@program((1.3, 1e-12))
def fixed_point(x, tolerance):
    y = x
    for _ in range(200):
        new = math.cos(y) * 0.5 + 0.1 * x
        if abs(new - y) < 1e-15:
            break
        y = new
    return y * y + tolerance


@program((0.2, 1.9))
def bisection_then_newton(a, b):
    lo, hi = 0.0, 3.0
    for _ in range(8):
        middle = 0.5 * (lo + hi)
        if middle * middle * middle - a - b < 0.0:
            lo = middle
        else:
            hi = middle
    y = 0.5 * (lo + hi)
    for _ in range(5):
        y = y - (y * y * y - a - b) / (3.0 * y * y)
    return y
