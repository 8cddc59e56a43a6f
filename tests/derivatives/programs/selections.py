"""Reads and assignments by masks and by arrays of indices, alone and beside integers, slices and each other."""

import numpy as np

from tests.derivatives.table import A, B, N, V, X, program

LABELS = np.array([1, 0, 1])
NONE = np.zeros(3, np.int64)
ALL = np.ones(3, np.int64)
ROWS = np.array([2, 0, 2, -1])
C = np.array([[0.4, -1.1, 0.8, 0.3], [1.3, 0.2, -0.7, -0.5], [0.9, 0.5, 1.6, 1.2]])
T = np.arange(24.0).reshape(2, 3, 4) / 7.0 - 1.5
STRIDED = np.repeat(C, 2, axis=1)[:, ::2]
FLOATS = C.astype(np.float32)
TABLE = np.array([[1, 0], [2, 2]])


@program(
    (C, LABELS, 1), (C, NONE, -1), (C, ALL, 0), (STRIDED, LABELS, 2), (C.T.copy().T, LABELS, 2), (FLOATS, LABELS, 3)
)
def mask_beside_an_integer(a, labels, j):
    column = a[labels == 1, j]
    return (column * column * column).sum() + a[1, 2] ** 2 * column.size


@program((C, LABELS), (STRIDED, ALL), (C, NONE))
def mask_beside_slices(a, labels):
    rows = a[labels > 0, 1:3]
    back = a[labels > 0, ::-1]
    return (rows**2).sum() + (back[:, 0] * back[:, 3]).sum() + a[0, 1]


@program((C, X))
def mask_of_columns(a, x):
    part = a[:, x > 0.0] * 2.0
    row = a[1, x > 0.0]
    return (part**2).sum() * row[0] + (a[1:, x < 5.0] ** 3).sum() + (a[..., x > 1.0] * x[3]).sum()


@program((T, LABELS), (T.astype(np.float32), LABELS))
def mask_between_axes(t, labels):
    mask = labels == 1
    return (t[:, mask] ** 2).sum() + (t[1, mask] ** 3).sum() + (t[:, mask, 2] * t[0, 0, 1]).sum() + t[0, mask, 1:][1, 0]


@program((T, np.array([True, False, True, True])))
def mask_apart_from_an_integer(t, mask):
    s = t[0, :, mask]  # in Numba the axis of the mask stays where it is, in NumPy it comes first
    return (s**3).sum() * s[0, 0]


@program((C, LABELS, 0.7), (C, NONE, 0.7), (STRIDED, ALL, 0.7), (FLOATS, LABELS, np.float32(0.7)))
def number_to_rows_of_a_mask(a, labels, value):
    a = a * a
    a[labels == 1] = value
    a[labels == 0, 1] = value * value
    return (a**3).sum()


@program((C, LABELS, X), (STRIDED, NONE, X), (C, ALL, X[::-1]))
def row_to_rows_of_a_mask(a, labels, x):
    a[labels == 1] = x
    a[labels == 0, 1:3] = x[:2] * x[2]
    return (a**2).sum() * a[0, 1]


@program((C, LABELS, C[1:] * 2.0), (FLOATS, LABELS, FLOATS[:2] * 2))
def rows_to_rows_of_a_mask(a, labels, rows):
    a[labels == 1] = rows
    a[labels == 1, 0] = rows[:, 1] * a[1, 1]
    a[:, rows[0] > 1.0] = rows[:1, :1]
    return (a**2 * np.arange(12.0).reshape(3, 4)).sum()


@program((C, LABELS))
def rows_of_a_mask_changed_in_place(a, labels):
    mask = labels == 1
    a[mask] *= 2.0
    a[mask] += a[~mask]
    a[mask, 1] *= a[0, 0]
    a[:, a[0] > 0.0] **= 2
    return (a**2).sum()


@program((C, ROWS), (STRIDED, ROWS), (C.T.copy().T, ROWS), (FLOATS, ROWS), (C, ROWS[:0]))
def index_array_beside_an_integer(a, rows):
    column = a[rows, 1]
    return (column**3).sum() + (a[1, rows] ** 2).sum() * a[0, 2] + (a[rows, -1] * column).sum() + a[2, 3] ** 2


@program((C, ROWS, N), (STRIDED, ROWS, N))
def rows_and_then_columns(a, rows, columns):
    part = a[rows][:, columns]
    return (part**2).sum() * part[0, 1] + (a[:, columns][rows] ** 3).sum()


@program((C, ROWS))
def index_array_beside_slices(a, rows):
    return (
        (a[rows, 1:3] ** 2).sum()
        + (a[::2, rows] ** 3).sum()
        + (a[..., rows] * a[0, 0]).sum()
        + (a[rows, ...] ** 2).sum()
    )


@program((T, ROWS))
def index_array_in_three_axes(t, rows):
    one = t[:, rows]
    two = t[1, rows, ::2]
    three = t[0, :, rows]  # the axis of rows is the first one
    four = t[:, rows, 1]
    five = t[rows % 2, :, -1]
    total = one[1, 2, 3] * one[0, 3, 0] + (two**2).sum() + three[3, 1] * three[0, 2] + (four**3).sum()
    return total + (five[:3] * t[0, 0, :3].reshape(1, 3)).sum() * five[0, 0]


@program((C, TABLE), (FLOATS, TABLE))
def index_array_of_two_axes(a, table):
    part = a[table]
    return (part[0] * part[1]).sum() + (a[table, 1] ** 2).sum() + (a[0, table] ** 3).sum() * (a[1:, table] ** 2).sum()


@program((C, ROWS, np.array([3, 1, -1, 0])))
def two_index_arrays(a, rows, columns):
    pairs = a[rows, columns]
    grid = a[rows.reshape(4, 1), columns]
    return (pairs**3).sum() + (grid**2).sum() * grid[1, 2] + (a[rows, columns[:1]] * pairs).sum()


@program((T, ROWS, np.array([3, 1, -1, 0])))
def two_index_arrays_in_three_axes(t, rows, columns):
    apart = t[rows % 2, :, columns]
    together = t[:, rows, columns]
    return (apart**2).sum() * apart[0, 2] + (together[0] * together[1]).sum() + (t[1, rows, columns] ** 3).sum()


@program((C, ROWS, X), (STRIDED, ROWS, X))
def numbers_and_rows_to_index_arrays(a, rows, x):
    a = a + 0.0
    a[rows] = x
    a[rows[:2], 1] = x[1] * x[2]
    a[1, rows] = x * x
    a[:, rows[2:]] = a[:, :2] * x[0]
    return (a**2 * np.arange(1.0, 13.0).reshape(3, 4)).sum()


@program((C, np.array([1, 1, 0]), B))
def last_of_several_rows_counts(a, rows, b):
    a[rows, 1:] = b * b
    a[rows, 0] = b[:, 0]
    return (a**2).sum() * a[1, 1]


@program((C, ROWS, np.array([3, 1, 3, 0]), X))
def numbers_to_two_index_arrays(a, rows, columns, x):
    a[rows, columns] = x
    a[rows[:2].reshape(2, 1), columns] += x * a[0, 0]
    return (a**2 * np.arange(1.0, 13.0).reshape(3, 4)).sum()


@program((T, ROWS, C))
def rows_to_axes_that_come_first(t, rows, c):
    t[0, :, rows] = c[0, :3]
    t[1, :, rows[:3]] = c[:, 1:] * t[0, 0, 0]
    return (t**2 * np.arange(24.0).reshape(2, 3, 4)).sum()


@program(A)
def rows_of_itself(a):
    a[np.array([2, 0, 1])] = a
    a[np.array([0, 1])] = a[1:] * a[0]
    a[:, np.array([1, 0])] = a[:, :2]
    return (a**2 * np.arange(1.0, 10.0).reshape(3, 3)).sum()


@program((A, V, np.array(1), np.array([2, 0], np.uint8)), (A, V, np.array(-1), np.array([2, 0], np.uint64)))
def index_of_no_axes_and_small_integers(a, v, place, small):
    return (
        (a[place] * v).sum() + a[place, 2] ** 2 + v[place] ** 3 + (a[small, place] ** 2).sum() * (a[small] ** 3).sum()
    )


@program((A, N % 3))
def elements_taken_along_an_axis(a, n):
    return (np.take(a, n, axis=1) ** 2).sum() * np.take(a, n, axis=0)[1, 2] + np.take(a, n, axis=-1)[2, 3] ** 3


@program((A, LABELS, 3))
def masks_in_a_loop(a, labels, n):
    total = 0.0
    for k in range(n):
        a[labels == k % 2, k] += a[0, k] * a[k, 0]
        rows = a[labels == k]
        total += (rows**2).sum() * (k + 1)
    return total + a[np.arange(3), np.arange(3)].sum() ** 2
