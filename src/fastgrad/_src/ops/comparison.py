"""Comparisons, logic on booleans, and tests for NaN and infinity: all give booleans and no gradient."""

from __future__ import annotations

from functools import partial
from typing import Unpack

import numpy as np

from fastgrad._src.core.lowering import Elementwise
from fastgrad._src.core.operation import (
    ALL_DTYPES,
    BOOL_DTYPES,
    FLOAT_DTYPES,
    NUMERIC_DTYPES,
    REAL_DTYPES,
    Binary,
    Form,
    Operation,
    RowParts,
    elementwise,
)
from fastgrad._src.core.result_rules import broadcast_of
from fastgrad._src.scalars import terms
from fastgrad._src.scalars.formulas import ScalarOperation

_predicate = partial(elementwise, result=broadcast_of(bool))

equal = _predicate(
    "equal",
    """``x == y``, element by element, broadcast; never true for NaN.

    Args:
        x, y: tensors of one dtype.

    Example:
        >>> tf.equal([1, 2, 3], [1, 0, 3])
        <tf.Tensor: shape=(3,), dtype=bool, numpy=array([ True, False,  True])>
    """,
    run=np.equal,
    term=terms.EQUAL,
    dtypes=ALL_DTYPES,
)


def _comparison(
    name: str,
    sign: str,
    term: ScalarOperation,
    run: np.ufunc,
    example: str,
    dtypes: frozenset[np.dtype] = REAL_DTYPES,
    **row: Unpack[RowParts],
) -> Binary:
    comparison: Binary = _predicate(
        name,
        f"""``x {sign} y``, element by element, broadcast.

        Example:
            >>> tf.{name}([1, 2, 3], 2)
            <tf.Tensor: shape=(3,), dtype=bool, numpy=array({example})>
        """,
        run=run,
        term=term,
        dtypes=dtypes,
        **row,
    )
    return comparison


not_equal = _comparison("not_equal", "!=", terms.NOT_EQUAL, np.not_equal, "[ True, False,  True]", ALL_DTYPES)
less = _comparison("less", "<", terms.LESS, np.less, "[ True, False, False]")
less_equal = _comparison("less_equal", "<=", terms.LESS_EQUAL, np.less_equal, "[ True,  True, False]")
greater = _comparison("greater", ">", terms.GREATER, np.greater, "[False, False,  True]")
greater_equal = _comparison("greater_equal", ">=", terms.GREATER_EQUAL, np.greater_equal, "[False,  True,  True]")

logical_and = elementwise(
    "logical_and",
    "Whether both are true, element by element, broadcast; booleans only.",
    run=np.logical_and,
    term=terms.logical_and,
    dtypes=BOOL_DTYPES,
    simplifications=lambda rules: (rules.drop_neutral_operand(True, BOOL_DTYPES, 0, 1), rules.merge_equal_inputs),
)
logical_or = elementwise(
    "logical_or",
    "Whether one or both are true, element by element, broadcast; booleans only.",
    run=np.logical_or,
    term=terms.logical_or,
    dtypes=BOOL_DTYPES,
    simplifications=lambda rules: (rules.drop_neutral_operand(False, BOOL_DTYPES, 0, 1), rules.merge_equal_inputs),
)
logical_xor = elementwise(
    "logical_xor",
    "Whether exactly one is true, element by element, broadcast; booleans only.",
    run=np.logical_xor,
    term=terms.NOT_EQUAL,
    dtypes=BOOL_DTYPES,
)
logical_not = elementwise(
    "logical_not",
    "The opposite, element by element; booleans only.",
    run=np.logical_not,
    term=terms.logical_not,
    dtypes=BOOL_DTYPES,
    simplifications=lambda rules: (rules.cancel_involution,),
)

is_nan = _predicate("is_nan", "Whether an element is NaN.", run=np.isnan, term=terms.isnan, dtypes=FLOAT_DTYPES)
is_inf = _predicate(
    "is_inf",
    "Whether an element is positive or negative infinity.",
    run=np.isinf,
    term=terms.isinf,
    dtypes=FLOAT_DTYPES,
)
is_finite = _predicate(
    "is_finite",
    "Whether an element is neither infinite nor NaN.",
    run=np.isfinite,
    term=terms.isfinite,
    dtypes=FLOAT_DTYPES,
)

masked: Operation = Operation(
    "masked",
    lambda x, keep: np.where(keep, x, x.dtype.type(0)),
    form=Form.ELEMENTWISE,
    elementwise=Elementwise(terms.masked),
    dtypes=NUMERIC_DTYPES,
    doc="``x`` where ``keep`` is true, zero elsewhere, whatever ``x`` is there (NaN included): a part of gradients.",
)
