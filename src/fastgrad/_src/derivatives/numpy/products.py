"""Products of vectors and matrices. Products of float matrices are statements; other products are loops."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types

from fastgrad._src.derivatives.frontend import views as view_rules
from fastgrad._src.derivatives.frontend.array_expressions import materialize
from fastgrad._src.derivatives.functions.numba_types import number_type
from fastgrad._src.derivatives.ir.call_rules import ProductRule, SumOfProducts
from fastgrad._src.derivatives.ir.values import is_complex
from fastgrad._src.derivatives.numpy.elementwise_and_reductions import rank_of, register
from fastgrad._src.derivatives.numpy.loop_sources import common_size, loops_from_source

if TYPE_CHECKING:
    from fastgrad._src.derivatives.frontend.lowering import Lowering


def _product(a: Any, b: Any) -> Any:
    return np.dot(a, b)


def _tangent(ta: Any, tb: Any, y: Any, a: Any, b: Any, is_guarded: bool) -> Any:
    return (np.dot(ta, b) + np.dot(a, tb),)


def _tangent_by_first(ta: Any, y: Any, a: Any, b: Any, is_guarded: bool) -> Any:
    return (np.dot(ta, b),)


def _tangent_by_second(tb: Any, y: Any, a: Any, b: Any, is_guarded: bool) -> Any:
    return (np.dot(a, tb),)


RULE = ProductRule(
    SumOfProducts(((0, 1),), _product),
    {
        (0, 1): SumOfProducts(((0, 4), (3, 1)), _tangent),
        (0,): SumOfProducts(((0, 3),), _tangent_by_first),
        (1,): SumOfProducts(((2, 0),), _tangent_by_second),
    },
)
_LOOPS = {
    (1, 1): """def dot(a, b):
    total = zero
    for i in range(common_size(a.shape[0], b.shape[0])):
        total += a[i] * b[i]
    return total
""",
    (2, 1): """def dot(a, b):
    out = np.zeros(a.shape[0], dtype)
    for i in range(a.shape[0]):
        total = zero
        for k in range(common_size(a.shape[1], b.shape[0])):
            total += a[i, k] * b[k]
        out[i] = total
    return out
""",
    (1, 2): """def dot(a, b):
    out = np.zeros(b.shape[1], dtype)
    for k in range(common_size(b.shape[0], a.shape[0])):
        for j in range(b.shape[1]):
            out[j] += a[k] * b[k, j]
    return out
""",
    (2, 2): """def dot(a, b):
    out = np.zeros((a.shape[0], b.shape[1]), dtype)
    for i in range(a.shape[0]):
        for k in range(common_size(a.shape[1], b.shape[0])):
            for j in range(b.shape[1]):
                out[i, j] += a[i, k] * b[k, j]
    return out
""",
}


@register(np.dot, np.vdot, operator.matmul, method="dot")
def product(lowering: Lowering, first: Any, second: Any, *, result_type: types.Type) -> Any:
    """Lowers a product of vectors and matrices."""
    ranks = (rank_of(first), rank_of(second))
    if ranks not in _LOOPS:
        return lowering.operators.apply(operator.mul, [first, second], result_type) if 0 in ranks else NotImplemented
    dtype = number_type(result_type)
    is_real = dtype in (types.float32, types.float64) and not (is_complex(first) or is_complex(second))
    if ranks == (1, 1) or not is_real or lowering.builder.is_in_try:
        return lowering.calls.inline(loops_from_source(_LOOPS[ranks], dtype=str(dtype)), [first, second])
    first, second = (materialize(lowering, operand) for operand in (first, second))
    builder = lowering.builder
    builder.index(builder.call_of(common_size, 2), first.axes[-1].size, second.axes[0].size, is_natural=True)
    return lowering.calls.call_by_rule(RULE, [first, second], result_type)


@register(np.outer)
def _outer(lowering: Lowering, first: Any, second: Any, *, result_type: types.Type) -> Any:
    if (rank_of(first), rank_of(second)) != (1, 1):
        return NotImplemented
    columns = view_rules.subview(lowering.builder, first, [view_rules.FULL_SLICE, view_rules.NEW_AXIS])
    return lowering.operators.apply(operator.mul, [columns, second], result_type)
