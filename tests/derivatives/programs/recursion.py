"""Recursion: functions that call themselves or each other, to a depth that depends on data."""

import math

import numpy as np
from numba import njit

from tests.derivatives.table import A, P, X, Y, formula, program


@njit
def power(x, n):
    if n == 0:
        return 1.0
    half = power(x, n // 2)
    return half * half * x if n % 2 else half * half


formula("power_by_squares", lambda x, n: power(x, n) * x, (1.3, 11), (0.7, 0))


@njit
def ackermann(m, n, x):
    if m < 0.5:
        return n + x
    if n < 0.5:
        return ackermann(m - 1.0, 1.0, x * 1.01)
    return ackermann(m - 1.0, ackermann(m, n - 1.0, x * 1.02), x) * 0.99


@program((2.0, 2.0, 1.0))
def ackermann_of_floats(m, n, x):
    return ackermann(m, n, x)


@njit
def even(x, n):
    if n == 0:
        return x
    return odd(x * 1.1, n - 1) * x


@njit
def odd(x, n):
    if n == 0:
        return math.sin(x)
    return even(x * x, n - 1) + x


formula("mutual_recursion", lambda x, n: even(x, n) + odd(x, 3), (0.8, 5), (0.8, 4))


@njit
def horner(c, x, i):
    if i == len(c) - 1:
        return c[i]
    return c[i] + x * horner(c, x, i + 1)


formula("horner_over_an_index", lambda c, x: horner(c, x, 0), (X, 0.9))


@njit
def horner_of_slices(c, x):
    if len(c) == 1:
        return c[0]
    return c[0] + x * horner_of_slices(c[1:], x)


@program((X, 0.9))
def horner_over_slices(c, x):
    return horner_of_slices(c, x)


@njit
def tree_sum(x):
    if len(x) == 1:
        return x[0] * x[0]
    middle = len(x) // 2
    return tree_sum(x[:middle]) * tree_sum(x[middle:]) + x[0]


formula("tree_of_slices", lambda x: tree_sum(x) + tree_sum(x[::2]) + tree_sum(x[::-1]), X)


@njit
def minor(a, row, following):
    n = len(a)
    before = n
    column = following[before]
    if row == n - 1:
        return a[row, column]
    total = 0.0
    sign = 1.0
    for _ in range(n - row):
        following[before] = following[column]
        total += sign * a[row, column] * minor(a, row + 1, following)
        following[before] = column
        sign = -sign
        before = column
        column = following[column]
    return total


@program(A)
def determinant_by_minors(a):
    n = len(a)
    following = np.empty(n + 1, np.int64)
    for j in range(n):
        following[j] = j + 1
    following[n] = 0
    return minor(a, 0, following)


@njit
def determinant_of_copies(a):
    n = len(a)
    if n == 1:
        return a[0, 0]
    total = 0.0
    sign = 1.0
    for j in range(n):
        rest = np.empty((n - 1, n - 1))
        rest[:, :j] = a[1:, :j]
        rest[:, j:] = a[1:, j + 1 :]
        total += sign * a[0, j] * determinant_of_copies(rest)
        sign = -sign
    return total


@program(A)
def determinant_by_copies(a):
    return determinant_of_copies(a)


@njit
def transform(re, im):
    n = len(re)
    if n == 1:
        return re, im
    er, ei = transform(re[::2], im[::2])
    odd_re, odd_im = transform(re[1::2], im[1::2])
    out_re, out_im = np.empty(n), np.empty(n)
    for k in range(n // 2):
        c, s = math.cos(2 * math.pi * k / n), -math.sin(2 * math.pi * k / n)
        tr, ti = c * odd_re[k] - s * odd_im[k], c * odd_im[k] + s * odd_re[k]
        out_re[k], out_im[k] = er[k] + tr, ei[k] + ti
        out_re[k + n // 2], out_im[k + n // 2] = er[k] - tr, ei[k] - ti
    return out_re, out_im


@program((X, Y))
def fourier_transform(x, y):
    re, im = transform(x, y)
    total = 0.0
    for k in range(len(re)):
        total += (k + 1) * re[k] * re[k] * im[k] + im[k]
    return total


integrand = njit(lambda x, p: math.exp(-p * x) * math.sin(3 * x) + x * x * p)


@njit
def simpson(a, b, fa, fm, fb, p, tolerance, depth):
    m = 0.5 * (a + b)
    fl, fr = integrand(0.5 * (a + m), p), integrand(0.5 * (m + b), p)
    whole = (b - a) / 6 * (fa + 4 * fm + fb)
    left, right = (m - a) / 6 * (fa + 4 * fl + fm), (b - m) / 6 * (fm + 4 * fr + fb)
    if depth == 0 or abs(left + right - whole) < 15 * tolerance:
        return left + right + (left + right - whole) / 15
    return simpson(a, m, fa, fl, fm, p, tolerance / 2, depth - 1) + simpson(
        m, b, fm, fr, fb, p, tolerance / 2, depth - 1
    )


@program((0.1, 2.3, 0.7))
def adaptive_quadrature(a, b, p):
    return simpson(a, b, integrand(a, p), integrand(0.5 * (a + b), p), integrand(b, p), p, 1e-5, 20)


@njit
def quicksort(x, lo, hi):
    if lo >= hi:
        return
    pivot = x[(lo + hi) // 2]
    i, j = lo, hi
    while i <= j:
        while x[i] < pivot:
            i += 1
        while x[j] > pivot:
            j -= 1
        if i <= j:
            x[i], x[j] = x[j], x[i]
            i += 1
            j -= 1
    quicksort(x, lo, j)
    quicksort(x, i, hi)


@program((X, Y))
def sorted_in_place(x, y):
    z = x * y
    quicksort(z, 0, len(z) - 1)
    total = 0.0
    for i in range(len(z)):
        total += (i + 1.5) * z[i] * z[i]
    return total


@program(X)
def sorted_argument(x):
    quicksort(x, 0, len(x) - 1)
    return x[0] * x[1] + x[2] * x[3] * 0.3


@njit
def scan(x, f):
    if len(x) > 1:
        x[1] = x[1] * x[0] * f + x[1]
        scan(x[1:], f * x[0])


@program((X, 0.7), (X[::2], 0.7))
def in_place_over_slices(x, f):
    scan(x, f)
    return x[-1] * x[0]


@program((A, 0.7))
def in_place_in_a_loop(a, f):
    work = a.copy()
    for i in range(3):
        scan(work[i], f)
        scan(work[:, i], work[0, i])
    return (work * work).sum()


@njit
def merge_sort(x):
    n = len(x)
    if n <= 1:
        return x
    left, right = merge_sort(x[: n // 2]), merge_sort(x[n // 2 :])
    result = np.empty(n)
    i = j = 0
    for k in range(n):
        if j == len(right) or (i < len(left) and left[i] < right[j]):
            result[k] = left[i]
            i += 1
        else:
            result[k] = right[j]
            j += 1
    return result


@program((X, Y))
def merge_sort_of_products(x, y):
    z = merge_sort(x * y)
    return z[0] * z[1] + z[2] * z[2] * z[3]


@njit
def pair(t, n):
    a, b = t
    if n == 0:
        return a * b, (b, n)
    c, (d, m) = pair((b, a * b), n - 1)
    return c * a, (d + a, m + 1)


@program((1.2, 0.7))
def tuples(x, y):
    c, (d, m) = pair((x, y), 4)
    return c * d * m


@njit
def mapped(f, x, n):
    return f(x) if n == 0 else f(mapped(f, x, n - 1)) * x


half_sine = njit(lambda x: 0.5 * math.sin(x))


formula("function_as_argument", lambda x, n: mapped(half_sine, x, n) + mapped(math.cos, x, 2), (1.2, 4))


@njit
def shifted(x, n, shift=None, scale=2.0):
    if n == 0:
        return x if shift is None else x + shift
    return scale * shifted(x * x, n - 1, shift, scale=scale * 0.5)


formula("defaults_and_keywords", lambda x, y: shifted(x, 2) + shifted(x, 3, y) + shifted(x, 1, scale=y), (1.2, 0.3))


@njit
def hanoi(x, n):
    total = x
    for i in range(n):
        total += hanoi(x * 0.5 + i, n - 1 - i) * x
        while total > 10.0:
            total *= 0.3
    return total


@program((1.2, 4), (np.float32(0.8), 3))
def calls_in_loops(x, n):
    total = x * 0
    for i in range(n):
        if i % 2:
            total += hanoi(x, i)
        else:
            total *= hanoi(total, i) + 1
    return total


@njit
def checked(x, n):
    if x < 0:
        raise ValueError("negative")
    return x if n == 0 else checked(x * 0.9, n - 1) * x


@program((1.2, 3))
def raises_in_depth(x, n):
    return checked(x, n)


@njit
def grid(a, i, j, memo):
    if i == 0 or j == 0:
        return a[i, j]
    if memo[i, j] == 0.0:
        memo[i, j] = grid(a, i - 1, j, memo) * a[i, j] + grid(a, i, j - 1, memo)
    return memo[i, j]


formula("memoized", lambda a: grid(a, 2, 2, np.zeros((3, 3))), A)


WEIGHTS = np.array([0.3, 1.1, -0.4])


@njit
def weighted(w, x, i):
    if i == len(w):
        return x
    return weighted(w, x * w[i] + WEIGHTS[i], i + 1)


formula("constant_arrays", lambda x: weighted(WEIGHTS, x, 0) + weighted(np.array([1.0, 2.0]), x, 1), 1.2)


@njit
def with_list(x, n):
    values = [x]
    for i in range(n):
        values.append(values[-1] * x + with_list(x, i))
    return values[-1] + values[0]


@program((0.8, 3))
def lists_within(x, n):
    return with_list(x, n)


@njit
def reshaped(x, n):
    m = x.reshape(2, 2)
    if n == 0:
        return m[0, 1] * m[1, 0]
    m[0, 1] = m[0, 0] * m[1, 1]
    return reshaped(x, n - 1) + m[1, 1] * reshaped(m.ravel() * 0.5, n - 1)


@program((X, 2))
def reshaped_arguments(x, n):
    return reshaped(x, n)


@njit
def chosen(x, y, n):
    z = x if n % 2 else y
    if n == 0:
        return z[0] * z[1]
    return chosen(z, x * y, n - 1) + z[1]


@program((P, X, 3))
def arrays_of_branches(x, y, n):
    return chosen(x, y, n)


@njit
def crossed(a, b, n):
    if n > 0:
        a[0] = a[0] * b[1] + b[0]
        crossed(b, a, n - 1)


@program((X, 2))
def written_by_turns(x, n):
    y = x * 2.0
    crossed(x, y, n)
    crossed(x[:2], x[2:], n)
    return x[0] * y[1] + y[0] * x[2]
