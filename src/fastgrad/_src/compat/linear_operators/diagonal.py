"""``LinearOperatorDiag``: diagonal matrices."""

from __future__ import annotations

from typing import Any

from fastgrad._src.compat.linear_operators.dense import LinearOperatorLowerTriangular
from fastgrad._src.compat.linear_operators.identity import LinearOperatorScaledIdentity
from fastgrad._src.compat.linear_operators.linear_operator import (
    LinearOperator,
    assert_real,
    hints_of_commuting,
    named_hints,
    real_part,
    self_adjoint_if_real,
    tensor_or_variable,
)
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.ops import arithmetic, diagonals
from fastgrad._src.ops.assertion import assert_positive
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.complex_numbers import conj
from fastgrad._src.ops.diagonals import diag, diag_part, set_diag
from fastgrad._src.ops.exponential import log
from fastgrad._src.ops.power import sqrt
from fastgrad._src.ops.reduction import reduce_max, reduce_min, reduce_prod, reduce_sum


class LinearOperatorDiag(LinearOperator, is_made_of_parameters=True):
    """A batch of diagonal matrices.

    Args:
        diag: the diagonals, shape (..., N); a variable is read by each method.
        is_non_singular: see ``LinearOperator``, as the other hints.
        is_self_adjoint: a hint; True for real ``diag``.
        is_positive_definite: a hint.
        is_square: None or True.
        name: of the operator.

    Raises:
        ValueError: ``diag`` is a scalar, or a hint is False that can't be.
    """

    def __init__(
        self,
        diag: Any,
        is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None,
        is_positive_definite: bool | None = None,
        is_square: bool | None = None,
        name: str = "LinearOperatorDiag",
    ) -> None:
        self._diag = tensor_or_variable(diag)
        if self._diag.shape.rank < 1:
            raise ValueError(f"Argument diag must have at least 1 dimension. Found: {self._diag}")
        if is_square is False:
            raise ValueError("Only square diagonal operators currently supported.")
        is_self_adjoint = self_adjoint_if_real(is_self_adjoint, self._diag.dtype)
        hints = named_hints(is_non_singular, is_self_adjoint, is_positive_definite, True)
        super().__init__(self._diag.dtype, **hints, name=name, parameters={"diag": self._diag, **hints, "name": name})

    @property
    def diag(self) -> Any:
        """The diagonals, a tensor or a variable."""
        return self._diag

    def _shape(self) -> TensorShape:
        return self._diag.shape.concatenate(self._diag.shape[-1:])

    def _assert_non_singular(self) -> None:
        assert_positive(arithmetic.abs(self._diag), "Singular operator: Diagonal contained zero values.")

    def _assert_positive_definite(self) -> None:
        assert_positive(real_part(self._diag_part()), "Diagonal operator had entries whose real part is not positive.")

    def _assert_self_adjoint(self) -> None:
        assert_real(self._diag_part(), "This diagonal operator contained non-zero imaginary values.")

    def _linop_adjoint(self) -> LinearOperator:
        return LinearOperatorDiag(conj(self._diag), **self._hints())

    def _linop_inverse(self) -> LinearOperator:
        return LinearOperatorDiag(1.0 / self._diag_part(), **self._hints())

    def _linop_cholesky(self) -> LinearOperator:
        return LinearOperatorDiag(
            sqrt(self._diag), is_non_singular=True, is_self_adjoint=True, is_positive_definite=True
        )

    def _linop_matmul(self, left_operator: Any, right_operator: Any) -> LinearOperator:
        return _product(left_operator._diag_part(), left_operator, right_operator) or super()._linop_matmul(
            left_operator, right_operator
        )

    def _linop_solve(self, left_operator: Any, right_operator: Any) -> LinearOperator:
        return _product(1.0 / left_operator._diag_part(), left_operator, right_operator) or super()._linop_solve(
            left_operator, right_operator
        )

    def _matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        return self._factor(adjoint)[..., None] * (diagonals.adjoint(x) if adjoint_arg else x)

    def _matvec(self, x: Any, adjoint: bool = False) -> Tensor:
        return self._factor(adjoint) * x

    def _factor(self, adjoint: bool) -> Tensor:
        return conj(self._diag_part()) if adjoint else self._diag_part()

    def _solve(self, rhs: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        return (diagonals.adjoint(rhs) if adjoint_arg else rhs) / self._factor(adjoint)[..., None]

    def _determinant(self) -> Tensor:
        return reduce_prod(self._diag, axis=-1)

    def _log_abs_determinant(self) -> Tensor:
        return cast(reduce_sum(log(arithmetic.abs(self._diag)), axis=-1), self.dtype)

    def _to_dense(self) -> Tensor:
        return diag(self._diag)

    def _diag_part(self) -> Tensor:
        return convert_to_tensor(self._diag)

    def _add_to_tensor(self, x: Any) -> Tensor:
        return set_diag(x, diag_part(x) + self._diag)

    def _eigvals(self) -> Tensor:
        return self._diag_part()

    def _cond(self) -> Tensor:
        values = arithmetic.abs(self._diag)
        return reduce_max(values, axis=-1) / reduce_min(values, axis=-1)


def _product(diagonal: Tensor, left: LinearOperator, right: Any) -> LinearOperator | None:
    """Returns the product of diagonal matrices, whose operator has the hints of ``left``, and ``right``; None without a short form."""
    hints = hints_of_commuting(left, right) if right.is_square else {}
    if isinstance(right, LinearOperatorDiag):
        return LinearOperatorDiag(diagonal * right.diag, **hints)
    if isinstance(right, LinearOperatorScaledIdentity):
        return LinearOperatorDiag(diagonal * right.multiplier[..., None], **hints)
    if isinstance(right, LinearOperatorLowerTriangular):
        return LinearOperatorLowerTriangular(
            diagonal[..., None] * right.to_dense(), **hints | {"is_positive_definite": None}
        )
    return None
