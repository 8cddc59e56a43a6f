"""Arrays in lists and tuples: appended in loops, read, and written through an item."""

import numba
import numpy as np
import pytest
from numba.typed import List

import fastgrad as fg
from fastgrad.errors import DifferentiationError

A = np.array([1.3, 0.7, 2.1])


@numba.njit
def items_written_in_loops(a):
    rows = []
    for i in range(3):
        r = np.empty(3)
        for j in range(3):
            r[j] = a[j] ** i
        rows.append(r)
    rows[-1][1] *= a[0]
    for r in rows:
        r[0] += a[2] * r[1]
    m = 0.0
    for i, r in enumerate(rows):
        m += i * np.sum(r * r)
    return m + rows[1][-1] * len(rows)


@numba.njit
def matrices_by_position(a):
    rows = [np.outer(a, a)]
    for _ in range(3):
        rows.append(rows[-1] @ rows[0] * 0.3)
    x = rows.pop()
    y = rows.pop(0)
    rows.insert(0, x + y * a[0])
    rows[1] = rows[0] * rows[1][0, 0]
    rows.reverse()
    return rows[0][1].sum() * rows[-1][:, 2].sum() + rows[1].T[0, 1]


@numba.njit
def steps_of_a_trajectory(a):
    x = a.copy()
    traj = [x]
    for _ in range(5):
        x = x + 0.1 * np.sin(x) * x[0]
        traj.append(x)
    s = 0.0
    for i in range(1, len(traj)):
        d = traj[i] - traj[i - 1]
        s += (d * d).sum() * i
    return s


@numba.njit
def complex_items(a):
    z = a + 1j * a[0]
    rows = []
    for i in range(3):
        rows.append(z * (1 + i * 1j))  # noqa: PERF401  # what is tested
    rows[1][0] *= 2j
    s = 0j
    for r in rows:
        for j in range(3):
            s += r[j] * r[j] * j
    return (s * rows[0][1]).real


@numba.njit
def fill(rows, a, n):
    for i in range(n):
        rows.append(a[i:] * i)


@numba.njit
def total(rows):
    s = 0.0
    for i in range(len(rows)):
        s += rows[i].sum() ** 2
    return s


@numba.njit
def list_passed_to_functions(a):
    rows = [np.empty(0) for _ in range(0)]
    rows.append(a * 2.0)
    fill(rows, a, 3)
    prev = rows[0]
    for r in rows:
        s = prev[0] * r[-1]
        prev = r
    return total(rows) + s


@numba.njit
def typed_list_emptied(a):
    rows = List()
    for i in range(4):
        if a[i % 3] > 1.0:
            rows.append(a * i)
        else:
            rows.append(a[:2] ** 2)
    s = 1.0
    while len(rows) > 0:
        s *= rows.pop()[1]
        s += a[0]
    return s


@numba.njit
def item_of_the_step_before(a):
    x = a * 1.0
    rows = []
    for i in range(3):
        x = x + rows[-1] if i > 0 else x * a[1]
        rows.append(x)
        x = rows[-1]
    s = x[0]
    for r in rows:
        s *= r[1]
    return s


@numba.njit
def item_kept_while_others_come(a):
    rows = []
    rows.append(a * 2.0)
    x = rows[0]
    rows.append(a * 3)
    rows[0][1] = a[1] ** 2
    return x[1] * rows[1][0] * x[0]


@numba.njit
def comprehension_of_arrays(a):
    rows = [a * i for i in range(3)]
    rows[1][2] = a[0] ** 2
    return np.sum(rows[1]) * np.sum(rows[-1])


@numba.njit
def tuple_at_the_counter(a):
    t = (a * 1.0, a * 2.0)
    for i in range(2):
        t[i][1] = a[0] * a[i]
        t[i][2] *= t[i - 1][0]
    return t[0][1] * t[1].sum() + t[0].sum()


@numba.njit
def tuple_in_a_for_loop(a):
    x = a * 1.0
    y = a * 2.0
    z = a + a[0]
    for row in (x, y, z):
        row[:] = row * row[1]
        for j in range(1, 3):
            row[j] += row[j - 1] * x[j]
    return x[1] * y.sum() + z[-1] * z[0]


@numba.njit
def buffers_by_number(a):
    t = (np.outer(a, a), np.zeros((3, 3)))
    k = 0
    for _ in range(4):
        old = t[k]
        new = t[1 - k]
        for i in range(3):
            for j in range(3):
                new[i, j] = old[i, j] * a[0] + old[j, i] ** 2 * 0.01
        k = 1 - k
    return t[k].sum() * t[1 - k][0, 1]


@numba.njit
def slices_and_indices_of_items(a):
    t = (a * 1.0, a * 2.0, a * 3.0)
    for i in range(3):
        t[i][1:] = a[:2] * t[i - 1][0]
        t[i][np.array([0, 2])] = a[1]
    return t[0][1] * t[1].sum() + t[2][1]


@numba.njit
def inner(t, i, v):
    t[i][0] = v
    r = t[i]
    r[1] = r[0] * v
    return r[1]


@numba.njit
def tuple_in_a_function(a):
    t = (a * 1.0, a * 2.0, a * 3.0)
    s = 0.0
    for i in range(3):
        s += inner(t, i, a[i]) * t[0][0] * t[i].sum()
    return s + t[1][1]


@numba.njit
def complex_tuple(a):
    z = a + 1j * a[0]
    t = (z * 2, z * z)
    for i in range(2):
        t[i][1] = t[1 - i][0] * 1j * z[i]
    return (t[0][1] * t[1].sum()).real


@numba.njit
def one_array_twice(a):
    x = a.copy()
    t = (x, x)
    for i in range(2):
        t[i][1] *= t[1 - i][1]
    return x[1] * t[1][0]


@numba.njit
def written_after_append(a):
    r = np.empty(3)
    rows = [r]
    rows.append(a)
    r[0] = a[1]
    r[1] = 2.0
    r[2] = 3.0
    return rows[0][0] * rows[1].sum()


@numba.njit
def item_that_is_there_twice(a):
    rows = [a * 1.0]
    rows.append(rows[0])
    rows[0][1] = a[2] * 3
    return rows[1][1] * rows[0][0]


@numba.njit
def item_that_is_an_argument(a):
    rows = [a]
    rows[0][1] = a[2] * 3
    rows.append(a)
    return rows[0][1]


@numba.njit
def one_array_in_all_items(a):
    x = a.copy()
    rows = []
    for _ in range(3):
        x *= a[0]
        rows.append(x)
    return rows[0].sum() + rows[2][1]


@numba.njit
def filled_after_append(a):
    rows = []
    for i in range(3):
        x = a * i
        rows.append(x)
        x[1] = a[2]
    return rows[1][1]


@numba.njit
def items_updated_in_place(a):
    rows = [np.ones(3) for _ in range(3)]
    for i in range(3):
        rows[i] *= a[i] * rows[i - 1]
        rows[-1] += a
    return rows[0].sum() * rows[2][2]


PROGRAMS = [
    *(items_updated_in_place, items_written_in_loops, matrices_by_position, steps_of_a_trajectory, complex_items),
    *(list_passed_to_functions, typed_list_emptied, item_of_the_step_before, item_kept_while_others_come),
    *(comprehension_of_arrays, tuple_at_the_counter, tuple_in_a_for_loop, buffers_by_number),
    *(slices_and_indices_of_items, tuple_in_a_function, complex_tuple, one_array_twice),
]
REFUSED = [
    *(written_after_append, item_that_is_there_twice, item_that_is_an_argument),
    *(one_array_in_all_items, filled_after_append),
]


def central_differences(function, x, step=1e-6):
    """Returns the slopes of a function along each axis of ``x``."""
    return np.array([(function(x + e) - function(x - e)) / (2.0 * step) for e in np.eye(x.size) * step])


@pytest.mark.parametrize("function", PROGRAMS, ids=lambda function: function.__name__)
def test_derivatives_are_those_of_the_function(function):
    value, gradient = fg.value_and_grad(function)(A.copy())
    assert value == pytest.approx(function(A.copy()), rel=1e-14)
    np.testing.assert_allclose(gradient, central_differences(function, A), rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(fg.jacobian(function)(A.copy()), gradient, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    "function", [items_written_in_loops, buffers_by_number], ids=lambda function: function.__name__
)
def test_second_derivatives_are_those_of_the_gradient(function):
    expected = central_differences(fg.grad(function), A)
    np.testing.assert_allclose(fg.hessian(function)(A.copy()), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("function", REFUSED, ids=lambda function: function.__name__)
@pytest.mark.parametrize("derivative", [fg.grad, fg.jacobian], ids=["reverse", "forward"])
def test_writes_that_another_name_shows_are_refused(function, derivative):
    with pytest.raises(DifferentiationError, match=r"\.py:\d+: .*another name may show the same array.*append a copy"):
        derivative(function)(A.copy())


def test_an_item_is_returned():
    @numba.njit
    def second(a):
        rows = []
        for i in range(3):
            rows.append(a * a[0] * i)  # noqa: PERF401  # what is tested
        return rows[1]

    np.testing.assert_allclose(fg.jacobian(second)(A.copy()), np.diag(np.full(3, A[0])) + np.outer(A, [1.0, 0.0, 0.0]))


def test_a_list_whose_items_come_from_elsewhere_is_refused_where_it_is_appended_to():
    @numba.njit
    def add(rows, x):
        rows.append(x)
        return rows[1].sum()

    passes_a_list = numba.njit(lambda a: add([a * 2.0], a))

    with pytest.raises(DifferentiationError, match="make it empty, and append the items"):
        fg.grad(passes_a_list)(A.copy())
