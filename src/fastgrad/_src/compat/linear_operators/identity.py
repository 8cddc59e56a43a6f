"""``LinearOperatorIdentity``, ``LinearOperatorScaledIdentity`` and ``LinearOperatorZeros``."""

from __future__ import annotations

from typing import Any

from fastgrad._src.compat.linear_operators.linear_operator import (
    LinearOperator,
    assert_real,
    broadcast_shapes,
    hints_of_commuting,
    named_hints,
    real_part,
    self_adjoint_if_real,
    tensor_or_variable,
)
from fastgrad._src.core import dtypes
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.ops import arithmetic, diagonals
from fastgrad._src.ops.arguments import as_python_int
from fastgrad._src.ops.assertion import assert_positive
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.comparison import equal
from fastgrad._src.ops.complex_numbers import conj
from fastgrad._src.ops.creation import ones, zeros
from fastgrad._src.ops.diagonals import diag_part, set_diag
from fastgrad._src.ops.exponential import log
from fastgrad._src.ops.power import sqrt
from fastgrad._src.ops.selection import where
from fastgrad._src.ops.shaping import broadcast_to


def _checked_size(value: Any, argument: str) -> int:
    tensor = convert_to_tensor(value)
    if not tensor.dtype.is_integer:
        raise TypeError(f"Argument {argument} must be integer type. Found: {value!r}")
    if tensor.ndim:
        raise ValueError(f"Argument {argument} must be a 0-D Tensor. Found: {value!r}")
    size = as_python_int(tensor, argument)
    if size < 0:
        raise ValueError(f"Argument {argument} must be non-negative. Found: {size}")
    return size


def _checked_batch_shape(value: Any) -> tuple[int, ...] | None:
    if value is None:
        return None
    tensor = convert_to_tensor(tuple(value) if isinstance(value, TensorShape) else value, dtype_hint=dtypes.int32)
    if not tensor.dtype.is_integer and tensor._array.size:
        raise TypeError(f"Argument batch_shape must be integer type. Found: {value!r}")
    if tensor.ndim != 1:
        raise ValueError(f"Argument batch_shape must be a 1-D Tensor. Found: {value!r}")
    return tuple([_checked_size(size, "batch_shape") for size in tensor])


def _with_batch(x: Tensor, batch_shape: TensorShape) -> Tensor:
    return broadcast_to(x, broadcast_shapes([batch_shape, x.shape[:-2]]).concatenate(x.shape[-2:]))


class LinearOperatorIdentity(LinearOperator, is_made_of_parameters=True):
    """A batch of identity matrices.

    Args:
        num_rows: N, an integer.
        batch_shape: the leading dimensions; default: none, and the operator has those of its operands.
        dtype: default: float32.
        is_non_singular: True.
        is_self_adjoint: True.
        is_positive_definite: True.
        is_square: True.
        assert_proper_shapes: kept for TensorFlow's signature; shapes are always checked.
        name: of the operator.

    Raises:
        TypeError: a size is no integer.
        ValueError: a size is negative; a hint isn't True.
    """

    def __init__(
        self,
        num_rows: Any,
        batch_shape: Any = None,
        dtype: Any = None,
        is_non_singular: bool | None = True,
        is_self_adjoint: bool | None = True,
        is_positive_definite: bool | None = True,
        is_square: bool | None = True,
        assert_proper_shapes: bool = False,
        name: str = "LinearOperatorIdentity",
    ) -> None:
        hints = named_hints(is_non_singular, is_self_adjoint, is_positive_definite, is_square)
        for hint, value in hints.items():
            if not value:
                raise ValueError(f"An identity operator is always {hint[3:].replace('_', ' ')}: {hint} must be True.")
        dtype = dtypes.as_dtype(dtype or dtypes.float32)
        self._num_rows, self._batch_sizes = _checked_size(num_rows, "num_rows"), _checked_batch_shape(batch_shape)
        parameters = {"num_rows": self._num_rows, "batch_shape": self._batch_sizes, "dtype": dtype, **hints}
        parameters |= {"assert_proper_shapes": assert_proper_shapes, "name": name}
        super().__init__(dtype, **hints, name=name, parameters=parameters)

    def _shape(self) -> TensorShape:
        return TensorShape([*(self._batch_sizes or ()), self._num_rows, self._num_rows])

    def _assert_non_singular(self) -> None:
        """The identity always is."""

    _assert_positive_definite = _assert_self_adjoint = _assert_non_singular

    def _linop_inverse(self) -> LinearOperator:
        return self

    _linop_adjoint = _linop_cholesky = _linop_inverse

    def _linop_matmul(self, left_operator: LinearOperator, right_operator: LinearOperator) -> LinearOperator:
        return right_operator

    _linop_solve = _linop_matmul

    def _matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        return _with_batch(diagonals.adjoint(x) if adjoint_arg else x, self.batch_shape)

    def _solve(self, rhs: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        return self._matmul(rhs, adjoint, adjoint_arg)

    def _determinant(self) -> Tensor:
        return ones(self.batch_shape, self.dtype)

    _cond = _determinant

    def _log_abs_determinant(self) -> Tensor:
        return zeros(self.batch_shape, self.dtype)

    def _trace(self) -> Tensor:
        return self._num_rows * ones(self.batch_shape, self.dtype)

    def _diag_part(self) -> Tensor:
        return ones(self.shape[:-1], self.dtype)

    _eigvals = _diag_part

    def _add_to_tensor(self, x: Any) -> Tensor:
        return set_diag(x, diag_part(x) + 1)


class LinearOperatorScaledIdentity(LinearOperator, is_made_of_parameters=True):
    """A batch of identity matrices times numbers.

    Args:
        num_rows: N, an integer.
        multiplier: the factors, shape ``batch_shape``; a variable is read by each method.
        is_non_singular: see ``LinearOperator``, as the other hints.
        is_self_adjoint: a hint; True for a real ``multiplier``.
        is_positive_definite: a hint.
        is_square: True.
        assert_proper_shapes: kept for TensorFlow's signature; shapes are always checked.
        name: of the operator.

    Raises:
        TypeError: ``num_rows`` is no integer.
        ValueError: it is negative; a hint is False that can't be.
    """

    def __init__(
        self,
        num_rows: Any,
        multiplier: Any,
        is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None,
        is_positive_definite: bool | None = None,
        is_square: bool | None = True,
        assert_proper_shapes: bool = False,
        name: str = "LinearOperatorScaledIdentity",
    ) -> None:
        self._multiplier = tensor_or_variable(multiplier)
        if not is_square:
            raise ValueError("A ScaledIdentity operator is always square.")
        is_self_adjoint = self_adjoint_if_real(is_self_adjoint, self._multiplier.dtype)
        hints = named_hints(is_non_singular, is_self_adjoint, is_positive_definite, True)
        self._num_rows = _checked_size(num_rows, "num_rows")
        parameters = {"num_rows": self._num_rows, "multiplier": self._multiplier, **hints}
        parameters |= {"assert_proper_shapes": assert_proper_shapes, "name": name}
        super().__init__(self._multiplier.dtype, **hints, name=name, parameters=parameters)

    @property
    def multiplier(self) -> Any:
        """The factors, a tensor or a variable."""
        return self._multiplier

    def _shape(self) -> TensorShape:
        return self._multiplier.shape.concatenate([self._num_rows, self._num_rows])

    def _assert_non_singular(self) -> None:
        assert_positive(arithmetic.abs(self._multiplier), "LinearOperator was singular.")

    def _assert_positive_definite(self) -> None:
        assert_positive(real_part(convert_to_tensor(self._multiplier)), "LinearOperator was not positive definite.")

    def _assert_self_adjoint(self) -> None:
        assert_real(convert_to_tensor(self._multiplier), "LinearOperator was not self-adjoint.")

    def _times(self, multiplier: Tensor, hints: dict[str, Any]) -> LinearOperator:
        return LinearOperatorScaledIdentity(self._num_rows, multiplier, **hints)

    def _linop_adjoint(self) -> LinearOperator:
        return self._times(conj(self._multiplier), self._hints())

    def _linop_inverse(self) -> LinearOperator:
        return self._times(1.0 / convert_to_tensor(self._multiplier), self._hints())

    def _linop_cholesky(self) -> LinearOperator:
        return self._times(sqrt(self._multiplier), dict.fromkeys(self._hints(), True))

    def _linop_matmul(self, left_operator: Any, right_operator: LinearOperator) -> LinearOperator:
        factor = convert_to_tensor(left_operator.multiplier)
        return left_operator._product(factor, right_operator) or super()._linop_matmul(left_operator, right_operator)

    def _linop_solve(self, left_operator: Any, right_operator: LinearOperator) -> LinearOperator:
        factor = 1.0 / convert_to_tensor(left_operator.multiplier)
        return left_operator._product(factor, right_operator) or super()._linop_solve(left_operator, right_operator)

    def _product(self, factor: Tensor, right: LinearOperator) -> LinearOperator | None:
        """Returns ``factor`` times ``right``, with the hints of a product with ``self``; None without a short form."""
        from fastgrad._src.compat.linear_operators.diagonal import LinearOperatorDiag

        if isinstance(right, LinearOperatorScaledIdentity):
            return self._times(factor * right.multiplier, hints_of_commuting(self, right))
        if isinstance(right, LinearOperatorDiag):
            return LinearOperatorDiag(factor[..., None] * right.diag, **hints_of_commuting(self, right))
        return None

    def _factor(self, adjoint: bool) -> Tensor:
        multiplier = convert_to_tensor(self._multiplier)[..., None, None]
        return conj(multiplier) if adjoint else multiplier

    def _matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        return (diagonals.adjoint(x) if adjoint_arg else x) * self._factor(adjoint)

    def _solve(self, rhs: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        return (diagonals.adjoint(rhs) if adjoint_arg else rhs) / self._factor(adjoint)

    def _determinant(self) -> Tensor:
        return convert_to_tensor(self._multiplier) ** self._num_rows

    def _log_abs_determinant(self) -> Tensor:
        return self._num_rows * log(arithmetic.abs(self._multiplier))

    def _trace(self) -> Tensor:
        return self._num_rows * convert_to_tensor(self._multiplier)

    def _diag_part(self) -> Tensor:
        return broadcast_to(convert_to_tensor(self._multiplier)[..., None], self.shape[:-1])

    _eigvals = _diag_part

    def _add_to_tensor(self, x: Any) -> Tensor:
        return set_diag(x, diag_part(x) + convert_to_tensor(self._multiplier)[..., None])

    def _cond(self) -> Tensor:
        one = ones(self.batch_shape, self.dtype)
        return where(equal(self._multiplier, cast(0, self.dtype)), cast(float("nan"), self.dtype), one)


class LinearOperatorZeros(LinearOperator, is_made_of_parameters=True):
    """A batch of matrices of zeros.

    Args:
        num_rows: M, an integer.
        num_columns: N; default: M.
        batch_shape: the leading dimensions; default: none, and the operator has those of its operands.
        dtype: default: float32.
        is_non_singular: False.
        is_self_adjoint: True if ``is_square``.
        is_positive_definite: False.
        is_square: whether M = N.
        assert_proper_shapes: kept for TensorFlow's signature; shapes are always checked.
        name: of the operator.

    Raises:
        TypeError: a size is no integer.
        ValueError: a size is negative; a hint is wrong.
    """

    def __init__(
        self,
        num_rows: Any,
        num_columns: Any = None,
        batch_shape: Any = None,
        dtype: Any = None,
        is_non_singular: bool | None = False,
        is_self_adjoint: bool | None = True,
        is_positive_definite: bool | None = False,
        is_square: bool | None = True,
        assert_proper_shapes: bool = False,
        name: str = "LinearOperatorZeros",
    ) -> None:
        if not is_self_adjoint and is_square:
            raise ValueError("A zero operator is always self adjoint: is_self_adjoint must be True.")
        if is_non_singular:
            raise ValueError("A zero operator is always singular: is_non_singular must be False.")
        if is_positive_definite:
            raise ValueError("A zero operator is always not positive-definite: is_positive_definite must be False.")
        hints = named_hints(is_non_singular, is_self_adjoint, is_positive_definite, is_square)
        dtype = dtypes.as_dtype(dtype or dtypes.float32)
        self._num_rows = _checked_size(num_rows, "num_rows")
        self._num_columns = self._num_rows if num_columns is None else _checked_size(num_columns, "num_columns")
        self._batch_sizes = _checked_batch_shape(batch_shape)
        parameters: dict[str, Any] = {
            "num_rows": self._num_rows,
            "num_columns": self._num_columns,
            "batch_shape": self._batch_sizes,
        }
        parameters |= {"dtype": dtype, **hints, "assert_proper_shapes": assert_proper_shapes, "name": name}
        super().__init__(dtype, **hints, name=name, parameters=parameters)
        if is_square and self._num_rows != self._num_columns:
            raise ValueError(
                f"LinearOperatorZeros initialized as is_square=True, but got num_rows({self._num_rows}) != "
                f"num_columns({self._num_columns})"
            )

    def _shape(self) -> TensorShape:
        return TensorShape([*(self._batch_sizes or ()), self._num_rows, self._num_columns])

    def _assert_non_singular(self) -> None:
        raise InvalidArgumentError("Zero operators are always non-invertible.")

    def _assert_positive_definite(self) -> None:
        raise InvalidArgumentError("Zero operators are always non-positive definite.")

    def _assert_self_adjoint(self) -> None:
        """Zeros always are."""

    def _linop_matmul(self, left_operator: LinearOperator, right_operator: LinearOperator) -> LinearOperator:
        if not left_operator.is_square or not right_operator.is_square:
            raise ValueError("matmul of a LinearOperatorZeros needs square operators.")
        return left_operator

    def _matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        rows = self._num_columns if adjoint else self._num_rows
        batch = broadcast_shapes([self.batch_shape, x.shape[:-2]])
        return zeros(batch.concatenate([rows, x.shape[-2 if adjoint_arg else -1]]), self.dtype)

    def _determinant(self) -> Tensor:
        return zeros(self.batch_shape, self.dtype)

    _trace = _determinant

    def _diag_part(self) -> Tensor:
        return zeros(self.batch_shape.concatenate([min(self.shape[-2:])]), self.dtype)

    _eigvals = _diag_part

    def _add_to_tensor(self, x: Any) -> Tensor:
        return _with_batch(x, self.batch_shape)
