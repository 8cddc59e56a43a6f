"""Functions that are chosen when the program runs."""

import math

import numpy as np
from numba import njit

from tests.derivatives.table import A, P, X, program

square = njit(lambda x: x * x)
cube = njit(lambda x: x * x * x)


@njit("float64(float64)")
def given_square(x):
    return x * x


@njit("float64(float64)")
def given_root(x):
    if x < 0.0:
        raise ValueError("negative")
    return math.sqrt(x)


@njit("float64(float64)")
def given_inverse(x):
    return 1.0 / x


GIVEN = (given_square, given_root, given_inverse)


applied = njit(lambda function, x: function(x) * x)
doubled = njit(lambda a: a * 2.0)


@njit
def raised(a):
    a[0] = a[0] * a[1]
    return a * a


@program((1.3, True), (1.3, False))
def chosen_by_a_flag(x, flag):
    function = square if flag else cube
    return function(x) * x


@program(X)
def chosen_in_a_loop(x):
    total = 0.0
    for value in x:
        if value > 0.0:
            function = square
        else:
            function = cube
        total += function(value) * x[0]
    return total


@program(X)
def exchanged_in_a_loop(x):
    first, second = square, cube
    total = 1.0
    for value in x:
        total += first(value) * second(total) * 0.1
        first, second = second, first
    return total


@program(P)
def items_of_a_tuple(x):
    total = 0.0
    for i in range(4):
        total += GIVEN[i % 3](x[i]) * (i + 1)
    return total * GIVEN[-1](total)


@program(P)
def loop_over_a_tuple(x):
    total = 1.0
    for function in GIVEN:
        total = function(total * x[0]) + function(x[1])
    return total


@program((1.3, 2), (0.7, 0))
def list_of_functions(x, i):
    functions = [given_square, given_root, given_inverse]
    return functions[i](x) * x


@program((1.3, 3), (1.3, 2))
def passed_on(x, n):
    function = GIVEN[n % 2]
    if n > 2:
        function = given_inverse
    return applied(function, x) + function(2)


@program((1.3, True), (1.3, False))
def closures(x, flag):
    def scaled(y):
        return y * 3.0

    def shifted(y):
        return y * y + 1.0

    function = scaled if flag else shifted
    return function(x) * function(x * x)


@program((A, True), (A, False))
def of_arrays(a, flag):
    function = doubled if flag else raised
    row = a[0].copy()
    out = function(row)
    return (out * row).sum() + np.sum(function(a[1].copy()))


picked = njit(lambda i: GIVEN[i])


@program(P)
def of_functions_by_data(x):
    total, function = 1.0, given_square
    for i in range(4):
        total += function(x[i]) * 0.3 * total
        if total > 2.5:
            function = given_root
        elif x[i] < 1.0:
            function = given_inverse
        total = picked(i % 2)(function(total))
    return total * function(total)


@program(P)
def three_exchanged_in_a_loop(x):
    first, second, third = GIVEN
    total = 1.0
    for value in x:
        total += first(value) + second(total) * third(value)
        first, second, third = second, third, first
    return total
