"""Sums of many values within the bounds of pairwise summation (Higham 1993), eager and compiled, over all axes.

The error of a sum of n values, summed in pairs after blocks of a few, is at most about log2(n) units of rounding of the sum of their sizes. A
running sum of 10^7 values of float32 is off by thousands of them.
"""

import itertools
import math

import numpy as np
import pytest

import fastgrad as tf

ROUNDING = {"float32": 2.0**-24, "float64": 2.0**-53, "float16": 2.0**-11, "bfloat16": 2.0**-8}
BLOCK = 8
"""Values that are added one after another before sums are added in pairs, at most."""


def values(dtype, count):
    """Positive values of a dtype, and the same in the widest type."""
    x = tf.cast(np.random.default_rng(0).random(count), dtype)
    return x, np.asarray(tf.cast(x, tf.float64)).astype(np.longdouble)


def third_call(function, *arguments):
    """What a compiled function gives in its third call."""
    compiled = tf.function(function)
    return [compiled(*arguments) for _ in range(3)][-1]


def check(function, arguments, wanted, size, terms, dtype, slack=0.0):
    """The error of eager and compiled calls, in units of rounding of `size`, is that of pairwise summation, and `slack` more."""
    unit = ROUNDING[dtype]
    # Half-width floats are summed in float32, and their results are rounded once.
    most = slack + BLOCK + math.log2(max(terms, 1)) if dtype in ("float32", "float64") else 2.0
    worst = 0.0
    for y in (function(*arguments), third_call(function, *arguments)):
        distance = np.abs(np.asarray(tf.cast(y, tf.float64)) - wanted) / (size * unit)
        worst = max(worst, float(np.max(distance)))
    assert worst <= most, f"{worst} units of rounding"
    return worst


def axes_of(rank):
    """Every axis and every combination of axes."""
    return [list(axes) for n in range(1, rank + 1) for axes in itertools.combinations(range(rank), n)]


REDUCTIONS = {
    "sum": (tf.reduce_sum, lambda x, axes: x.sum(axes)),
    "sum of a product": (lambda x, axes: tf.reduce_sum(x * x + 0.5, axes), None),
    "mean": (tf.reduce_mean, lambda x, axes: x.mean(axes)),
    "norm": (
        tf.math.reduce_euclidean_norm,
        lambda x, axes: np.sqrt((x * x).sum(axes)),
    ),
    "logsumexp": (tf.reduce_logsumexp, lambda x, axes: np.log(np.exp(x).sum(axes))),
}


@pytest.mark.parametrize("dtype", ROUNDING)
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions_over_all_axes(name, dtype, full, figure):
    count = 10**7 if full else 2 * 10**5
    x, wide = values(dtype, count)
    function, exact = REDUCTIONS[name]
    shapes = [(count,), (10, count // 10), (count // 10, 10), (100, count // 10**4, 100)]
    for shape in shapes if full else shapes[:: 3 if dtype in ("float16", "bfloat16") else 1]:
        for axes in axes_of(len(shape)):
            terms = math.prod(shape[axis] for axis in axes)
            shaped = wide.reshape(shape)
            if name == "sum of a product":
                if dtype in ("float16", "bfloat16"):
                    continue  # the products are rounded to the dtype
                wanted = (shaped * shaped + np.longdouble(0.5)).sum(tuple(axes))
            else:
                wanted = exact(shaped, tuple(axes))
            if dtype == "float16" and wanted.max() > 65000:
                continue
            worst = check(lambda x, axes=axes: function(x, axes), (tf.reshape(x, shape),), wanted, wanted, terms, dtype)
            figure("sums", wanted.size)
            figure(f"worst error of sums of {dtype}, in units of rounding", worst, combine="max")


@pytest.mark.parametrize("dtype", ROUNDING)
def test_products_of_vectors_and_matrices(dtype, full, figure):
    count = 10**7 if full else 2 * 10**5
    x, wide = values(dtype, count)
    # The mean of a product is 1/3, so that float16 holds those of 10^5.
    rows = count // 10**5
    a, wide_a = tf.reshape(x, [rows, -1]), wide.reshape(rows, -1)
    wanted = wide_a @ wide_a[0]
    check(lambda a: tf.linalg.matvec(a, a[0]), (a,), wanted, wanted, count // rows, dtype)
    check(
        lambda a: tf.matmul(a, a[:2], transpose_b=True),
        (a,),
        wide_a @ wide_a[:2].T,
        (wide_a @ wide_a[:2].T),
        count,
        dtype,
    )
    if dtype in ("float32", "float64"):
        # BLAS adds up two vectors in as many places as it has lanes. NumPy's error is 377 for 10^7 terms, TensorFlow's 61,000.
        wanted, slack = wide @ wide, count / 2**14
        check(lambda x: tf.tensordot(x, x, 1), (x,), wanted, wanted, count, dtype, slack)
        check(lambda x: tf.einsum("i,i->", x, x), (x,), wanted, wanted, count, dtype, slack)
    figure("sums", rows * 3 + 2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_running_sums(dtype, full, figure):
    count = 10**7 if full else 2 * 10**5
    x, wide = values(dtype, count)
    wanted = np.cumsum(wide)
    check(tf.cumsum, (x,), wanted, wanted, count, dtype)
    check(lambda x: tf.cumsum(x, reverse=True), (x,), np.cumsum(wide[::-1])[::-1], wanted[::-1][0], count, dtype)
    for shape, axis in (((10, -1), 1), ((-1, 10), 0)):
        wanted = np.cumsum(wide.reshape(shape), axis)
        check(lambda x, axis=axis: tf.cumsum(x, axis), (tf.reshape(x, shape),), wanted, wanted, count, dtype)
    figure("sums", 4 * count)
