"""Python's own functions: `divmod`, `isinstance`, named tuples, and functions of `math` that return no plain float."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from numba import types
from numba.typed import Dict, List

from fastgrad._src.derivatives.frontend import complex_numbers, containers, lists, mappings
from fastgrad._src.derivatives.ir.operands import Constant, Scalar, View, index_constant
from fastgrad._src.derivatives.ir.partials import Partial, call_operation
from fastgrad._src.derivatives.ir.values import (
    Complex,
    Fields,
    Items,
    LoopState,
    Mapping,
    MappingView,
    Static,
    static_value,
    type_of,
)
from fastgrad._src.derivatives.runtime.record_fields import field_of
from fastgrad._src.jit.numba_internals import JitClassType, ol_isinstance
from fastgrad._src.scalars.formulas import COTANGENT, FUNCTION_COST, OPERANDS, RESULT
from fastgrad._src.scalars.terms import digamma

if TYPE_CHECKING:
    from fastgrad._src.derivatives.frontend.lowering import Lowering


@numba.njit
def frexp_mantissa(x):  # type: ignore[no-untyped-def]
    """Returns the first result of ``math.frexp``."""
    return math.frexp(x)[0]


@numba.njit
def frexp_exponent(x):  # type: ignore[no-untyped-def]
    """Returns the second result of ``math.frexp``."""
    return math.frexp(x)[1]


builtin_type = type
_LDEXP, _FREXP_EXPONENT = call_operation(math.ldexp, 2), call_operation(frexp_exponent, 1)


def quotient_and_remainder(x, y):  # type: ignore[no-untyped-def]
    """Returns ``divmod(x, y)``."""
    return x // y, x % y


_CAUGHT = {
    **dict.fromkeys(["mark_try_block", "end_try_block"], Static(None)),
    "exception_check": Constant(False, types.boolean),  # what raises jumps to the handler itself
    "exception_match": Constant(True, types.boolean),  # Numba compiles handlers of all exceptions only
}


def call(  # noqa: C901  # one line for each function
    lowering: Lowering, function: Any, arguments: list[Any], keywords: dict[str, Any], type: types.Type
) -> Any:
    """Lowers the call of one of the functions here, else returns ``NotImplemented``."""
    builder = lowering.builder
    if isinstance(type, types.BaseNamedTuple) and function is type.instance_class:
        named = dict(zip(type.fields, arguments, strict=False)) | keywords
        return Items([named[field] for field in type.fields], type)
    if isinstance(function, JitClassType):
        return containers.new_instance(lowering, type, arguments, keywords)
    if function is field_of:
        return containers.field_array(lowering, arguments[0], static_value(arguments[1]))
    if function is builtin_type and len(arguments) == 1 and isinstance(arguments[0], (Constant, Scalar, Complex)):
        return Static(np.dtype(str(type_of(arguments[0]))).type)
    if getattr(function, "__module__", "") == "numba.core.unsafe.eh":
        return _CAUGHT[function.__name__]
    result = complex_numbers.call(lowering, function, arguments, keywords, type)
    if result is not NotImplemented:
        return result
    if isinstance(type, types.Array) and isinstance(type.dtype, types.Record) and function in containers.ALLOCATIONS:
        return containers.allocate_records(lowering, type, arguments[0], containers.ALLOCATIONS[function])
    if keywords:
        return NotImplemented
    if isinstance(type, mappings.TYPES) and function in (set, dict, Dict, Dict.empty):
        if function is not dict or not arguments:
            return mappings.new_mapping(lowering, type, arguments if function is set else [])
        result = mappings.new_mapping(lowering, type, [])
        lowering.calls.inline(mappings.set_items, [result, arguments[0]])
        return result
    if function is len and isinstance(arguments[0], MappingView):
        arguments = [arguments[0].mapping]
    if function in (len, bool) and isinstance(arguments[0], Mapping):
        arguments = [arguments[0].keys[0]]
    if function in (len, bool) and isinstance(arguments[0], lists.LISTS):
        length = lists.length_of(lowering, arguments[0])
        return length if function is len else lowering.operators.apply(operator.gt, [length, index_constant(0)], type)
    makes_list = function in (list, List, List.empty_list)
    if (
        makes_list
        and lists.has_kind(type)
        and not (arguments and isinstance(arguments[0], View) and len(arguments[0].axes) != 1)
    ):
        return lists.list_of(lowering, type, arguments)
    if function in (numba.literally, numba.literal_unroll):
        return arguments[0]
    if function is divmod:
        return lowering.calls.inline(quotient_and_remainder, arguments, lowering.frame.error_model)
    if getattr(function, "__name__", "") == "length_of_iterator" and isinstance(arguments[0], LoopState):
        return arguments[0].iterable.count
    if getattr(function, "__name__", "") == "empty_inferred":
        return lowering.builder.allocate(
            type.dtype, [lowering.operands.scalar(size) for size in arguments[0].values], "empty"
        )
    if function is tuple and isinstance(arguments[0], Items):
        return arguments[0]
    if function is isinstance:
        classes = [item.value for item in (arguments[1].values if isinstance(arguments[1], Items) else [arguments[1]])]
        return builder.constant(any(_is_instance(arguments[0], cls) for cls in classes))
    if function is math.gamma and isinstance(arguments[0], (Constant, Scalar)):
        return _compute(lowering, type, function, arguments, COTANGENT * RESULT * digamma(OPERANDS[0]))
    if function is math.frexp and isinstance(arguments[0], (Constant, Scalar)):
        mantissa = _compute(
            lowering, type[0], frexp_mantissa, arguments, _LDEXP(COTANGENT, -_FREXP_EXPONENT(OPERANDS[0]))
        )
        exponent = _compute(lowering, type[1], frexp_exponent, arguments, None)
        return Items([mantissa, exponent], type)
    if function is len and isinstance(arguments[0], Fields) and isinstance(arguments[0].type, types.Array):
        return next(iter(arguments[0].parts.values())).axes[0].size
    if function is len and isinstance(arguments[0], Static) and isinstance(arguments[0].value, str):
        return builder.constant(len(arguments[0].value))
    if function is np.dtype and len(arguments) == 1 and isinstance(arguments[0], Static):
        return Static(np.dtype(str(type.dtype)))
    if function is bool and isinstance(arguments[0], (Items, Static)):
        value = arguments[0]
        return builder.constant(bool(value.values if isinstance(value, Items) else value.value))
    return NotImplemented


def _compute(lowering: Lowering, type: types.Type, function: Any, arguments: list[Any], partial: Partial) -> Scalar:
    """Lowers a function of numbers with the ``partial`` of the first one."""
    builder = lowering.builder
    operands = [lowering.operands.scalar(argument) for argument in arguments]
    is_real = isinstance(operands[0], Scalar) and operands[0].is_real
    partials: list[Partial] = [partial if is_real else None, *[None] * (len(operands) - 1)]
    return builder.compute(type, builder.call_of(function, len(operands)), operands, FUNCTION_COST, partials)


def _is_instance(value: Any, cls: type) -> bool:
    """Returns what Numba makes of ``isinstance``."""
    return bool(ol_isinstance(type_of(value), type_of(Static(cls)))(None, None))
