"""``LinearOperatorTridiag``: matrices with three diagonals."""

from __future__ import annotations

from typing import Any

from fastgrad._src.compat.linear_operators.linear_operator import (
    LinearOperator,
    broadcast_shapes,
    named_hints,
    tensor_or_variable,
)
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.ops import diagonals as diagonals_ops
from fastgrad._src.ops.complex_numbers import conj
from fastgrad._src.ops.diagonals import diag, diag_part
from fastgrad._src.ops.joining import stack
from fastgrad._src.ops.reordering import roll
from fastgrad._src.ops.shaping import broadcast_to
from fastgrad._src.ops.tridiagonal import tridiagonal_matmul, tridiagonal_solve

_FORMATS = ("compact", "matrix", "sequence")


class LinearOperatorTridiag(LinearOperator, is_made_of_parameters=True):
    """A batch of tridiagonal matrices.

    Args:
        diagonals: "compact": shape (..., 3, N), the diagonals from the upper one, whose last element and the first element of the lower
            one don't count; "sequence": these diagonals as three tensors; "matrix": shape (..., N, N).
        diagonals_format: what ``diagonals`` is.
        is_non_singular: see ``LinearOperator``, as the other hints.
        is_self_adjoint: a hint.
        is_positive_definite: a hint.
        is_square: a hint.
        name: of the operator.

    Raises:
        ValueError: the format is unknown, or the shapes don't fit it.
    """

    def __init__(
        self,
        diagonals: Any,
        diagonals_format: str = "compact",
        is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None,
        is_positive_definite: bool | None = None,
        is_square: bool | None = None,
        name: str = "LinearOperatorTridiag",
    ) -> None:
        if diagonals_format not in _FORMATS:
            raise ValueError(f"Argument `diagonals_format` must be one of {_FORMATS}. Received: {diagonals_format!r}.")
        self._diagonals_format = diagonals_format
        self._diagonals: Any
        if diagonals_format == "sequence":
            if not isinstance(diagonals, (list, tuple)) or len(diagonals) != 3:
                raise ValueError("LinearOperatorTridiag: diagonals of the format 'sequence' must be three tensors.")
            self._diagonals = [tensor_or_variable(diagonal) for diagonal in diagonals]
            dtype = self._diagonals[0].dtype
        else:
            self._diagonals = tensor_or_variable(diagonals)
            dtype = self._diagonals.dtype
            if self._diagonals.shape.rank < 2 or (diagonals_format == "compact" and self._diagonals.shape[-2] != 3):
                raise ValueError(
                    f"LinearOperatorTridiag: diagonals have shape {self._diagonals.shape}, which is not that of the format "
                    f"{diagonals_format!r}."
                )
        hints = named_hints(is_non_singular, is_self_adjoint, is_positive_definite, is_square)
        parameters = {"diagonals": self._diagonals, "diagonals_format": diagonals_format, **hints, "name": name}
        super().__init__(dtype, **hints, name=name, parameters=parameters)

    @property
    def diagonals(self) -> Any:
        """The argument ``diagonals``: tensors or variables."""
        return self._diagonals

    @property
    def diagonals_format(self) -> str:
        """The argument ``diagonals_format``."""
        return self._diagonals_format

    def _shape(self) -> TensorShape:
        if self._diagonals_format == "matrix":
            return self._diagonals.shape
        if self._diagonals_format == "compact":
            batch, size = self._diagonals.shape[:-2], self._diagonals.shape[-1]
        else:
            batch = broadcast_shapes([diagonal.shape[:-1] for diagonal in self._diagonals])
            size = self._diagonals[1].shape[-1]
        return batch.concatenate([size, size])

    def _compact(self) -> Tensor:
        """Returns the diagonals in the format "compact"."""
        if self._diagonals_format == "matrix":
            return diag_part(self._diagonals, k=(-1, 1), align="LEFT_RIGHT")
        if self._diagonals_format == "compact":
            return convert_to_tensor(self._diagonals)
        return stack([broadcast_to(diagonal, self.shape[:-1]) for diagonal in self._diagonals], axis=-2)

    def _compact_adjoint(self) -> Tensor:
        diagonals = conj(self._compact())
        upper, lower = roll(diagonals[..., 2, :], -1, -1), roll(diagonals[..., 0, :], 1, -1)
        return stack([upper, diagonals[..., 1, :], lower], axis=-2)

    def _matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        x = diagonals_ops.adjoint(x) if adjoint_arg else x
        return tridiagonal_matmul(*self._operands(x, adjoint))

    def _solve(self, rhs: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        rhs = diagonals_ops.adjoint(rhs) if adjoint_arg else rhs
        return tridiagonal_solve(*self._operands(rhs, adjoint))

    def _operands(self, x: Tensor, adjoint: bool) -> tuple[Tensor, Tensor]:
        """Returns the diagonals and ``x`` with equal leading dimensions."""
        diagonals = self._compact_adjoint() if adjoint else self._compact()
        batch = broadcast_shapes([diagonals.shape[:-2], x.shape[:-2]])
        return (
            broadcast_to(diagonals, batch.concatenate(diagonals.shape[-2:])),
            broadcast_to(x, batch.concatenate(x.shape[-2:])),
        )

    def _diag_part(self) -> Tensor:
        return self._compact()[..., 1, :]

    def _to_dense(self) -> Tensor:
        return diag(self._compact(), k=(-1, 1), align="LEFT_RIGHT")
