"""Lists of tuples and lists of lists: made by comprehensions, appended in loops, read, and changed."""

from typing import NamedTuple

import numba
import numpy as np
import pytest
from numba.typed import List

import fastgrad as fg
from fastgrad.errors import DifferentiationError

X = np.array([0.3, 1.2, 0.7, 2.1, 0.9])


class Pair(NamedTuple):
    a: float
    b: float


@numba.njit
def comprehension_of_tuples(x):
    rows = [(x[i], i) for i in range(len(x))]
    s = 0.0
    for v, i in rows:
        s += v * v * i
    return s


@numba.njit
def methods_of_tuples(x):
    rows = []
    for i in range(len(x)):
        rows.append((x[i] * 2, x[i] ** 2, i))  # noqa: PERF401  # what is tested
    rows.append((x[0], x[1], 7))
    rows[1] = (x[2], x[3], 1)
    a, b, k = rows.pop()
    s = a * b * k
    for n in range(len(rows)):
        s += rows[n][0] * rows[n][1] * rows[-1][0]
    return s


@numba.njit
def tuples_with_arrays(x):
    rows = [(x, 1.0)]
    rows.append((x * x, x[0]))
    s = 0.0
    for v, w in rows:
        s += v.sum() * w
    return s


@numba.njit
def stack_of_intervals(x):
    stack = [(0, len(x), 1.0)]
    s = 0.0
    while len(stack) > 0:
        lo, hi, w = stack.pop()
        if hi - lo == 1:
            s += w * x[lo] ** 2
        else:
            m = (lo + hi) // 2
            stack.append((lo, m, w * x[lo]))
            stack.append((m, hi, w * 0.5))
    return s


@numba.njit
def nested_tuples(x):
    rows = [((x[i], i), x[i] * 2) for i in range(3)]
    rows.reverse()
    more = rows[1:]
    rows += [((x[3], 3), x[4])]
    s = 0.0
    for (u, i), v in rows:
        s += u * v * i
    for (u, _), v in more:
        s += u * v
    return s


@numba.njit
def named_tuples(x):
    l = [Pair(x[0], x[1])]
    for i in range(3):
        l.append(Pair(l[-1].a * x[i], l[-1].b + x[i]))
    return l[-1].a * l[-1].b + l[0].a


@numba.njit
def typed_list_of_tuples(x):
    l = List()
    for i in range(3):
        l.append((x[i], i))
    s = 0.0
    for v, i in l:
        s += v * v * i
    return s


@numba.njit
def squares(x):
    out = []
    for i in range(len(x)):
        out.append((x[i], x[i] * x[i]))  # noqa: PERF401  # what is tested
    return out


@numba.njit
def tuples_of_another_function(x):
    s = 0.0
    for a, b in squares(x):
        s += a * b
    return s


@numba.njit
def largest_tuple(x):
    rows = []
    for i in range(len(x)):
        if x[i] > 0.8:
            rows.append((i, x[i]))  # noqa: PERF401  # what is tested
    if not rows:
        return 0.0
    best = rows[0]
    for r in rows:
        if r[1] > best[1]:
            best = r
    return best[1] ** 2 * best[0]


@numba.njit
def triangle(x):
    rows = [[x[i] * x[j] for j in range(i + 1)] for i in range(3)]
    s = 0.0
    for r in rows:
        for v in r:
            s += v * v
    return s


@numba.njit
def matrix_of_lists(x):
    m = [[0.0] * 3 for _ in range(3)]
    for i in range(3):
        m[i][0] = x[i]
    return m[0][0] * m[1][0]


@numba.njit
def methods_of_lists(x):
    rows = []
    for i in range(3):
        row = [x[i]]
        for j in range(i):
            row.append(x[j] * x[i])  # noqa: PERF401  # what is tested
        rows.append(row)
    rows.reverse()
    last = rows.pop()
    s = sum(last) * len(rows[0])
    for r in rows:
        r[0] *= 2.0
        for v in r:
            s += v * v * len(r)
    return s + rows[-1][-1]


@numba.njit
def tuples_with_lists(x):
    paths = [(x[i], [x[i], x[i + 1]]) for i in range(3)]
    s = 0.0
    for w, p in paths:
        s += w * p[0] * p[1]
    return s


@numba.njit
def neighbours(x):
    g = [[i, i + 1] for i in range(3)]
    s = 0.0
    for k in range(len(g)):
        for j in g[k]:
            s += x[j] * x[k]
    return s


@numba.njit
def item_grows_in_a_literal(x):
    row = [x[0]]
    rows = [row]
    row.append(x[1])
    return rows[0][1] * x[0]


@numba.njit
def pop_of_an_item(x):
    row = [x[0], x[1]]
    rows = []
    rows.append(row)
    row.pop()
    s = 0.0
    for v in rows[0]:
        s += v * v
    return s


@numba.njit
def item_set_by_its_name(x):
    row = [x[0], x[1]]
    rows = []
    rows.append(row)
    row[0] = x[3]
    return rows[0][0] ** 2


@numba.njit
def append_to_an_item_in_a_loop(x):
    row = [x[0], x[1]]
    rows = []
    for i in range(3):
        rows.append(row)  # what is tested
        row.append(x[i])
    return rows[0][2] * rows[1][1]


@numba.njit
def item_twice(x):
    row = [x[0], x[1]]
    rows = []
    rows.append(row)
    rows.append(row)
    rows[0][0] = x[4]
    return rows[1][0] ** 2


@numba.njit
def name_read_after_its_item_is_set(x):
    row = [x[0], x[1]]
    rows = []
    rows.append(row)
    rows[0][0] = x[4]
    return row[0] ** 2


@numba.njit
def append_to_an_item(x):
    rows = [[x[0], x[1]], [x[2]]]
    rows.append([x[3], x[0]])
    rows[0].append(x[4])
    return rows[0][2]


@numba.njit
def assignment_of_items(x):
    rows = [[x[0], x[1]], [x[2], x[3]]]
    rows.append([x[3]])
    a = rows[0]
    rows[0], rows[1] = rows[1], rows[0]
    return a[0] * rows[0][0]


@numba.njit
def items_that_are_new_lists(x):
    rows = [[x[0], x[1]], [x[2], x[3]]]
    before = rows[1]
    rows[1] = [x[4], x[0] ** 2, x[1] * x[3]]
    rows.insert(1, [x[2] * x[0]])
    rows.insert(-9, [x[1], x[4] * 3.0])
    rows[0][1] *= x[2]
    total = before[0] * before[1]
    for i in range(len(rows)):
        for j in range(len(rows[i])):
            total += rows[i][j] ** 2 * (i + 1.0) / (j + 2.0)
    return total


@numba.njit
def items_set_in_a_loop(x):
    rows = [[0.0] for _ in range(len(x))]
    for i in range(len(x)):
        row = [x[i]]
        for k in range(i):
            row.append(x[k] * rows[k][-1])  # noqa: PERF401  # what is tested
        rows[i] = row
    rows[0] = rows[3]
    return sum([sum(row) * len(row) for row in rows])


@numba.njit
def append_to_an_item_that_was_set(x):
    rows = [[x[0], x[1]], [x[2]]]
    row = [x[3]]
    rows[0] = row
    row.append(x[4])
    return rows[0][0] * len(rows[0]) * rows[1][0]


@numba.njit
def append_to_an_item_that_was_inserted(x):
    rows = [[x[0], x[1]], [x[2]]]
    row = [x[3]]
    rows.insert(0, row)
    row.append(x[4])
    return rows[0][0] * len(rows[0]) * rows[1][0]


@numba.njit
def item_set_to_another_and_written(x):
    rows = [[x[0], x[1]], [x[2], x[3]]]
    rows[0] = rows[1]
    rows[0][0] = x[4] ** 2
    return rows[1][0] * x[1]


@numba.njit
def outside_of_tuples(x):
    rows = [(x[i], i) for i in range(3)]
    return rows[5][0] * x[0]


@numba.njit
def outside_of_an_item(x):
    rows = [[x[0], x[1]], [x[2]]]
    rows.append([x[3]])
    return rows[1][1]


FUNCTIONS = [
    comprehension_of_tuples,
    methods_of_tuples,
    tuples_with_arrays,
    stack_of_intervals,
    nested_tuples,
    named_tuples,
    typed_list_of_tuples,
    tuples_of_another_function,
    largest_tuple,
    triangle,
    matrix_of_lists,
    methods_of_lists,
    tuples_with_lists,
    neighbours,
    item_grows_in_a_literal,
    assignment_of_items,
    items_that_are_new_lists,
    items_set_in_a_loop,
]
SHOWN_TWICE = [
    pop_of_an_item,
    item_set_by_its_name,
    append_to_an_item_in_a_loop,
    item_twice,
    name_read_after_its_item_is_set,
    append_to_an_item_that_was_set,
    append_to_an_item_that_was_inserted,
    item_set_to_another_and_written,
]


def central_differences(function, x, step=1e-6):
    """Returns the slopes of a function along each axis of ``x``."""
    return np.array([(function(x + e) - function(x - e)) / (2.0 * step) for e in np.eye(x.size) * step])


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_derivatives_are_those_of_the_function(function):
    value, gradient = fg.value_and_grad(function)(X)
    assert value == pytest.approx(function(X), rel=1e-14)
    np.testing.assert_allclose(gradient, central_differences(function, X), rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(fg.jacobian(function)(X), gradient, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("function", [methods_of_tuples, methods_of_lists], ids=lambda function: function.__name__)
def test_second_derivatives_are_those_of_the_gradient(function):
    expected = central_differences(fg.grad(function), X)
    np.testing.assert_allclose(fg.hessian(function)(X), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("function", SHOWN_TWICE, ids=lambda function: function.__name__)
@pytest.mark.parametrize("derivative", [fg.grad, fg.jacobian], ids=["reverse", "forward"])
def test_changes_that_another_name_shows_are_refused(function, derivative):
    with pytest.raises(DifferentiationError, match=r"\.py:\d+: .*another name may show the same"):
        derivative(function)(X)


@pytest.mark.parametrize(
    ("function", "words"),
    [(append_to_an_item, "changes its length")],
)
def test_what_lists_of_lists_lack_is_refused(function, words):
    with pytest.raises(DifferentiationError, match=rf"\.py:\d+: .*{words}"):
        fg.grad(function)(X)


@pytest.mark.parametrize("function", [outside_of_tuples, outside_of_an_item])
def test_items_that_are_not_there_raise(function):
    with pytest.raises(IndexError, match="list index out of range"):
        fg.grad(function)(X)
