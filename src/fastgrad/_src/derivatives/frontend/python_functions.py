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

from fastgrad._src.derivatives.codegen.record_fields import field_of
from fastgrad._src.derivatives.frontend import complex_numbers, containers, lists, mappings
from fastgrad._src.derivatives.frontend.methods import apply_rule
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


@numba.njit
def hash_of_number(x):  # type: ignore[no-untyped-def]
    """Returns the hash of a number."""
    return hash(x)


@numba.njit
def hash_of_numbers(*numbers):  # type: ignore[no-untyped-def]
    """Returns the hash of a tuple of numbers."""
    return hash(numbers)


builtin_type = type
_LDEXP, _FREXP_EXPONENT = call_operation(math.ldexp, 2), call_operation(frexp_exponent, 1)


def quotient_and_remainder(x, y):  # type: ignore[no-untyped-def]
    """Returns ``divmod(x, y)``."""
    return x // y, x % y


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
    return NotImplemented if rule is None else apply_rule(rule, [lowering, *arguments], result_type=type)


def _mapping(lowering: Lowering, *arguments: Any, result_type: types.Type) -> Any:
    is_known = isinstance(result_type, mappings.TYPES)
    return mappings.new_mapping(lowering, result_type, [*arguments]) if is_known else NotImplemented


def _dictionary(lowering: Lowering, *items: Any, result_type: types.Type) -> Any:
    result = _mapping(lowering, result_type=result_type)
    if items and result is not NotImplemented:
        lowering.calls.inline(mappings.set_items, [result, *items])
    return result


def _list(lowering: Lowering, *arguments: Any, result_type: types.Type) -> Any:
    if not lists.is_growable_list_type(result_type) or (arguments and arguments[0].is_array and arguments[0].rank != 1):
        return NotImplemented
    return lists.list_of(lowering, result_type, [*arguments])


def _length(lowering: Lowering, value: Any) -> Any:
    rule = by_class(_LENGTHS, value)
    length = None if rule is None else rule(lowering, value)
    return NotImplemented if length is None else length


def _length_of_text(lowering: Lowering, value: Static) -> Operand | None:
    text = static_text(value)
    return None if text is None else lowering.builder.constant(len(text))


_LENGTHS: dict[type, Callable[[Any, Any], Operand | None]] = {
    **dict.fromkeys([Mapping, values.List], containers.length_of),
    MappingView: lambda lowering, view: containers.length_of(lowering, view.mapping),
    Items: lambda lowering, items: index_constant(len(items.values)),
    View: lambda lowering, array: array.axes[0].size if array.axes else None,
    Fields: lambda lowering, fields: fields.length,
    Range: lambda lowering, value: lowering.builder.index(
        AT_LEAST_0, lowering.iteration.iterable(value).count, is_natural=True
    ),
    Static: _length_of_text,
}
"""What ``len`` is, by the class of the value; None where it is refused."""


def _truth_value(lowering: Lowering, value: Any, *, result_type: types.Type) -> Any:
    if value.kind is not None:
        return lowering.operators.apply(
            operator.gt, [containers.length_of(lowering, value), index_constant(0)], result_type
        )
    if isinstance(value, (Items, Static)):
        return lowering.builder.constant(bool(value.values if isinstance(value, Items) else value.value))
    return NotImplemented


def _is_instance(lowering: Lowering, value: Any, classes: Any) -> Constant:
    """Returns what Numba makes of ``isinstance``."""
    tests = [ol_isinstance(type_of(value), type_of(cls))(None, None) for cls in listed(classes)]
    return lowering.builder.constant(any(tests))


def _type(lowering: Lowering, value: Any) -> Any:
    is_number = isinstance(value, (Constant, Scalar, Complex))
    return Static(np.dtype(str(type_of(value))).type) if is_number else NotImplemented


def _dtype(lowering: Lowering, value: Any, *, result_type: types.Type) -> Any:
    return Static(np.dtype(str(result_type.dtype))) if isinstance(value, Static) else NotImplemented


def _frexp(lowering: Lowering, value: Any, *, result_type: types.BaseTuple) -> Items:
    partial = _LDEXP(COTANGENT, -_FREXP_EXPONENT(OPERANDS[0]))
    mantissa = _compute(lowering, result_type[0], frexp_mantissa, value, partial)
    return Items([mantissa, _compute(lowering, result_type[1], frexp_exponent, value, None)], result_type)


def _hash(lowering: Lowering, value: Any, *, result_type: types.Type) -> Any:
    numbers = listed(value)
    if not all(isinstance(number, (Constant, Scalar)) for number in numbers):
        return NotImplemented
    function = hash_of_numbers if isinstance(value, Items) else hash_of_number
    return lowering.builder.compute(
        result_type, lowering.builder.call_of(function, len(numbers)), numbers, FUNCTION_COST
    )


def _compute(lowering: Lowering, type: types.Type, function: Any, value: Any, partial: Partial) -> Scalar:
    """Lowers a function of a number with its ``partial``."""
    number, operation = lowering.operands.scalar(value), lowering.builder.call_of(function, 1)
    return lowering.builder.compute(type, operation, [number], FUNCTION_COST, [partial])


RULES: dict[Any, Callable[..., Any]] = {
    **dict.fromkeys([set, Dict, Dict.empty], _mapping),
    **dict.fromkeys([list, List, List.empty_list], _list),
    dict: _dictionary,
    tuple: lambda lowering, value: value if isinstance(value, Items) else NotImplemented,
    field_of: lambda lowering, owner, name: containers.field_array(lowering, owner, static_value(name)),
    len: _length,
    sorted: mappings.sorted_keys,
    bool: _truth_value,
    isinstance: _is_instance,
    builtin_type: _type,
    np.dtype: _dtype,
    **dict.fromkeys([numba.literally, numba.literal_unroll], lambda lowering, value: value),
    **dict.fromkeys([mark_try_block, end_try_block], lambda lowering, *_: Static(None)),
    # What raises jumps to the handler itself. Numba compiles handlers of all exceptions only.
    exception_check: lambda lowering, *_: Constant(False, types.boolean),
    exception_match: lambda lowering, *_: Constant(True, types.boolean),
    length_of_iterator: lambda lowering, state: (
        state.iterable.count if isinstance(state, LoopState) else NotImplemented
    ),
    empty_inferred: lambda lowering, shape, *, result_type: lowering.builder.allocate(
        result_type.dtype, list(map(lowering.operands.array_size, shape.values)), "empty"
    ),
    divmod: lambda lowering, x, y: lowering.calls.inline(quotient_and_remainder, [x, y], lowering.frame.error_model),
    math.gamma: lambda lowering, value, *, result_type: _compute(
        lowering, result_type, math.gamma, value, COTANGENT * RESULT * digamma(OPERANDS[0])
    ),
    math.frexp: _frexp,
    hash: _hash,
}
"""The rules by function, of the lowering and the arguments, see `apply_rule`."""
