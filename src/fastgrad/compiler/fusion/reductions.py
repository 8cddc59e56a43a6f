"""Reductions in kernels of groups: the combination of elements, and the operations before and after it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastgrad.compiler.fusion.scalar_casts import BOOL, FLOAT32, FLOAT64, INTEGER_DTYPES, body_type
from fastgrad.compiler.graph.graph import Node
from fastgrad.compiler.passes.rewriting import op_name
from fastgrad.core.operation import HALVES

_FLOAT32_AND_FLOAT64: frozenset[np.dtype] = frozenset({FLOAT32, FLOAT64})
_FLOAT_DTYPES: frozenset[np.dtype] = frozenset({*_FLOAT32_AND_FLOAT64, *HALVES})
_NUMERIC_DTYPES: frozenset[np.dtype] = frozenset({*_FLOAT_DTYPES, *INTEGER_DTYPES})


class Reduction(NamedTuple):
    """How kernels compute a reducing row: its combination, and expressions before and after.

    Attributes:
        combine: "sum", "product", "greatest" or "least".
        dtypes: of its input.
        before: the expression of an element before it is combined.
        after: the expression of the result; ``{number}`` is the total's dtype, ``reduced`` the number of its elements.
    """

    combine: str
    dtypes: frozenset[np.dtype]
    before: str = "{0}"
    after: str = "{0}"


REDUCTIONS = {
    "reduce_sum": Reduction("sum", _NUMERIC_DTYPES),
    "reduce_mean": Reduction("sum", _FLOAT_DTYPES, after="({0} / {number}(reduced))"),
    "reduce_euclidean_norm": Reduction("sum", _FLOAT32_AND_FLOAT64, "({0} * {0})", "math.sqrt({0})"),
    "reduce_prod": Reduction("product", _NUMERIC_DTYPES),
    "reduce_max": Reduction("greatest", _NUMERIC_DTYPES),
    "reduce_min": Reduction("least", _NUMERIC_DTYPES),
    "finite_maximum": Reduction(
        "greatest", _FLOAT_DTYPES, after="({0} if math.fabs({0}) < {number}(math.inf) else {number}(0))"
    ),
    "reduce_any": Reduction("greatest", frozenset([BOOL]), "(1 if {0} else 0)", "({0} != 0)"),
    "reduce_all": Reduction("least", frozenset([BOOL]), "(1 if {0} else 0)", "({0} != 0)"),
}
"""The reductions, by name of the row of the operation table."""

_CHANGES_SINGLE_ELEMENTS = frozenset({"reduce_euclidean_norm", "finite_maximum"})


def drops_unit_dimensions(node: Node) -> bool:
    """True if a reduction only drops dimensions of size 1, so that each result is made of one element."""
    shape = node.inputs[0].shape
    return all(shape[axis] == 1 for axis in node.attributes["axes"])


def only_drops_unit_dimensions(node: Node) -> bool:
    """True if a node is a reduction that only drops dimensions of size 1 and changes no value."""
    name = op_name(node)
    return name in REDUCTIONS and name not in _CHANGES_SINGLE_ELEMENTS and drops_unit_dimensions(node)


def reduction_result(name: str, total: str, dtype: np.dtype) -> str:
    """Returns the expression of the result of a reduction.

    Args:
        name: of the row.
        total: the name of the total.
        dtype: of the result.
    """
    reduction, number = REDUCTIONS[name], body_type(dtype)
    text = reduction.after.format(total if dtype == BOOL else f"{number}({total})", number=number)
    return f"rounded_to_{dtype.name}({text})" if dtype in HALVES and reduction.combine in {"sum", "product"} else text


def reduction_of_one_element(name: str, operand: str, dtype: np.dtype) -> str:
    """Returns the expression of the result of a reduction of one element."""
    return reduction_result(name, f"({REDUCTIONS[name].before.format(operand)})", dtype)


def lane_dtype(dtype: np.dtype) -> str:
    """Returns the dtype in which elements of a dtype are combined."""
    return "uint8" if dtype == BOOL else body_type(dtype)


def total_dtype(combine: str, dtype: np.dtype) -> str:
    """Returns the dtype of the totals of blocks."""
    return "float64" if combine == "sum" and dtype in _FLOAT_DTYPES else lane_dtype(dtype)


def neutral_element(combine: str, dtype_name: str) -> str:
    """Returns the neutral element of a combination; for sums -0.0, which keeps the sign of zero."""
    dtype = np.dtype(dtype_name)
    if combine == "sum":
        return f"{dtype_name}(-0.0)" if dtype.kind == "f" else f"{dtype_name}(0)"
    if combine == "product":
        return f"{dtype_name}(1)"
    sign = "-" if combine == "greatest" else ""
    if dtype.kind == "f":
        return f"{dtype_name}({sign}math.inf)"
    ends = np.iinfo(dtype)
    return f"{dtype_name}({ends.min if combine == 'greatest' else ends.max})"
