"""The functions of Python and NumPy that are instructions in the LLVM IR of a derivative, for numbers and new arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from llvmlite import ir as llvm_ir
from numba import types

from fastgrad._src.derivatives.codegen.code_values import Value
from fastgrad._src.derivatives.codegen.matrix_products import FLAT, MOST_UNROLLED, add_product
from fastgrad._src.scalars import terms
from fastgrad._src.scalars.formulas import ScalarOperation

if TYPE_CHECKING:
    from fastgrad._src.derivatives.codegen.code_expressions import Expressions


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


def _unrolled_product(expressions: Expressions, arguments: list[Value]) -> Value | None:
    """Adds a product of matrices of constant shapes, whose elements it loads once each; the sums have the order of loops."""
    forms, *matrices, is_guarded = arguments
    if forms.constant != FLAT * 3 or is_guarded.constant is not False:
        return None
    shapes = [[number.constant for number in matrix.items[2:]] for matrix in matrices if matrix.items is not None]
    if len(shapes) < 3 or not all(isinstance(number, int) for shape in shapes for number in shape):
        return None
    (rows, columns, *_), (_, common, *_), _ = shapes
    if rows * columns * common > MOST_UNROLLED:
        return None
    builder = expressions.builder

    def elements(number: int) -> dict[tuple[int, int], Any]:
        """Returns the pointers to the elements of a matrix."""
        array, start, *_ = matrices[number].items  # type: ignore[misc]
        rows, columns, row_step, column_step = shapes[number]
        first = builder.gep(expressions.field(array, "data"), [expressions.cast(start, types.intp)])
        return {
            (row, column): builder.gep(first, [llvm_ir.IntType(64)(row * row_step + column * column_step)])
            for row in range(rows)
            for column in range(columns)
        }

    sums, *factors = map(elements, range(3))
    first, second = [{place: builder.load(pointer) for place, pointer in each.items()} for each in factors]
    for (row, column), pointer in sums.items():
        total = builder.load(pointer)
        for place in range(common):
            total = builder.fadd(total, builder.fmul(first[row, place], second[place, column]))
        builder.store(total, pointer)
    return expressions.constant(None)


FUNCTION_RULES: dict[Any, Callable[[Expressions, list[Value]], Value | None]] = {
    max: _extreme(terms.GREATER),
    min: _extreme(terms.LESS),
    add_product: _unrolled_product,
    np.empty: _array_maker(is_zero=False),
    np.zeros: _array_maker(is_zero=True),
    **{kind: _number_of(kind) for kind in (np.int64, np.float64, np.float32, bool)},
}
"""Rules return None for arguments that they do not know: Numba's implementation is called."""
