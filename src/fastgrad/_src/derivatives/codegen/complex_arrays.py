"""Arrays of complex numbers as arrays of floats with one more axis, in the same memory."""

from __future__ import annotations

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


def _as_other_array(source_type: types.Array, dtype: types.Type, more_axes: int) -> Any:
    """Returns the implementation that gives an array of other elements the memory of an array, with an axis more or less at the end."""
    target_type = types.Array(dtype, source_type.ndim + more_axes, "C" if source_type.layout == "C" else "A")

    @intrinsic
    def other_array(typing, array):  # type: ignore[no-untyped-def]
        def build(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            source = make_array(array)(context, builder, arguments[0])
            target = make_array(target_type)(context, builder)
            shape = cgutils.unpack_tuple(builder, source.shape)
            strides = cgutils.unpack_tuple(builder, source.strides)
            size = context.get_abi_sizeof(context.get_data_type(dtype))
            if more_axes > 0:
                shape = [*shape, context.get_constant(types.intp, 2)]
                strides = [*strides, context.get_constant(types.intp, size)]
            else:
                shape, strides = shape[:-1], strides[:-1]
            populate_array(
                target,
                data=builder.bitcast(source.data, context.get_data_type(dtype).as_pointer()),
                shape=cgutils.pack_array(builder, shape, ty=context.get_value_type(types.intp)),
                strides=cgutils.pack_array(builder, strides, ty=context.get_value_type(types.intp)),
                itemsize=context.get_constant(types.intp, size),
                meminfo=source.meminfo,
                parent=source.parent,
            )
            context.nrt.incref(builder, target_type, target._getvalue())
            return target._getvalue()

        return target_type(array), build

    return lambda array: other_array(array)  # noqa: PLW0108  # Numba compiles it


@overload(real_parts)
def _real_parts(array):  # type: ignore[no-untyped-def]
    if isinstance(array, types.Array) and isinstance(array.dtype, types.Complex):
        return _as_other_array(array, array.dtype.underlying_float, 1)
    return None


@overload(complex_of_parts)
def _complex_of_parts(array):  # type: ignore[no-untyped-def]
    if isinstance(array, types.Array) and isinstance(array.dtype, types.Float):
        return _as_other_array(array, types.complex64 if array.dtype == types.float32 else types.complex128, -1)
    return None
