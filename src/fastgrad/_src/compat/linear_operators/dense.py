"""Linear operators of dense matrices: ``LinearOperatorFullMatrix`` and ``LinearOperatorLowerTriangular``."""

from __future__ import annotations

from typing import Any

from fastgrad._src.compat.linear_operators.linear_operator import (
    LinearOperator,
    hints_of_commuting,
    named_hints,
    tensor_or_variable,
)
from fastgrad._src.core import dtypes
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.ops import arithmetic, diagonals
from fastgrad._src.ops.assertion import assert_positive
from fastgrad._src.ops.contraction import matmul
from fastgrad._src.ops.diagonals import band_part, diag_part
from fastgrad._src.ops.exponential import log
from fastgrad._src.ops.linear_algebra import triangular_solve
from fastgrad._src.ops.reduction import reduce_prod, reduce_sum

_MATRIX_DTYPES = (dtypes.float16, dtypes.float32, dtypes.float64, dtypes.complex64, dtypes.complex128)


def _checked_matrices(value: Any, argument: str) -> Any:
    matrix = tensor_or_variable(value)
    if matrix.shape.rank < 2:
        raise ValueError(f"Argument {argument} must have at least 2 dimensions. Found: {matrix}")
    return matrix


class LinearOperatorFullMatrix(LinearOperator, is_made_of_parameters=True):
    """A batch of dense matrices.

    Args:
        matrix: shape (..., M, N), float or complex; a variable is read by each method.
        is_non_singular: see ``LinearOperator``, as the other hints.
        is_self_adjoint: a hint.
        is_positive_definite: a hint.
        is_square: a hint.
        name: of the operator.

    Raises:
        TypeError: ``matrix`` has another dtype.
        ValueError: it has rank 0 or 1.
    """

    def __init__(
        self,
        matrix: Any,
        is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None,
        is_positive_definite: bool | None = None,
        is_square: bool | None = None,
        name: str = "LinearOperatorFullMatrix",
    ) -> None:
        self._matrix = tensor_or_variable(matrix)
        if self._matrix.dtype not in _MATRIX_DTYPES:
            raise TypeError(
                f"Argument `matrix` must have dtype in {[dtype.name for dtype in _MATRIX_DTYPES]}. Received: {self._matrix.dtype.name}."
            )
        _checked_matrices(self._matrix, "`matrix`")
        hints = named_hints(is_non_singular, is_self_adjoint, is_positive_definite, is_square)
        parameters = {"matrix": self._matrix, **hints, "name": name}
        super().__init__(self._matrix.dtype, **hints, name=name, parameters=parameters)

    @property
    def matrix(self) -> Any:
        """The matrices, a tensor or a variable."""
        return self._matrix

    def _shape(self) -> TensorShape:
        return self._matrix.shape

    def _matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        return matmul(self._matrix, x, adjoint_a=adjoint, adjoint_b=adjoint_arg)

    def _to_dense(self) -> Tensor:
        return convert_to_tensor(self._matrix)


class LinearOperatorLowerTriangular(LinearOperator, is_made_of_parameters=True):
    """A batch of lower triangular matrices.

    Args:
        tril: shape (..., N, N); what is above the diagonals counts as 0. A variable is read by each method.
        is_non_singular: see ``LinearOperator``, as the other hints.
        is_self_adjoint: a hint.
        is_positive_definite: a hint.
        is_square: None or True.
        name: of the operator.

    Raises:
        ValueError: ``tril`` has rank 0 or 1, or ``is_square`` is False.
    """

    def __init__(
        self,
        tril: Any,
        is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None,
        is_positive_definite: bool | None = None,
        is_square: bool | None = None,
        name: str = "LinearOperatorLowerTriangular",
    ) -> None:
        if is_square is False:
            raise ValueError("Only square lower triangular operators supported at this time.")
        self._tril = _checked_matrices(tril, "tril")
        hints = named_hints(is_non_singular, is_self_adjoint, is_positive_definite, True)
        parameters = {"tril": self._tril, **hints, "name": name}
        super().__init__(self._tril.dtype, **hints, name=name, parameters=parameters)

    @property
    def tril(self) -> Any:
        """The argument ``tril``, a tensor or a variable."""
        return self._tril

    def _shape(self) -> TensorShape:
        return self._tril.shape

    def _assert_non_singular(self) -> None:
        assert_positive(arithmetic.abs(self._diag_part()), "Singular operator: Diagonal contained zero values.")

    def _matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        return matmul(self._to_dense(), x, adjoint_a=adjoint, adjoint_b=adjoint_arg)

    def _linop_matmul(self, left_operator: Any, right_operator: LinearOperator) -> LinearOperator:
        from fastgrad._src.compat.linear_operators.diagonal import LinearOperatorDiag

        if not isinstance(right_operator, LinearOperatorDiag):
            return super()._linop_matmul(left_operator, right_operator)
        hints = hints_of_commuting(right_operator, left_operator) | {"is_positive_definite": None}
        diagonal = convert_to_tensor(right_operator.diag)
        return LinearOperatorLowerTriangular(left_operator.to_dense() * diagonal[..., None, :], **hints)

    def _determinant(self) -> Tensor:
        return reduce_prod(self._diag_part(), axis=-1)

    def _log_abs_determinant(self) -> Tensor:
        return reduce_sum(log(arithmetic.abs(self._diag_part())), axis=-1)

    def _solve(self, rhs: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        return triangular_solve(self._to_dense(), diagonals.adjoint(rhs) if adjoint_arg else rhs, adjoint=adjoint)

    def _to_dense(self) -> Tensor:
        return band_part(self._tril, -1, 0)

    def _diag_part(self) -> Tensor:
        return diag_part(self._tril)

    def _eigvals(self) -> Tensor:
        return self._diag_part()
