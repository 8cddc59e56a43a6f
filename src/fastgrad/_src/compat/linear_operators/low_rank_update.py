"""``LinearOperatorLowRankUpdate``: another operator, changed in few dimensions."""

from __future__ import annotations

from typing import Any

from fastgrad._src.compat.linear_operators.diagonal import LinearOperatorDiag
from fastgrad._src.compat.linear_operators.identity import LinearOperatorIdentity
from fastgrad._src.compat.linear_operators.linear_operator import (
    LinearOperator,
    broadcast_shapes,
    common_dtype,
    implied_hint,
    named_hints,
    solve_with_broadcast,
    tensor_or_variable,
)
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.ops.arithmetic import abs as absolute
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.complex_numbers import conj
from fastgrad._src.ops.contraction import matmul
from fastgrad._src.ops.diagonals import diag_part
from fastgrad._src.ops.exponential import exp, log
from fastgrad._src.ops.linear_algebra import cholesky, cholesky_solve, det
from fastgrad._src.ops.reduction import reduce_sum


class LinearOperatorLowRankUpdate(LinearOperator, is_made_of_parameters=True):
    """The operator ``L + U D V^H``, where ``L`` is another operator and ``D`` a small diagonal matrix.

    Solutions and determinants are those of ``L`` and of a matrix of the size of ``D``: the Woodbury formula and the matrix
    determinant lemma.

    Args:
        base_operator: ``L``, shape (..., M, N).
        u: shape (..., M, K).
        diag_update: the diagonal of ``D``, shape (..., K); default: ones.
        v: shape (..., N, K); default: ``u``.
        is_diag_update_positive: whether ``diag_update`` is positive; True without it.
        is_non_singular: see ``LinearOperator``, as the other hints; what follows from the arguments need not be passed.
        is_self_adjoint: a hint.
        is_positive_definite: a hint.
        is_square: a hint.
        name: of the operator.

    Raises:
        ValueError: shapes don't fit, or a hint is False that can't be.
    """

    def __init__(
        self,
        base_operator: LinearOperator,
        u: Any,
        diag_update: Any = None,
        v: Any = None,
        is_diag_update_positive: bool | None = None,
        is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None,
        is_positive_definite: bool | None = None,
        is_square: bool | None = None,
        name: str = "LinearOperatorLowRankUpdate",
    ) -> None:
        dtype = common_dtype([base_operator])
        is_diag_update_positive = implied_hint(
            is_diag_update_positive, diag_update is None, "Default diagonal is the identity, which is positive."
        )
        is_symmetric = base_operator.is_self_adjoint and v is None
        self._use_cholesky = bool(base_operator.is_positive_definite and is_symmetric and is_diag_update_positive)
        problem = "The arguments imply that this is a self-adjoint operator."
        is_real = not dtype.is_complex
        is_self_adjoint = implied_hint(is_self_adjoint, self._use_cholesky or (is_symmetric and is_real), problem)
        problem = "The arguments imply that this is a positive definite operator."
        is_positive_definite = implied_hint(is_positive_definite, self._use_cholesky, problem)
        is_non_singular = implied_hint(is_non_singular, self._use_cholesky, problem)
        self._base_operator = base_operator
        self._u = tensor_or_variable(u)
        self._v = self._u if v is None else tensor_or_variable(v)
        self._diag_update = None if diag_update is None else tensor_or_variable(diag_update)
        self._is_diag_update_positive = is_diag_update_positive
        self._diag_operator: LinearOperator = (
            LinearOperatorIdentity(self._u.shape[-1], dtype=dtype)
            if self._diag_update is None
            else LinearOperatorDiag(self._diag_update, is_positive_definite=is_diag_update_positive)
        )
        self._check_shapes()
        hints = named_hints(is_non_singular, is_self_adjoint, is_positive_definite, is_square)
        parameters = {"base_operator": base_operator, "u": self._u, "diag_update": self._diag_update}
        parameters |= {"v": None if v is None else self._v, "is_diag_update_positive": is_diag_update_positive}
        super().__init__(dtype, **hints, name=name, parameters=parameters | hints | {"name": name})

    def _check_shapes(self) -> None:
        size = self._diag_operator.range_dimension
        for title, value, rows in (("u", self._u, -2), ("v", self._v, -1)):
            wanted = [self._base_operator.shape[rows], size]
            if value.shape.rank < 2 or list(value.shape[-2:]) != wanted:
                raise ValueError(
                    f"LinearOperatorLowRankUpdate: {title} must have shape [..., {wanted[0]}, {size}], got {value.shape}."
                )
        self._shape()

    @property
    def base_operator(self) -> LinearOperator:
        """The operator ``L``."""
        return self._base_operator

    @property
    def u(self) -> Any:
        """The argument ``u``, a tensor or a variable."""
        return self._u

    @property
    def v(self) -> Any:
        """The argument ``v``, a tensor or a variable."""
        return self._v

    @property
    def diag_update(self) -> Any:
        """The argument ``diag_update``, a tensor or a variable, or None."""
        return self._diag_update

    @property
    def diag_operator(self) -> LinearOperator:
        """The operator ``D``."""
        return self._diag_operator

    @property
    def is_diag_update_positive(self) -> bool | None:
        """Whether the diagonal of ``D`` is positive; None if it isn't known."""
        return self._is_diag_update_positive

    def _shape(self) -> TensorShape:
        parts = [
            self._base_operator.batch_shape,
            self._diag_operator.batch_shape,
            self._u.shape[:-2],
            self._v.shape[:-2],
        ]
        return broadcast_shapes(parts).concatenate(self._base_operator.shape[-2:])

    def _matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        left, right = (self._v, self._u) if adjoint else (self._u, self._v)
        inner = self._diag_operator.matmul(matmul(right, x, adjoint_a=True, adjoint_b=adjoint_arg), adjoint=adjoint)
        return self._base_operator.matmul(x, adjoint=adjoint, adjoint_arg=adjoint_arg) + matmul(left, inner)

    def _capacitance(self) -> Tensor:
        """Returns ``D^-1 + V^H L^-1 U``."""
        inner = matmul(self._v, self._base_operator.solve(self._u), adjoint_a=True)
        return self._diag_operator.inverse().add_to_tensor(inner)

    def _solve(self, rhs: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        base = self._base_operator
        if base.is_non_singular is False:
            raise ValueError("Solve not implemented unless this is a perturbation of a non-singular LinearOperator.")
        left, right = (self._v, self._u) if adjoint else (self._u, self._v)
        solution = base.solve(rhs, adjoint=adjoint, adjoint_arg=adjoint_arg)
        inner = matmul(right, solution, adjoint_a=True)
        if self._use_cholesky:
            inner = cholesky_solve(cholesky(self._capacitance()), inner)
        else:
            inner = solve_with_broadcast(self._capacitance(), inner, adjoint)
        return solution - base.solve(matmul(left, inner), adjoint=adjoint)

    def _determinant(self) -> Tensor:
        if self.is_positive_definite:
            return exp(self.log_abs_determinant())
        return det(self._capacitance()) * self._diag_operator.determinant() * self._base_operator.determinant()

    def _log_abs_determinant(self) -> Tensor:
        if self._use_cholesky:
            inner = 2 * reduce_sum(log(diag_part(cholesky(self._capacitance()))), axis=-1)
        else:
            inner = cast(log(absolute(det(self._capacitance()))), self.dtype)
        return inner + self._diag_operator.log_abs_determinant() + self._base_operator.log_abs_determinant()

    def _diag_part(self) -> Tensor:
        product = self._u * conj(self._v)
        if self._diag_update is not None:
            product = product * convert_to_tensor(self._diag_update)[..., None, :]
        return reduce_sum(product, axis=-1) + self._base_operator.diag_part()
