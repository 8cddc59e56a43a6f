"""Linear operators that Fourier transforms make diagonal: ``LinearOperatorCirculant`` and its kin, and ``LinearOperatorToeplitz``."""

from __future__ import annotations

from math import prod
from typing import Any, ClassVar

import numpy as np

from fastgrad._src.compat.linear_operators.linear_operator import (
    LinearOperator,
    assert_real,
    broadcast_shapes,
    hints_of_commuting,
    implied_hint,
    named_hints,
    real_part,
    tensor_or_variable,
)
from fastgrad._src.core import dtypes
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_to_tensor
from fastgrad._src.ops import arithmetic, diagonals
from fastgrad._src.ops.assertion import assert_equal, assert_less, assert_positive
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.complex_numbers import conj, imag
from fastgrad._src.ops.creation import zeros_like
from fastgrad._src.ops.diagonals import matrix_transpose
from fastgrad._src.ops.exponential import log
from fastgrad._src.ops.indexing import gather
from fastgrad._src.ops.joining import concat
from fastgrad._src.ops.reduction import reduce_max, reduce_min, reduce_prod, reduce_sum
from fastgrad._src.ops.reordering import reverse
from fastgrad._src.ops.shaping import broadcast_to, reshape
from fastgrad._src.signal import fourier

_TRANSFORMS = {
    1: (fourier.fft, fourier.ifft),
    2: (fourier.fft2d, fourier.ifft2d),
    3: (fourier.fft3d, fourier.ifft3d),
}


def _as_complex(x: Any) -> Tensor:
    x = convert_to_tensor(x)
    return x if x.dtype.is_complex else cast(x, dtypes.complex128 if x.dtype is dtypes.float64 else dtypes.complex64)


class LinearOperatorCirculant(LinearOperator, is_made_of_parameters=True):
    """A batch of circulant matrices: convolutions with periodic boundaries.

    Args:
        spectrum: the eigenvalues, shape (..., N): the Fourier transform of the first column. A variable is read by each method.
        input_output_dtype: the dtype of the operator.
        is_non_singular: see ``LinearOperator``, as the other hints.
        is_self_adjoint: a hint; True for a real ``spectrum``.
        is_positive_definite: a hint.
        is_square: None or True.
        name: default: the name of the class.

    Raises:
        ValueError: ``spectrum`` has too few dimensions, or a hint is False that can't be.
    """

    _depth: ClassVar[int] = 1

    def __init__(
        self,
        spectrum: Any,
        input_output_dtype: Any = dtypes.complex64,
        is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None,
        is_positive_definite: bool | None = None,
        is_square: bool | None = True,
        name: str | None = None,
    ) -> None:
        self._spectrum = tensor_or_variable(spectrum)
        if self._spectrum.shape.rank < self._depth:
            raise ValueError(
                f"Argument `spectrum` must have at least {self._depth} dimensions. Received: {self._spectrum}."
            )
        if is_square is False:
            raise ValueError("A circulant operator is always square: is_square must not be False.")
        is_real = not self._spectrum.dtype.is_complex
        problem = "A real spectrum always corresponds to a self-adjoint operator: is_self_adjoint must not be False."
        is_self_adjoint = implied_hint(is_self_adjoint, is_real, problem)
        dtype = dtypes.as_dtype(input_output_dtype)
        hints = named_hints(is_non_singular, is_self_adjoint, is_positive_definite, True)
        parameters = {"spectrum": self._spectrum, "input_output_dtype": dtype, **hints, "name": name}
        super().__init__(dtype, **hints, name=name, parameters=parameters)

    @property
    def spectrum(self) -> Any:
        """The eigenvalues, a tensor or a variable."""
        return self._spectrum

    @property
    def block_depth(self) -> int:
        """The number of dimensions of the convolution."""
        return self._depth

    @property
    def block_shape(self) -> TensorShape:
        """The sizes of the dimensions of the convolution."""
        return self._spectrum.shape[-self._depth :]

    def block_shape_tensor(self) -> Tensor:
        """Returns ``block_shape`` as an int32 tensor."""
        return constant_tensor(np.array(self.block_shape, np.int32))

    def convolution_kernel(self, name: str = "convolution_kernel") -> Tensor:
        """Returns the first columns, the inverse Fourier transform of ``spectrum``."""
        return cast(_TRANSFORMS[self._depth][1](_as_complex(self._spectrum)), self.dtype)

    def assert_hermitian_spectrum(self, name: str = "assert_hermitian_spectrum") -> None:
        """Raises InvalidArgumentError unless the matrices are real up to rounding."""
        kernel = _TRANSFORMS[self._depth][1](_as_complex(self._spectrum))
        error = arithmetic.abs(imag(kernel))
        limit = np.finfo(error.dtype.numpy).eps * self.domain_dimension
        assert_less(error, error.dtype.numpy.type(limit), "Spectrum was not Hermitian")

    def _shape(self) -> TensorShape:
        size = prod(self.block_shape)
        return self._spectrum.shape[: -self._depth].concatenate([size, size])

    def _assert_non_singular(self) -> None:
        assert_positive(arithmetic.abs(self._spectrum), "Singular operator: Spectrum contained zero values.")

    def _assert_positive_definite(self) -> None:
        values = real_part(convert_to_tensor(self._spectrum))
        assert_positive(values, "Not positive definite: Real part of spectrum was not all positive.")

    def _assert_self_adjoint(self) -> None:
        values = convert_to_tensor(self._spectrum)
        assert_real(values, "Not self-adjoint: The spectrum contained non-zero imaginary part.")

    def _with_spectrum(self, spectrum: Tensor, hints: dict[str, Any]) -> LinearOperator:
        return type(self)(spectrum, input_output_dtype=self.dtype, **hints)

    def _linop_adjoint(self) -> LinearOperator:
        return self._with_spectrum(conj(self._spectrum), self._hints())

    def _linop_inverse(self) -> LinearOperator:
        return self._with_spectrum(1.0 / convert_to_tensor(self._spectrum), self._hints())

    def _linop_matmul(self, left_operator: Any, right_operator: Any) -> LinearOperator:
        if type(left_operator) is not type(right_operator) or left_operator.block_shape != right_operator.block_shape:
            return super()._linop_matmul(left_operator, right_operator)
        spectrum = left_operator.spectrum * right_operator.spectrum
        return left_operator._with_spectrum(spectrum, hints_of_commuting(left_operator, right_operator))

    def _linop_solve(self, left_operator: Any, right_operator: Any) -> LinearOperator:
        if type(left_operator) is not type(right_operator) or left_operator.block_shape != right_operator.block_shape:
            return super()._linop_solve(left_operator, right_operator)
        spectrum = right_operator.spectrum / convert_to_tensor(left_operator.spectrum)
        return left_operator._with_spectrum(spectrum, hints_of_commuting(left_operator, right_operator))

    def _filtered(self, x: Tensor, factors: Tensor, adjoint: bool) -> Tensor:
        """Returns the columns of ``x`` with their Fourier transforms multiplied by ``factors``."""
        transform, inverse = _TRANSFORMS[self._depth]
        factors = conj(factors) if adjoint else factors
        rows = matrix_transpose(cast(x, factors.dtype))  # (..., R, N)
        blocks = reshape(rows, [*rows.shape[:-1], *self.block_shape])
        factors = reshape(factors, [*factors.shape[: -self._depth], 1, *self.block_shape])
        result = inverse(factors * transform(blocks))
        return cast(matrix_transpose(reshape(result, [*result.shape[: -self._depth], rows.shape[-1]])), self.dtype)

    def _matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        return self._filtered(diagonals.adjoint(x) if adjoint_arg else x, _as_complex(self._spectrum), adjoint)

    def _solve(self, rhs: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        return self._filtered(
            diagonals.adjoint(rhs) if adjoint_arg else rhs, 1.0 / _as_complex(self._spectrum), adjoint
        )

    def _eigvals(self) -> Tensor:
        return reshape(self._spectrum, self.shape[:-1])

    def _determinant(self) -> Tensor:
        return cast(reduce_prod(self._eigvals(), axis=-1), self.dtype)

    def _log_abs_determinant(self) -> Tensor:
        return cast(reduce_sum(log(arithmetic.abs(self._eigvals())), axis=-1), self.dtype)

    def _cond(self) -> Tensor:
        values = arithmetic.abs(self._eigvals())
        return reduce_max(values, axis=-1) / reduce_min(values, axis=-1)

    def _trace(self) -> Tensor:
        return cast(reduce_sum(self._eigvals(), axis=-1), self.dtype)

    def _diag_part(self) -> Tensor:
        return broadcast_to((self.trace() / self.domain_dimension)[..., None], self.shape[:-1])


class LinearOperatorCirculant2D(LinearOperatorCirculant, is_made_of_parameters=True):
    """Block circulant matrices of circulant blocks: periodic convolutions in two dimensions.

    Args:
        spectrum: shape (..., N0, N1), and N = N0 * N1; see ``LinearOperatorCirculant``.
    """

    _depth = 2


class LinearOperatorCirculant3D(LinearOperatorCirculant, is_made_of_parameters=True):
    """Nested block circulant matrices: periodic convolutions in three dimensions.

    Args:
        spectrum: shape (..., N0, N1, N2), and N = N0 * N1 * N2; see ``LinearOperatorCirculant``.
    """

    _depth = 3


class LinearOperatorToeplitz(LinearOperator, is_made_of_parameters=True):
    """A batch of Toeplitz matrices, whose diagonals are constant.

    Args:
        col: the first columns, shape (..., N); a variable is read by each method.
        row: the first rows, shape (..., N); the first element is that of ``col``.
        is_non_singular: see ``LinearOperator``, as the other hints.
        is_self_adjoint: a hint.
        is_positive_definite: a hint.
        is_square: None or True.
        name: of the operator.

    Raises:
        ValueError: ``col`` or ``row`` is a scalar, or their lengths differ; ``is_square`` is False.
    """

    def __init__(
        self,
        col: Any,
        row: Any,
        is_non_singular: bool | None = None,
        is_self_adjoint: bool | None = None,
        is_positive_definite: bool | None = None,
        is_square: bool | None = None,
        name: str = "LinearOperatorToeplitz",
    ) -> None:
        self._col, self._row = tensor_or_variable(col), tensor_or_variable(row)
        for title, value in (("row", self._row), ("col", self._col)):
            if value.shape.rank < 1:
                raise ValueError(f"Argument {title} must have at least 1 dimension. Found: {value}")
        if self._row.shape[-1] != self._col.shape[-1]:
            raise ValueError("Expected square matrix, got row and col with mismatched dimensions.")
        if is_square is False:
            raise ValueError("Only square Toeplitz operators currently supported.")
        hints = named_hints(is_non_singular, is_self_adjoint, is_positive_definite, True)
        parameters = {"col": self._col, "row": self._row, **hints, "name": name}
        super().__init__(self._row.dtype, **hints, name=name, parameters=parameters)

    @property
    def col(self) -> Any:
        """The first columns, a tensor or a variable."""
        return self._col

    @property
    def row(self) -> Any:
        """The first rows, a tensor or a variable."""
        return self._row

    def _shape(self) -> TensorShape:
        shape = broadcast_shapes([self._row.shape, self._col.shape])
        return shape.concatenate(shape[-1:])

    def _assert_self_adjoint(self) -> None:
        assert_equal(self._row, self._col, "row and col are not the same, and so this operator is not self-adjoint.")

    def _sides(self) -> tuple[Tensor, Tensor]:
        """Returns the first column and the first row, with equal leading dimensions."""
        return broadcast_to(self._col, self.shape[:-1]), broadcast_to(self._row, self.shape[:-1])

    def _matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Tensor:
        # The matrix is a corner of a circulant matrix of twice the size.
        x = diagonals.adjoint(x) if adjoint_arg else x
        col, row = self._sides()
        first_column = concat([col, zeros_like(col[..., :1]), reverse(row[..., 1:], [-1])], -1)
        circulant = LinearOperatorCirculant(fourier.fft(_as_complex(first_column)), input_output_dtype=self.dtype)
        product = circulant.matmul(concat([x, zeros_like(x)], -2), adjoint=adjoint)
        return product[..., : self.domain_dimension, :]

    def _to_dense(self) -> Tensor:
        col, row = self._sides()
        elements = concat([reverse(col, [-1]), row[..., 1:]], -1)
        size = self.domain_dimension
        return gather(elements, np.arange(size) + np.arange(size - 1, -1, -1)[:, None], axis=-1)

    def _trace(self) -> Tensor:
        return self.domain_dimension * self._sides()[0][..., 0]

    def _diag_part(self) -> Tensor:
        return broadcast_to(self._sides()[0][..., :1], self.shape[:-1])
