"""Array variables that get their values in loops and branches, of several shapes; of which some ways give none, or None."""

import numpy as np
from numba import njit

from tests.derivatives.table import A, B, N, P, V, X, Y, program


@program((X, 3), (X, 1))
def first_value_in_a_loop(x, n):
    for k in range(n):
        scaled = x * (k + 1.0)
    return (scaled * x).sum()


@program(A)
def last_row_and_what_is_made_of_it(a):
    for row in a:
        doubled = row * 2.0
    return (doubled * row).sum()


@program(X)
def value_at_a_break(x):
    for k in range(5):
        y = x * (k + 1)
        if y.sum() > 4.0:
            break
    return (y**2).sum()


@program(X)
def row_of_the_last_iteration_is_a_view(x):
    m = np.zeros((3, 4))
    for k in range(3):
        row = m[k]
        for i in range(4):
            row[i] = x[i] ** (k + 1)
    return (row * m[0]).sum()


@program(X, -X)
def value_on_one_way_only(x):
    total = x.sum() * x[1]
    if x[0] > 0:
        z = x[::2] * 2
    if x[0] > 0:
        total *= z[0] * z[1]
    return total


@program((X, 2), (X, 5))
def first_value_in_an_inner_loop(x, n):
    total = 0.0
    for i in range(n):
        for k in range(i):
            y = x * x[k % 4]
        if i > 0:
            total += (y * x).sum()
    return total


@program((X, 3))
def first_value_in_a_while_loop(x, n):
    while n > 0:
        n -= 1
        left, right = x[:n] * x[0], x[n:]
    return left.sum() + (right * right).sum()


@program((X, True), (X, False))
def view_or_new_array_that_is_written(x, is_view):
    a = x[1:] if is_view else x * 2
    a[0] = a[1] * a[2]
    return (a * a).sum()


@program(X)
def halves_until_one_is_left(x):
    a = x * 2.0
    while a.size > 1:
        a = a[: a.size // 2] * a[a.size // 2 :]
    return a[0] * x[0]


@program(X)
def views_of_views_until_none_is_left(x):
    a = x[::-1]
    total = 1.0
    while len(a) > 0:
        total *= a.sum()
        a = a[::2][1:]
    return total


@program(X)
def minors(x):
    a = np.outer(x, x)
    while a.shape[0] > 1:
        a = a[1:, 1:] - a[:-1, :-1] * a[0, 0]
    return a[0, 0]


@program(A)
def transposed_by_turns(a):
    total = 0.0
    for k in range(3):
        a = a.T if k % 2 == 0 else a * 1.5
        total += (a[0] * a[:, 1]).sum()
    return total


@program((X, P), (-X, P))
def pairs_of_arrays(x, p):
    if x[0] > 0:
        first, second = x[:2], p
    else:
        first, second = p[1:], x[2:]
    return first.sum() * (second * second).sum()


@program((X, N))
def window_that_moves(x, n):
    y = np.zeros(9)
    y[:4] = x
    window = y[:4]
    for k in range(5):
        y[k + 4] = (window * x).sum() * x[n[k]]
        window = y[k + 1 : k + 5]
    return window.sum()


@program((A, B, V))
def branch_in_a_loop_gives_a_row_or_a_product(a, b, v):
    total = 0.0
    for i in range(3):
        if v[i] > 0.0:
            row = a[i]
        else:
            row = b @ v
        for j in range(3):
            step = row * v[j]
        total += (step * row).sum()
    return total


@program((X, Y))
def arrays_that_change_places(x, y):
    for i in range(3):
        x, y = y, x * y[i]
        if x.sum() > y.sum():
            longer = np.concatenate((x, y))
        else:
            longer = x
    return longer.sum() * x[0]


@program((X, 3))
def best_candidate_or_none(x, n):
    best = None
    for k in range(n):
        candidate = x * (k - 1.5)
        if best is None or candidate[0] > best[0]:
            best = candidate
    return (best * best).sum() + best[1:].sum() * len(best)


@program(X)
def array_of_the_last_iteration_or_none(x):
    previous = None
    total = 0.0
    for k in range(4):
        current = x * x[k]
        if previous is not None:
            total += (previous * current).sum() + np.sum(previous)
            for value in previous:
                total += value**3
        previous = current
    return total


@njit
def weighted(x, weights=None):
    if weights is None:
        weights = np.ones(x.size)
    return (weights * x * x).sum()


@program((X, P))
def argument_that_may_be_none(x, p):
    w = p if x[0] > 0 else None
    return weighted(x) * weighted(x, p) + weighted(p, w) * weighted(x, None)


@njit
def first_above(x, limit):
    for i in range(x.size - 1):
        if x[i] > limit:
            return x[i:]
    return None


@program(X)
def result_that_may_be_none(x):
    near, far = first_above(x, 0.5), first_above(x, 10.5)
    if far is None and near is not None:
        return near[0] * near[1]
    return 0.0


@program(A)
def array_of_a_comprehension(a):
    sums = np.array([(row * row).sum() for row in a])
    squares = [value * value for value in sums]
    return (np.array(squares) * sums).sum()
