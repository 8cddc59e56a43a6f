"""Reductions: sum, mean, minimum, maximum, product, cumulative sums, sorting, indices of extremes."""

import numpy as np

from tests.derivatives.table import A, B, P, V, X, Y, formula, program

formula("sums", lambda x, a: x.sum() * np.sum(a) + np.sum(x * x), (X, A))
formula("sum_along_an_axis", lambda a: (a.sum(axis=0) * np.sum(a, axis=1) ** 2).sum(), A)
formula("means", lambda x, a: x.mean() * np.mean(a) + np.mean(x * x), (X, A))
formula("products", lambda x, a: x.prod() + np.prod(a) * x.prod(), (X, A))
formula("product_of_zeros", lambda x: x.prod() + x.sum(), np.array([0.0, 1.3, -0.7]), np.array([0.0, 1.3, 0.0]))
formula("extremes", lambda x, a: x.max() * x.min() + np.max(a) ** 2 * np.min(a), (X, A))


@program((X, Y))
def element_at_the_maximum(x, y):
    i = x.argmax()
    return y[i] * x[i] + y[np.argmin(y)] ** 2


@program(A)
def element_at_the_maximum_of_each_row(a):
    total = 0.0
    for i in range(3):
        total += a[i, np.argmax(a[i])] ** 2
    return total


@program(X)
def maximum_by_a_loop(x):
    largest = x[0]
    for value in x:
        if value > largest:
            largest = value
    return largest * largest


@program(X)
def maximum_by_a_builtin(x):
    largest = -1e300
    for value in x:
        largest = max(largest, value * value)
    return largest


formula("cumulative_sums", lambda x, a: (x.cumsum() * x).sum() + (np.cumsum(a) ** 2).sum(), (X, A))
formula("cumulative_products", lambda x: (x.cumprod() * np.arange(1.0, 5.0)).sum() + np.cumprod(x * x)[2], X)
formula("variances", lambda x, a: x.var() * np.std(a) + np.std(x) + np.var(a), (X, A))
formula("median", lambda x: np.median(x) ** 2 + x[0], X, np.array([0.4, 1.5, -0.8]))
formula("percentiles", lambda x: np.percentile(x, 30.0) * np.quantile(x, 0.8), X)
formula("ptp", lambda x: np.ptp(x) ** 2, X)


@program(np.array([0.3, np.nan, 0.7]), gradient=((np.array([2.0, 0.0, 1.0]),),))
def sums_without_nan(x):
    return np.nansum(x) * x[2] + x[0] * 1.3 - x[2] * 0.7


formula("sorted_array", lambda x: (np.sort(x) * np.arange(4.0)).sum() * np.sort(x * x)[1], X)


@program(X)
def sorted_in_place(x):
    x.sort()
    return x[0] + 2.0 * x[1] ** 2 + 3.0 * x[2] ** 3 + 4.0 * x[3] ** 4


@program((X, Y))
def argsort_as_an_index(x, y):
    order = np.argsort(x)
    return (y[order] * x[order] * np.arange(4.0)).sum()


formula("dots", lambda x, y: np.dot(x, y) * np.vdot(x, x) + x.dot(y), (X, Y))
formula("matrix_times_vector", lambda a, v: (np.dot(a, v) * (a @ v) ** 2).sum() + (v @ a)[1], (A, V))
formula("matrix_times_matrix", lambda a, b: ((a @ b) * np.dot(b, a)).sum(), (A, B))
formula("matrix_times_its_transpose", lambda a, b: (np.ascontiguousarray(a.T) @ a * b).sum(), (A, B))
formula("quadratic_form", lambda a, v: v @ (a @ v) + v @ (a @ (a @ v)), (A, V))


@program((X, Y))
def weighted_mean(x, y):
    w = np.exp(y)
    return (w * x).sum() / w.sum()


@program((P, X))
def log_sum_exp(p, x):
    m = x.max()
    return m + np.log((p * np.exp(x - m)).sum())


@program((X, Y))
def pairwise_distances(x, y):
    total = 0.0
    for i in range(4):
        for j in range(i):
            d = np.sqrt((x[i] - x[j]) ** 2 + (y[i] - y[j]) ** 2)
            total += 1.0 / (d + 0.1)
    return total


formula("counted", lambda x: np.count_nonzero(x > 0.0) * x.sum() + (x > 0.5).sum() * x[0] ** 2, X)


@program(X)
def any_and_all(x):
    total = x[0] * x[1]
    if np.any(x > 1.0) and not np.all(x > 0.0):
        total *= x[2]
    return total


@program((X, Y))
def correlation(x, y):
    a, b = x - x.mean(), y - y.mean()
    return (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())


@program((X, Y))
def running_mean_and_variance(x, y):
    mean, m2 = 0.0, 0.0
    for i in range(4):
        delta = x[i] - mean
        mean += delta / (i + 1)
        m2 += delta * (x[i] - mean) * y[i]
    return m2 * mean


@program((X, Y))
def kahan_summation(x, y):
    total, c = 0.0, 0.0
    for i in range(4):
        a = x[i] * y[i] - c
        t = total + a
        c = (t - total) - a
        total = t
    return total * total


formula("sum_of_a_list", lambda x: sum([value * value for value in x]) * sum(x), X)


@program(A)
def sum_of_a_generator_of_rows(a):
    total = 0.0
    for i in range(len(a)):
        total += a[i].sum() * a[:, i].max()
    return total


@program(X)
def unique_sorted(x):
    y = np.unique(x)
    return y[0] * y[1] + y[3] ** 2


@program((X, Y))
def trapezoids(x, y):
    t = np.cumsum(np.exp(x))
    return ((t[1:] - t[:-1]) * (y[1:] + y[:-1])).sum() / 2.0


formula("row_norms", lambda a: np.sqrt((a * a).sum(axis=1)).prod(), A)
