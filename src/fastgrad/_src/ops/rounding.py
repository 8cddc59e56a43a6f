"""Rounding to whole numbers; rounding has no gradient."""

from __future__ import annotations

from functools import partial

import numpy as np

from fastgrad._src.core.operation import FLOAT_DTYPES, SIGNED_DTYPES, elementwise
from fastgrad._src.scalars import terms

_rounding = partial(elementwise, dtypes=FLOAT_DTYPES, simplifications=lambda rules: (rules.merge_idempotent,))

floor = _rounding(
    "floor", "The largest whole number not above ``x``, element by element.", run=np.floor, term=terms.floor
)
ceil = _rounding("ceil", "The smallest whole number not below ``x``, element by element.", run=np.ceil, term=terms.ceil)
rint = _rounding(
    "rint",
    "The nearest whole number, the even one of two that are equally near, element by element.",
    run=np.rint,
    term=terms.rint,
)
round = _rounding(
    "round",
    "The nearest whole number, the even one of two that are equally near, element by element; integers stay as they are.",
    run=lambda x: x if x.dtype.kind == "i" else np.rint(x),
    term=terms.rint,
    dtypes=FLOAT_DTYPES | SIGNED_DTYPES,
)
