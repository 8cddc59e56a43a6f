"""Matrices that are singular or have equal eigenvalues, windows and rows of one element, losses at their poles."""

from __future__ import annotations

import numpy as np

from ..case import Case, edge, normal

FLOATS = ("float64", "float32")
inf, nan = np.inf, np.nan
ZEROS, EYE = np.zeros((2, 2)), np.eye(2)
SINGULAR = np.array([[1.0, 2.0], [2.0, 4.0]])

CASES: dict[str, Case] = {
    "linalg.det of a singular matrix": edge(lambda tf, a: tf.linalg.det(a), SINGULAR, order=1),
    "linalg.slogdet of the unit": edge(lambda tf, a: tf.linalg.slogdet(a)[1], EYE),
    "linalg.inv of the unit": edge(lambda tf, a: tf.linalg.inv(a), EYE),
    "linalg.svd of the unit": edge(lambda tf, a: tf.linalg.svd(a, compute_uv=False), EYE, order=1),
    "linalg.svd of zeros": edge(lambda tf, a: tf.linalg.svd(a, compute_uv=False), ZEROS, order=1),
    "linalg.eigvalsh of the unit": edge(lambda tf, a: tf.linalg.eigvalsh(a), EYE, order=1),
    "linalg.eigh of the unit, vectors": edge(lambda tf, a: tf.linalg.eigh(a), EYE, order=1),
    "linalg.cholesky of the unit": edge(lambda tf, a: tf.linalg.cholesky(a), EYE),
    "linalg.triangular_solve of zeros": edge(lambda tf, a, b: tf.linalg.triangular_solve(a, b), EYE, np.zeros((2, 1))),
    "linalg.expm of zeros": edge(lambda tf, a: tf.linalg.expm(a), ZEROS, order=1),
    "linalg.trace of NaN": edge(lambda tf, a: tf.linalg.trace(a), np.array([[nan, 1.0], [inf, 2.0]])),
    "linalg.matmul of no matrices": edge(lambda tf, a, b: a @ b, np.zeros((0, 2, 3)), np.zeros((0, 3, 2))),
    "linalg.det of no matrices": edge(lambda tf, a: tf.linalg.det(a), np.zeros((0, 2, 2)), order=1),
    "norm 2 of zero matrices": edge(lambda tf, a: tf.norm(a, ord="fro", axis=(0, 1)), ZEROS),
    "softmax of one": edge(lambda tf, x: tf.nn.softmax(x), np.array([[3.0], [-2.0]]), dtypes=FLOATS),
    "log_softmax of one": edge(lambda tf, x: tf.nn.log_softmax(x), np.array([[3.0], [-2.0]]), dtypes=FLOATS),
    "reduce_max of one": edge(lambda tf, x: tf.reduce_max(x, 1), np.array([[3.0], [nan]]), dtypes=FLOATS),
    "reduce_variance of one": edge(lambda tf, x: tf.math.reduce_variance(x, 1), np.array([[3.0], [4.0]]), order=1),
    "reduce_std of one": edge(lambda tf, x: tf.math.reduce_std(x, 1), np.array([[3.0], [4.0]]), order=1),
    "top_k of NaN and infinities": edge(
        lambda tf, x: tf.math.top_k(x, 2)[0], np.array([[1.0, inf, -inf, 2.0]]), dtypes=FLOATS
    ),
    "sort of infinities": edge(lambda tf, x: tf.sort(x, axis=1), np.array([[1.0, inf, -inf, 2.0]]), dtypes=FLOATS),
    "clip_by_value by NaN": edge(
        lambda tf, x, a: tf.clip_by_value(x, a, 2.0), np.array([1.0, 2.0, 3.0]), np.array([nan, nan, 0.0])
    ),
    "maximum of broadcast ties": edge(lambda tf, x, y: tf.maximum(x, y), np.ones((2, 3)), np.ones(3), dtypes=FLOATS),
    "minimum of a scalar and its ties": edge(
        lambda tf, x, y: tf.minimum(x, y), np.array(1.0), np.ones((2, 3)), dtypes=FLOATS
    ),
    "pow of broadcast zeros": edge(
        lambda tf, x, y: tf.pow(x, y), np.zeros((3, 1)), np.array([0.0, 1.0, 2.0]), dtypes=FLOATS
    ),
    "batch_normalization of variance 0": edge(
        lambda tf, x, v: tf.nn.batch_normalization(x, 0.0, v, None, None, 0.0), normal(2, 2), np.zeros(2), dtypes=FLOATS
    ),
    "embedding of zeros with a norm": edge(
        lambda tf, x: tf.nn.embedding_lookup(x, [1, 0, 1], max_norm=1.0), np.array([[0.0, 0.0], [3.0, 4.0]]), order=1
    ),
    "scatter_nd of repeated infinities": edge(
        lambda tf, x: tf.scatter_nd([[1], [1], [0]], x, [3]), np.array([inf, -inf, nan]), dtypes=FLOATS
    ),
    "gather of NaN": edge(lambda tf, x: tf.gather(x, [0, 0, 1]) ** 2, np.array([nan, inf, 1.0]), dtypes=FLOATS),
    "cross_entropy of no classes beside": edge(
        lambda tf, x: tf.nn.sparse_softmax_cross_entropy_with_logits([0, 0], x), np.array([[3.0], [inf]]), order=1
    ),
    "hinge of infinities": edge(
        lambda tf, p: tf.keras.losses.hinge(np.ones((1, 3)), p), np.array([[inf, -inf, nan]]), order=1
    ),
    "mse of infinities": edge(
        lambda tf, p: tf.keras.losses.mse(np.ones((1, 3)), p), np.array([[inf, -inf, nan]]), order=1
    ),
    "mae of infinities": edge(
        lambda tf, p: tf.keras.losses.mae(np.ones((1, 3)), p), np.array([[inf, -inf, nan]]), order=1
    ),
    "huber of infinities": edge(
        lambda tf, p: tf.keras.losses.huber(np.ones((1, 3)), p), np.array([[inf, -inf, nan]]), order=1
    ),
    "logcosh of infinities": edge(
        lambda tf, p: tf.keras.losses.logcosh(np.ones((1, 3)), p), np.array([[inf, -inf, nan]]), order=1
    ),
    "logcosh of large errors": edge(
        lambda tf, p: tf.keras.losses.logcosh(np.ones((1, 2)), p), np.array([[400.0, -900.0]])
    ),
    "poisson at 0": edge(lambda tf, p: tf.keras.losses.poisson(np.ones((1, 2)), p), np.array([[0.0, 1.0]]), order=1),
    "kld at 0": edge(
        lambda tf, p, t: tf.keras.losses.kld(t, p), np.array([[0.0, 1.0, 0.5]]), np.array([[0.0, 0.0, 1.0]]), order=1
    ),
    "msle below -1": edge(
        lambda tf, p: tf.keras.losses.msle(np.ones((1, 3)), p), np.array([[-1.0, -2.0, 0.0]]), order=1
    ),
    "mape of a truth of 0": edge(
        lambda tf, p: tf.keras.losses.mape(np.array([[0.0, 1.0]]), p), np.array([[0.0, 1.0]]), order=1
    ),
}
