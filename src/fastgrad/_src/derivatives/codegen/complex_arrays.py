"""Arrays of complex numbers as arrays of floats with one more axis, in the same memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic, overload

from fastgrad._src.jit.numba_internals import cgutils, make_array, populate_array


def real_parts(array: np.ndarray) -> np.ndarray:
    """Returns the view of an array of complex numbers whose last axis has the real and the imaginary part."""
    return array[..., None].view(array.real.dtype)


def complex_of_parts(array: np.ndarray) -> np.ndarray:
    """Returns the view of complex numbers of an array whose last axis, which is contiguous, has the real and the imaginary part."""
    return array.view(np.complex64 if array.dtype == np.float32 else np.complex128)[..., 0]


def _view_of_memory(context, builder, source_type, target_type, value):  # type: ignore[no-untyped-def]
    """Builds an array of other elements over the memory of an array, with an axis more or less at the end."""
    source = make_array(source_type)(context, builder, value)
    target = make_array(target_type)(context, builder)
    shape = cgutils.unpack_tuple(builder, source.shape)
    strides = cgutils.unpack_tuple(builder, source.strides)
    size = context.get_abi_sizeof(context.get_data_type(target_type.dtype))
    if target_type.ndim > source_type.ndim:
        shape = [*shape, context.get_constant(types.intp, 2)]
        strides = [*strides, context.get_constant(types.intp, size)]
    else:
        shape, strides = shape[:-1], strides[:-1]
    populate_array(
        target,
        data=builder.bitcast(source.data, context.get_data_type(target_type.dtype).as_pointer()),
        shape=cgutils.pack_array(builder, shape, ty=context.get_value_type(types.intp)),
        strides=cgutils.pack_array(builder, strides, ty=context.get_value_type(types.intp)),
        itemsize=context.get_constant(types.intp, size),
        meminfo=source.meminfo,
        parent=source.parent,
    )
    context.nrt.incref(builder, target_type, target._getvalue())
    return target._getvalue()


def _as_other_array(target_type: types.Array) -> Any:
    @intrinsic
    def other_array(typing, array):  # type: ignore[no-untyped-def]
        def build(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            return _view_of_memory(context, builder, signature.args[0], target_type, arguments[0])

        return target_type(array), build

    return other_array


def _caller(function: Any) -> Callable[[Any], Any]:
    def implementation(array):  # type: ignore[no-untyped-def]
        return function(array)

    return implementation


@overload(real_parts)
def _real_parts(array):  # type: ignore[no-untyped-def]
    if isinstance(array, types.Array) and isinstance(array.dtype, types.Complex):
        layout = "C" if array.layout == "C" else "A"
        other_array = _as_other_array(types.Array(array.dtype.underlying_float, array.ndim + 1, layout))
        return _caller(other_array)
    return None


@overload(complex_of_parts)
def _complex_of_parts(array):  # type: ignore[no-untyped-def]
    if isinstance(array, types.Array) and isinstance(array.dtype, types.Float):
        dtype = types.complex64 if array.dtype == types.float32 else types.complex128
        other_array = _as_other_array(types.Array(dtype, array.ndim - 1, "C" if array.layout == "C" else "A"))
        return _caller(other_array)
    return None
