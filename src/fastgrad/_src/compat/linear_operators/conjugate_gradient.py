"""``tf.linalg.experimental``: the conjugate gradient method (Hestenes and Stiefel 1952)."""

from __future__ import annotations

from typing import Any, NamedTuple

from fastgrad._src.compat.linear_operators.linear_operator import LinearOperator
from fastgrad._src.core import dtypes
from fastgrad._src.core.names import Namespace
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.ops.arguments import tensor_of
from fastgrad._src.ops.comparison import greater, less, logical_and
from fastgrad._src.ops.complex_numbers import conj
from fastgrad._src.ops.control_flow import while_loop
from fastgrad._src.ops.creation import constant, zeros_like
from fastgrad._src.ops.norms import norm
from fastgrad._src.ops.reduction import reduce_any, reduce_sum
from fastgrad._src.ops.shape_query import broadcast_static_shape
from fastgrad._src.ops.shaping import broadcast_to, expand_dims


class CGState(NamedTuple):
    """The result of ``conjugate_gradient``."""

    i: Tensor
    x: Tensor
    r: Tensor
    p: Tensor
    gamma: Tensor


def conjugate_gradient(
    operator: Any,
    rhs: Any,
    preconditioner: Any = None,
    x: Any = None,
    tol: float = 1e-5,
    max_iter: Any = 20,
    name: str = "conjugate_gradient",
) -> CGState:
    """Solves ``operator @ x = rhs`` for a self-adjoint, positive definite operator.

    Args:
        operator: a ``LinearOperator`` with ``is_self_adjoint`` and ``is_positive_definite``.
        rhs: shape (..., n).
        preconditioner: a ``LinearOperator`` that approximates the inverse of ``operator``.
        x: where to begin, of the shape of the result; default zeros.
        tol: stops if the norm of each residual is at most ``tol`` times that of ``rhs``.
        max_iter: the largest number of iterations.
        name: kept for TensorFlow's signature.

    Returns:
        ``(i, x, r, p, gamma)``: the number of iterations, the solution, its residual, the next direction, and the product of the
        residual with the preconditioned residual.

    Raises:
        TypeError: ``operator`` or ``preconditioner`` is no ``LinearOperator``.
        ValueError: ``operator`` is not said to be self-adjoint and positive definite.
    """
    for what, value in (("operator", operator), ("preconditioner", preconditioner)):
        if not isinstance(value, LinearOperator) and (what == "operator" or value is not None):
            raise TypeError(
                f"conjugate_gradient: {what} must be a tf.linalg.LinearOperator, got {type(value).__name__}."
            )
    if not (operator.is_self_adjoint and operator.is_positive_definite):
        raise ValueError(
            "conjugate_gradient: Expected a self-adjoint, positive definite operator; make it with is_self_adjoint=True and "
            "is_positive_definite=True."
        )

    def direction(residual: Tensor) -> Tensor:
        return residual if preconditioner is None else preconditioner.matvec(residual)

    def dot(a: Tensor, b: Tensor) -> Tensor:
        return reduce_sum(conj(a) * b, -1)

    b = tensor_of(rhs)
    batch = broadcast_static_shape(b.shape[:-1], operator.batch_shape)
    if preconditioner is not None:
        batch = broadcast_static_shape(batch, preconditioner.batch_shape)
    residual = broadcast_to(b, TensorShape(batch).concatenate(b.shape[-1:]))
    limit = tol * norm(residual, axis=-1)
    if x is None:
        start = zeros_like(residual)
    else:
        start = tensor_of(x)
        residual = b - operator.matvec(start)
    first = direction(residual)

    def goes_on(i: Tensor, x: Tensor, r: Tensor, p: Tensor, gamma: Tensor) -> Tensor:
        return logical_and(less(i, max_iter), reduce_any(greater(norm(r, axis=-1), limit)))

    def step(i: Tensor, x: Tensor, r: Tensor, p: Tensor, gamma: Tensor) -> tuple[Tensor, ...]:
        z = operator.matvec(p)
        alpha = expand_dims(gamma / dot(p, z), -1)
        residual = r - alpha * z
        q = direction(residual)
        product = dot(residual, q)
        return i + 1, x + alpha * p, residual, q + expand_dims(product / gamma, -1) * p, product

    return CGState(
        *while_loop(goes_on, step, [constant(0, dtypes.int32), start, residual, first, dot(residual, first)])
    )


experimental = Namespace("tf.linalg.experimental", conjugate_gradient=conjugate_gradient)
