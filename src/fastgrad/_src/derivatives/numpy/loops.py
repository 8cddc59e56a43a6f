"""NumPy's functions as loops in plain Numba style, which are lowered and so differentiated like the user's own.

The annotation of a parameter is the rank of the array that the function takes; 0 is a number. Parameters without one take anything.
"""
# mypy: ignore-errors
# ruff: noqa: PLR0124, NPY002  # only NaN differs from itself; Numba has the legacy functions of NumPy

from __future__ import annotations

import math
import random

import numba
import numpy as np

from fastgrad._src.derivatives.numpy.loop_sources import checked_index

# ---- order ------------------------------------------------------------------------------------------------------


@numba.njit
def is_before(x, y):
    """True if a sort puts ``x`` before ``y``: NaN comes last."""
    return (x < y) | ((y != y) & (x == x))


def argsort(a: 1, kind="quicksort"):
    """Returns the indices that sort ``a``; equal elements have the order of Numba's quicksort, or with "mergesort" their own."""
    order = np.arange(a.shape[0])
    limit = 15 if kind == "quicksort" else a.shape[0]
    starts, stops = np.zeros(100, np.intp), np.zeros(100, np.intp)
    stops[0] = a.shape[0] - 1
    depth = 1
    while depth > 0:
        depth -= 1
        low, high = starts[depth], stops[depth]
        while high - low >= limit:
            middle = (low + high) >> 1
            for step in range(3):  # the median of three becomes the pivot
                left, right = (middle, high) if step == 1 else (low, middle)
                if is_before(a[order[right]], a[order[left]]):
                    order[left], order[right] = order[right], order[left]
            pivot = a[order[middle]]
            order[high], order[middle] = order[middle], order[high]
            i, j = low, high - 1
            while True:
                while i < high and is_before(a[order[i]], pivot):
                    i += 1
                while j >= low and is_before(pivot, a[order[j]]):
                    j -= 1
                if i >= j:
                    break
                order[i], order[j] = order[j], order[i]
                i += 1
                j -= 1
            order[i], order[high] = order[high], order[i]
            if high - i > i - low:
                if high > i:
                    starts[depth], stops[depth] = i + 1, high
                    depth += 1
                high = i - 1
            else:
                if i > low:
                    starts[depth], stops[depth] = low, i - 1
                    depth += 1
                low = i + 1
        for i in range(low + 1, high + 1):
            k = order[i]
            j = i
            while j > low and is_before(a[k], a[order[j - 1]]):
                order[j] = order[j - 1]
                j -= 1
            order[j] = k
    return order


def sort_vector(a: 1):
    """Sorts ``a`` in place."""
    a[:] = a[np.argsort(a)]


def sort_rows(a: 2):
    """Sorts each row of ``a`` in place."""
    for i in range(a.shape[0]):
        a[i] = a[i][np.argsort(a[i])]


def median(a):
    """Returns the middle element, or the mean of the two middle ones; NaN if there is a NaN."""
    values = np.sort(a.ravel())
    n = values.shape[0]
    if n == 0:
        return np.nan
    if values[n - 1] != values[n - 1]:
        return values[n - 1]
    return values[n // 2] if n % 2 == 1 else (values[n // 2 - 1] + values[n // 2]) / 2


@numba.njit
def interpolated_quantile(values, q):
    """Returns the quantile ``q`` of sorted values, by linear interpolation; NaN if there is a NaN."""
    n = values.shape[0]
    if not 0.0 <= q <= 1.0:
        raise ValueError("Quantiles must be in the range [0, 1]")
    if values[n - 1] != values[n - 1]:
        return values[n - 1]
    position = (n - 1) * q
    low = min(int(position), n - 1)
    high = min(low + 1, n - 1)
    fraction = position - low
    return values[low] * (1.0 - fraction) + values[high] * fraction


def quantile_at(a, q: 0):
    """Returns the quantile ``q``."""
    return interpolated_quantile(np.sort(a.ravel()), q)


def quantiles_at(a, q: 1):
    """Returns the quantiles at ``q``."""
    values = np.sort(a.ravel())
    out = np.empty(q.shape[0])
    for i in range(q.shape[0]):
        out[i] = interpolated_quantile(values, q[i])
    return out


def percentile(a, q):
    """Returns the quantile at ``q`` percent."""
    return np.quantile(a, q / 100.0)


@numba.njit
def without_nan(a):
    """Returns the elements other than NaN; one NaN if there is no other."""
    flat = a.ravel()
    values = flat[flat == flat]
    return values if values.shape[0] > 0 else flat[:1].copy()


@numba.njit
def insertion_point(a, v, is_right):
    """Returns the number of elements of the sorted array ``a`` that are before ``v``; with ``is_right`` also of those that equal it."""
    low, high = 0, a.shape[0]
    while low < high:
        middle = (low + high) >> 1
        if is_before(a[middle], v) or (is_right and not is_before(v, a[middle])):
            low = middle + 1
        else:
            high = middle
    return low


def nonzero(a: 1):
    """Returns the positions of elements other than 0."""
    out = np.empty(np.count_nonzero(a), np.intp)
    n = 0
    for i in range(a.shape[0]):
        if a[i] != 0:
            out[n] = i
            n += 1
    return out


def nonzero_of_matrix(a: 2):
    """Returns the rows and the columns of elements other than 0."""
    places = np.nonzero(a.ravel() != 0)[0]
    return places // a.shape[1], places % a.shape[1]


def extract(condition, arr):
    """Returns the elements for which the condition holds."""
    flat, is_chosen = arr.ravel(), condition.ravel() != 0
    n = min(flat.shape[0], is_chosen.shape[0])
    if flat.shape[0] == 0:
        raise ValueError("Cannot extract from an empty array")
    if np.any(is_chosen[n:]):
        raise ValueError("condition shape inconsistent with arr shape")
    return flat[:n][is_chosen[:n]]


# ---- other reductions -------------------------------------------------------------------------------------------


def allclose(a: 1, b: 1, rtol=1e-05, atol=1e-08, equal_nan=False):
    """True if all elements of two vectors are close."""
    if a.shape[0] != b.shape[0]:
        raise ValueError("operands could not be broadcast together")
    n = 0
    for i in range(a.shape[0]):
        is_close = math.isfinite(b[i]) and abs(a[i] - b[i]) <= atol + rtol * abs(b[i])
        if is_close or a[i] == b[i] or (equal_nan and a[i] != a[i] and b[i] != b[i]):
            n += 1
    return n == a.shape[0]


def isclose(a, b, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Returns for each pair of elements whether they are close."""
    is_close = ((np.abs(a - b) <= atol + rtol * np.abs(b)) & np.isfinite(b)) | (a == b)
    return is_close | ((a != a) & (b != b)) if equal_nan else is_close


def resize(a, new_shape):
    """Returns an array of another shape, which repeats the elements."""
    flat = a.ravel()
    out = np.empty(new_shape, a.dtype)
    target = out.ravel()
    for i in range(target.shape[0]):
        target[i] = flat[i % flat.shape[0]]
    return out


# ---- parts and orders of elements -------------------------------------------------------------------------------


def roll(a, shift):
    """Returns the elements moved on by ``shift`` places."""
    flat = a.ravel()
    n = flat.shape[0]
    out = np.empty(n, a.dtype)
    for i in range(n):
        out[(i + shift) % n] = flat[i]
    return out.reshape(a.shape)


def tril(m: 2, k=0):
    """Returns the elements on and below a diagonal."""
    out = np.zeros(m.shape, m.dtype)
    for i in range(m.shape[0]):
        for j in range(max(0, min(m.shape[1], i + k + 1))):
            out[i, j] = m[i, j]
    return out


def triu(m: 2, k=0):
    """Returns the elements on and above a diagonal."""
    out = np.zeros(m.shape, m.dtype)
    for i in range(m.shape[0]):
        for j in range(max(0, i + k), m.shape[1]):
            out[i, j] = m[i, j]
    return out


def take_element(a, indices: 0):
    """Returns an element of the flattened array."""
    flat = a.ravel()
    return flat[checked_index(indices, flat.shape[0])]


def take(a, indices):
    """Returns elements of the flattened array."""
    flat, places = a.ravel(), indices.ravel()
    out = np.empty(places.shape[0], a.dtype)
    for i in range(places.shape[0]):
        out[i] = flat[checked_index(places[i], flat.shape[0])]
    return out.reshape(indices.shape)


def without_zeros(filt: 1, at_front: 0, at_back: 0):
    """Returns the vector without zeros at the front, at the back or both."""
    first, last = 0, filt.shape[0]
    while at_front and first < last and filt[first] == 0.0:
        first += 1
    while at_back and last > first and filt[last - 1] == 0.0:
        last -= 1
    return filt[first:last]


# ---- polynomials ------------------------------------------------------------------------------------------------


def series(c: 1):
    """Returns a copy of a polynomial's coefficients without zeros at the end; one coefficient stays."""
    last = c.shape[0]
    if last == 0:
        raise ValueError("Coefficient array is empty")
    while last > 1 and c[last - 1] == 0.0:
        last -= 1
    return c[:last].astype(np.float64)


# ---- products ---------------------------------------------------------------------------------------------------


def cross(a: 1, b: 1):
    """Returns the cross product of two vectors."""
    if not (2 <= a.shape[0] <= 3 and 2 <= b.shape[0] <= 3):
        raise ValueError("Incompatible dimensions for cross product\n(dimension must be 2 or 3)")
    a2 = a[2] if a.shape[0] == 3 else 0.0
    b2 = b[2] if b.shape[0] == 3 else 0.0
    return np.array([a[1] * b2 - a2 * b[1], a2 * b[0] - a[0] * b2, a[0] * b[1] - a[1] * b[0]])


def cross_of_rows(a: 2, b: 2):
    """Returns the cross products of the rows of two matrices."""
    out = np.empty((a.shape[0], 3))
    for i in range(a.shape[0]):
        out[i] = np.cross(a[i], b[i])
    return out


def kron(a: 2, b: 2):
    """Returns the Kronecker product of two matrices."""
    m, n = b.shape
    out = np.empty((a.shape[0] * m, a.shape[1] * n))
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            out[i * m : (i + 1) * m, j * n : (j + 1) * n] = a[i, j] * b
    return out


def convolve(a: 1, v: 1, mode="full"):
    """Returns the convolution of two vectors."""
    n, m = a.shape[0], v.shape[0]
    if n == 0 or m == 0:
        raise ValueError("arrays cannot be empty")
    out = np.zeros(n + m - 1)
    for i in range(n):
        for j in range(m):
            out[i + j] += a[i] * v[j]
    shorter, longer = min(n, m), max(n, m)
    if mode == "same":
        first = (shorter - 1) // 2
        return out[first : first + longer].copy()
    if mode == "valid":
        return out[shorter - 1 : longer].copy()
    return out


def interp_number(x: 0, xp: 1, fp: 1):
    """Returns the piecewise linear function through the points at ``x``."""
    n = xp.shape[0]
    if n != fp.shape[0]:
        raise ValueError("fp and xp are not of the same size.")
    if n == 0:
        raise ValueError("array of sample points is empty")
    if x != x:
        return x
    if x <= xp[0]:
        return fp[0]
    if x >= xp[n - 1]:
        return fp[n - 1]
    i = insertion_point(xp, x, True) - 1
    return (fp[i + 1] - fp[i]) / (xp[i + 1] - xp[i]) * (x - xp[i]) + fp[i]


def interp(x: 1, xp: 1, fp: 1):
    """Returns the piecewise linear function through the points at the elements of ``x``."""
    out = np.empty(x.shape[0])
    for i in range(x.shape[0]):
        out[i] = np.interp(x[i], xp, fp)
    return out


# ---- functions of numbers ---------------------------------------------------------------------------------------


@numba.njit
def maximum(x, y):
    """Returns the larger number, or NaN if one is NaN."""
    return x if x >= y or x != x else y


@numba.njit
def minimum(x, y):
    """Returns the smaller number, or NaN if one is NaN."""
    return x if x <= y or x != x else y


@numba.njit
def fmax(x, y):
    """Returns the larger number, or the other one if one is NaN."""
    return x if x >= y or y != y else y


@numba.njit
def fmin(x, y):
    """Returns the smaller number, or the other one if one is NaN."""
    return x if x <= y or y != y else y


@numba.njit
def choose(condition, if_true, if_false):
    """Returns one of two numbers."""
    return if_true if condition else if_false


@numba.njit
def normal(loc, scale):
    """Returns a draw of the normal distribution."""
    return loc + scale * np.random.standard_normal()


@numba.njit
def uniform(low, high):
    """Returns a draw of the uniform distribution."""
    return low + (high - low) * np.random.random()


@numba.njit
def exponential(scale):
    """Returns a draw of the exponential distribution."""
    return -math.log(1.0 - np.random.random()) * scale


@numba.njit
def python_uniform(a, b):
    """Returns a number between ``a`` and ``b`` as ``random.uniform`` draws it."""
    return a + (b - a) * random.random()  # noqa: S311  # the user's draw


@numba.njit
def gauss(mu, sigma):
    """Returns a number of a normal distribution as ``random.gauss`` draws it."""
    return mu + sigma * random.gauss(0.0, 1.0)
