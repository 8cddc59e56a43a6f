"""Functions whose derivatives were wrong once: each gives the right number, or is refused."""

import numba
import numpy as np
import pytest

import fastgrad as fg
from fastgrad.errors import DifferentiationError
from tests.differentiation.interpreted import value_and_gradients

A = np.array([1.3, 0.7, 2.1])


@numba.njit
def returned_value_of_an_increment(a):
    t = a[0] + 2.0
    a[0] = t
    return t


@numba.njit
def choice(a, k):
    if k > 0:
        return a
    return a * 2.0


@numba.njit
def written_by_another_name(a):
    total = 0.0
    for i in range(3):
        total += a[i] * a[i]
    p = choice(a, 1)
    p[0] = 0.0
    p[1] = total
    return total * p[1]


@numba.njit
def tuple_of_a_loop(a):
    best = (0.0, 0)
    for j in range(2):
        best = (a[j] * a[j], j)
        if best[0] > 100.0:
            break
    return best[0] * a[best[1]]


@numba.njit
def range_without_items(a):
    total = a[0] * len(range(5, 2))
    for i, x in zip(range(5, 2), a):  # noqa: B905  # Numba has no `strict`
        total += x * x * i
    return total + a[1]


@numba.njit
def clip_by_keywords(a):
    return (np.clip(a, a_max=1.5, a_min=1.0) * a).sum()


@numba.njit
def sum_with_a_start(a):
    return sum(a, 1) * a[0]


@numba.njit
def singular_determinant(a):
    m = np.array([[a[0], 2.0], [a[1], 4.0]])
    m[1, 0] = 2.0 * m[0, 0]
    return np.linalg.det(m) + a[2] * a[2]


@numba.njit
def in_place_with_overlap(a):
    a[1:] += a[:-1]
    return a.sum() * a[2]


@numba.njit
def transpose_added_in_place(a):
    m = np.outer(a, a)
    m += m.T
    m *= m[1]
    return (m * a).sum() * m[0, 2]


@numba.njit
def sum_in_place_of_what_may_be_itself(a):
    b = a if a[0] > 1.0 else a * 2.0
    a[1:] += b[:-1]
    return (a * a).sum()


@numba.njit
def ravel_of_a_slice_with_a_step(a):
    b = a[::1].ravel()
    b[0] = 5.0
    return a[0] * a[0]


@numba.njit
def ravel_of_fortran_order(a):
    f = np.asfortranarray(np.outer(a, a)) * 2.0
    r = f.ravel()
    r[1] = 0.0
    return (f * f).sum()


@numba.njit
def reshape_by_a_number(a):
    n = -1
    for _ in range(2):
        n = -1
    return (a.reshape(n, 1) * 2.0).sum() * a[0]


@numba.njit
def one_number_by_a_mask(a):
    a[a > 1.0] = np.array([2.0])
    return (a * a).sum()


@numba.njit
def elements_of_itself(a):
    a[np.array([2, 0, 1])] = a
    return a[0] + 2.0 * a[1] * a[2]


@numba.njit
def no_difference(a):
    z = np.diff(a, 0)
    z[0] = 5.0 * a[1]
    return (a * a).sum()


@numba.njit
def large_norm(a):
    return np.linalg.norm(a * 1e200) * 1e-200


@numba.njit
def transpose_as_an_array(a):
    m = np.outer(a, a)
    b = np.asarray(m.T)
    b[0, 1] = 5.0 * a[2]
    return (m * m).sum()


@numba.njit
def contiguous_array_of_a_contiguous_slice(a):
    b = np.ascontiguousarray(a[::1])
    b[0] = 5.0 * a[2]
    return (a * a).sum() + b.sum() * b[1]


@numba.njit
def contiguous_array_that_is_a_copy(a):
    total, m = 0.0, np.zeros((3, 3))
    for k in range(3):
        m[:, k] = a * a[k]
        column = np.ascontiguousarray(m[:, k])
        total += (column * column * a).sum()
    return total


@numba.njit
def ravel_of_a_row_of_a_transpose(a):
    m = np.outer(a, a)
    b = m.T[:, 1].ravel()
    b[1] = 5.0 * a[2]
    return (m * m).sum() + b.sum() * b[1]


@numba.njit
def ravel_of_a_slice_of_all_columns(a):
    m = np.outer(a, a)
    b = m[1:, :].ravel()
    b[0] = 5.0 * a[2]
    return (m * m).sum() + b.sum() * b[1]


@numba.njit
def weighted_by_order(m):
    total, k = 0.0, 1.0
    for x in np.nditer(m):
        total += k * x.item() * x.item()
        k += 1.0
    return total


@numba.njit
def iteration_in_the_order_of_memory(a):
    m = np.outer(a, np.array([1.0, 2.0]) * a[0])
    return weighted_by_order(m.T) * a[1] + weighted_by_order(m) + weighted_by_order(m[:, 1:].T)


FUNCTIONS = [value for value in list(globals().values()) if isinstance(value, numba.core.dispatcher.Dispatcher)]


@pytest.mark.parametrize(
    "function",
    [f for f in FUNCTIONS if f not in (choice, weighted_by_order)],
    ids=lambda function: function.py_func.__name__,
)
def test_the_gradient_is_right_or_refused(function):
    try:
        value, (gradient,) = value_and_gradients(function, (A.copy(),), 1.0)
    except DifferentiationError:
        return
    assert value == pytest.approx(function(A.copy()), rel=1e-12)
    steps = 1e-5 * np.eye(len(A))
    expected = [(function(A + step) - function(A - step)) / 2e-5 for step in steps]
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-7)


def test_small_unsigned_integers_become_int64():
    @numba.njit
    def f(x, n):
        below = n[0] + 0
        return -below * x[0] + (n[1] - 0) * -(1 * n[2]) * x[1]

    n = np.array([3, 2, 1], np.uint8)
    value, gradient = fg.value_and_grad(f)(np.array([2.0, 5.0]), n)
    assert value == -16.0
    np.testing.assert_allclose(gradient, [-3.0, -2.0])


def test_matrices_of_functions_that_write_their_arguments():
    @numba.njit
    def f(x):
        x[0] = x[0] * x[1]
        return x * 1.0

    np.testing.assert_allclose(fg.jacobian(f)(np.array([2.0, 3.0])), [[3.0, 2.0], [0.0, 1.0]])


def test_forward_mode_of_arrays_that_may_be_one():
    @numba.njit
    def f(x, n):
        b = np.zeros(2)
        p = b if n > 0 else x
        p[0] = x[1] * x[1]
        return b * 1.0

    _, tangent = fg.jvp(f)(np.array([1.0, 2.0]), 1, np.array([0.0, 1.0]))
    np.testing.assert_allclose(tangent, [4.0, 0.0])


def test_a_gradient_that_writes_is_not_differentiated_again():
    gradient = fg.grad(numba.njit(_product_in_place))

    @numba.njit
    def outer(x):
        s = x[0] * x[0]
        return gradient(x)[0] * x[0] + s

    with pytest.raises(DifferentiationError, match="writes its arguments"):
        fg.grad(outer)(A.copy())


def _product_in_place(x):
    x[0] = x[0] * x[1]
    return x[0] * x[2]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.max(x[3:]) + x[0],
        lambda x: np.dot(x, x[:2]),
        lambda x: (x[:2].reshape(3, 1) * 1.0)[0, 0],
        lambda x: np.concatenate((np.outer(x, x), np.outer(x, x[:2]))).sum(),
        lambda x: np.stack((x, x[:2])).sum(),
        lambda x: np.column_stack((x[:1], x)).sum(),
        lambda x: np.interp(1.5, x, x[:2]),
        lambda x: np.interp(x, x[3:], x[3:]).sum(),
        lambda x: np.cov(x, x[:1])[0, 1],
        lambda x: x.item(),
        lambda x: np.repeat(x, np.array([1, 2])).sum(),
        lambda x: np.take(x, int(x[2]) + 1),
        lambda x: np.take(x, np.array([3])).sum(),
        lambda x: (x[0], x[1])[int(x[2])],
        lambda x: [x[0], x[1]][int(x[2])],
        lambda x: np.linalg.solve(np.outer(x, x) + np.eye(3), x[:1])[0],
        lambda x: np.linalg.cholesky(np.outer(x[:1], x))[0, 0],
        lambda x: np.linalg.matrix_power(np.outer(x[:1], x), 0)[0, 0],
    ],
)
def test_wrong_sizes_raise(function):
    with pytest.raises(
        (ValueError, IndexError), match=r"size|zero|range|incompatible|empty|broadcast|square|index out"
    ):
        value_and_gradients(numba.njit(function), (A.copy(),), 1.0)


def test_a_wrong_number_of_variables_raises():
    @numba.njit
    def f(x):
        first, second = x
        return first * second

    with pytest.raises(ValueError, match="sizes"):
        value_and_gradients(f, (A.copy(),), 1.0)


def test_a_division_by_zero_raises_though_nothing_uses_it():
    @numba.njit
    def f(x):
        unused = x[0] / (x[1] - x[1])  # noqa: F841
        return x[0]

    with pytest.raises(ZeroDivisionError):
        value_and_gradients(f, (A.copy(),), 1.0)


@numba.njit(boundscheck=True)
def checked_reads(x, n):
    total = 0.0
    for i in range(n):
        total += x[i] * x[-1]
    return total


@numba.njit(boundscheck=True)
def checked_writes(x, n):
    y = np.zeros((2, 3))
    y[0, n] = x[0]
    return y.sum()


@numba.njit
def calls_a_checked_function(x, n):
    return checked_reads(x, n) + x[0]


@pytest.mark.parametrize("function", [checked_reads, checked_writes, calls_a_checked_function])
def test_bounds_are_checked_where_the_function_checks_them(function):
    gradient = fg.value_and_grad(function)
    value, _ = gradient(A, 2)
    assert value == function(A, 2)
    fg.check_gradients(function, A, 2)
    for call in (function, gradient, fg.jacobian(function)):
        with pytest.raises(IndexError, match="out of bounds"):
            call(A, 4)
