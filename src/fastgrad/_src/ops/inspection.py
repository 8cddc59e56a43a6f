"""Queries of the elements of a tensor: positions of extremes, counts of nonzeros, monotonicity."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operation import ALL_DTYPES, BOOL_DTYPES, REAL_DTYPES, Form, Operation
from fastgrad._src.core.result_rules import ArraySpec, reduction_result, require_fitting_shapes
from fastgrad._src.core.tensor import Tensor, constant_tensor
from fastgrad._src.ops.arguments import check_dtype, nonnegative_axis, tensor_of
from fastgrad._src.ops.arithmetic import subtract
from fastgrad._src.ops.batching import shift_axes_rule
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.division import realdiv
from fastgrad._src.ops.kernel_launches import kernel_operation, launches_from
from fastgrad._src.ops.reduction import reduced_shape, reduces_trailing_axes, reduction_axes

KERNEL_MIN_ELEMENTS = 2048
"""The number of elements from which the kernel of argmax is faster than NumPy with a test for NaN."""


def _argmax_result(x: Any, axis: int, output_type: str) -> ArraySpec:
    require_fitting_shapes(0 <= axis < len(x.shape) and x.shape[axis] > 0)
    return ArraySpec(x.shape[:axis] + x.shape[axis + 1 :], np.dtype(output_type))


def _argmax_operation(name: str, numpy_function: Any, nan_replacement: float) -> Operation:
    """Declares argmax or argmin; small arrays use ``numpy_function``, with NaN replaced by ``nan_replacement``."""

    def positions_by_numpy(x: np.ndarray, axis: int, output_type: str) -> Any:
        # NumPy returns the position of the first NaN, TensorFlow ignores NaN.
        if x.dtype.kind in "fV" and np.isnan(x).any():
            x = np.where(np.isnan(x), x.dtype.type(nan_replacement), x)
        return np.asarray(numpy_function(x, axis)).astype(output_type, copy=False)

    return kernel_operation(
        name,
        Form.REDUCE,
        by_numpy=positions_by_numpy,
        min_elements=KERNEL_MIN_ELEMENTS,
        dtypes=REAL_DTYPES | BOOL_DTYPES,
        launches=launches_from("movement.positions", f"{name}_launches"),
        batched=shift_axes_rule("axis", "axes"),
        result=_argmax_result,
    )


_argmax = _argmax_operation("argmax", np.argmax, -np.inf)
_argmin = _argmax_operation("argmin", np.argmin, np.inf)


def _call_argmax(operation: Operation, input: Any, axis: Any, output_type: Any, allowed: tuple[str, ...]) -> Tensor:
    x = tensor_of(input)
    array = x._array
    check_dtype(operation.name, array.dtype, operation.dtypes)
    if isinstance(axis, (list, tuple)):
        raise TypeError(f"{operation.name}: axis must be int or Tensor with integer datatype, got {axis!r}.")
    position_dtype = dtypes.as_dtype(output_type).name
    if position_dtype not in allowed:
        raise InvalidArgumentError(f"{operation.name}: output_type {position_dtype} is not of {', '.join(allowed)}.")
    axis = nonnegative_axis(0 if axis is None else axis, array.ndim, operation.name)
    if (
        not array.shape[axis]
        and array.size == 0
        and all(size for dimension, size in enumerate(array.shape) if dimension != axis)
    ):
        raise InvalidArgumentError(f"{operation.name}: Reduction axis {axis} is empty in shape {list(array.shape)}.")
    return operation(x, axis=axis, output_type=position_dtype)


def argmax(input: Any, axis: Any = None, output_type: Any = dtypes.int64, name: str | None = None) -> Tensor:
    """The position of the largest element along an axis, the first of several; ignores NaN.

    Args:
        input: a tensor of real numbers or booleans.
        axis: the axis, an integer; None is 0.
        output_type: int16, uint16, int32 or int64.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: the dtype has no order, ``axis`` is out of range or empty, or ``output_type`` is another dtype.
        TypeError: ``axis`` is a list.

    Example:
        >>> tf.argmax([[1.0, 3.0, 2.0], [4.0, 0.0, 1.0]], axis=1)
        <tf.Tensor: shape=(2,), dtype=int64, numpy=array([1, 0])>
    """
    return _call_argmax(_argmax, input, axis, output_type, ("int16", "uint16", "int32", "int64"))


def argmin(input: Any, axis: Any = None, output_type: Any = dtypes.int64, name: str | None = None) -> Tensor:
    """The position of the smallest element along an axis, the first of several; ignores NaN.

    Args:
        input: a tensor of real numbers or booleans.
        axis: the axis, an integer; None is 0.
        output_type: int32 or int64.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: the dtype has no order, ``axis`` is out of range or empty, or ``output_type`` is another dtype.
        TypeError: ``axis`` is a list.
    """
    return _call_argmax(_argmin, input, axis, output_type, ("int32", "int64"))


def _decomposed_count_nonzero(builder: Any, x: Any, axes: tuple[int, ...], keepdims: bool) -> tuple[Any] | None:
    if reduces_trailing_axes(x, axes) or x.dtype.kind not in "biuf":
        return None
    if x.dtype.kind != "b":
        x = builder.add("not_equal", x, builder.number(0, x.dtype), shape=x.shape, out_dtype=np.dtype(bool))
    ones = builder.add("cast", x, shape=x.shape, out_dtype=np.dtype(np.int64), dtype="int64")
    shape = reduced_shape(x.shape, axes, keepdims)
    return (builder.add("reduce_sum", ones, shape=shape, axes=axes, keepdims=keepdims),)


_count_nonzero_operation = kernel_operation(
    "count_nonzero",
    Form.REDUCE,
    by_numpy=lambda x, axes, keepdims: np.sum(x != b"", axes, np.int64, keepdims=keepdims),  # of texts
    dtypes=ALL_DTYPES,
    launches=launches_from("reduction.general", "count_nonzero_launches"),
    batched=shift_axes_rule("axis", "axes"),
    decomposition=_decomposed_count_nonzero,
    result=lambda x, axes, keepdims: ArraySpec(reduction_result(x, axes, keepdims).shape, np.dtype(np.int64)),
)


def count_nonzero(
    input: Any, axis: Any = None, keepdims: bool | None = None, dtype: Any = dtypes.int64, name: str | None = None
) -> Tensor:
    """The number of nonzero elements over axes; False and the empty string count as zero.

    Args:
        input: any tensor.
        axis: an int or several; None means all axes.
        keepdims: whether the reduced dimensions stay, with size 1.
        dtype: the dtype of the counts.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: an axis is out of range.
    """
    x = tensor_of(input)
    counts = _count_nonzero_operation(
        x, axes=reduction_axes("count_nonzero", axis, x._array.ndim), keepdims=bool(keepdims)
    )
    return cast(counts, dtype)


def zero_fraction(value: Any, name: str | None = None) -> Tensor:
    """The fraction of elements that are zero, as float32; NaN for an empty tensor.

    Args:
        value: a tensor of any dtype.
        name: kept for TensorFlow's signature.
    """
    x = tensor_of(value)
    zeros = subtract(constant_tensor(np.array(x._array.size)), count_nonzero(x))
    return realdiv(cast(zeros, dtypes.float32), constant_tensor(np.array(x._array.size, np.float32)))
