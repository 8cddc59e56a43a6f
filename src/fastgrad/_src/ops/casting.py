"""Casts of tensors from one dtype to another."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.composite import CompositeOperand
from fastgrad._src.core.errors import UnimplementedError
from fastgrad._src.core.gradient_of_terms import computes
from fastgrad._src.core.indexed_slices import IndexedSlices
from fastgrad._src.core.lowering import Elementwise
from fastgrad._src.core.narrow_casts import cast_narrow, check_narrow_cast
from fastgrad._src.core.operation import HALF_DTYPES, TABLE, Form, Operation
from fastgrad._src.core.result_rules import ArraySpec
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_to_tensor
from fastgrad._src.kernels.elementwise.half import cast_bfloat16
from fastgrad._src.scalars import terms

_KERNEL_MIN_ELEMENTS = 4096  # elements from which on a kernel is faster
_BFLOAT16_AND_FLOAT32 = {dtypes.bfloat16.numpy, dtypes.float32.numpy}


def _cast(x: np.ndarray, dtype: str) -> np.ndarray:
    target_dtype = dtypes.as_dtype(dtype)
    target = target_dtype.numpy
    if target_dtype.is_narrow or x.dtype in dtypes.NARROW_NUMPY_DTYPES:
        return cast_narrow(x, target)
    if (
        x.dtype == dtypes.bfloat16.numpy and target.kind in "iu"
    ):  # ml_dtypes casts NaN and large numbers as no other dtype
        x = x.astype(np.float32)
    if x.size < _KERNEL_MIN_ELEMENTS and x.dtype.kind != "c":
        return x.astype(target)
    if x.dtype.kind == "c" and target.kind not in {"c", "b"}:
        x = x.real
    if x.size >= _KERNEL_MIN_ELEMENTS and {x.dtype, target} == _BFLOAT16_AND_FLOAT32 and x.flags.c_contiguous:
        return cast_bfloat16(x)
    return x.astype(target)


_cast_operation: Operation = Operation(
    "cast",
    _cast,
    lambda g, y, x, dtype: _cast_operation(g, dtype=x.dtype.name) if x.dtype.is_differentiable else None,
    form=Form.ELEMENTWISE,
    doc="``x`` in another dtype, whose name is the attribute ``dtype``.",
    elementwise=Elementwise(terms.cast, kernel_code=lambda scalars, x, dtype: scalars.cast(x)),
    keeps_rows=True,
    result=lambda x, dtype: ArraySpec(x.shape, dtypes.as_dtype(dtype).numpy),
    simplifications=lambda rules: (rules.merge_casts, rules.remove_if_type_unchanged),
)


def cast(x: Any, dtype: Any, name: str | None = None) -> Any:
    """Casts ``x`` to ``dtype``.

    A cast to integers drops the fraction of floats. A cast to real dtypes drops the imaginary part of complex numbers.
    A cast to bool gives True for elements that are not zero. Gradients flow between floating and complex dtypes.

    Args:
        x: a tensor, variable, ``IndexedSlices``, or a value that converts to a tensor.
        dtype: the dtype of the result; a tensor of this dtype is returned unchanged.
        name: kept for TensorFlow's signature.

    Raises:
        TypeError: ``dtype`` names no dtype.
        UnimplementedError: from or to strings, or other casts of ``tf.dtypes.experimental``.

    Example:
        >>> tf.cast([1.7, -1.7], tf.int32)
        <tf.Tensor: shape=(2,), dtype=int32, numpy=array([ 1, -1], dtype=int32)>
    """
    dtype = dtypes.as_dtype(dtype)
    if isinstance(x, IndexedSlices):
        return IndexedSlices(cast(x.values, dtype), x.indices, x.dense_shape)
    if type(x) is not Tensor:
        try:
            x = convert_to_tensor(x)
        except CompositeOperand as met:
            return met.call("cast", x, dtype)
    source_dtype = x._array.dtype
    if source_dtype == dtype.numpy:
        return x
    if x.dtype.is_narrow or dtype.is_narrow:
        check_narrow_cast("cast", x.dtype, dtype)
    elif x.dtype is dtypes.string or dtype is dtypes.string:
        raise UnimplementedError(
            f"cast: Cast {x.dtype.name} to {dtype.name} is not supported; tf.strings.to_number and tf.strings.as_string are."
        )
    return _cast_operation(x, dtype=dtype.name)


def cast_narrow_to_float32(x: Tensor) -> Tensor:
    """Casts half-width floats, integers and booleans to float32; returns other tensors unchanged."""
    dtype = x._array.dtype
    return _cast_operation(x, dtype="float32") if dtype in HALF_DTYPES or dtype.kind in "iub" else x


@computes("cast_like")
def cast_like(x: Tensor, like: Tensor) -> Tensor:
    """Returns ``x`` in the dtype of ``like``, in gradients."""
    return x if x._array.dtype == like._array.dtype else TABLE["cast"](x, dtype=like.dtype.name)


def saturate_cast(value: Any, dtype: Any, name: str | None = None) -> Any:
    """Casts ``value`` to ``dtype``, after clipping to the numbers that the dtype can hold.

    Args:
        value: a tensor, or a value that converts to one; a cast to real dtypes takes the real part of complex numbers.
        dtype: a numeric dtype.
        name: kept for TensorFlow's signature.

    Raises:
        TypeError: a dtype has no smallest and largest number, such as bool.
    """
    from fastgrad._src.ops.arithmetic import maximum, minimum

    dtype = dtypes.as_dtype(dtype)
    try:
        x = value if type(value) is Tensor else convert_to_tensor(value)
    except CompositeOperand as met:
        return met.mapped(lambda values: saturate_cast(values, dtype), value)
    if x.dtype.is_complex and dtype.is_complex:
        if x.dtype is dtypes.complex128 and dtype is dtypes.complex64:
            parts = saturate_cast(TABLE["real"](x), dtypes.float32), saturate_cast(TABLE["imag"](x), dtypes.float32)
            return TABLE["complex"](*parts)
        return cast(x, dtype)
    if x.dtype.is_complex:
        x = cast(x, x.dtype.real_dtype)
    real_target = dtype.real_dtype
    # A float of the target dtype may be infinite.
    if x.dtype is real_target and (dtype is not real_target or not real_target.is_floating):
        return cast(x, dtype)
    if any(candidate.is_bool or candidate is dtypes.string for candidate in (x.dtype, real_target)):
        raise TypeError(f"saturate_cast: cannot find the smallest value of one of {x.dtype!r} and {dtype!r}.")
    low, high = _shared_limits(x.dtype, real_target)
    return cast(maximum(minimum(x, constant_tensor(high)), constant_tensor(low)), dtype)


def _shared_limits(source: dtypes.DType, target: dtypes.DType) -> tuple[np.ndarray, np.ndarray]:
    """Returns the smallest and the largest number that both dtypes can hold, as arrays of dtype ``source``."""
    # Python's numbers compare exactly; bfloat16's own conversion to int overflows.
    (source_min, source_max), (target_min, target_max) = (
        (float(d.min), float(d.max)) if d.is_floating else (int(d.min), int(d.max)) for d in (source, target)
    )
    low = np.array(max(source_min, target_min)).astype(source.numpy)
    high = np.array(min(source_max, target_max)).astype(source.numpy)
    if source.is_floating:
        # Rounding to source may have moved the limit outside the range of target.
        if float(high) > target_max:
            high = np.nextafter(high, source.numpy.type(0))
        if float(low) < target_min:
            low = np.nextafter(low, source.numpy.type(0))
    return np.asarray(low), np.asarray(high)


dtypes.cast = cast
dtypes.saturate_cast = saturate_cast
