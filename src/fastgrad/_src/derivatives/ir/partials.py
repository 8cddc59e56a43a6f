"""Partial derivatives of statements: terms of the cotangent of the result, the result, and the operands.

The term of an operand's partial is added to the operand's cotangent. The term is linear in the result's cotangent. Forward mode replaces that
cotangent by the tangent of the operand.
"""

from __future__ import annotations

import functools
import math
import operator
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import types

from fastgrad._src.jit.library_functions import njit_kept_on_disk
from fastgrad._src.scalars import terms
from fastgrad._src.scalars.formulas import (
    COTANGENT,
    OPERANDS,
    RESULT,
    Leaf,
    Number,
    ScalarOperation,
    Term,
    is_same,
    nodes_of,
    substitute,
    transform,
)
from fastgrad._src.scalars.terms import COMPARISONS, DIVIDE, EQUAL, FLOOR_DIVIDE, MULTIPLY, NOT, POWER, SELECT

Partial = Term | None
"""That of an operand; None if the statement has no derivative with respect to it."""


@njit_kept_on_disk(error_model="numpy")
def zero_product(factor, other):  # type: ignore[no-untyped-def]
    """Returns the product of two numbers; 0 if the first is 0, also where the other is infinite.

    A branch on the first factor would lose the derivative with respect to it at 0, so this is a function with rules.
    """
    return factor if factor == 0 else factor * other


@njit_kept_on_disk(error_model="numpy")
def zero_product_of_both(factor, other):  # type: ignore[no-untyped-def]
    """Returns the product of two numbers; 0 if one of them is 0, also where the other is infinite."""
    return factor if factor == 0 else other if other == 0 else factor * other


@njit_kept_on_disk(error_model="numpy")
def zero_product_of_infinite(derivative, tangent):  # type: ignore[no-untyped-def]
    """Returns the product of a derivative and a tangent: 0 if the tangent is 0, or if the derivative is 0 and the tangent infinite."""
    return tangent if tangent == 0 else derivative if derivative == 0 and math.isinf(tangent) else derivative * tangent


@njit_kept_on_disk(error_model="numpy")
def finite_product(tangent, derivative):  # type: ignore[no-untyped-def]
    """Returns the product of a tangent and a derivative: 0 if the tangent is 0, NaN if only the derivative is infinite."""
    return (
        tangent
        if tangent == 0
        else tangent * (derivative - derivative)
        if math.isinf(derivative)
        else tangent * derivative
    )


@njit_kept_on_disk(error_model="numpy")
def where(condition, if_true, if_false):  # type: ignore[no-untyped-def]
    """Returns ``if_true`` if the condition holds, else ``if_false``."""
    return if_true if condition else if_false


def call_operation(function: Callable[..., Any], arity: int) -> ScalarOperation:
    """Returns the operation that calls a function; the builder gives it its name in the text."""
    name = getattr(function, "py_func", function).__name__
    return ScalarOperation(
        f"{name}({', '.join(f'{{{number}}}' for number in range(arity))})", arity, function, name=name
    )


PRODUCTS = (zero_product, zero_product_of_both, zero_product_of_infinite, finite_product)
ZERO_PRODUCT, ZERO_PRODUCT_OF_BOTH, _ZERO_PRODUCT_OF_INFINITE, _FINITE_PRODUCT = [
    call_operation(product, 2) for product in PRODUCTS
]
GUARDS = {product.__name__: product for product in PRODUCTS}
"""What the code of guarded partials calls."""
_PRODUCTS = (MULTIPLY, DIVIDE, FLOOR_DIVIDE, POWER)


def float_constant(value: float, type: types.Type) -> Number:
    """Returns a constant of a floating type."""
    return Number(value, None if type == types.float64 else np.dtype(str(type)))


def derivative_of(partial: Term, type: types.Type) -> Term:
    """Returns the derivative in a partial of a result of ``type``: the partial for a cotangent of 1."""
    return substitute(partial, {COTANGENT: float_constant(1.0, type)})


def without_zeros(partial: Term, type: types.Type) -> Term:
    """Returns a partial that is 0 if the cotangent of the result is, also where the derivative is infinite."""
    return ZERO_PRODUCT(COTANGENT, derivative_of(partial, type))


def with_zero_cotangents(partial: Term) -> Term:
    """Returns a partial that is NaN where the cotangent is 0 and the derivative infinite."""
    return MULTIPLY(*partial.operands) if _is_zero_product_of_cotangent(partial) else partial


def _is_zero_product_of_cotangent(partial: Term) -> bool:
    return getattr(partial.operation, "function", None) is zero_product and partial.operands[0] is COTANGENT


def with_finite_derivatives(partial: Term, type: types.Type) -> Term:
    """Returns the partial of a tangent that is NaN where the derivative is infinite, unless the tangent is 0."""
    return partial if _is_of_numerator(partial) else _FINITE_PRODUCT(COTANGENT, derivative_of(partial, type))


def with_zero_derivatives(partial: Term, type: types.Type) -> Term:
    """Returns the partial of a tangent that is 0 where the derivative is 0 and the tangent infinite, but NaN where the tangent is NaN."""
    return _ZERO_PRODUCT_OF_INFINITE(derivative_of(partial, type), COTANGENT)


def _is_of_numerator(partial: Term) -> bool:
    """True for the partial of the numerator of a quotient."""
    return partial.operation is DIVIDE and partial.operands[0] is COTANGENT and partial.operands[1] is OPERANDS[1]


def guard(partial: Term, type: types.Type) -> Term:
    """Returns a partial that is 0 where the derivative is 0, whatever the cotangent is."""
    if _is_zero_product_of_cotangent(partial):
        return ZERO_PRODUCT_OF_BOTH(*partial.operands)
    if partial.operation is ZERO_PRODUCT and partial.operands[1] is COTANGENT:
        return partial
    if _is_of_numerator(partial) or not any(node.operation in _PRODUCTS for node in nodes_of(partial)):
        return partial
    return ZERO_PRODUCT(derivative_of(partial, type), COTANGENT)


def sums_by_operand(partials: Sequence[Partial], operands: Sequence[Any], type: types.Type) -> list[Partial]:
    """Returns partials, those of an operand that a statement reads several times as one: 0 where the sum of the derivatives is, as in ``x - x``."""
    of_operand: dict[Any, list[Term]] = defaultdict(list)
    for operand, partial in zip(operands, partials, strict=True):
        if partial is not None:
            of_operand[operand].append(partial)
    sums: list[Partial] = []
    for operand in operands:
        terms = of_operand.pop(operand, [])
        if len(terms) > 1:
            derivative = functools.reduce(operator.add, [derivative_of(term, type) for term in terms])
            terms = [ZERO_PRODUCT(derivative, COTANGENT)]
        sums.append(terms[0] if terms else None)
    return sums


def skip_zeros(partial: Term, type: types.Type) -> Term:
    """Returns a partial that is 0 where the cotangent of the result is, whatever the derivative is."""
    zero = float_constant(0.0, type)
    return SELECT(EQUAL(COTANGENT, zero), zero, partial)


def is_selection(partial: Partial) -> bool:
    """True if a partial gives the operand the cotangent or 0, as a condition decides."""
    operation = None if partial is None else partial.operation
    return operation is not None and (operation in (SELECT, terms.where) or operation.function is where)


def is_plain_selection(partial: Term) -> bool:
    """True if a partial gives the operand the cotangent or a constant, so it reads numbers to select only."""
    return is_selection(partial) and all(node.operation is None for node in partial.operands[1:])


def deciding_comparison(partials: Sequence[Partial]) -> Term | None:
    """Returns the comparison of the first two operands that decides which of them gets the cotangent; None if partials need more."""
    comparisons = [_comparison_in(partial) for partial in partials if partial is not None]
    first = comparisons[0] if comparisons else None
    return (
        first if first is not None and all(each is not None and is_same(each, first) for each in comparisons) else None
    )


def _comparison_in(partial: Term) -> Term | None:
    if partial.operation is not terms.where or partial.operands[1] is not COTANGENT:
        return None
    condition, _, otherwise = partial.operands
    condition = condition.operands[0] if condition.operation is NOT else condition
    is_comparison = condition.operation in COMPARISONS and [*map(id, condition.operands)] == [*map(id, OPERANDS[:2])]
    return condition if is_comparison and isinstance(otherwise, Number) and otherwise.value == 0 else None


class Decision(NamedTuple):
    """How a truth value decides whether an operand is taken.

    Attributes:
        position: of the truth value among the operands.
        takes_if: the truth value with which the operand is taken.
    """

    position: int
    takes_if: bool

    @property
    def opposite(self) -> Decision:
        """That of the operand which is taken otherwise."""
        return Decision(self.position, not self.takes_if)


def decision_of(partial: Partial) -> Decision | None:
    """Returns what decides whether an operand gets the whole cotangent or 0; None if the partial is another one."""
    if partial is None or not is_selection(partial):
        return None
    condition, if_true, if_false = partial.operands
    takes_if = if_true is COTANGENT
    other = if_false if takes_if else if_true
    if (not takes_if and if_false is not COTANGENT) or not isinstance(other, Number) or other.value != 0:
        return None
    if condition.operation is NOT:
        condition, takes_if = condition.operands[0], not takes_if
    return None if condition.position is None else Decision(condition.position, takes_if)


def with_operand(partial: Partial, comparison: Term, position: int) -> Partial:
    """Returns a partial that reads the operand at ``position`` for a comparison."""
    if partial is None:
        return None
    return transform(partial, lambda node: OPERANDS[position] if is_same(node, comparison) else None)


def reads_leaf(leaf: Leaf, partial: Term) -> bool:
    """True if a partial reads a leaf."""
    return any(node is leaf for node in nodes_of(partial))


def partial_of(partial: Term, operands: Sequence[Term | None], cotangent: Term, result: Term | None) -> Term:
    """Returns a partial of operands, a cotangent and a result; None stands for what it does not read."""
    values: dict[Term, Term] = {COTANGENT: cotangent}
    values.update({leaf: operand for leaf, operand in zip(OPERANDS, operands, strict=False) if operand is not None})
    if result is not None:
        values[RESULT] = result
    return substitute(partial, values)
