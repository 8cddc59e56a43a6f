"""The functions of Python and NumPy that are instructions in the LLVM IR of a derivative, for numbers and new arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types

from fastgrad._src.derivatives.runtime.code_values import Value
from fastgrad._src.scalars import terms
from fastgrad._src.scalars.formulas import ScalarOperation

if TYPE_CHECKING:
    from fastgrad._src.derivatives.runtime.code_expressions import Expressions


def _number_of(dtype: Any) -> Callable[[Expressions, list[Value]], Value | None]:
    def converted(expressions: Expressions, arguments: list[Value]) -> Value | None:
        (value,) = [expressions.as_value(argument) for argument in arguments]
        type = getattr(types, np.dtype(dtype).name if dtype is not bool else "boolean")
        if not isinstance(value.type, (types.Integer, types.Float, types.Boolean)):
            return None
        return Value(type, expressions.truth(value) if dtype is bool else expressions.cast(value, type))

    return converted


def _extreme(comparison: ScalarOperation) -> Callable[[Expressions, list[Value]], Value | None]:
    """Returns the rule of ``max`` or ``min``, as Numba computes them: a later number takes the place of an earlier one if it compares so."""

    def extreme(expressions: Expressions, arguments: list[Value]) -> Value | None:
        values = [expressions.as_value(argument) for argument in arguments]
        if len(values) < 2 or not all(isinstance(value.type, (types.Integer, types.Float)) for value in values):
            return None
        best = values[0]
        for value in values[1:]:
            type = expressions.unified(best, value)
            first, second = [Value(type, expressions.cast(each, type)) for each in (best, value)]
            is_chosen = expressions.compared(comparison, second, first).llvm
            best = Value(type, expressions.builder.select(is_chosen, second.llvm, first.llvm))
        return best

    return extreme


def _array_maker(is_zero: bool) -> Callable[[Expressions, list[Value]], Value | None]:
    def make(expressions: Expressions, arguments: list[Value]) -> Value | None:
        shape, dtype = arguments
        if dtype.python is None:
            return None
        dtype_type = expressions.type_of_outside(dtype.python)
        item = getattr(dtype_type, "dtype", None)
        if not isinstance(item, (types.Integer, types.Float, types.Boolean)):
            return None
        is_tuple = shape.items is not None or isinstance(shape.type, types.BaseTuple)
        return expressions.new_array(expressions.items_of(shape) if is_tuple else [shape], item, is_zero)

    return make


FUNCTION_RULES: dict[Any, Callable[[Expressions, list[Value]], Value | None]] = {
    max: _extreme(terms.GREATER),
    min: _extreme(terms.LESS),
    np.empty: _array_maker(is_zero=False),
    np.zeros: _array_maker(is_zero=True),
    **{kind: _number_of(kind) for kind in (np.int64, np.float64, np.float32, bool)},
}
"""Rules return None for arguments that they do not know: Numba's implementation is called."""
