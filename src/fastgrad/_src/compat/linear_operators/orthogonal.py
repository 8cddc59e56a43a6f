"""Linear operators of orthogonal matrices: ``LinearOperatorHouseholder`` and ``LinearOperatorPermutation``."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.compat.linear_operators.linear_operator import (
    LinearOperator,
    broadcast_shapes,
    named_hints,
    tensor_or_variable,
)
from fastgrad._src.core import dtypes
from fastgrad._src.core.eager import inside_function
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_to_tensor
from fastgrad._src.ops import diagonals
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.comparison import equal
from fastgrad._src.ops.complex_numbers import conj
from fastgrad._src.ops.contraction import matmul
from fastgrad._src.ops.creation import eye, ones, zeros
from fastgrad._src.ops.indexing import gather
from fastgrad._src.ops.norms import l2_normalize
from fastgrad._src.ops.shaping import broadcast_to, expand_dims, reshape
from fastgrad._src.ops.sorting import argsort


class LinearOperatorHouseholder(LinearOperator, is_made_of_parameters=True):
    """Reflections: the matrices ``I - 2 v v^H``, where ``v`` is ``reflection_axis``, scaled to length 1.

    Args:
        reflection_axis: shape (..., N); a variable is read by each method.
        is_non_singular: see ``LinearOperator``, as the other hints.
        is_self_adjoint: None or True.
        is_positive_definite: None or False.
        is_square: None or True.
        name: of the operator.

    Raises:
        ValueError: ``reflection_axis`` is a scalar, or a hint is wrong.
    """

    def __init__(
        self,
        reflection_axis: Any,
        is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None,
        is_positive_definite: bool | None = None,
        is_square: bool | None = None,
        name: str = "LinearOperatorHouseholder",
    ) -> None:
        self._reflection_axis = tensor_or_variable(reflection_axis)
        if self._reflection_axis.shape.rank < 1:
            raise ValueError(f"Argument reflection_axis must have at least 1 dimension. Found: {self._reflection_axis}")
        if is_self_adjoint is False:
            raise ValueError("A Householder operator is always self adjoint: is_self_adjoint must not be False.")
        if is_positive_definite:
            raise ValueError(
                "A Householder operator is always non-positive definite: is_positive_definite must not be True."
            )
        if is_square is False:
            raise ValueError("A Householder operator is always square: is_square must not be False.")
        hints = named_hints(is_non_singular, True, False, True)
        parameters = {"reflection_axis": self._reflection_axis, **hints, "name": name}
        super().__init__(self._reflection_axis.dtype, **hints, name=name, parameters=parameters)

    @property
    def reflection_axis(self) -> Any:
        """The normals of the mirrors, a tensor or a variable."""
        return self._reflection_axis

    def _shape(self) -> TensorShape:
        return self._reflection_axis.shape.concatenate(self._reflection_axis.shape[-1:])

    def _assert_non_singular(self) -> None:
        """Reflections never are singular."""

    _assert_self_adjoint = _assert_non_singular

    def _assert_positive_definite(self) -> None:
        raise InvalidArgumentError("Householder operators are always non-positive definite.")

    def _linop_inverse(self) -> LinearOperator:
        return self

    def _matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        x = diagonals.adjoint(x) if adjoint_arg else x
        normal = expand_dims(l2_normalize(self._reflection_axis, axis=-1), -1)
        return x - 2 * normal * matmul(normal, x, adjoint_a=True)

    def _solve(self, rhs: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        return self._matmul(rhs, adjoint, adjoint_arg)

    def _determinant(self) -> Tensor:
        return -ones(self.batch_shape, self.dtype)

    def _log_abs_determinant(self) -> Tensor:
        return zeros(self.batch_shape, self.dtype)

    def _cond(self) -> Tensor:
        return ones(self.batch_shape, self.dtype)

    def _trace(self) -> Tensor:
        return (self.domain_dimension - 2) * ones(self.batch_shape, self.dtype)

    def _to_dense(self) -> Tensor:
        return self._matmul(eye(self.domain_dimension, dtype=self.dtype))

    def _diag_part(self) -> Tensor:
        normal = l2_normalize(self._reflection_axis, axis=-1)
        return 1 - 2 * normal * conj(normal)

    def _eigvals(self) -> Tensor:
        values = np.ones(tuple(self.shape[:-1]), self.dtype.numpy)
        values[..., :1] = -1
        return constant_tensor(values)


class LinearOperatorPermutation(LinearOperator, is_made_of_parameters=True):
    """Permutations: row ``i`` of the product is row ``perm[i]`` of the operand.

    Args:
        perm: integers, shape (..., N), each of 0 ... N - 1 once; checked outside of functions that are being recorded.
        dtype: of the matrices.
        is_non_singular: None or True.
        is_self_adjoint: see ``LinearOperator``, as the other hints.
        is_positive_definite: a hint.
        is_square: None or True.
        name: of the operator.

    Raises:
        TypeError: ``perm`` has no integer dtype.
        ValueError: it is a scalar or no permutation, or a hint is wrong.
    """

    def __init__(
        self,
        perm: Any,
        dtype: Any = dtypes.float32,
        is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None,
        is_positive_definite: bool | None = None,
        is_square: bool | None = None,
        name: str = "LinearOperatorPermutation",
    ) -> None:
        self._perm = tensor_or_variable(perm)
        self._check_permutation()
        for hint, value in (("is_non_singular", is_non_singular), ("is_square", is_square)):
            if value is False:
                raise ValueError(f"A Permutation operator is always square and non-singular: {hint} must not be False.")
        dtype = dtypes.as_dtype(dtype)
        hints = named_hints(is_non_singular, is_self_adjoint, is_positive_definite, True)
        parameters = {"perm": self._perm, "dtype": dtype, **hints, "name": name}
        super().__init__(dtype, **hints, name=name, parameters=parameters)

    def _check_permutation(self) -> None:
        if self._perm.shape.rank < 1:
            raise ValueError(f"Argument `perm` must have at least 1 dimension. Received: {self._perm}.")
        if not self._perm.dtype.is_integer:
            raise TypeError(f"Argument `perm` must be integer dtype. Received: {self._perm}.")
        if inside_function():
            return
        numbers, size = convert_to_tensor(self._perm).numpy(), self._perm.shape[-1]
        if (np.sort(numbers, axis=-1) != np.arange(size)).any():
            raise ValueError(f"Argument `perm` must be a vector of unique integers from 0 to {size - 1}.")

    @property
    def perm(self) -> Any:
        """The permutations, a tensor or a variable."""
        return self._perm

    def _shape(self) -> TensorShape:
        return self._perm.shape.concatenate(self._perm.shape[-1:])

    def _assert_non_singular(self) -> None:
        """Permutations never are singular."""

    def _matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        x = diagonals.adjoint(x) if adjoint_arg else x
        perm = argsort(self._perm, axis=-1) if adjoint and not self.is_self_adjoint else convert_to_tensor(self._perm)
        batch = broadcast_shapes([x.shape[:-2], perm.shape[:-1]])
        size, columns = x.shape[-2:]
        flat_x = reshape(broadcast_to(x, batch.concatenate([size, columns])), [-1, size, columns])
        flat_perm = reshape(broadcast_to(perm, batch.concatenate([size])), [-1, size])
        return reshape(gather(flat_x, flat_perm, axis=-2, batch_dims=1), batch.concatenate([size, columns]))

    def _solve(self, rhs: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        return self._matmul(rhs, adjoint=not adjoint, adjoint_arg=adjoint_arg)

    def _log_abs_determinant(self) -> Tensor:
        return zeros(self.batch_shape, self.dtype)

    def _cond(self) -> Tensor:
        return ones(self.batch_shape, self.dtype)

    def _numbers(self) -> Tensor:
        return constant_tensor(np.arange(self.domain_dimension, dtype=self._perm.dtype.numpy))

    def _to_dense(self) -> Tensor:
        return cast(equal(self._numbers(), expand_dims(self._perm, -1)), self.dtype)

    def _diag_part(self) -> Tensor:
        return cast(equal(self._numbers(), self._perm), self.dtype)
