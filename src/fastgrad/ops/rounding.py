"""Rounding to whole numbers; rounding has no gradient."""

from __future__ import annotations

import numpy as np

from fastgrad.core.operation import FLOATING, SIGNED, elementwise

floor = elementwise(
    "floor",
    "The largest whole number not above ``x``, element by element.",
    run=np.floor,
    code="floor({0})",
    dtypes=FLOATING,
    simplifications=lambda rules: (rules.remove_repeated,),
)
ceil = elementwise(
    "ceil",
    "The smallest whole number not below ``x``, element by element.",
    run=np.ceil,
    code="ceil({0})",
    dtypes=FLOATING,
    simplifications=lambda rules: (rules.remove_repeated,),
)
rint = elementwise(
    "rint",
    "The nearest whole number, the even one of two that are equally near, element by element.",
    run=np.rint,
    code="rint({0})",
    dtypes=FLOATING,
    simplifications=lambda rules: (rules.remove_repeated,),
)
round = elementwise(
    "round",
    "The nearest whole number, the even one of two that are equally near, element by element; integers stay as they are.",
    run=lambda x: x if x.dtype.kind == "i" else np.rint(x),
    code="rint({0})",
    dtypes=FLOATING | SIGNED,
    simplifications=lambda rules: (rules.remove_repeated,),
)
