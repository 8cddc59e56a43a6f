"""Comparisons, logic on booleans, and tests for NaN and infinity: all give booleans and no gradient."""

from __future__ import annotations

from functools import partial

import numpy as np

from fastgrad.core.operation import ANY, BOOLEAN, FLOATING, NUMERIC, REAL, Form, Operation, elementwise
from fastgrad.core.result_rules import broadcast_of

_predicate = partial(elementwise, result=broadcast_of(bool))

equal = _predicate(
    "equal",
    """``x == y``, element by element, broadcast; never true for NaN.

    Args:
        x, y: tensors of one dtype.
    """,
    run=np.equal,
    code="{0} == {1}",
    dtypes=ANY,
)
not_equal = _predicate(
    "not_equal",
    "``x != y``, element by element, broadcast.",
    run=np.not_equal,
    code="{0} != {1}",
    dtypes=ANY,
)
less = _predicate(
    "less",
    "``x < y``, element by element, broadcast.",
    run=np.less,
    code="{0} < {1}",
    dtypes=REAL,
)
less_equal = _predicate(
    "less_equal",
    "``x <= y``, element by element, broadcast.",
    run=np.less_equal,
    code="{0} <= {1}",
    dtypes=REAL,
)
greater = _predicate(
    "greater",
    "``x > y``, element by element, broadcast.",
    run=np.greater,
    code="{0} > {1}",
    dtypes=REAL,
)
greater_equal = _predicate(
    "greater_equal",
    "``x >= y``, element by element, broadcast.",
    run=np.greater_equal,
    code="{0} >= {1}",
    dtypes=REAL,
)

logical_and = elementwise(
    "logical_and",
    "Whether both are true, element by element, broadcast; booleans only.",
    run=np.logical_and,
    code="{0} and {1}",
    dtypes=BOOLEAN,
)
logical_or = elementwise(
    "logical_or",
    "Whether one or both are true, element by element, broadcast; booleans only.",
    run=np.logical_or,
    code="{0} or {1}",
    dtypes=BOOLEAN,
)
logical_xor = elementwise(
    "logical_xor",
    "Whether exactly one is true, element by element, broadcast; booleans only.",
    run=np.logical_xor,
    code="{0} != {1}",
    dtypes=BOOLEAN,
)
logical_not = elementwise(
    "logical_not",
    "The opposite, element by element; booleans only.",
    run=np.logical_not,
    code="not {0}",
    dtypes=BOOLEAN,
)

is_nan = _predicate("is_nan", "Whether an element is NaN.", run=np.isnan, code="isnan({0})", dtypes=FLOATING)
is_inf = _predicate(
    "is_inf",
    "Whether an element is positive or negative infinity.",
    run=np.isinf,
    code="isinf({0})",
    dtypes=FLOATING,
)
is_finite = _predicate(
    "is_finite",
    "Whether an element is neither infinite nor NaN.",
    run=np.isfinite,
    code="isfinite({0})",
    dtypes=FLOATING,
)

masked: Operation = Operation(
    "masked",
    lambda x, keep: np.where(keep, x, x.dtype.type(0)),
    (lambda g, y, x, keep: masked(g, keep), None),
    form=Form.ELEMENTWISE,
    code="where({1}, {0}, 0)",
    dtypes=NUMERIC,
    doc="``x`` where ``keep`` is true, zero elsewhere, whatever ``x`` is there (NaN included): a part of gradients.",
)
