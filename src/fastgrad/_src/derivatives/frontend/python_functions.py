"""Python's own functions: `divmod`, `isinstance`, named tuples, and functions of `math` that return no plain float."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from numba import types
from numba.typed import Dict, List

from fastgrad._src.derivatives.frontend import complex_numbers, containers, lists, mappings
from fastgrad._src.derivatives.frontend.operands import by_class
from fastgrad._src.derivatives.ir import values
from fastgrad._src.derivatives.ir.operands import Constant, Operand, Scalar, View, index_constant
from fastgrad._src.derivatives.ir.partials import Partial, call_operation
from fastgrad._src.derivatives.ir.scalar_operations import AT_LEAST_0
from fastgrad._src.derivatives.ir.values import (
    Complex,
    Fields,
    Items,
    LoopState,
    Mapping,
    MappingView,
    Range,
    Static,
    listed,
    static_text,
    static_value,
    type_of,
)
from fastgrad._src.derivatives.runtime.record_fields import field_of
from fastgrad._src.jit.numba_internals import (
    JitClassType,
    empty_inferred,
    end_try_block,
    exception_check,
    exception_match,
    length_of_iterator,
    mark_try_block,
    ol_isinstance,
)
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


Rule = Callable[[Any, list[Any], types.Type], Any]
"""A function of (lowering, arguments, Numba's type of the result). It returns ``NotImplemented`` for arguments of other kinds."""


def call(lowering: Lowering, function: Any, arguments: list[Any], keywords: dict[str, Any], type: types.Type) -> Any:
    """Lowers the call of one of the functions here, else returns ``NotImplemented``."""
    if isinstance(type, types.BaseNamedTuple) and function is type.instance_class:
        named = dict(zip(type.fields, arguments, strict=False)) | keywords
        return Items([named[field] for field in type.fields], type)
    if isinstance(function, JitClassType):
        return containers.new_instance(lowering, type, arguments, keywords)
    result = complex_numbers.call(lowering, function, arguments, keywords, type)
    if result is not NotImplemented:
        return result
    if isinstance(type, types.Array) and isinstance(type.dtype, types.Record) and function in containers.ALLOCATIONS:
        return containers.allocate_records(lowering, type, arguments[0], containers.ALLOCATIONS[function])
    rule = None if keywords else RULES.get(function)
    return NotImplemented if rule is None else rule(lowering, arguments, type)


def _mapping(lowering: Lowering, arguments: list[Any], type: types.Type) -> Any:
    return mappings.new_mapping(lowering, type, arguments) if isinstance(type, mappings.TYPES) else NotImplemented


def _dictionary(lowering: Lowering, arguments: list[Any], type: types.Type) -> Any:
    result = _mapping(lowering, [], type)
    if arguments and result is not NotImplemented:
        lowering.calls.inline(mappings.set_items, [result, arguments[0]])
    return result


def _list(lowering: Lowering, arguments: list[Any], type: types.Type) -> Any:
    if not lists.has_kind(type) or (arguments and arguments[0].is_array and arguments[0].rank != 1):
        return NotImplemented
    return lists.list_of(lowering, type, arguments)


def _length(lowering: Lowering, arguments: list[Any], type: types.Type) -> Any:
    rule = by_class(_LENGTHS, arguments[0])
    length = None if rule is None else rule(lowering, arguments[0])
    return NotImplemented if length is None else length


def _length_of_range(lowering: Lowering, value: Range) -> Operand:
    return lowering.builder.index(AT_LEAST_0, lowering.iteration.iterable(value).count, is_natural=True)


def _length_of_text(lowering: Lowering, value: Static) -> Operand | None:
    text = static_text(value)
    return None if text is None else lowering.builder.constant(len(text))


_LENGTHS: dict[type, Callable[[Any, Any], Operand | None]] = {
    **dict.fromkeys([Mapping, values.List], lists.length_of),
    MappingView: lambda lowering, view: lists.length_of(lowering, view.mapping),
    Items: lambda lowering, items: index_constant(len(items.values)),
    View: lambda lowering, array: array.axes[0].size if array.axes else None,
    Fields: lambda lowering, fields: fields.length,
    Range: _length_of_range,
    Static: _length_of_text,
}
"""What ``len`` is, by the class of the value; None where it is refused."""


def _truth_value(lowering: Lowering, arguments: list[Any], type: types.Type) -> Any:
    (value,) = arguments
    if value.kind is not None:
        return lowering.operators.apply(operator.gt, [lists.length_of(lowering, value), index_constant(0)], type)
    if isinstance(value, (Items, Static)):
        return lowering.builder.constant(bool(value.values if isinstance(value, Items) else value.value))
    return NotImplemented


def _is_instance(lowering: Lowering, arguments: list[Any], type: types.Type) -> Any:
    """Returns what Numba makes of ``isinstance``."""
    value_type = type_of(arguments[0])
    classes = listed(arguments[1])
    return lowering.builder.constant(any(ol_isinstance(value_type, type_of(cls))(None, None) for cls in classes))


def _type(lowering: Lowering, arguments: list[Any], type: types.Type) -> Any:
    is_number = len(arguments) == 1 and isinstance(arguments[0], (Constant, Scalar, Complex))
    return Static(np.dtype(str(type_of(arguments[0]))).type) if is_number else NotImplemented


def _dtype(lowering: Lowering, arguments: list[Any], type: types.Type) -> Any:
    is_known = len(arguments) == 1 and isinstance(arguments[0], Static)
    return Static(np.dtype(str(type.dtype))) if is_known else NotImplemented


def _frexp(lowering: Lowering, arguments: list[Any], type: types.Type) -> Any:
    partial = _LDEXP(COTANGENT, -_FREXP_EXPONENT(OPERANDS[0]))
    mantissa = _compute(lowering, type[0], frexp_mantissa, arguments, partial)
    return Items([mantissa, _compute(lowering, type[1], frexp_exponent, arguments, None)], type)


def _compute(lowering: Lowering, type: types.Type, function: Any, arguments: list[Any], partial: Partial) -> Scalar:
    """Lowers a function of a number with its ``partial``."""
    number, operation = lowering.operands.scalar(arguments[0]), lowering.builder.call_of(function, 1)
    return lowering.builder.compute(type, operation, [number], FUNCTION_COST, [partial])


RULES: dict[Any, Rule] = {
    **dict.fromkeys([set, Dict, Dict.empty], _mapping),
    **dict.fromkeys([list, List, List.empty_list], _list),
    dict: _dictionary,
    tuple: lambda lowering, arguments, _: arguments[0] if isinstance(arguments[0], Items) else NotImplemented,
    field_of: lambda lowering, arguments, _: containers.field_array(lowering, arguments[0], static_value(arguments[1])),
    len: _length,
    bool: _truth_value,
    isinstance: _is_instance,
    builtin_type: _type,
    np.dtype: _dtype,
    **dict.fromkeys([numba.literally, numba.literal_unroll], lambda lowering, arguments, _: arguments[0]),
    **dict.fromkeys([mark_try_block, end_try_block], lambda lowering, arguments, _: Static(None)),
    # What raises jumps to the handler itself. Numba compiles handlers of all exceptions only.
    exception_check: lambda lowering, arguments, _: Constant(False, types.boolean),
    exception_match: lambda lowering, arguments, _: Constant(True, types.boolean),
    length_of_iterator: lambda lowering, arguments, _: (
        arguments[0].iterable.count if isinstance(arguments[0], LoopState) else NotImplemented
    ),
    empty_inferred: lambda lowering, arguments, result_type: lowering.builder.allocate(
        result_type.dtype, list(map(lowering.operands.scalar, arguments[0].values)), "empty"
    ),
    divmod: lambda lowering, arguments, _: lowering.calls.inline(
        quotient_and_remainder, arguments, lowering.frame.error_model
    ),
    math.gamma: lambda lowering, arguments, result_type: _compute(
        lowering, result_type, math.gamma, arguments, COTANGENT * RESULT * digamma(OPERANDS[0])
    ),
    math.frexp: _frexp,
}
"""The rules by function."""
