"""Exceptions, random draws, assertions, and functions whose derivative is zero: `int`, `round`, `floor`, comparisons."""

import math

import numpy as np
from numba import njit

from tests.derivatives.table import P, X, Y, formula, program


@program(1.3)
def error_that_is_not_raised(x):
    if x < 0.0:
        raise ValueError("x is negative")
    return math.sqrt(x) * x


@program((X, 3), (X, 2))
def error_in_a_loop_that_is_not_raised(x, n):
    total = 1.0
    for i in range(n):
        if i > 5:
            raise IndexError("too far")
        total *= x[i]
    return total


@program(1.3)
def assertion(x):
    assert x > 0.0
    return math.log(x) * x


@program(1.3)
def try_without_an_error(x):
    y = x
    try:
        y = x * x
        if x < 0.0:
            raise ValueError("x is negative")
        y = y * x
    except Exception:
        y = 0.0
    return y * x


@program(-1.3)
def try_with_an_error(x):
    y = x
    try:
        y = x * x
        if x < 0.0:
            raise ValueError("x is negative")
        y = y * x
    except Exception:
        y = y * 3.0
    return y * x


@njit
def checked_root(x):
    if x < 0:
        raise ValueError("negative")
    return math.sqrt(x)


@program(X)
def error_of_a_function_is_caught_in_a_loop(x):
    total = 0.0
    for value in x:
        y = value
        try:
            y = value * value
            y = checked_root(value) * y
        except Exception:
            y = y * value
        total += y
    return total


@program((X, P))
def division_by_zero_is_caught(x, p):
    total = 0.0
    for i in range(4):
        try:
            total += p[i] * (6 // (i - 2)) * x[0]
        except Exception:
            total -= x[i] ** 3
        else:
            total += x[0] * p[i]
    return total


@program(X)
def array_is_written_before_the_error(x):
    y = x.copy()
    for i in range(4):
        try:
            y[i] = y[i] * y[i]
            y[i] = checked_root(x[i]) * y[i - 1]
        except Exception:
            y[i] += 3.0
    return y.prod()


@program(X, -X)
def result_of_a_try(x):
    try:
        return checked_root(x[0]) * x[1]
    except Exception:
        return x[2] * x[0]


@program(X)
def tries_within_tries(x):
    total = 0.0
    for value in x:
        try:
            total += value
            try:
                total += checked_root(value)
            except Exception:
                total += value**2
                total += checked_root(value)
        except Exception:
            total = total * 2.0
    return total


@program(P)
def finally_without_an_error(x):
    total = 1.0
    for value in x:
        try:
            total *= checked_root(value)
        finally:
            total += value
    return total


@program((X, 1), (X, 0))
def array_of_a_try(x, i):
    try:
        y = x * x
        z = checked_root(x[i]) * y
    except Exception:
        z = x[1:] * 3.0
    return (z * z).sum()


@program(X)
def printed(x):
    total = 0.0
    for value in x:
        total += value * value
        if total > 1e9:
            print(total)
    return total


@program((X, 0.7))
def uniform_draws(x, s):
    np.random.seed(3)
    total = 0.0
    for value in x:
        total += value * value * np.random.random() * s
    return total


@program((0.5, 1.2))
def normal_draws_scaled(mean, deviation):
    np.random.seed(5)
    total = 0.0
    for _ in range(3):
        total += (mean + deviation * np.random.standard_normal()) ** 2
    return total


@program((0.5, 1.2))
def normal_draws_of_parameters(mean, deviation):
    np.random.seed(5)
    total = 0.0
    for _ in range(3):
        total += np.random.normal(mean, deviation) ** 2
    return total


@program((0.5, 1.2))
def uniform_draws_of_parameters(low, high):
    np.random.seed(7)
    a = np.random.uniform(low, high)
    return a * np.random.uniform(low, high)


@program(X)
def draws_overwrite_an_argument(x):
    np.random.seed(11)
    for i in range(4):
        x[i] = x[i] * x[i - 1] * np.random.random()
    return x.sum()


@program(X)
def array_of_draws(x):
    np.random.seed(13)
    z = np.random.random(4)
    return (z * x * x).sum()


@program(X)
def draws_choose_the_branch(x):
    np.random.seed(17)
    state = 1.0
    for value in x:
        if np.random.random() < 0.5:
            state = state * value
        else:
            state = state + value * value
    return state


@program(X)
def random_indices(x):
    np.random.seed(19)
    total = 0.0
    for _ in range(5):
        i = np.random.randint(0, 4)
        total += x[i] * x[i]
    return total * x[0]


@program(X)
def random_permutation(x):
    np.random.seed(23)
    order = np.random.permutation(4)
    total = 0.0
    for i in range(4):
        total += x[order[i]] ** 2 * i
    return total


formula("converted_to_an_integer", lambda x: int(x) * x, 2.7, -2.7)
formula("rounded", lambda x: round(x) * x + np.rint(x) * x * x, 2.7, -2.3)


@program(2.7, -2.3)
def floor_and_ceiling(x):
    return math.floor(x) * x + math.ceil(x) * x * x + np.floor(x) + np.ceil(x) * x


formula("truncated", lambda x: math.trunc(x) * x + np.trunc(x) * x, 2.7, -2.3)
formula("fractional_part", lambda x: (x - np.floor(x)) ** 2, 2.3, -0.4)


@program((2.3, X), (0.4, X))
def integer_of_a_float_as_an_index(s, x):
    i = int(s)
    f = s - i
    return x[i] * (1.0 - f) + x[i + 1] * f


@program((2.3, X), (0.4, X))
def bilinear_lookup(s, x):
    i = int(np.floor(s))
    f = s - i
    return (1.0 - f) * x[i] ** 2 + f * x[i + 1] * x[i]


@program((X, Y))
def comparisons_as_numbers(x, y):
    total = 0.0
    for i in range(4):
        total += (x[i] > y[i]) * x[i] * x[i]
    return total


formula("comparison_array_as_weights", lambda x, limit: ((x > limit) * x * x).sum(), (X, 0.35))
formula("signs", lambda x: (np.sign(x) * x * x).sum() + np.floor(x).sum() * x[0], X)
formula("rounded_arrays", lambda x: (np.around(x, 1) * x).sum() + (np.rint(x) * x * x).sum(), X)


@program(P, X)
def nan_and_inf_are_tested(x):
    total = 0.0
    for value in x:
        if math.isnan(value) or math.isinf(value):
            return 0.0
        total += value**3
    return total


@program(X)
def hash_of_a_value_as_a_choice(x):
    n = 0
    for value in x:
        n = (n * 31 + int(value * 100.0 + 0.5)) % 7
    return x[n % 4] ** 2


@program((1.3, 5))
def number_of_steps_depends_on_the_value(x, n):
    steps = int(x * n)
    h = x / steps
    y = 1.0
    for _ in range(steps):
        y += h * y * math.sin(y)
    return y


@program(1.3)
def length_of_a_text(x):
    text = str(int(x * 100.5))
    return len(text) * x * x
