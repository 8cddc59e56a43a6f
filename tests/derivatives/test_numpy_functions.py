# ruff: noqa: PLW0108  # a function without code of its own can't be lowered
"""NumPy's functions of arrays: values and gradients of their derivatives, against NumPy and central differences."""

import numba
import numpy as np
import pytest

import fastgrad as fg
from tests.derivatives.interpreted import value_and_gradients

X = np.array([0.3, -1.2, 0.7, 1.9, -0.4, 1.1])
Y = np.array([1.15, 0.45, -0.6, 0.8, 1.75, -0.2])
P = np.array([0.5, 1.3, 2.1, 0.9, 1.6, 0.2])
A = np.array([[1.2, 0.3, -0.5], [0.7, 2.1, 0.4], [-0.2, 0.6, 1.7]])
B = np.array([[0.4, -1.1, 0.8], [1.3, 0.2, -0.7], [0.9, 0.5, 1.6]])
V = np.array([0.6, -0.9, 1.4])
C = np.arange(24.0).reshape(2, 3, 4) % 7 / 3.0 - 0.9
LONG = np.random.default_rng(1).standard_normal(40)
S = A @ A.T + np.eye(3)
NANS = np.array([0.3, np.nan, 0.7, -0.4])


def _with_filled_diagonal(a):
    np.fill_diagonal(a, a[0, 1])
    return a * a


ORDER = [
    (lambda x: np.sort(x), X),
    (lambda x: np.sort(x), LONG),
    (lambda x: x[np.argsort(x)], LONG),
    (lambda x: x[x.argsort()], X),
    (lambda x: x[np.argsort(x, kind="mergesort")], X),
    (lambda a: np.sort(a), A),
    (lambda x: np.array([np.median(x), np.median(x[1:])]), X),
    (lambda a: np.median(a), A),
    (lambda x: np.quantile(x, 0.3), X),
    (lambda x: np.quantile(x, np.array([0.1, 0.9])), X),
    (lambda x: np.percentile(x, np.array([10.0, 90.0])), X),
    (lambda x: np.unique(x), X),
    (lambda x, y: x[np.searchsorted(x, y)], np.sort(X), Y),
    (lambda x, y: np.searchsorted(x, y[0], side="right") * y, np.sort(X), Y),
    (lambda x, y: np.digitize(x, y) * x, X, np.sort(Y)),
]
JOINED = [
    (lambda x, y: np.concatenate((x, y, x)), X, Y),
    (lambda a, b: np.concatenate((a, b), axis=1), A, B),
    (lambda a, b: np.concatenate((a, b)), A, B),
    (lambda x, y: np.stack((x, y)), X, Y),
    (lambda x, y: np.stack((x, y), axis=1), X, Y),
    (lambda a, b: np.stack((a, b), axis=-1), A, B),
    (lambda x, y: np.column_stack((x, y)), X, Y),
    (lambda a, v: np.column_stack((a, v)), A, V),
    (lambda x, y: np.hstack((x, y)), X, Y),
    (lambda a, b: np.hstack((a, b)), A, B),
    (lambda x, y: np.vstack((x, y)), X, Y),
    (lambda a, b: np.vstack((a, b)), A, B),
    (lambda x, y: np.dstack((x, y)), X, Y),
    (lambda a, b: np.dstack((a, b)), A, B),
    (lambda x, y: np.append(x, y), X, Y),
    (lambda a, b: np.append(a, b, axis=0), A, B),
    (lambda x: np.repeat(x, 3), X),
    (lambda x: np.repeat(x, np.array([2, 0, 1, 1, 3, 1])), X),
    (lambda x: np.delete(x, 2), X),
    (lambda x: np.resize(x, (3, 5)), X),
]
MOVED = [
    (lambda x: np.roll(x, 2), X),
    (lambda a: np.roll(a, -1), A),
    (lambda x: np.flip(x), X),
    (lambda a: np.flip(a), A),
    (lambda a: np.fliplr(a) + 2.0 * np.flipud(a), A),
    (lambda a: np.rot90(a), A[:2].copy()),
    (lambda a: np.rot90(a, 3), A[:2].copy()),
    (lambda a: np.rot90(a, 2), A[:2].copy()),
    (lambda a: np.tril(a) + 2.0 * np.triu(a, 1), A),
    (lambda a: np.tril(a, -1) + np.triu(a, k=-1), A),
    (lambda a: np.diag(a), A),
    (lambda a: np.diag(a, 1), A),
    (lambda a: np.diag(a, k=-1), A),
    (lambda v: np.diag(v), V),
    (lambda v: np.diag(v, -1), V),
    (lambda v: np.diagflat(v), V),
    (lambda a: np.trace(a), A),
    (lambda a: np.trace(a, 1), A),
    (lambda x: np.take(x, np.array([2, 0, 2, -1])), X),
    (lambda x: np.take(x, [2, 0, -1]), X),
    (lambda x: np.take(x, (2, 0)), X),
    (lambda x: x.take([2, 0, -1]), X),
    (lambda a: np.take(a, np.array([2, 0, 5])), A),
    (lambda a: np.take(a, np.array([2, 0]), axis=1), A),
    (lambda x: np.broadcast_to(x, (2, 6)), X),
    (lambda x: np.broadcast_to(x[:1], (3,)), X),
    (lambda a: np.swapaxes(a, 0, 1), A[:2].copy()),
    (lambda c: np.swapaxes(c, 0, 2), C),
    (lambda c: np.moveaxis(c, 0, 2), C),
    (lambda x: np.expand_dims(x, 0) * np.expand_dims(x, 1), X),
    (lambda x: np.atleast_1d(x) + np.atleast_2d(x), X),
    (lambda x: np.atleast_3d(x), X),
    (lambda a: a[1].reshape(3, 1) * a[1:].ravel()[:3], A),
    (lambda a: a[1:].reshape(6) * a[:2].reshape(-1), A),
    (lambda c: c[1].reshape((2, 6)), C),
    (lambda c: c.reshape(-1, 4) * 2.0, C),
    (lambda c: np.reshape(c[1, 2], (2, 2)), C),
    (lambda c: np.ravel(c.T), C),
    (lambda c: np.transpose(c, (2, 0, 1)), C),
    (lambda c: c.transpose(1, 0, 2), C),
    (lambda x: np.extract(x > 0.0, x), X),
    (lambda x: x[np.nonzero(x > 0.0)[0]], X),
    (lambda x: x[np.flatnonzero(x > 0.0)], X),
    (lambda x: np.where(x > 0.0)[0] * x[0], X),
    (lambda a: np.cov(a) * np.corrcoef(a), A),
]
REDUCED = [
    (lambda a: np.sum(a, axis=0) * a.sum(1), A),
    (lambda c: c.sum(axis=1), C),
    (lambda c: np.sum(c, -1), C),
    (lambda c: c.sum(), C),
    (lambda x: x.prod() + np.prod(x * x), X),
    (lambda a: np.mean(a) + a.mean(), A),
    (lambda a: a.var() + np.std(a), A),
    (lambda a: np.cumsum(a), A),
    (lambda x: np.cumprod(x), X),
    (lambda a: a.max() * a.min(), A),
    (lambda x: np.ptp(x), X),
    (lambda x: np.nansum(x) + np.nanmax(x) * np.nanmin(x), NANS),
    (lambda x: np.nanmean(x) + np.nanvar(x) + np.nanstd(x) + np.nanprod(x), NANS),
    (lambda x: np.nanmedian(x) + x[np.nanargmax(x)] * x[np.nanargmin(x)], NANS),
    (lambda x: np.nancumsum(x) + np.nancumprod(x), NANS),
    (lambda x: np.nanpercentile(x, 30.0) + np.nanquantile(x, 0.7), NANS),
    (lambda x: np.nan_to_num(x) * 2.0, NANS),
    (lambda x, y: np.average(x) + np.average(x, weights=y * y), X, Y),
    (lambda x: np.count_nonzero(x > 0.0) * x, X),
    (lambda x: np.bincount(np.array([0, 2, 1, 2, 2, 0])) * x[:3], X),
    (lambda x: np.bincount(np.array([0, 2, 1, 2, 2, 0]), x), X),
    (lambda x: np.histogram(x, 3)[0] * x[:3], X),
    (lambda x, y: np.allclose(x, y) * x + np.array_equal(x, x) * y, X, Y),
    (lambda x, y: np.cov(x, y), X, Y),
    (lambda x, y: np.corrcoef(x, y), X, Y),
    (lambda x, y: np.trapezoid(y, x), X, Y),
]
NUMERIC = [
    (_with_filled_diagonal, A),
    (lambda x: np.diff(x), X),
    (lambda x: np.diff(x, 2), X),
    (lambda a: np.diff(a), A),
    (lambda x: np.ediff1d(x), X),
    (lambda v, w: np.cross(v, w * w), V, V),
    (lambda a, b: np.cross(a, b), A, B),
    (lambda a, b: np.kron(a, b), A[:2].copy(), B[:, :2].copy()),
    (lambda x, v: np.convolve(x, v), X, V),
    (lambda x, v: np.convolve(x, v, mode="same"), X, V),
    (lambda x, v: np.convolve(x, v, mode="valid"), X, V),
    (lambda x, v: np.correlate(x, v), X, V),
    (lambda x, v: np.correlate(x, v, mode="full"), X, V),
    (lambda x, y: np.interp(x, np.array([-1.0, 0.0, 0.5, 1.0, 1.5, 3.0]), y), X, Y),
    (lambda x, y: np.interp(0.35, x, y), np.sort(X), Y),
    (lambda x, y: np.vdot(x, y), X, Y),
    (lambda v: np.vander(v), V),
    (lambda x: np.arange(0.1, x[3] - 0.05, 0.3) * x[0], X),
    (lambda x: np.arange(4.0) * x[0] + np.arange(3, -1.0, -1) * x[1], X),
    (lambda x: np.linspace(x[0], x[1], 4), X),
    (lambda x: np.eye(3) * x[0] + np.eye(3, 3, 1) * x[1] + np.identity(3) * x[2], X),
    (lambda x: np.tri(3) * x[0], X),
    (lambda x: np.logspace(x[0], x[1], 3), X),
]
ELEMENTS = [
    (lambda x: np.cbrt(x), X),
    (lambda x, y: np.logaddexp(x, y) + np.logaddexp2(x, y), X, Y),
    (lambda x: np.square(x) + np.reciprocal(x) + np.exp2(x), X),
    (lambda x: np.sinc(x), np.array([0.3, 0.0, -1.7])),
    (lambda x, y: np.copysign(x, y), X, Y),
    (lambda x, y: np.power(x, 2) + np.power(x * x, y), X, Y),
    (lambda x, y: np.float_power(x, y), P, Y),
    (lambda x, y: np.divmod(x, y)[0] * x + np.divmod(x, y)[1], X, P),
    (lambda x: np.deg2rad(x) + np.rad2deg(x), X),
    (lambda x: np.sign(x) * x + np.floor(x) * x, X),
    (lambda x, y: np.multiply(x, y, np.empty(6)), X, Y),
    (lambda x, y: np.add(np.multiply(x, y, x), y, y), X, Y),
    (lambda x: np.sqrt(x, x) * x, P),
    (lambda x: np.isclose(x, 0.35) * x, X),
    (lambda x: np.round(x, 1) * x, X),
    (lambda x: np.real(x) * 2.0, P),
    (lambda x: np.select([x > 1.0, x > 0.0], [x * x, 3.0 * x], 0.0), X),
    (lambda x: np.clip(x, 0.0, 1.0), X),
]


def _by_iteration(x):
    total = 0.0
    for index in np.ndindex(x.shape):
        total += x[index] ** 2
    for (i, j), value in np.ndenumerate(x):
        total += value**3 * (i + 2 * j)
    for value in np.nditer(x):
        total += value.item() ** 2
    for value in x.flat:
        total *= value
    return total


LINEAR = [
    (lambda a, v: np.linalg.solve(a, v), A, V),
    (lambda a, b: np.linalg.solve(a, b), A, B),
    (lambda a: np.linalg.inv(a), A),
    (lambda a: np.linalg.inv(a), A[::-1].copy()),
    (lambda a: np.linalg.det(a), A),
    (lambda a: np.linalg.det(a), A[::-1].copy()),
    (lambda a: np.linalg.slogdet(a)[0] * np.linalg.slogdet(a)[1], A[::-1].copy()),
    (lambda a: np.linalg.cholesky(a @ a.T + np.eye(3)), A),
    (lambda a: np.linalg.matrix_power(a, 5), A),
    (lambda a: np.linalg.matrix_power(a, -2), A),
    (lambda a, v: np.linalg.lstsq(a, v)[0], np.vstack((A, B))[:, :2].copy(), X),
    (lambda a: np.linalg.pinv(a), np.vstack((A, B))),
    (lambda a: np.linalg.pinv(a), np.hstack((A, B))),
    (lambda v: np.linalg.norm(v) + np.linalg.norm(v, 1) + np.linalg.norm(v, np.inf) + np.linalg.norm(v, 3), V),
    (lambda a: np.linalg.norm(a) + np.linalg.norm(a, 1) + np.linalg.norm(a, np.inf), A),
    (_by_iteration, A),
]


def _stored_over_itself(x):
    x[1:] = x[:-1] * 2.0 + 1.0
    x[1:-1] = x[2:] * x[:-2] - x[1:-1] ** 2
    x += x[::-1] * 0.5
    x[::2] *= x[1::2] + x[::2]
    return x * x


def _matrix_stored_over_itself(a):
    a[:] = a.T * 2.0 + a
    a += a[0] * a[:, 0]
    a[:, -1] = a[:, -2] * 2.0
    a[:, -1] = a[:, -2]
    a[0] = a[1]
    a[0] = a[-1]
    return a * a


def _written_before_it_is_read(x, y):
    z = x * y
    x[1] = y[2] * 3.0
    w = np.exp(z) * x
    y[0] = 2.0
    return np.sum(w) * y


def _changed_by_a_call(x):
    z = x * x
    x.fill(0.5)
    return z + x


def _updated_in_a_loop(x, y):
    z, w = np.zeros(x.shape), y * 0.5
    for _ in range(3):
        z += 0.1 * np.tanh(x * z + y)
        z, w = w, z * y + x
        z[1:-1] = 0.5 * (w[2:] - w[:-2]) + z[1:-1]
    return z * w


def _slices_without_elements(x):
    x[4:-4] = 3.0
    x[8:] = x[9:] * 2.0
    return np.sum(x[4:-3] * 2.0) + np.sum(x[7:] ** 2) + x[3:-2] * np.prod(x[:-9] + 1.0)


def _rows_and_columns(row, column, a):
    b = row * a + column * row
    b[1:] = row * column[0] - 1.0
    b += column
    return b * np.sum(row * column, axis=1) + np.mean(a - row)


def _of_small_floats(x, y):
    z = x.astype(np.float32) * np.float32(0.1) + y.astype(np.float32)
    return np.sum(np.where(z > np.float32(0.2), z * z, z) * 3.0)


def _stored_where_selected(x, y):
    x[x > 0.5] = y[:3] * 2.0 + x[1:4]
    x[np.array([0, 2])] = y[2:4] ** 2
    z = x * y
    z[:] = z
    return z


ELEMENT_WISE = [
    (_stored_over_itself, X),
    (_matrix_stored_over_itself, A),
    (_written_before_it_is_read, X, Y),
    (_changed_by_a_call, X),
    (_updated_in_a_loop, X, Y),
    (_slices_without_elements, X),
    (_rows_and_columns, V[None, :].copy(), V[:, None].copy(), A),
    (lambda x, y: np.sum(np.where(np.abs(x - y) < 0.5, x * y, np.maximum(x, y) + 1.0)), X, Y),
    (lambda x, y: np.max(x * y) + np.min(x - y) * (x * x).mean(), X, Y),
    (lambda a, b: (a * b).sum(axis=0) + np.prod(a + b) * np.max(a - b), A, B),
    (lambda x: x * np.any(x * 2.0 > 3.0) + np.all(x < x + 1.0), X),
    (lambda x: (x > 0.0) * x + (np.arange(6) // 2) * x - 2**x, X),
    (lambda a, v: np.sum((a - v) ** 2 * a[:, :1]) + np.where(a > v, a, v), A, V),
    (lambda a: np.var(a * 2.0) + np.std(a[1:] - a[:-1]) + (a * a)[1, 2] + (a * a)[1].sum(), A),
    (_stored_where_selected, X, Y),
    (lambda x: np.array([(x * 2.0).size, (x + 1.0).shape[0], 1.0]) * x[0], X),
    (lambda x: np.cumsum(x * x) + np.sort(x * 2.0) + (x + x)[::-1] + (x * 3.0).copy(), X),
]


def _value(function, arguments):
    return np.asarray(function(*map(np.copy, arguments)))


def _weights(result):
    return (1.0 + 0.5 * np.arange(result.size)).reshape(result.shape)


def _differences(function, arguments, place):
    gradient = np.zeros_like(arguments[place])
    for index in np.ndindex(gradient.shape):
        values = []
        for step in (1e-5, -1e-5):
            moved = [np.copy(argument) for argument in arguments]
            moved[place][index] += step
            result = _value(function, moved)
            values.append(np.sum(_weights(result) * result))
        gradient[index] = (values[0] - values[1]) / 2e-5
    return gradient


GROUPS = {
    "order": ORDER,
    "joined": JOINED,
    "moved": MOVED,
    "reduced": REDUCED,
    "numeric": NUMERIC,
    "elements": ELEMENTS,
    "linear": LINEAR,
    "element_wise": ELEMENT_WISE,
}
CASES = [
    pytest.param(case, id=f"{group}{number}") for group, cases in GROUPS.items() for number, case in enumerate(cases)
]


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients(case):
    function, *arguments = case
    result = _value(function, arguments)
    weights = _weights(result) if result.ndim else 1.0
    value, gradients = value_and_gradients(function, tuple(arguments), weights)
    np.testing.assert_allclose(value, result, rtol=1e-12, atol=1e-13)
    for place, gradient in enumerate(gradients):
        np.testing.assert_allclose(gradient, _differences(function, arguments, place), rtol=2e-6, atol=2e-7)


def test_elements_of_32_bits_are_rounded_where_numba_stores_them():
    function = numba.njit(_of_small_floats)
    value, (gradient, _) = fg.value_and_grad(function, argnums=(0, 1))(X, Y)
    assert value == function(X, Y)
    difference = (function(X + 0.05, Y) - function(X - 0.05, Y)) / 0.1
    np.testing.assert_allclose(gradient.sum(), difference, rtol=1e-4)


def test_shapes_that_do_not_broadcast_are_an_error():
    def joined(x, y):
        return np.sum(x * y + 1.0)

    def stored(x, y):
        x[:] = y + 1.0
        return np.sum(x)

    for function in (joined, stored):
        with pytest.raises(ValueError, match=r"could not be broadcast|cannot assign slice"):
            value_and_gradients(function, (X, Y[:4].copy()), 1.0)
