"""The error that derivatives raise if an array is assigned to a slice of another shape.

Numba's implementation makes the message by its string functions. They are three quarters of the code of ``numpy.linalg.solve``, and take most of its
compile time. This implementation makes the same message by C's ``snprintf``.
"""

from __future__ import annotations

from types import CodeType
from typing import Any

from numba import types
from numba.extending import intrinsic

from fastgrad._src.jit.numba_internals import cgutils, ol_raise_with_shape_context_cpu

_DIGITS = 22  # of a number of 64 bits, with the sign, and the comma and the space after it


def _placeholders(shape: types.UniTuple) -> str:
    return "(%lld,)" if len(shape) == 1 else f"({', '.join(['%lld'] * len(shape))})"


@intrinsic
def _shape_message(typing: Any, source: Any, target: Any) -> Any:
    """Returns the text of the error for the shapes of the array and of the slice."""
    pattern = f"cannot assign slice of shape {_placeholders(target)} from input of shape {_placeholders(source)}"

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source_shape, target_shape = [cgutils.unpack_tuple(builder, shape) for shape in arguments]
        sizes = [*target_shape, *source_shape]
        capacity = context.get_constant(types.intp, len(pattern) + _DIGITS * len(sizes))
        memory = context.nrt.meminfo_alloc(builder, capacity)
        text = cgutils.create_struct_proxy(types.unicode_type)(context, builder)
        text.meminfo, text.data = memory, context.nrt.meminfo_data(builder, memory)
        length = cgutils.snprintf(builder, text.data, capacity, pattern, *sizes)
        text.length = builder.sext(length, text.length.type)
        text.kind, text.is_ascii, text.hash = text.kind.type(1), text.is_ascii.type(1), text.hash.type(-1)
        text.parent = cgutils.get_null_value(text.parent.type)
        return text._getvalue()

    return types.unicode_type(source, target), generate


def _raise_shape_error(src_shapes, index_shape):  # type: ignore[no-untyped-def]  # Numba's parameters
    raise ValueError(_shape_message(src_shapes, index_shape))


REPLACEMENTS = {
    code: _raise_shape_error
    for code in ol_raise_with_shape_context_cpu.__code__.co_consts
    if isinstance(code, CodeType) and code.co_name == "impl"
}
"""The functions that derivatives have in the place of others, by their code."""
