"""Loops over generators, which are inlined."""

import math

import numpy as np
from numba import njit

from tests.derivatives.table import A, P, X, program


@njit
def squares(x):
    for value in x:
        yield value * value


@njit
def powers(x, n=3):
    y = 1.0
    for _ in range(n):
        y *= x
        yield y


@njit
def additions(a, b, limit):
    while a < limit:
        yield a
        a, b = b, a + b


@njit
def square_and_successor(x):
    yield x * x
    x += 1.0
    yield x


@njit
def pairs(x):
    for i in range(len(x)):
        for j in range(i):
            if x[j] > 0.8:
                continue
            yield x[i], x[j]
    yield x[0], x[1]


@njit
def scaled_squares(x):
    for value in squares(x):
        yield value * x[0]


@njit
def forever(x):
    while True:
        x = 0.5 * (x + 2.0 / x)
        yield x


@njit
def checked(x):
    for value in x:
        if value > 10.0:
            raise ValueError("too large")
        yield math.sqrt(value)
        if value > 2.0:
            return


@njit
def rows(a):
    for i in range(a.shape[0]):
        yield a[i]


@program(X)
def over_an_array(x):
    total = 0.0
    for value in squares(x):
        total += value * x[1]
    return total


@program((1.3, 4), (0.7, 0))
def with_a_state(x, n):
    total = 0.0
    for value in powers(x, n):
        total += value * x
    return total


@program(1.3)
def with_a_default_and_keywords(x):
    total = 1.0
    for value in powers(x):
        for other in powers(n=2, x=value):
            total = total * 0.5 + other * value
    return total


@program((1.3, 1.7))
def left_by_break(a, b):
    product = 1.0
    for value in additions(a, b, 50.0):
        if value > 30.0:
            product *= a
            break
        product = product * value * 0.3 + a
    else:
        product = 100.0
    return product


@program((1.3, 1.7))
def exhausted_with_else(a, b):
    product = 1.0
    for value in additions(a, b, 20.0):
        if value < 2.0:
            continue
        product = product * value * 0.3 + a
    else:  # noqa: PLW0120  # the construct that is tested
        product *= b
    return product


@program(1.3)
def two_yields(x):
    total = 0.0
    for value in square_and_successor(x):
        total = total * value + value
    return total


@program(1.3)
def two_yields_within_two_yields(x):
    total = 0.5
    for value in square_and_successor(x):
        for other in square_and_successor(value):
            for k in range(2):
                total = 0.2 * total * other + value * k
    return total


@program(X)
def of_pairs(x):
    total = 0.0
    for left, right in pairs(x):
        total += left * right * right
    return total


@program(X)
def of_a_generator(x):
    total = 0.0
    for value in scaled_squares(x):
        total += value * value
    return total


@program(X)
def enumerated(x):
    total = 0.0
    for i, value in enumerate(scaled_squares(x)):
        total += value * (i + 1)
    return total


@program(1.3)
def without_end(x):
    previous = x
    for value in forever(x):
        if abs(value - previous) < 1e-3:
            return value * x
        previous = value
    return x


@program(P)
def that_returns_and_raises(x):
    total = 0.0
    for root in checked(x):
        total += root * total + x[0]
    return total


@program(A)
def of_rows(a):
    total = 0.0
    for row in rows(a):
        row[0] *= a[1, 1]
        total += row.sum() * row[0]
    return total


@program(X)
def whose_arguments_change(x):
    total, y = 0.0, x * 2.0
    items = squares(y)
    y = x * x
    for value in items:
        y[3] = value
        total += value * y[1] + y[3]
    return total


@program(X)
def in_a_comprehension(x):
    values = [value * x[0] for value in squares(x)]
    return values[1] * values[2]


@njit
def branches(x, k):
    for i in range(len(x)):
        if x[i] > 0.0:
            yield x[i] * k
        else:
            k = k * 0.5
            yield x[i] + k
            if k < 0.3:
                return
        k += x[i]
    yield k


@njit
def doubled_in_place(x):
    for i in range(len(x)):
        x[i] *= 2.0
        yield x[i]
        x[i] += 1.0


@njit
def filled(buffer, x):
    for i in range(3):
        buffer[:] = x * (i + 1)
        yield i
        buffer += 1.0


@njit
def sums_so_far(x):
    sums = np.zeros(3)
    for i in range(len(x)):
        sums[i % 3] += x[i] * x[i]
        yield sums


@program(X)
def whose_source_the_body_writes(x):
    total = 0.0
    for i, value in enumerate(squares(x)):
        if i < 3:
            x[i + 1] += value
        total += value * x[3]
    return total


@program((X, 1.3))
def nested_with_yields_in_branches(x, k):
    total = 0.0
    for value in branches(x, k):
        for other in branches(x, value):
            if other > 1.5:
                break
            total += value * other
        else:
            total *= 2.0
    return total


@program(X)
def that_writes_its_array(x):
    y, total = x.copy(), 1.0
    for value in doubled_in_place(y):
        if value > 3.0:
            break
        total = total * value + y[0]
        y[3] *= value
    return total * y[1] + (y * y).sum()


@program(X)
def of_a_shared_buffer(x):
    buffer, total = np.zeros(4), 0.0
    for i in filled(buffer, x):
        total += buffer[i] * buffer[i]
        buffer[3 - i] *= x[0]
        x[0] += buffer[1]
    return total + buffer.sum()


@program(X)
def whose_array_the_body_writes(x):
    total = 0.0
    for sums in sums_so_far(x):
        total += sums[0] * sums[1] + sums[2]
        sums[1] *= x[2]
    return total


@program(X)
def as_a_list(x):
    items = list(squares(x))
    items.append(items[0] * x[1])
    return items[0] * items[1] + items[-1] * len(items)


@program(X)
def as_lists_in_loops(x):
    total = 0.0
    for value in list(scaled_squares(x)):
        items = list(square_and_successor(value))
        total += items[0] * items[-1] * len(items)
        if total > 3.0:
            break
    return (np.array(list(squares(x))) * x).sum() * total
