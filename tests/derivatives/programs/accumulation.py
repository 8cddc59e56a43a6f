"""`+=` and its relatives on elements and slices."""

import numpy as np

from tests.derivatives.table import A, B, N, P, V, X, Y, program


@program(X)
def into_one_element(x):
    y = np.zeros(1)
    for value in x:
        y[0] += value * value
    return y[0] * y[0]


@program((X, N))
def histogram_of_weights(x, n):
    y = np.zeros(4)
    for i in range(5):
        y[n[i]] += x[i % 4] * x[n[i]]
    return (y * y).sum()


@program((X, N))
def into_the_array_that_is_read(x, n):
    for i in range(5):
        x[n[i]] += x[i % 4] * x[n[i]]
    return (x * x).sum()


@program((X, Y))
def into_a_slice(x, y):
    x[1:3] += y[:2] * x[2:]
    return (x * x).sum()


@program((X, Y))
def into_a_strided_slice(x, y):
    x[::2] += y[1::2]
    x[::2] *= x[1::2]
    return (x * x).sum()


@program((A, V))
def into_rows(a, v):
    for i in range(3):
        a[i] += v * a[i]
    return (a * a * a).sum()


@program((A, V))
def into_columns(a, v):
    for j in range(3):
        a[:, j] -= v[j] * v
    return (a * a).sum()


@program((A, V))
def broadcast_into_a_matrix(a, v):
    a += v
    a *= v
    return (a * a).sum()


@program((A, B))
def matrix_product_by_hand(a, b):
    c = np.zeros((3, 3))
    for i in range(3):
        for j in range(3):
            for k in range(3):
                c[i, j] += a[i, k] * b[k, j]
    return (c * c).sum()


@program(X)
def elements_multiplied(x):
    y = np.ones(2)
    for i in range(4):
        y[i % 2] *= x[i]
    return y[0] + y[1] * y[1]


@program(P)
def elements_divided(p):
    y = np.ones(2)
    for i in range(4):
        y[i % 2] /= p[i]
    p[0] /= p[0] + p[1]
    return y[0] * y[1] + p[0]


@program(P)
def elements_raised(p):
    p[0] **= 2
    p[1] **= p[2]
    p[3] **= 0.5
    return p.sum()


@program(X)
def overlapping_views_added(x):
    x[1:] += x[:-1].copy()
    x[:-1] -= 0.5 * x[1:]
    return (x * x).sum()


@program(X)
def a_view_added_to_itself(x):
    v = x[1:]
    v += v
    v *= v
    return x.sum()


@program((X, Y))
def stencil(x, y):
    out = np.zeros(4)
    for i in range(1, 3):
        for d in range(-1, 2):
            out[i] += y[d + 1] * x[i + d]
    return (out * out).sum()


@program((X, Y))
def scalar_and_element_together(x, y):
    total = 0.0
    for i in range(4):
        total += x[i]
        y[i] += total * y[i]
        total -= y[i] * 0.1
    return total * y[3]


@program((A, np.array([[0, 1], [1, 1], [2, 0]])))
def finite_element_assembly(a, edges):
    k = np.zeros((3, 3))
    for e in range(3):
        i, j = edges[e]
        k[i, i] += a[e, 0]
        k[i, j] -= a[e, 1] * a[e, 0]
        k[j, i] -= a[e, 1] * k[i, j]
        k[j, j] += a[e, 2]
    return (k * k).sum()


@program(X)
def conditional_addition(x):
    y = np.zeros(2)
    for i in range(4):
        if x[i] > 0.0:
            y[0] += x[i]
        else:
            y[1] += x[i] * y[0]
    return y[0] * y[1]


@program((X, Y))
def addition_of_a_whole_array_in_a_loop(x, y):
    for i in range(3):
        x += y * x[i]
    return (x * y).sum()


@program(X)
def augmented_assignment_makes_no_new_array(x):
    y = x
    y *= 2.0
    z = y
    z = z * 2.0
    return (x * z).sum()
