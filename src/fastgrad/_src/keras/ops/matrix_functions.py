"""The functions of ``keras.ops.linalg``, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import fastgrad as tf
from fastgrad._src.keras.ops.function import common, floats


def _square(x: Any) -> Any:
    """Converts ``x`` to floats; ValueError unless it is square matrices."""
    x = floats(x)
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ValueError(f"keras.ops: expected square matrices, of shape (..., n, n). Received shape {tuple(x.shape)}.")
    return x


def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    x = floats(x)
    if axis is None and ord is None:
        y = tf.norm(tf.reshape(x, [-1]))
        return tf.reshape(y, [1] * x.ndim) if keepdims else y
    axes = tuple(range(x.ndim)) if axis is None else tuple(np.atleast_1d(axis).tolist())
    is_matrix = len(axes) == 2
    if is_matrix and ord in (2, -2, "nuc"):
        rest = [place for place in range(x.ndim) if place not in [a % x.ndim for a in axes]]
        values = tf.linalg.svd(tf.transpose(x, [*rest, *[a % x.ndim for a in axes]]), compute_uv=False)
        y = {2: tf.reduce_max, -2: tf.reduce_min, "nuc": tf.reduce_sum}[ord](values, -1)
        return tf.expand_dims(tf.expand_dims(y, min(axes)), max(axes)) if keepdims else y
    if is_matrix and ord in (1, -1, np.inf, -np.inf):
        first, second = axes if ord in (1, -1) else axes[::-1]
        sums = tf.reduce_sum(tf.abs(x), first, keepdims=True)
        y = (tf.reduce_max if ord > 0 else tf.reduce_min)(sums, second, keepdims=True)
        return y if keepdims else tf.squeeze(y, axes)
    if ord == -np.inf:
        return tf.reduce_min(tf.abs(x), axes, keepdims)
    if ord == 0 and not is_matrix:
        return tf.reduce_sum(tf.cast(tf.not_equal(x, 0.0), x.dtype), axes, keepdims)
    if ord in (None, "fro") or (ord == 2 and not is_matrix):
        return tf.sqrt(tf.reduce_sum(tf.abs(x) ** 2, axes, keepdims))
    if is_matrix or not isinstance(ord, (int, float)):
        raise ValueError(f"norm: invalid `ord` argument for {len(axes)} axes. Received: ord={ord}")
    return tf.norm(x, ord, axes[0], keepdims)


def _cholesky(x: Any, upper: bool = False) -> Any:
    lower = tf.linalg.cholesky(_square(x))
    return tf.linalg.adjoint(lower) if upper else lower


def _qr(x: Any, mode: str = "reduced") -> Any:
    if mode not in ("reduced", "complete"):
        raise ValueError(
            f"`mode` argument value not supported. Expected one of 'reduced', 'complete'. Received: mode={mode}"
        )
    return tuple(tf.linalg.qr(floats(x), mode == "complete"))


def _svd(x: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    result = tf.linalg.svd(floats(x), full_matrices, compute_uv)
    return (result[1], result[0], tf.linalg.adjoint(result[2])) if compute_uv else result


def _solve(a: Any, b: Any) -> Any:
    return _solution(tf.linalg.solve, _square(a), b)


def _solution(function: Callable[..., Any], a: Any, b: Any, **options: Any) -> Any:
    matrix, right = [floats(x) for x in common(a, b)]
    is_vector = right.ndim == matrix.ndim - 1
    y = function(matrix, right[..., None] if is_vector else right, **options)
    return y[..., 0] if is_vector else y


def _cholesky_inverse(x: Any, upper: bool = False) -> Any:
    factor = _square(x)
    inverse = tf.linalg.triangular_solve(factor, tf.eye(factor.shape[-1], dtype=factor.dtype), lower=not upper)
    return tf.matmul(inverse, inverse, transpose_a=not upper, transpose_b=upper)


def _lu_factor(x: Any) -> Any:
    factors, permutation = tf.linalg.lu(floats(x))
    return factors, tf.math.invert_permutation(permutation)


TABLE: dict[str, Callable[..., Any]] = {
    "cholesky": _cholesky,
    "cholesky_inverse": _cholesky_inverse,
    "det": lambda x: tf.linalg.det(_square(x)),
    "eig": lambda x: tf.linalg.eig(_square(x)),
    "eigh": lambda x: tf.linalg.eigh(_square(x)),
    "inv": lambda x: tf.linalg.inv(_square(x)),
    "lstsq": lambda a, b, rcond=None: _solution(tf.linalg.lstsq, a, b, fast=False),
    "lu_factor": _lu_factor,
    "matrix_rank": lambda x, tol=None: tf.linalg.matrix_rank(floats(x), tol),
    "norm": _norm,
    "pinv": lambda x, rcond=None: tf.linalg.pinv(floats(x), rcond),
    "qr": _qr,
    "solve": _solve,
    "solve_triangular": lambda a, b, lower=False: _solution(tf.linalg.triangular_solve, _square(a), b, lower=lower),
    "svd": _svd,
}
