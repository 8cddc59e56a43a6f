"""Matrices of few diagonals: tridiagonal_solve, tridiagonal_matmul, eigh_tridiagonal, banded_triangular_solve.

LAPACK computes the results, through SciPy. A matrix is given by its diagonals, shape (..., diagonals, size), from the highest to
the lowest. Element i of a diagonal is in row i; elements outside of the matrix are not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.core.backward import sum_to_shape
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operand_errors import shapes_error
from fastgrad._src.core.operation import Operation, joint
from fastgrad._src.core.result_rules import ArraySpec
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.ops.arguments import check_dtype, tensor_of, tensors_of
from fastgrad._src.ops.arithmetic import conjugate, multiply, negative
from fastgrad._src.ops.complex_numbers import real
from fastgrad._src.ops.contraction import matmul
from fastgrad._src.ops.decompositions import eigh, eigvalsh
from fastgrad._src.ops.diagonals import diag, diag_part, matrix_transpose, set_diag
from fastgrad._src.ops.joining import stack
from fastgrad._src.ops.lapack_threads import OF_SCIPY
from fastgrad._src.ops.linear_algebra import LAPACK_DTYPES, matrix_operation
from fastgrad._src.ops.padding import pad
from fastgrad._src.ops.shaping import expand_dims, squeeze

# ---- solutions ---------------------------------------------------------------------------------------------


def _columns_of_diagonals(diagonals: np.ndarray, above: int) -> np.ndarray:
    """Returns the diagonals as LAPACK stores them: element i of each in column i."""
    out = np.zeros_like(diagonals)
    size = diagonals.shape[-1]
    for number in range(diagonals.shape[-2]):
        shift = above - number  # the column minus the row
        if abs(shift) < size:
            out[number, max(shift, 0) : size + min(shift, 0)] = diagonals[number, max(-shift, 0) : size - max(shift, 0)]
    return out


def _run_solve(diagonals: np.ndarray, rhs: np.ndarray, above: int, perturb: bool) -> np.ndarray:
    from scipy.linalg import LinAlgError, solve_banded  # a slow import

    batch = np.broadcast_shapes(diagonals.shape[:-2], rhs.shape[:-2])
    every_diagonals = np.broadcast_to(diagonals, (*batch, *diagonals.shape[-2:]))
    out = np.array(np.broadcast_to(rhs, (*batch, *rhs.shape[-2:])))
    below = diagonals.shape[-2] - 1 - above
    for index in np.ndindex(batch) if out.size else ():
        columns = _columns_of_diagonals(every_diagonals[index], above)
        try:
            out[index] = solve_banded((below, above), columns, out[index], check_finite=False)
        except LinAlgError:
            if perturb:
                columns[above] += np.finfo(out.dtype).eps * np.max(np.abs(columns))
                out[index] = solve_banded((below, above), columns, out[index], check_finite=False)
            else:
                out[index] = np.nan
    return out


def _adjoint_diagonals(diagonals: Tensor, above: int) -> Tensor:
    """Returns the diagonals of the conjugate transpose: those from the lowest, element i in column i of before."""
    size, count = diagonals._array.shape[-1], diagonals._array.shape[-2]
    rows = []
    for number in reversed(range(count)):
        shift = above - number
        row = conjugate(diagonals[..., number, max(-shift, 0) : max(size - max(shift, 0), 0)])
        missing = size - row._array.shape[-1]
        paddings = [(0, 0)] * (row._array.ndim - 1) + [(missing, 0) if shift > 0 else (0, missing)]
        rows.append(pad(row, paddings))
    return stack(rows, axis=-2)


def _solve_gradient(
    needed: Sequence[bool], g: Tensor, x: Tensor, diagonals: Tensor, rhs: Tensor, above: int, perturb: bool
) -> list[Tensor | None]:
    below = diagonals._array.shape[-2] - 1 - above
    adjoint = _solve_operation(_adjoint_diagonals(diagonals, above), g, above=below, perturb=perturb)
    of_diagonals = None
    if needed[0]:
        slopes = negative(matmul(adjoint, x, adjoint_b=True))
        of_diagonals = diag_part(slopes, k=(-below, above), align="LEFT_RIGHT")
        of_diagonals = sum_to_shape(of_diagonals, diagonals._array.shape)
    return [of_diagonals, sum_to_shape(adjoint, rhs._array.shape) if needed[1] else None]


_solve_operation: Operation = matrix_operation(
    "solve_of_diagonals",
    _run_solve,
    joint(_solve_gradient),
    result=lambda diagonals, rhs, above, perturb: ArraySpec(
        (*np.broadcast_shapes(diagonals.shape[:-2], rhs.shape[:-2]), *rhs.shape[-2:]), rhs.dtype
    ),
    blas=OF_SCIPY,
)


def _compact_diagonals(
    name: str, diagonals: Any, diagonals_format: str, length_error: type[Exception] = ValueError
) -> Tensor:
    """Returns the three diagonals of a tridiagonal matrix, shape (..., 3, m).

    Raises:
        length_error: the diagonals of a sequence do not have m or m - 1 elements.
        ValueError: the format is unknown, or other shapes do not fit.
    """
    if diagonals_format == "compact":
        return tensor_of(diagonals)
    if diagonals_format == "matrix":
        matrix = tensor_of(diagonals)
        if matrix._array.ndim < 2:
            raise ValueError(f"{name}: diagonals of format 'matrix' must have rank >= 2, got {matrix.shape}.")
        rows, columns = matrix._array.shape[-2:]
        if rows != columns:
            raise ValueError(f"{name}: Expected last two dimensions of diagonals to be same, got {rows} and {columns}")
        return diag_part(matrix, k=(-1, 1), align="LEFT_RIGHT")
    if diagonals_format != "sequence":
        raise ValueError(f"{name}: Unrecognized diagonals_format: {diagonals_format}")
    if not isinstance(diagonals, (tuple, list)) or len(diagonals) != 3:
        raise ValueError(f"{name}: Expected diagonals to be a sequence of length 3.")
    above, main, below = tensors_of(diagonals, name)
    if not main._array.ndim:
        raise ValueError(f"{name}: diagonals of format 'sequence' must have rank 1 or more, got scalars.")
    size = main._array.shape[-1]
    if not above._array.shape[:-1] == main._array.shape[:-1] == below._array.shape[:-1]:
        raise ValueError(
            f"{name}: Tensors representing the three diagonals must have the same shape,except for the last dimension, got "
            f"{below.shape}, {main.shape}, {above.shape}"
        )
    return stack(
        [
            _with_padding(name, "superdiagonal", above, size, (0, 1), length_error),
            main,
            _with_padding(name, "subdiagonal", below, size, (1, 0), length_error),
        ],
        axis=-2,
    )


def _with_padding(
    name: str, what: str, row: Tensor, size: int, padding: tuple[int, int], length_error: type[Exception]
) -> Tensor:
    length = row._array.shape[-1]
    if length == size:
        return row
    if length != size - 1:
        raise length_error(f"{name}: Expected {what} to be have length {size} or {size - 1}, got {length}.")
    return pad(row, [(0, 0)] * (row._array.ndim - 1) + [padding])


def tridiagonal_solve(
    diagonals: Any,
    rhs: Any,
    diagonals_format: str = "compact",
    transpose_rhs: bool = False,
    conjugate_rhs: bool = False,
    name: str | None = None,
    partial_pivoting: bool = True,
    perturb_singular: bool = False,
) -> Tensor:
    """The solution of systems of equations with tridiagonal matrices.

    Args:
        diagonals: "compact": shape (..., 3, m); "sequence": three tensors, the diagonals above, on and below the main diagonal, those
            beside it with m or m - 1 elements; "matrix": shape (..., m, m). Float or complex.
        rhs: shape (..., m) or (..., m, k), of the same dtype.
        diagonals_format: the form of ``diagonals``: "compact", "sequence" or "matrix".
        transpose_rhs: whether ``rhs`` has shape (..., k, m).
        conjugate_rhs: whether ``rhs`` is conjugated first.
        name: kept for TensorFlow's signature.
        partial_pivoting: rows are always exchanged; False excludes ``perturb_singular``.
        perturb_singular: whether a singular matrix is perturbed by its rounding error.

    Returns:
        Shape (..., m) or (..., m, k). For singular matrices NaN.

    Raises:
        ValueError: shapes do not fit, or the format is unknown.
        InvalidArgumentError: dtypes differ, or are not supported.
    """
    if perturb_singular and not partial_pivoting:
        raise ValueError("tridiagonal_solve: partial_pivoting must be True if perturb_singular is.")
    compact, x = tensors_of(
        [_compact_diagonals("tridiagonal_solve", diagonals, diagonals_format), rhs], "tridiagonal_solve"
    )
    _solve_operation.check_dtype(x._array)
    shape, rank = compact._array.shape, compact._array.ndim
    if rank < 2:
        raise ValueError(f"tridiagonal_solve: Expected diagonals to have rank at least 2, got {rank}")
    if x._array.ndim not in (rank, rank - 1):
        raise ValueError(f"tridiagonal_solve: Expected the rank of rhs to be {rank - 1} or {rank}, got {x._array.ndim}")
    if shape[:-2] != x._array.shape[: rank - 2]:
        raise ValueError(f"tridiagonal_solve: Batch shapes {shape[:-2]} and {x.shape[: rank - 2]} are incompatible")
    if shape[-2] != 3:
        raise ValueError(f"tridiagonal_solve: Expected 3 diagonals got {shape[-2]}")
    is_vector = x._array.ndim == rank - 1
    if conjugate_rhs:
        x = conjugate(x)
    x = expand_dims(x, -1) if is_vector else matrix_transpose(x) if transpose_rhs else x
    if x._array.shape[-2] != shape[-1]:
        raise ValueError(
            f"tridiagonal_solve: Expected number of left-hand sided and right-hand sides to be equal, got {shape[-1]} and "
            f"{x._array.shape[-2]}"
        )
    result = _solve_operation(compact, x, above=1, perturb=perturb_singular)
    return squeeze(result, -1) if is_vector else result


def banded_triangular_solve(
    bands: Any, rhs: Any, lower: bool = True, adjoint: bool = False, name: str | None = None
) -> Tensor:
    """The solution of systems of equations with triangular matrices of few diagonals.

    Args:
        bands: shape (..., k, m). If ``lower``: the main diagonal, then the diagonals below it, padded on the left. Otherwise: the
            diagonals above the main one, the highest first, padded on the right, then the main diagonal.
        rhs: shape (..., m, n), of the same dtype, float or complex.
        lower: whether the matrices are lower triangular.
        adjoint: whether to solve with the conjugate transposes of the matrices.
        name: kept for TensorFlow's signature.

    Returns:
        Shape (..., m, n).

    Raises:
        InvalidArgumentError: shapes or dtypes do not fit, or the main diagonal has a zero.
    """
    diagonals, x = tensors_of([bands, rhs], "banded_triangular_solve")
    _solve_operation.check_dtype(x._array)
    for what, tensor in (("bands", diagonals), ("rhs", x)):
        if tensor._array.ndim < 2:
            raise InvalidArgumentError(
                f"banded_triangular_solve: {what} must have rank 2 or more, got {tensor._array.ndim}."
            )
    count, size = diagonals._array.shape[-2:]
    if size != x._array.shape[-2] or not 0 < count <= max(size, 1):
        raise InvalidArgumentError(
            f"banded_triangular_solve: bands {diagonals.shape} and rhs {x.shape} do not fit together."
        )
    try:
        np.broadcast_shapes(diagonals._array.shape[:-2], x._array.shape[:-2])
    except ValueError:
        raise shapes_error("banded_triangular_solve", diagonals._array.shape, x._array.shape) from None
    if not np.all(diagonals._array[..., 0 if lower else -1, :]):
        raise InvalidArgumentError("banded_triangular_solve: Input matrix is not invertible.")
    above = 0 if lower else count - 1
    if adjoint:
        diagonals, above = _adjoint_diagonals(diagonals, above), count - 1 - above
    return _solve_operation(diagonals, x, above=above, perturb=False)


# ---- products and eigenvalues ----------------------------------------------------------------------------------


def tridiagonal_matmul(diagonals: Any, rhs: Any, diagonals_format: str = "compact", name: str | None = None) -> Tensor:
    """The product of tridiagonal matrices and matrices.

    Args:
        diagonals, diagonals_format: as for ``tridiagonal_solve``.
        rhs: shape (..., m, k), of the same dtype, float or complex.
        name: kept for TensorFlow's signature.

    Returns:
        Shape (..., m, k).

    Raises:
        ValueError: the format is unknown.
        InvalidArgumentError: shapes or dtypes do not fit.
    """
    compact = _compact_diagonals("tridiagonal_matmul", diagonals, diagonals_format, InvalidArgumentError)
    compact, x = tensors_of([compact, rhs], "tridiagonal_matmul")
    check_dtype("tridiagonal_matmul", x._array.dtype, LAPACK_DTYPES)
    if compact._array.ndim < 2:
        raise InvalidArgumentError(f"tridiagonal_matmul: diagonals must have rank >= 2, got {compact.shape}.")
    if compact._array.ndim != x._array.ndim or compact._array.shape[-1] != x._array.shape[-2]:
        raise InvalidArgumentError(
            f"tridiagonal_matmul: All input tensors must have the same rank. Diagonals have shape {compact.shape}, rhs {x.shape}."
        )
    above, main, below = [expand_dims(compact[..., number, :], -1) for number in range(3)]
    no_padding = [(0, 0)] * (x._array.ndim - 2)
    next_rows = pad(x[..., 1:, :], [*no_padding, (0, 1), (0, 0)])
    rows_before = pad(x[..., :-1, :], [*no_padding, (1, 0), (0, 0)])
    return multiply(main, x) + multiply(above, next_rows) + multiply(below, rows_before)


def eigh_tridiagonal(
    alpha: Any,
    beta: Any,
    eigvals_only: bool = True,
    select: str = "a",
    select_range: Any = None,
    tol: Any = None,
    name: str | None = None,
) -> Any:
    """The eigenvalues of a Hermitian tridiagonal matrix.

    Args:
        alpha: the main diagonal, shape (n,), float or complex; imaginary parts count as 0.
        beta: the diagonal above it, shape (n - 1,), of the same dtype.
        eigvals_only: whether eigenvectors are left out.
        select: "a" for all eigenvalues, "v" for those in (low, high], "i" for those with the indices low to high.
        select_range: the pair (low, high).
        tol: kept for TensorFlow's signature: results have full precision.
        name: kept for TensorFlow's signature.

    Returns:
        The eigenvalues, increasing; with ``eigvals_only=False`` also a matrix with the eigenvectors in its columns.

    Raises:
        ValueError: ``select`` is unknown, or dtypes differ or are not supported.
        TypeError: ``select_range`` is missing.
        InvalidArgumentError: shapes do not fit; or the range is empty, is no pair, or has an index out of range.
    """
    try:
        main, above = tensors_of([alpha, beta], "eigh_tridiagonal")
    except InvalidArgumentError as error:  # dtypes differ
        raise ValueError(str(error)) from None
    if main._array.dtype not in LAPACK_DTYPES:
        raise ValueError(f"eigh_tridiagonal: data type {main.dtype.name} not inexact")
    if select not in ("a", "i", "v"):
        raise ValueError(f"eigh_tridiagonal: select must have a value in {{'a', 'i', 'v'}}, got {select!r}.")
    if select != "a" and select_range is None:
        raise TypeError(f"eigh_tridiagonal: select={select!r} needs select_range, got None.")
    if main._array.ndim != 1:
        raise InvalidArgumentError(f"eigh_tridiagonal: alpha must have rank 1, got shape {list(main._array.shape)}.")
    size = main._array.shape[0]
    if size > 1 and above._array.shape != (size - 1,):
        raise InvalidArgumentError(
            f"eigh_tridiagonal: beta must have shape {[size - 1]}, for alpha {[size]}, got {above.shape}."
        )
    matrix = diag(main)
    if size > 1:
        matrix = set_diag(set_diag(matrix, above, k=1), conjugate(above), k=-1)
    values, vectors = (eigvalsh(matrix), None) if eigvals_only else eigh(matrix)
    values = real(values)
    first, last = _selected_range(values, select, select_range)
    if (first, last) == (0, size):
        return values if vectors is None else (values, vectors)
    values = values[first:last]
    return values if vectors is None else (values, vectors[:, first:last])


def _selected_range(values: Tensor, select: str, select_range: Any) -> tuple[int, int]:
    """Returns the number of the first selected eigenvalue, and the number after the last one."""
    size = values._array.shape[0]
    if select == "a":
        return 0, size
    limits = convert_to_tensor(select_range)._elements()
    if limits.shape != (2,) or limits.dtype.kind not in ("iu" if select == "i" else "iuf"):
        kind = "integers" if select == "i" else "real numbers"
        raise InvalidArgumentError(f"eigh_tridiagonal: select_range must be a pair of {kind}, got {select_range!r}.")
    low, high = limits.tolist()
    if low > high or (select == "v" and low == high):
        raise InvalidArgumentError(f"eigh_tridiagonal: Got empty range of {select=} in select_range.")
    if select == "i":
        if low < 0 or high >= size:
            raise InvalidArgumentError(f"eigh_tridiagonal: select_range {[low, high]} must lie in [0, {size - 1}].")
        return int(low), int(high) + 1
    numbers = values._elements()
    return int(np.searchsorted(numbers, low, "right")), int(np.searchsorted(numbers, high, "right"))
