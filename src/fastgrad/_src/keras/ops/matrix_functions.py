"""The functions of ``keras.ops.linalg``, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import check_choice
from fastgrad._src.keras.ops.function import as_common_dtype, as_floats
from fastgrad._src.ops import namespace as ops


def _square(x: Any) -> Any:
    """Converts ``x`` to floats; ValueError unless it is square matrices."""
    x = as_floats(x)
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ValueError(f"keras.ops: expected square matrices, of shape (..., n, n). Received shape {tuple(x.shape)}.")
    return x


def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    x = as_floats(x)
    if axis is None and ord is None:
        y = ops.norm(ops.reshape(x, [-1]))
        return ops.reshape(y, [1] * x.ndim) if keepdims else y
    axes = tuple(range(x.ndim)) if axis is None else tuple(np.atleast_1d(axis).tolist())
    is_matrix = len(axes) == 2
    if is_matrix and ord in (2, -2, "nuc"):
        rest = [place for place in range(x.ndim) if place not in [a % x.ndim for a in axes]]
        values = ops.svd(ops.transpose(x, [*rest, *[a % x.ndim for a in axes]]), compute_uv=False)
        y = {2: ops.reduce_max, -2: ops.reduce_min, "nuc": ops.reduce_sum}[ord](values, -1)
        return ops.expand_dims(ops.expand_dims(y, min(axes)), max(axes)) if keepdims else y
    if is_matrix and ord in (1, -1, np.inf, -np.inf):
        first, second = axes if ord in (1, -1) else axes[::-1]
        sums = ops.reduce_sum(ops.abs(x), first, keepdims=True)
        y = (ops.reduce_max if ord > 0 else ops.reduce_min)(sums, second, keepdims=True)
        return y if keepdims else ops.squeeze(y, axes)
    if ord == -np.inf:
        return ops.reduce_min(ops.abs(x), axes, keepdims)
    if ord == 0 and not is_matrix:
        return ops.reduce_sum(ops.cast(ops.not_equal(x, 0.0), x.dtype), axes, keepdims)
    if ord in (None, "fro") or (ord == 2 and not is_matrix):
        return ops.reduce_euclidean_norm(ops.abs(x), axes, keepdims)
    if is_matrix or not isinstance(ord, (int, float)):
        raise ValueError(f"norm: invalid `ord` argument for {len(axes)} axes. Received: ord={ord}")
    return ops.norm(x, ord, axes[0], keepdims)


def _cholesky(x: Any, upper: bool = False) -> Any:
    lower = ops.cholesky(_square(x))
    return ops.adjoint(lower) if upper else lower


def _qr(x: Any, mode: str = "reduced") -> Any:
    check_choice("qr", ("reduced", "complete"), mode=mode)
    return tuple(ops.qr(as_floats(x), mode == "complete"))


def _svd(x: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    result = ops.svd(as_floats(x), full_matrices, compute_uv)
    return (result[1], result[0], ops.adjoint(result[2])) if compute_uv else result


def _solve(a: Any, b: Any) -> Any:
    return _solve_vector_or_matrix(ops.solve, _square(a), b)


def _solve_vector_or_matrix(function: Callable[..., Any], a: Any, b: Any, **options: Any) -> Any:
    matrix, right = [as_floats(x) for x in as_common_dtype(a, b)]
    is_vector = right.ndim == matrix.ndim - 1
    y = function(matrix, right[..., None] if is_vector else right, **options)
    return y[..., 0] if is_vector else y


TABLE: dict[str, Callable[..., Any]] = {
    "cholesky": _cholesky,
    "det": lambda x: ops.det(_square(x)),
    "eig": lambda x: ops.eig(_square(x)),
    "eigh": lambda x: ops.eigh(_square(x)),
    "inv": lambda x: ops.inv(_square(x)),
    "lstsq": lambda a, b, rcond=None: _solve_vector_or_matrix(ops.lstsq, a, b, fast=False),
    "matrix_rank": lambda x, tol=None: ops.matrix_rank(as_floats(x), tol),
    "norm": _norm,
    "pinv": lambda x, rcond=None: ops.pinv(as_floats(x), rcond),
    "qr": _qr,
    "solve": _solve,
    "svd": _svd,
}
