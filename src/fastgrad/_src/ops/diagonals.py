"""Diagonals, bands and transposes of matrices: diag, diag_part, set_diag, band_part, trace, adjoint ..."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import refuse
from fastgrad._src.core.backward import zeros_of
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operation import Form, Operation, operation
from fastgrad._src.core.result_rules import ArraySpec, same_as_first
from fastgrad._src.core.tensor import Tensor, convert_like
from fastgrad._src.kernels.runtime.launch import Launches
from fastgrad._src.ops.arguments import as_python_int, as_python_ints, tensor_of, tensors_of
from fastgrad._src.ops.batching import leading_axes_rule
from fastgrad._src.ops.kernel_launches import kernel_operation, launches_from, make_kernel_run
from fastgrad._src.ops.reduction import reduce_sum
from fastgrad._src.ops.shaping import reshape, transpose

ALIGNMENTS = ("LEFT_RIGHT", "RIGHT_LEFT", "LEFT_LEFT", "RIGHT_RIGHT")


# ---- the primitives ----------------------------------------------------------------------------------
# Diagonals are packed as in TensorFlow: one row for each, the highest first. A short diagonal is aligned to one side of
# its row and padded on the other: ``align`` names the side for diagonals above the main one, then for those below.


def _packed_diagonals(rows: int, columns: int, lower: int, upper: int, align: str) -> list[tuple[int, int, int]]:
    """Returns a tuple (diagonal, first position in its packed row, length) for each diagonal, from the highest on."""
    widest = longest_diagonal(rows, columns, lower, upper)
    above, below = align.split("_")
    packed_diagonals = []
    for k in range(upper, lower - 1, -1):
        length = min(rows + min(k, 0), columns - max(k, 0))
        starts_left = (k >= 0 and above == "LEFT") or (k <= 0 and below == "LEFT")
        packed_diagonals.append((k, 0 if starts_left else widest - length, length))
    return packed_diagonals


def longest_diagonal(rows: int, columns: int, lower: int, upper: int) -> int:
    """The length of the longest of the diagonals ``lower`` to ``upper`` of a matrix."""
    return min(rows + min(upper, 0), columns - max(lower, 0))


def _diag_part_result(x: Any, lower: int, upper: int, **attributes: Any) -> ArraySpec:
    *batch, rows, columns = x.shape
    count = () if lower == upper else (upper - lower + 1,)
    return ArraySpec((*batch, *count, longest_diagonal(rows, columns, lower, upper)), x.dtype)


def _diag_part_launches(inputs: Any, outputs: Any, lower: int, upper: int, align: str, padding: Any) -> Launches | None:
    from fastgrad._src.kernels.movement.boxes import diag_part_launches

    x = inputs[0]
    return diag_part_launches(x, outputs[0], _packed_diagonals(x.shape[-2], x.shape[-1], lower, upper, align), padding)


def _diag_launches(
    inputs: Any, outputs: Any, lower: int, upper: int, rows: int, columns: int, align: str, padding: Any
) -> Launches | None:
    from fastgrad._src.kernels.movement.boxes import fill_launch, write_diagonals_launches

    diagonals = _packed_diagonals(rows, columns, lower, upper, align)
    return write_diagonals_launches(inputs[0], outputs[0], diagonals, 0, [fill_launch(outputs[0], padding)])


def _set_diag_launches(inputs: Any, outputs: Any, lower: int, upper: int, align: str) -> Launches | None:
    from fastgrad._src.kernels.movement.boxes import write_diagonals_launches

    x, d = inputs
    diagonals = _packed_diagonals(x.shape[-2], x.shape[-1], lower, upper, align)
    plan = write_diagonals_launches(d, outputs[0], diagonals, 1, [])
    if plan is None:
        return None
    return Launches(plan.launches, plan.scratch, ((0, 0),), plan.alias, ((0, 0),))


_packed_diag_part = make_kernel_run(_diag_part_launches, _diag_part_result, moves_elements=True)


def _run_diag_part(x: np.ndarray, lower: int, upper: int, **attributes: Any) -> Any:
    if lower == upper:
        return np.asarray(np.diagonal(x, lower, -2, -1), order="C")
    return _packed_diag_part(x, lower=lower, upper=upper, **attributes)


diag_part_operation: Operation = operation(
    "diag_part",
    Form.INDEX_MAP,
    run=_run_diag_part,
    gradient=lambda g, y, x, lower, upper, align, padding: diag_operation(
        g, lower=lower, upper=upper, rows=x._array.shape[-2], columns=x._array.shape[-1], align=align, padding=0
    ),
    launches=_diag_part_launches,
    batched=leading_axes_rule,
    result=_diag_part_result,
)
diag_operation: Operation = kernel_operation(
    "diag",
    Form.INDEX_MAP,
    moves_elements=True,
    gradient=lambda g, y, x, lower, upper, align, **_: diag_part_operation(
        g, lower=lower, upper=upper, align=align, padding=0
    ),
    launches=_diag_launches,
    batched=leading_axes_rule,
    result=lambda x, lower, upper, rows, columns, **attributes: ArraySpec(
        (*x.shape[: -1 if lower == upper else -2], rows, columns), x.dtype
    ),
)
set_diag_operation: Operation = kernel_operation(
    "set_diag",
    Form.INDEX_MAP,
    moves_elements=True,
    gradient=(
        lambda g, y, x, d, lower, upper, align: set_diag_operation(
            g, zeros_of(d), lower=lower, upper=upper, align=align
        ),
        lambda g, y, x, d, lower, upper, align: diag_part_operation(
            g, lower=lower, upper=upper, align=align, padding=0
        ),
    ),
    launches=_set_diag_launches,
    batched=leading_axes_rule,
    result=same_as_first,
)


band_operation: Operation = kernel_operation(
    "band_part",
    Form.INDEX_MAP,
    moves_elements=True,
    gradient=lambda g, y, x, lower, upper: band_operation(g, lower=lower, upper=upper),
    launches=launches_from("movement.boxes", "band_part_launches"),
    batched=leading_axes_rule,
    result=same_as_first,
)


# ---- diagonals ---------------------------------------------------------------------------------------


def _check_matrix_rank(x: np.ndarray, name: str) -> None:
    if x.ndim < 2:
        raise InvalidArgumentError(f"{name}: input must be at least 2-dim, received shape: {list(x.shape)}.")


def _checked_diagonals(name: str, k: Any, align: str, matrices: np.ndarray | None = None) -> tuple[int, int]:
    """Returns the lowest and the highest diagonal that ``k`` names; both must be inside of ``matrices``."""
    if matrices is not None:
        _check_matrix_rank(matrices, name)
    numbers = as_python_ints(k, f"{name}: k")
    if len(numbers) not in (1, 2):
        raise InvalidArgumentError(f"{name}: k must be one or two integers (lowest, highest), got {list(numbers)}.")
    lower, upper = numbers[0], numbers[-1]
    if lower > upper:
        refuse(name, "lower_diag_index must not be larger than upper_diag_index", InvalidArgumentError, k=numbers)
    if align not in ALIGNMENTS:
        raise InvalidArgumentError(f"{name}: align must be one of {', '.join(ALIGNMENTS)}; got {align!r}.")
    if matrices is not None:
        rows, columns = matrices.shape[-2:]
        for bound_name, diagonal in (("lower", lower), ("upper", upper)):
            if diagonal != 0 and not -rows < diagonal < columns:
                raise InvalidArgumentError(
                    f"{name}: {bound_name}_diag_index is out of bound: {diagonal}. It must be between {-rows} and {columns}, for shape "
                    f"{list(matrices.shape)}."
                )
    return lower, upper


def _padding_number(padding_value: Any, x: Tensor, name: str) -> Any:
    padding = convert_like(padding_value, x._array.dtype)._array
    if padding.ndim or (padding.dtype != x._array.dtype and x._array.dtype.kind != "b"):
        raise InvalidArgumentError(f"{name}: padding_value must be one {x.dtype.name}, got {padding_value!r}.")
    return padding.item()


def diag(
    diagonal: Any,
    name: str | None = "diag",
    k: Any = 0,
    num_rows: Any = -1,
    num_cols: Any = -1,
    padding_value: Any = 0,
    align: str = "RIGHT_LEFT",
) -> Tensor:
    """Matrices with given diagonals. TensorFlow: tf.linalg.diag.

    Args:
        diagonal: shape (..., n) for one diagonal, (..., count, n) for several.
        name: kept for TensorFlow's signature.
        k: the number of the diagonal, 0 for the main diagonal and positive above it; or the lowest and the highest of several.
        num_rows, num_cols: the size of the matrices; -1 for the smallest size (square if both are -1).
        padding_value: the value of all other elements.
        align: two words, each ``LEFT`` or ``RIGHT``, joined by ``_``: the side to which diagonals shorter than n are aligned,
            first for diagonals above the main diagonal, then for those below.

    Raises:
        InvalidArgumentError: a scalar, or sizes that do not fit the diagonals.
    """
    x = tensor_of(diagonal)
    lower, upper = _checked_diagonals("diag", k, align)
    shape = x._array.shape
    count = upper - lower + 1
    if len(shape) < (1 if count == 1 else 2) or (count > 1 and shape[-2] != count):
        raise InvalidArgumentError(
            f"diag: diagonal must have shape (..., n), or (..., {count}, n) for the {count} diagonals {lower} to {upper}; "
            f"received shape: {list(shape)}."
        )
    least_rows, least_columns = shape[-1] - min(upper, 0), shape[-1] + max(lower, 0)
    rows, columns = as_python_int(num_rows, "diag: num_rows"), as_python_int(num_cols, "diag: num_cols")
    if rows == columns == -1:
        rows = columns = max(least_rows, least_columns)
    rows, columns = least_rows if rows == -1 else rows, least_columns if columns == -1 else columns
    if rows < least_rows or columns < least_columns or (rows != least_rows and columns != least_columns):
        raise InvalidArgumentError(
            f"diag: The number of rows or columns is not consistent with the specified d_lower, d_upper, and diagonal: "
            f"{rows} x {columns} for diagonals {lower} to {upper} of shape {list(shape)}, which need {least_rows} rows or "
            f"{least_columns} columns, and no fewer of the other."
        )
    padding = _padding_number(padding_value, x, "diag")
    return diag_operation(x, lower=lower, upper=upper, rows=rows, columns=columns, align=align, padding=padding)


def diag_part(
    input: Any, name: str | None = "diag_part", k: Any = 0, padding_value: Any = 0, align: str = "RIGHT_LEFT"
) -> Tensor:
    """Diagonals of matrices. TensorFlow: tf.linalg.diag_part.

    Args:
        input: shape (..., rows, columns).
        name: kept for TensorFlow's signature.
        k: the number of the diagonal, or the lowest and the highest of several, as in ``tf.linalg.diag``.
        padding_value: the value that pads diagonals shorter than n.
        align: as in ``tf.linalg.diag``.

    Returns:
        Shape (..., n), or (..., count, n) for several diagonals, the highest first; n is the length of the longest one.

    Raises:
        InvalidArgumentError: fewer than two dimensions, or a diagonal outside the matrix.
    """
    x = tensor_of(input)
    lower, upper = _checked_diagonals("diag_part", k, align, x._array)
    padding = _padding_number(padding_value, x, "diag_part")
    return diag_part_operation(x, lower=lower, upper=upper, align=align, padding=padding)


def set_diag(input: Any, diagonal: Any, name: str | None = "set_diag", k: Any = 0, align: str = "RIGHT_LEFT") -> Tensor:
    """Replaces diagonals of ``input``. TensorFlow: tf.linalg.set_diag.

    Args:
        input: shape (..., rows, columns).
        diagonal: shape (..., n), or (..., count, n) for several, as ``tf.linalg.diag_part`` gives them.
        name: kept for TensorFlow's signature.
        k: the number of the diagonal, or the lowest and the highest of several, as in ``tf.linalg.diag``.
        align: as in ``tf.linalg.diag``.

    Raises:
        InvalidArgumentError: fewer than two dimensions, a diagonal outside the matrix, another shape of ``diagonal``, two dtypes.
    """
    x, d = tensors_of((input, diagonal), "set_diag")
    lower, upper = _checked_diagonals("set_diag", k, align, x._array)
    shape = x._array.shape
    count_shape = () if lower == upper else (upper - lower + 1,)
    diagonal_shape = (*shape[:-2], *count_shape, longest_diagonal(shape[-2], shape[-1], lower, upper))
    if d._array.shape != diagonal_shape:
        refuse("set_diag", f"`diagonal` must have shape {list(diagonal_shape)}", InvalidArgumentError, shape=d.shape)
    return set_diag_operation(x, d, lower=lower, upper=upper, align=align)


def trace(x: Any, name: str | None = None) -> Tensor:
    """The sum of the main diagonal, for matrices of shape (..., rows, columns).

    Args:
        x: at least two dimensions; gives shape (...).
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: fewer than two dimensions.
    """
    return reduce_sum(diag_part(x), -1)


def tensor_diag(diagonal: Any, name: str | None = None) -> Tensor:
    """A tensor of shape ``diagonal.shape + diagonal.shape``, zero unless both halves of an index are equal.

    Args:
        diagonal: at least one dimension.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: a scalar.
    """
    x = tensor_of(diagonal)
    shape = x._array.shape
    if not shape:
        raise InvalidArgumentError("tensor_diag: Input must be at least rank 1, got 0.")
    return reshape(diag(reshape(x, (x._array.size,))), shape + shape)


def tensor_diag_part(input: Any, name: str | None = None) -> Tensor:
    """The elements whose index has two equal halves: the reverse of ``tf.linalg.tensor_diag``.

    Args:
        input: shape ``s + s`` for some shape ``s`` of at least one dimension; gives shape ``s``.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: the halves of the shape differ.
    """
    x = tensor_of(input)
    shape = x._array.shape
    half = len(shape) // 2
    if not shape or shape[:half] != shape[half:]:
        raise InvalidArgumentError(f"tensor_diag_part: the shape must consist of two equal halves, got {list(shape)}.")
    size = math.prod(shape[:half])
    return reshape(diag_part(reshape(x, (size, size))), shape[:half])


# ---- bands and transposes ------------------------------------------------------------------------------


def band_part(input: Any, num_lower: Any, num_upper: Any, name: str | None = None) -> Tensor:
    """Matrices with zeros outside a band around the main diagonal. TensorFlow: tf.linalg.band_part.

    Args:
        input: shape (..., rows, columns).
        num_lower, num_upper: the numbers of diagonals to keep below and above the main one; negative keeps all.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: fewer than two dimensions, or more diagonals than rows or columns.
    """
    x = tensor_of(input)
    _check_matrix_rank(x._array, "band_part")
    numbers = []
    for argument_name, side_name, number, size in zip(
        ("num_lower", "num_upper"), ("rows", "columns"), (num_lower, num_upper), x._array.shape[-2:], strict=True
    ):
        number = as_python_int(number, f"band_part: {argument_name}")
        if number > size:
            refuse("band_part", f"{argument_name} must be at most {size} {side_name}", InvalidArgumentError, got=number)
        numbers.append(number)
    return band_operation(x, lower=numbers[0], upper=numbers[1])


def matrix_transpose(a: Any, name: str | None = "matrix_transpose", conjugate: bool = False) -> Tensor:
    """Swaps the last two dimensions of ``a``.

    Args:
        a: at least two dimensions.
        name: kept for TensorFlow's signature.
        conjugate: whether to take the complex conjugate as well.

    Raises:
        ValueError: fewer than two dimensions.
    """
    x = tensor_of(a)
    rank = x._array.ndim
    if rank < 2:
        refuse("matrix_transpose", "`a` should be a (batch) matrix with rank >= 2", shape=x.shape)
    return transpose(x, (*range(rank - 2), rank - 1, rank - 2), conjugate)


def adjoint(matrix: Any, name: str | None = None) -> Tensor:
    """The conjugate transpose over the last two dimensions.

    Args:
        matrix: at least two dimensions.
        name: kept for TensorFlow's signature.

    Raises:
        ValueError: fewer than two dimensions.
    """
    return matrix_transpose(matrix, conjugate=True)
