"""Loops: ranges of every step, iteration over arrays, `while`, `break`, `continue`, `else`, early returns, nesting."""

import math

import numpy as np
from numba import literal_unroll

from tests.derivatives.table import A, N, P, X, Y, program


@program((1.3, 5), (0.8, 0), (-0.7, 1))
def powers_by_multiplication(x, n):
    y = 1.0
    for _ in range(n):
        y *= x
    return y


@program(X)
def range_of_two_bounds(x):
    total = 0.0
    for i in range(1, 4):
        total += x[i] * x[i - 1]
    return total


@program(X)
def range_of_step_two(x):
    total = 0.0
    for i in range(0, 4, 2):
        total = total * x[i] + math.sin(x[i])
    return total


@program(X)
def range_backwards(x):
    state = 1.0
    for i in range(3, -1, -1):
        state = math.tanh(state * x[i])
    return state


@program(X)
def range_backwards_by_two(x):
    state = 0.5
    for i in range(len(x) - 1, 0, -2):
        state = state * state + x[i]
    return state


@program((X, 3), (X, 0), (X, -2), (X, 4))
def range_of_an_argument(x, n):
    state = 1.0
    for i in range(n):
        state = state * x[i] + 0.5
    return state


@program((X, 0, 4, 1), (X, 3, -1, -1), (X, 0, 4, 3), (X, 3, 0, 1), (X, 3, 0, -2))
def range_of_three_arguments(x, start, stop, step):
    state = 0.3
    for i in range(start, stop, step):
        state = math.cos(state) * x[i]
    return state


@program((2.0, 3), (2.0, 0))
def index_after_the_loop(x, n):
    i = 7
    for i in range(n):
        x = x * 1.1
    return x * i


@program((1.5, 4))
def index_as_a_factor(x, n):
    total = 0.0
    for i in range(n):
        total += i * x**i
    return total


@program((0.9, 6))
def bound_changed_in_the_body(x, n):
    total = x
    for i in range(n):
        n = 2
        total = total * x + i
    return total + n


@program((0.9, 6))
def index_changed_in_the_body(x, n):
    total = x
    for i in range(n):
        i = i * 2 + 1
        total = total * x + i
    return total


@program(X)
def enumerated(x):
    total = 0.0
    for i, value in enumerate(x):
        total += (i + 1) * value * value
    return total


@program(X)
def enumerated_from_two(x):
    total = 1.0
    for i, value in enumerate(x, 2):
        total = total * 0.5 + value**i
    return total


@program((X, Y))
def zipped(x, y):
    total = 0.0
    for a, b in zip(x, y):
        total = math.sin(total + a * b)
    return total


@program((X, P[:2]))
def zipped_of_different_lengths(x, y):
    total = 0.0
    for a, b in zip(x, y):
        total += a * b * b
    return total


@program((X, Y, P))
def zipped_and_enumerated(x, y, z):
    total = 0.0
    for i, (a, b, c) in enumerate(zip(x, y, z)):
        total += a * b * c * (i - 1.5)
    return total


@program(X)
def over_an_array(x):
    product = 1.0
    for value in x:
        product *= value + 2.0
    return product


@program(A)
def over_the_rows_of_a_matrix(a):
    total = 1.0
    for row in a:
        total *= row[0] * row[2] + row[1]
    return total


@program(A)
def over_the_elements_of_the_rows(a):
    total = 0.0
    for row in a:
        for value in row:
            total = total * 0.9 + value * value
    return total


@program(A)
def over_flat(a):
    total = 0.0
    for value in a.flat:
        total = total * 1.1 + math.sin(value)
    return total


@program(A)
def over_indices(a):
    total = 0.0
    for i, j in np.ndindex(a.shape):
        total += a[i, j] * (i - j) ** 2 * a[j, i]
    return total


@program(A)
def over_ndenumerate(a):
    total = 0.0
    for (i, j), value in np.ndenumerate(a):
        total += value * value * (i + 2 * j)
    return total


@program((X, N))
def over_an_array_of_indices(x, indices):
    state = 1.0
    for i in indices:
        state = state * x[i] + 0.1
    return state


@program((1.2, 0.7))
def over_a_tuple_of_floats(x, y):
    product = 1.0
    for value in (x, y, x * y):
        product = product * value + 0.5
    return product


@program((1.2, 0.7))
def over_a_tuple_unrolled(x, y):
    product = 1.0
    for value in literal_unroll((x, 2, y)):
        product = product * value + 0.5
    return product


@program(2.0, 7.3)
def while_with_a_counter(x):
    i = 0
    while i < 5:
        x = math.sin(x) + 0.1 * x
        i += 1
    return x


@program(7.3, 0.4, 40.0)
def while_of_the_value(x):
    while x > 1.0:
        x = x / 2.0
    return x * x


@program((9.1, 2.0))
def newton(a, x):
    while abs(x * x - a) > 1e-13:
        x = 0.5 * (x + a / x)
    return x


@program((0.7, 2), (0.7, 7))
def while_true_with_break(x, n):
    i = 0
    y = x
    while True:
        y = y * x + 1.0
        i += 1
        if i >= n:
            break
    return y


@program(X)
def while_with_two_counters(x):
    i, j, total = 0, len(x) - 1, 0.0
    while i < j:
        total += x[i] * x[j] ** 2
        i += 1
        j -= 1
    return total


@program((0.7, 50.0), (3.0, 50.0))
def while_of_two_conditions(x, limit):
    n = 0
    while n < 6 and x < limit:
        x = x * x + 0.5
        n += 1
    return x


@program(X)
def break_on_a_value(x):
    total = 0.0
    for value in x:
        if value > 0.5:
            break
        total += value * value
    return total


@program(X)
def break_after_a_write(x):
    y = np.zeros(4)
    for i in range(4):
        y[i] = x[i] * x[i]
        if x[i] > 0.5:
            break
    return y.sum() + y[2] * y[1]


@program(X)
def value_at_break(x):
    found = 0.0
    for value in x:
        found = value * 3.0
        if value > 0.5:
            found = found * value
            break
        found = 0.0
    return found


@program(X)
def continue_on_a_value(x):
    total = 0.0
    for value in x:
        if value < 0.0:
            continue
        total = total * value + 1.0
    return total


@program(X)
def continue_after_a_write(x):
    y = np.ones(4)
    for i in range(4):
        y[i] = x[i] * 2.0
        if i % 2 == 0:
            continue
        y[i] = y[i] * y[i - 1]
    return (y * y).sum()


@program(X)
def break_and_continue(x):
    total = 1.0
    for i in range(4):
        if x[i] < 0.0:
            continue
        total *= x[i]
        if total > 0.2:
            break
    return total


@program((X, 5.0), (X, 0.5))
def for_else(x, limit):
    total = 0.0
    for value in x:
        total += value * value
        if total > limit:
            break
    else:
        total = total * total
    return total


@program((1.3, 3), (1.3, 20))
def while_else(x, n):
    i = 0
    while i < n:
        i += 1
        x = x * 1.1
        if x > 3.0:
            break
    else:
        x = x * x
    return x


@program(X, Y)
def return_in_a_loop(x):
    product = 1.0
    for value in x:
        product *= value
        if product < -0.3:
            return product * product
    return product


@program((X, 2), (X, 9))
def return_in_a_nested_loop(x, n):
    total = 0.0
    for i in range(4):
        for j in range(4):
            total += x[i] * x[j] * x[j]
            if i + j == n:
                return total * x[i]
    return total


@program(A)
def nested(a):
    total = 0.0
    for i in range(3):
        for j in range(3):
            for k in range(3):
                total += a[i, j] * a[j, k] * a[k, i]
    return total


@program(A)
def triangular(a):
    total = 1.0
    for i in range(3):
        for j in range(i + 1):
            total = total * 0.5 + a[i, j] * a[j, i]
    return total


@program((X, N))
def inner_bound_from_an_array(x, counts):
    total = 0.0
    for i in range(4):
        inner = x[i]
        for _ in range(counts[i]):
            inner = inner * x[i] + 0.2
        total += inner
    return total


@program((0.6, 3))
def bounds_depend_on_the_outer_loop(x, n):
    total = 0.0
    m = 1
    for i in range(n):
        for _ in range(m):
            x = x * 0.9 + 0.1 * i
        m = m * 2
        total += x * x
    return total


@program(X)
def while_in_for(x):
    total = 0.0
    for i in range(4):
        y = x[i]
        n = 0
        while n < i:
            y = math.sin(y) + x[i]
            n += 1
        total += y
    return total


@program((X, 3))
def for_in_while(x, n):
    total = 0.1
    while n > 0:
        for i in range(n):
            total = total * x[i] + 1.0
        n -= 1
    return total


@program(X)
def break_of_the_inner_loop(x):
    total = 0.0
    for i in range(4):
        for j in range(4):
            if x[j] > 0.5 and j > i:
                break
            total += x[i] * x[j] * (j + 1)
    return total


@program((0.4, 3))
def recurrence_of_two(x, n):
    a, b = x, 1.0
    for _ in range(n):
        a, b = b * x, a + b
    return a * b


@program((0.3, 4))
def state_of_the_iteration_before(x, n):
    before = 0.0
    total = 0.0
    for _ in range(n):
        total += before * x
        before = x * x + before
    return total


@program((0.5, 0))
def zero_trips_with_a_value_before_and_after(x, n):
    y = x * x
    for i in range(n):
        y = y / i
    return y * x


@program((P, 6.0))
def explicit_euler(p, y):
    for _ in range(20):
        y = y + 0.05 * (p[0] * y - p[1] * y * y / (p[2] + y)) * p[3]
    return y


@program((0.7, 3.1, 6))
def logistic_map(x, r, n):
    for _ in range(n):
        x = r * x * (1.0 - x)
    return x
