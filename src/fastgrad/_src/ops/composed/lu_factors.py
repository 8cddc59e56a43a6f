"""Computations with the factors of ``tf.linalg.lu``: solutions, the inverse, and the matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.tensor import Tensor, constant_tensor
from fastgrad._src.ops.arguments import tensor_of, tensors_of
from fastgrad._src.ops.contraction import matmul
from fastgrad._src.ops.creation import eye
from fastgrad._src.ops.diagonals import band_part, set_diag
from fastgrad._src.ops.indexing import gather
from fastgrad._src.ops.linear_algebra import triangular_solve
from fastgrad._src.ops.shaping import broadcast_to
from fastgrad._src.ops.sorting import argsort


def _checked_permutation(name: str, lower_upper: Tensor, perm: Any) -> Tensor:
    """Returns ``perm`` as a tensor; raises unless ``lower_upper`` is square and ``perm`` has a matching shape."""
    shape = lower_upper._array.shape
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise ValueError(f"{name}: `lower_upper` must be square, got shape {list(shape)}.")
    permutation = tensor_of(perm)
    if permutation._array.shape != shape[:-1] or permutation._array.dtype.kind not in "iu":
        raise InvalidArgumentError(
            f"{name}: perm must be integers of shape {list(shape[:-1])}, as tf.linalg.lu gives, "
            f"got {permutation.dtype.name} of shape {list(permutation.shape)}."
        )
    return permutation


def _unit_lower_triangle(lower_upper: Tensor) -> Tensor:
    return set_diag(
        band_part(lower_upper, -1, 0), constant_tensor(np.ones(lower_upper._array.shape[:-1], lower_upper.dtype))
    )


def lu_solve(lower_upper: Any, perm: Any, rhs: Any, validate_args: bool = False, name: str | None = None) -> Tensor:
    """Solves ``x @ y = rhs`` for y, given ``lower_upper, perm = tf.linalg.lu(x)``.

    Args:
        lower_upper: shape (..., n, n).
        perm: int32 or int64, shape (..., n).
        rhs: shape (..., n, k); the leading dimensions broadcast.
        validate_args, name: kept for TensorFlow's signature; the shapes are always checked.

    Raises:
        ValueError: the factors are not square, or ``rhs`` is no matrix.
        InvalidArgumentError: other shapes do not fit. TensorFlow: tf.linalg.lu_solve.
    """
    factors, right = tensors_of((lower_upper, rhs), "lu_solve")
    order = _checked_permutation("lu_solve", factors, perm)
    if right.ndim < 2:
        raise ValueError(f"lu_solve: Input `rhs` must have at least 2 dimensions, got shape {list(right.shape)}.")
    if right.shape[-2] != factors.shape[-1]:
        raise InvalidArgumentError(
            f"lu_solve: `rhs` of shape {list(right.shape)} must have as many rows as lower_upper of shape {list(factors.shape)}."
        )
    try:
        batch = np.broadcast_shapes(factors._array.shape[:-2], right._array.shape[:-2])
    except ValueError:
        raise InvalidArgumentError(
            f"lu_solve: leading dimensions do not broadcast: lower_upper {list(factors.shape)}, rhs {list(right.shape)}."
        ) from None
    right = broadcast_to(right, (*batch, *right.shape[-2:]))
    order = broadcast_to(order, (*batch, order.shape[-1]))
    ordered = gather(right, order, axis=-2, batch_dims=len(batch))
    return triangular_solve(factors, triangular_solve(_unit_lower_triangle(factors), ordered), lower=False)


def lu_matrix_inverse(lower_upper: Any, perm: Any, validate_args: bool = False, name: str | None = None) -> Tensor:
    """The inverse of x, given ``lower_upper, perm = tf.linalg.lu(x)``; arguments and errors as in ``lu_solve``.

    TensorFlow: tf.linalg.lu_matrix_inverse.
    """
    factors = tensor_of(lower_upper)
    _checked_permutation("lu_matrix_inverse", factors, perm)
    return lu_solve(factors, perm, eye(factors.shape[-1], dtype=factors.dtype))


def lu_reconstruct(lower_upper: Any, perm: Any, validate_args: bool = False, name: str | None = None) -> Tensor:
    """The matrix x, given ``lower_upper, perm = tf.linalg.lu(x)``; arguments and errors as in ``lu_solve``.

    TensorFlow: tf.linalg.lu_reconstruct.
    """
    factors = tensor_of(lower_upper)
    order = _checked_permutation("lu_reconstruct", factors, perm)
    product = matmul(_unit_lower_triangle(factors), band_part(factors, 0, -1))
    return gather(product, argsort(order), axis=-2, batch_dims=factors.ndim - 2)
