"""Slices and views: rows, columns, steps, negative indices, `reshape`, `.T`, `ravel`, copies."""

import numpy as np

from tests.derivatives.table import A, B, V, X, Y, formula, program

C = np.arange(1.0, 13.0).reshape(3, 4) / 7.0
T3 = np.linspace(-1.0, 1.5, 24).reshape(2, 3, 4)


@program(X)
def slice_read(x):
    v = x[1:3]
    return v[0] * v[1]


@program((X, 1, 3), (X, 0, 4), (X, -3, -1), (X, 2, 2))
def slice_of_arguments(x, start, stop):
    return (x[start:stop] ** 2).sum() + x[0]


formula("slice_with_a_step", lambda x: (x[::2] * x[1::2]).sum(), X)
formula("slice_backwards", lambda x: (x[::-1] * x * np.arange(4.0)).sum(), X)


@program(X)
def slice_backwards_by_two(x):
    v = x[3::-2]
    return v[0] * v[1] * v[1]


formula("negative_indices", lambda x: x[-1] * x[-2] + x[-4] ** 2, X)
formula("index_of_either_sign", lambda x, i: x[i] * x[i] * x[0], (X, -1), (X, 2), (X, -4))


@program(X)
def negative_index_written(x):
    x[-1] = x[0] * x[1]
    return x[3] * x[-1]


@program(X)
def slice_of_a_slice(x):
    v = x[1:]
    w = v[::2]
    return w[0] * w[1] + v[1]


@program(X)
def slice_written_from_an_array(x):
    y = np.zeros(6)
    y[1:5] = x
    return (y[1:] * y[:-1]).sum()


@program((X, 0.7))
def slice_written_from_a_scalar(x, s):
    x[1:3] = s * x[0]
    return x[1] * x[2] * x[3]


@program(X)
def strided_slice_written(x):
    y = np.ones(8)
    y[::2] = x * x
    y[1::4] = x[:2]
    return (y * np.arange(8.0)).sum()


@program(A)
def row(a):
    r = a[1]
    return r[0] * r[1] + r[2] ** 2


@program(A)
def column(a):
    c = a[:, 1]
    return c[0] * c[1] + c[2] ** 2


@program(A)
def row_written(a):
    a[1] = a[0] * a[2]
    return a[1, 0] * a[1, 2]


@program(A)
def column_written(a):
    a[:, 1] = a[:, 0] * a[:, 2]
    return a[0, 1] * a[2, 1]


@program(A)
def row_view_written(a):
    r = a[1]
    r[0] = r[1] * a[1, 0]
    return a[1, 0] * a[0, 1]


@program(A)
def column_view_written(a):
    c = a[:, 2]
    for i in range(3):
        c[i] = c[i] * a[i, 0]
    return (a * a).sum()


@program(A)
def block(a):
    b = a[:2, 1:]
    return b[0, 0] * b[1, 1] - b[0, 1] * b[1, 0]


@program(A)
def block_written(a):
    a[1:, 1:] = a[:2, :2] * 2.0
    return (a * a).sum()


formula("chained_index", lambda a: a[0][1] * a[1][2] + a[2][0] ** 2, A)


@program(A)
def chained_index_written(a):
    a[0][1] = a[1][2] * a[0][1]
    return a[0, 1] * a[0, 0]


@program(A)
def transposed(a):
    t = a.T
    return t[0, 1] * 2.0 + t[1, 0] ** 2 + (a * t).sum()


@program(A)
def transposed_view_written(a):
    t = a.T
    t[0, 1] = t[2, 2] * t[0, 1]
    return a[1, 0] * a[1, 0]


@program(C)
def reshaped(c):
    r = c.reshape(2, 6)
    return r[0, 5] * r[1, 0] + (r[0] * r[1]).sum()


@program(X)
def reshaped_to_a_matrix(x):
    m = x.reshape((2, 2))
    return m[0, 0] * m[1, 1] - m[0, 1] * m[1, 0]


@program(X)
def reshaped_view_written(x):
    m = x.reshape(2, 2)
    m[1, 0] = m[0, 0] * m[0, 1]
    return x[2] * x[3]


@program(C)
def raveled(c):
    r = c.ravel()
    return (r * r * np.arange(12.0)).sum()


@program(C)
def raveled_view_written(c):
    r = c.ravel()
    r[5] = r[6] * r[7]
    return c[1, 1] * c[1, 2]


@program(C)
def flattened_is_a_copy(c):
    f = c.flatten()
    f[5] = f[6] * f[7]
    return f[5] * c[1, 1]


@program(X)
def copy_is_independent(x):
    y = x.copy()
    y[0] = y[1] * y[2]
    return y[0] * x[0]


@program(X, refused=True)
def ascontiguousarray_of_a_strided_view(x):
    y = np.ascontiguousarray(x[::2])
    y[0] = y[1] * y[1]
    return y[0] * x[0]


@program(X[::1], np.array([0.3, 9.0, -1.2, 9.0, 0.7, 9.0, 1.9])[::2])
def strided_argument(x):
    return x[0] * x[1] + x[2] * x[3] ** 2


@program(np.asfortranarray(A))
def argument_in_fortran_order(a):
    a[0, 1] = a[1, 0] * a[0, 1]
    return (a * a).sum() + a[0, 1] * a[2, 0]


@program(T3)
def three_dimensions(t):
    v = t[:, 1, :]
    w = t[1, :, 2]
    return (v[0] * v[1]).sum() + w[0] * w[2] + t[0, -1, -1] ** 2


@program(T3)
def three_dimensions_written(t):
    t[:, 0] = t[:, 1] * t[:, 2]
    t[1, :, 0] = 2.0 * t[0, :, 3]
    return (t * t).sum()


formula("ellipsis", lambda t: (t[..., 0] * t[..., 1]).sum() + (t[0, ...] ** 2).sum(), T3)


@program(X)
def new_axis(x):
    m = x[:, np.newaxis] * x[np.newaxis, :] ** 2
    return m[0, 1] + m[2, 3] * m[3, 1]


@program(X)
def view_passed_around(x):
    v = x[1:]
    for _ in range(3):
        v[0] = v[0] * v[-1]
        if len(v) > 1:
            v = v[1:]
    return x.sum()


@program((X, Y, 2))
def slices_of_changing_bounds(x, y, n):
    total = 0.0
    for i in range(4):
        lo = max(0, i - n)
        total += (x[lo : i + 1] * y[: i + 1 - lo]).sum() * (i + 1)
    return total


@program((X, np.array([True, False, True, True])))
def boolean_mask_read(x, mask):
    v = x[mask]
    return (v * v * v).sum()


@program((X, np.array([2, 0, 2])))
def integer_array_read(x, n):
    v = x[n]
    return v[0] * v[1] + v[2] ** 2


@program(X)
def mask_of_values_written(x):
    x[x < 0.0] = 0.5
    return (x * x).sum()


@program((A, V))
def outer_views(a, v):
    total = 0.0
    for i in range(3):
        r = a[i, :]
        c = a[:, i]
        total += (r * c).sum() * v[i]
    return total


@program((A, B))
def diagonal_by_a_step(a, b):
    d = a.ravel()[::4]
    d[:] = d * b.ravel()[::4]
    return a[0, 0] * a[1, 1] * a[2, 2]


@program(C)
def shape_and_size_as_numbers(c):
    n, m = c.shape
    return c[n - 1, m - 1] ** 2 * c.size / c.ndim + len(c) * c[0, 0]


@program(X)
def empty_slice(x):
    v = x[2:2]
    return v.sum() + (v * v).sum() + x[1] ** 2
