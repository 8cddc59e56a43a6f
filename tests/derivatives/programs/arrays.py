"""NumPy: ufuncs, array expressions, broadcasting, functions that make and rearrange arrays."""

import numpy as np

from tests.derivatives.table import A, B, N, P, V, X, Y, formula, program


@program((X, Y))
def array_expression(x, y):
    z = x * y + np.sin(x) / (y * y + 1.0) - 2.0 * x**2
    return (z * z).sum()


@program((X, Y))
def chain_of_array_expressions(x, y):
    a = x * y
    b = a + x
    c = np.exp(-b * b) * a
    return (c * b).sum()


formula("array_and_scalar", lambda x, s: (x * s + s / (x * x + s) - s**2).sum(), (X, 0.7))
formula("broadcast_row", lambda a, v: ((a * v + v) ** 2).sum(), (A, V))
formula("broadcast_column", lambda a, v: ((a * v.reshape(3, 1) - a) ** 3).sum(), (A, V))


@program((V, X))
def broadcast_outer(v, x):
    m = v.reshape(-1, 1) * x + x * x
    return (m * m).sum()


formula("broadcast_one_element", lambda a, one: (a * one * a).sum() + (one + a).sum(), (A, np.array([[0.7]])))
formula("trigonometric", lambda x: (np.sin(x) * np.cos(2 * x) + np.tan(x * 0.5)).sum(), X)
formula("inverse_trigonometric", lambda x: (np.arcsin(x / 3) * np.arccos(x / 2.5) + np.arctan(x)).sum(), X)
formula("hyperbolic", lambda x: (np.sinh(x) + np.cosh(x) * np.tanh(x)).sum(), X)
formula("inverse_hyperbolic", lambda x: (np.arcsinh(x) + np.arccosh(x * x + 1.5) * np.arctanh(x / 3)).sum(), X)
formula("exponentials", lambda x: (np.exp(x) + np.exp2(x) * np.expm1(x)).sum(), X)
formula("logarithms", lambda p: (np.log(p) * np.log2(p) + np.log10(p) * np.log1p(p)).sum(), P)
formula("roots", lambda p: (np.sqrt(p) * np.cbrt(p) + np.square(p) + np.reciprocal(p)).sum(), P)


@program((X, Y))
def functions_of_two_arrays(x, y):
    return (np.hypot(x, y) + np.arctan2(x, y) * np.maximum(x, y) + np.minimum(x, y) ** 2).sum()


formula("power_of_arrays", lambda p, x: (p**x + np.power(p, 2.0) + p**2).sum(), (P, X))
formula("logaddexp", lambda p, x: (np.logaddexp(p, x) * x).sum(), (P, X))


@program((X, Y))
def named_arithmetic(x, y):
    return np.sum(np.add(x, y) * np.subtract(x, y) + np.multiply(x, y) * np.divide(x, y) + np.negative(x) ** 2)


@program((np.array([7.3, -7.3, 5.2]), np.array([2.1, 2.1, -1.7])))
def remainders(x, y):
    return (np.mod(x, y) * x + np.fmod(x, y) * y + x % y).sum()


formula("absolute_values", lambda x: (np.abs(x) * x + np.fabs(x) + np.sign(x) * x**3).sum(), X)
formula("where", lambda x, y: (np.where(x > y, x * y, x - y * y)).sum(), (X, Y))
formula("where_with_scalars", lambda x, s: (np.where(x > 0.0, x * x, s) * x).sum(), (X, 0.7))


@program(X)
def where_whose_other_branch_is_nan(x):
    """Pytorch 187297, JAX 347 and 1052, TensorFlow 2540: the branch that is not chosen gives NaN."""
    return np.where(x > 0.0, np.sqrt(np.where(x > 0.0, x, 1.0)), x * x).sum()


formula("clipped", lambda x: (np.clip(x, -1.0, 1.0) * x).sum(), X)


@program(X)
def concatenated(x):
    y = np.concatenate((x[2:], x * x, x[:1]))
    return (y[:-1] * y[1:]).sum()


@program((X, Y))
def stacked(x, y):
    m = np.stack((x, y * x))
    n = np.vstack((x, y))
    h = np.hstack((x, y))
    return (m * n).sum() + (h * h).sum() * m[1, 2]


@program((X, Y))
def column_stack(x, y):
    m = np.column_stack((x, y))
    return (m[:, 0] * m[:, 1] ** 2).sum()


@program(X)
def repeated_and_appended(x):
    y = np.append(np.repeat(x, 2), x * x)
    return (y * np.arange(12.0)).sum() * y[3]


formula("rolled", lambda x: (np.roll(x, 1) * x * x).sum(), X)


@program((X, A))
def flipped(x, a):
    return (np.flip(x) * x * x[::-1]).sum() + (np.fliplr(a) * a).sum() + (np.flipud(a) * a).sum()


formula("rotated", lambda a: (np.rot90(a) * a * a).sum(), A)
formula("triangles", lambda a: (np.tril(a) * a).sum() + (np.triu(a, 1) ** 3).sum(), A)
formula("diagonals", lambda a, v: (np.diag(a) * v).sum() + (np.diag(v) * a).sum() * np.trace(a), (A, V))
formula("differences", lambda x, y: (np.diff(x) ** 2 * np.diff(y)).sum(), (X, Y))


@program((X, N))
def taken(x, n):
    y = np.take(x, n)
    return (y * y[::-1] * np.arange(5.0)).sum()


@program((X, N))
def indexed_by_an_array_in_an_expression(x, n):
    return (x[n] * x[n] * np.arange(5.0)).sum() + np.sin(x[n]).sum()


@program(A)
def transposed_axes(a):
    t = np.transpose(a)
    return (t * a * a).sum() + a.transpose()[0, 1] ** 2


@program(X)
def like_another_array(x):
    y = np.zeros_like(x)
    z = np.full_like(x, x[1])
    w = np.ones_like(x) * x[2]
    y[1:] = x[:-1] * z[1:]
    return (y * z * w).sum()


@program((0.7, 4))
def full_of_a_value(x, n):
    y = np.full(n, x * x)
    y[1] = x
    return (y * np.arange(1.0, n + 1)).sum() * y[0]


@program((0.3, 1.9))
def linspace_of_values(a, b):
    t = np.linspace(a, b, 5)
    return (t * t * np.cos(t)).sum()


@program((0.3, 0.4))
def arange_times_a_value(a, h):
    t = a + h * np.arange(5)
    return (t**3).sum()


@program((X, Y))
def outer_products(x, y):
    m = np.outer(x, y)
    return (m[1:] * m[:-1]).sum()


@program((V, np.array([0.2, 1.1, -0.7])))
def cross_product(v, w):
    c = np.cross(v, w)
    return c[0] * c[1] + c[2] ** 2


@program((A, B))
def kronecker_product(a, b):
    k = np.kron(a[:2], np.ascontiguousarray(b[:2, 1:]))
    return (k * k).sum() + k[1, 2] * k[0, 3]


@program((X, V))
def convolution(x, v):
    y = np.convolve(x, v)
    return (y * y * np.arange(6.0)).sum()


@program((np.array([0.3, 1.4, 2.2]), np.array([0.0, 1.0, 2.0, 3.0]), X))
def interpolated(at, points, values):
    y = np.interp(at, points, values)
    return (y * y).sum() + y[0] * y[1]


@program((X, np.array([0.5, -0.1])))
def searchsorted_as_an_index(x, at):
    y = np.sort(x)
    i = np.searchsorted(y, at)
    return y[i[0]] * y[i[1]] + at[0] * y[i[0]]


@program(X)
def broadcast_to_a_shape(x):
    m = np.broadcast_to(x, (3, 4))
    return (m * np.arange(12.0).reshape(3, 4)).sum() * m[1, 2]


@program(X)
def polynomial_by_horner(x):
    t = np.array([0.5, 1.5])
    y = np.zeros(2)
    for i in range(4):
        y = y * t + x[i]
    return (y * y).sum()


@program(X)
def softmax(x):
    e = np.exp(x - x.max())
    s = e / e.sum()
    return (s * s).sum() + s[2]


@program((A, V, 0.3))
def layer_of_a_network(a, v, b):
    h = np.tanh(a @ v + b)
    return (h * h).sum() * h[0]
