"""Linear algebra: LAPACK by `np.linalg`, and factorisations written as loops."""

import numpy as np

from tests.derivatives.table import A, B, V, formula, program


@program((A, V))
def solve(a, v):
    y = np.linalg.solve(a, v)
    return y[0] * y[1] + y[2]


formula("solve_for_a_matrix", lambda a, b: (np.linalg.solve(a, b) ** 2).sum(), (A, B))
formula("solve_twice", lambda a, v: np.linalg.solve(a, np.linalg.solve(a.T, v)) @ v, (A, V))
formula("inverse", lambda a, b: (np.linalg.inv(a) * b).sum(), (A, B))
formula("determinant", lambda a: np.linalg.det(a) ** 2, A)


@program(A)
def log_determinant(a):
    sign, logarithm = np.linalg.slogdet(a)
    return sign * logarithm * a[0, 0]


@program((A, V))
def cholesky(a, v):
    c = np.linalg.cholesky(a @ a.T + np.eye(3))
    return (c * c).sum() + c[2, 1] * v[0] + np.log(np.diag(c)).sum()


@program((A, V))
def gaussian_log_likelihood(a, v):
    covariance = a @ a.T + 0.5 * np.eye(3)
    return -0.5 * v @ np.linalg.solve(covariance, v) - 0.5 * np.log(np.linalg.det(covariance))


@program(A)
def eigenvalues_of_a_symmetric_matrix(a):
    w = np.linalg.eigvalsh(a + a.T)
    return w[0] * w[2] + w[1] ** 2


@program((A, V))
def eigenvectors_of_a_symmetric_matrix(a, v):
    w, q = np.linalg.eigh(a + a.T)
    p = q[:, 0] * (q[:, 0] @ v)
    return p[0] * w[1] + p[1] * w[0]


@program(A)
def singular_values(a):
    u, s, vt = np.linalg.svd(a)
    return s[0] * s[1] + s[2] ** 2


@program(A)
def qr(a):
    q, r = np.linalg.qr(a)
    return np.abs(r[0, 0] * r[1, 1]) + r[0, 1] ** 2


formula("norms", lambda v, a: np.linalg.norm(v) * np.linalg.norm(a) + np.linalg.norm(v, 1), (V, A))
formula("matrix_power", lambda a, n: (np.linalg.matrix_power(a * 0.5, n) * a).sum(), (A, 3), (A, 0), (A, -2))
formula("trace", lambda a: np.trace(a @ a) * np.trace(a), A)


@program((np.vstack((A, B)), np.array([0.3, -0.5, 1.2, 0.1, 0.8, -0.9])))
def least_squares(a, b):
    y = np.linalg.lstsq(a, b)[0]
    return y[0] * y[1] + y[2]


formula("pseudo_inverse", lambda a, v: (np.linalg.pinv(a).T @ v)[1] ** 2, (np.vstack((A, B)), V))


@program((A, V))
def cholesky_by_loops(a, v):
    s = a @ a.T + np.eye(3)
    c = np.zeros((3, 3))
    for i in range(3):
        for j in range(i + 1):
            t = s[i, j]
            for k in range(j):
                t -= c[i, k] * c[j, k]
            c[i, j] = np.sqrt(t) if i == j else t / c[j, j]
    return (c @ v)[2] * c[1, 0]


@program((A, V))
def triangular_solve_in_place(a, v):
    for i in range(3):
        for j in range(i):
            v[i] -= a[i, j] * v[j]
        v[i] /= a[i, i]
    return v[0] * v[1] * v[2]


@program((A, V))
def lu_with_pivots(a, v):
    for k in range(3):
        p = k + np.argmax(np.abs(a[k:, k]))
        if p != k:
            for j in range(3):
                a[k, j], a[p, j] = a[p, j], a[k, j]
            v[k], v[p] = v[p], v[k]
        for i in range(k + 1, 3):
            f = a[i, k] / a[k, k]
            a[i, k:] -= f * a[k, k:]
            v[i] -= f * v[k]
    for i in range(2, -1, -1):
        v[i] = (v[i] - (a[i, i + 1 :] * v[i + 1 :]).sum()) / a[i, i]
    return v[0] * v[1] + v[2]


@program((A, V, 3))
def power_iteration(a, v, n):
    for _ in range(n):
        v = a @ v
        v /= np.linalg.norm(v)
    return v @ (a @ v)


@program((A, V, 4))
def jacobi_iteration(a, v, n):
    y = np.zeros(3)
    for _ in range(n):
        new = np.empty(3)
        for i in range(3):
            t = v[i]
            for j in range(3):
                if j != i:
                    t -= a[i, j] * y[j]
            new[i] = t / a[i, i]
        y = new
    return y[0] * y[1] + y[2]


@program((A, V, 4))
def gauss_seidel_in_place(a, v, n):
    y = np.zeros(3)
    for _ in range(n):
        for i in range(3):
            t = v[i]
            for j in range(3):
                if j != i:
                    t -= a[i, j] * y[j]
            y[i] = t / a[i, i]
    return y[0] * y[1] + y[2]


@program((np.array([0.4, 0.3, 0.2]), np.array([2.0, 2.1, 1.9]), np.array([0.1, 0.5, 0.3]), V))
def thomas_algorithm_in_place(lower, diagonal, upper, v):
    for i in range(1, 3):
        w = lower[i] / diagonal[i - 1]
        diagonal[i] -= w * upper[i - 1]
        v[i] -= w * v[i - 1]
    v[2] = v[2] / diagonal[2]
    for i in range(1, -1, -1):
        v[i] = (v[i] - upper[i] * v[i + 1]) / diagonal[i]
    return v[0] * v[1] + v[2]
