"""The functions of ``keras.ops.linalg``, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.keras.ops.function import as_common_dtype, as_floats
from fastgrad._src.ops import arithmetic
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.comparison import not_equal
from fastgrad._src.ops.contraction import matmul
from fastgrad._src.ops.creation import eye
from fastgrad._src.ops.decompositions import eig, eigh, lu, matrix_rank, qr, svd
from fastgrad._src.ops.diagonals import adjoint
from fastgrad._src.ops.linear_algebra import cholesky, det, inv, lstsq, pinv, solve, triangular_solve
from fastgrad._src.ops.norms import norm
from fastgrad._src.ops.reduction import reduce_euclidean_norm, reduce_max, reduce_min, reduce_sum
from fastgrad._src.ops.shaping import expand_dims, reshape, squeeze, transpose
from fastgrad._src.ops.sorting import invert_permutation


def _square(x: Any) -> Any:
    """Converts ``x`` to floats; ValueError unless it is square matrices."""
    x = as_floats(x)
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ValueError(f"keras.ops: expected square matrices, of shape (..., n, n). Received shape {tuple(x.shape)}.")
    return x


def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    x = as_floats(x)
    if axis is None and ord is None:
        y = norm(reshape(x, [-1]))
        return reshape(y, [1] * x.ndim) if keepdims else y
    axes = tuple(range(x.ndim)) if axis is None else tuple(np.atleast_1d(axis).tolist())
    is_matrix = len(axes) == 2
    if is_matrix and ord in (2, -2, "nuc"):
        rest = [place for place in range(x.ndim) if place not in [a % x.ndim for a in axes]]
        values = svd(transpose(x, [*rest, *[a % x.ndim for a in axes]]), compute_uv=False)
        y = {2: reduce_max, -2: reduce_min, "nuc": reduce_sum}[ord](values, -1)
        return expand_dims(expand_dims(y, min(axes)), max(axes)) if keepdims else y
    if is_matrix and ord in (1, -1, np.inf, -np.inf):
        first, second = axes if ord in (1, -1) else axes[::-1]
        sums = reduce_sum(arithmetic.abs(x), first, keepdims=True)
        y = (reduce_max if ord > 0 else reduce_min)(sums, second, keepdims=True)
        return y if keepdims else squeeze(y, axes)
    if ord == -np.inf:
        return reduce_min(arithmetic.abs(x), axes, keepdims)
    if ord == 0 and not is_matrix:
        return reduce_sum(cast(not_equal(x, 0.0), x.dtype), axes, keepdims)
    if ord in (None, "fro") or (ord == 2 and not is_matrix):
        return reduce_euclidean_norm(arithmetic.abs(x), axes, keepdims)
    if is_matrix or not isinstance(ord, (int, float)):
        raise ValueError(f"norm: invalid `ord` argument for {len(axes)} axes. Received: ord={ord}")
    return norm(x, ord, axes[0], keepdims)


def _cholesky(x: Any, upper: bool = False) -> Any:
    lower = cholesky(_square(x))
    return adjoint(lower) if upper else lower


def _qr(x: Any, mode: str = "reduced") -> Any:
    if mode not in ("reduced", "complete"):
        raise ValueError(f"qr: `mode` must be 'reduced' or 'complete'. Received: {mode=}")
    return tuple(qr(as_floats(x), mode == "complete"))


def _svd(x: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    result = svd(as_floats(x), full_matrices, compute_uv)
    return (result[1], result[0], adjoint(result[2])) if compute_uv else result


def _solve(a: Any, b: Any) -> Any:
    return _solve_vector_or_matrix(solve, _square(a), b)


def _solve_vector_or_matrix(function: Callable[..., Any], a: Any, b: Any, **options: Any) -> Any:
    matrix, right = [as_floats(x) for x in as_common_dtype(a, b)]
    is_vector = right.ndim == matrix.ndim - 1
    y = function(matrix, right[..., None] if is_vector else right, **options)
    return y[..., 0] if is_vector else y


def _cholesky_inverse(x: Any, upper: bool = False) -> Any:
    factor = _square(x)
    inverse = triangular_solve(factor, eye(factor.shape[-1], dtype=factor.dtype), lower=not upper)
    return matmul(inverse, inverse, transpose_a=not upper, transpose_b=upper)


def _lu_factor(x: Any) -> Any:
    factors, permutation = lu(as_floats(x))
    return factors, invert_permutation(permutation)


TABLE: dict[str, Callable[..., Any]] = {
    "cholesky": _cholesky,
    "cholesky_inverse": _cholesky_inverse,
    "det": lambda x: det(_square(x)),
    "eig": lambda x: eig(_square(x)),
    "eigh": lambda x: eigh(_square(x)),
    "inv": lambda x: inv(_square(x)),
    "lstsq": lambda a, b, rcond=None: _solve_vector_or_matrix(lstsq, a, b, fast=False),
    "lu_factor": _lu_factor,
    "matrix_rank": lambda x, tol=None: matrix_rank(as_floats(x), tol),
    "norm": _norm,
    "pinv": lambda x, rcond=None: pinv(as_floats(x), rcond),
    "qr": _qr,
    "solve": _solve,
    "solve_triangular": lambda a, b, lower=False: _solve_vector_or_matrix(triangular_solve, _square(a), b, lower=lower),
    "svd": _svd,
}
