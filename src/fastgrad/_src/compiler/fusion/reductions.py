"""Reductions in kernels of groups: dtypes of totals, neutral elements, and expressions of results."""

from __future__ import annotations

import numpy as np

from fastgrad._src.compiler.fusion.scalar_casts import BOOL, compute_type
from fastgrad._src.compiler.graph.graph import Node
from fastgrad._src.core.lowering import Reducer
from fastgrad._src.core.operation import FLOAT_DTYPES, HALF_DTYPES


def drops_unit_dimensions(node: Node) -> bool:
    """True if a reduction only drops dimensions of size 1, so that each result is made of one element."""
    shape = node.inputs[0].shape
    return all(shape[axis] == 1 for axis in node.attributes["axes"])


def only_drops_unit_dimensions(node: Node) -> bool:
    """True if a node is a reduction that only drops dimensions of size 1 and changes no value."""
    reducer = node.lowering.reducer
    return reducer is not None and reducer.is_identity_on_one_element and drops_unit_dimensions(node)


def reduction_result(reducer: Reducer, total: str, dtype: np.dtype) -> str:
    """Returns the expression of the result of a reduction.

    Args:
        reducer: of the row.
        total: the name of the total.
        dtype: of the result.
    """
    number = compute_type(dtype)
    text = reducer.result_code.format(total if dtype == BOOL else f"{number}({total})", number=number)
    return (
        f"rounded_to_{dtype.name}({text})" if dtype in HALF_DTYPES and reducer.combine in {"sum", "product"} else text
    )


def reduction_of_one_element(reducer: Reducer, operand: str, dtype: np.dtype) -> str:
    """Returns the expression of the result of a reduction of one element."""
    return reduction_result(reducer, f"({reducer.element_code.format(operand)})", dtype)


def lane_dtype(dtype: np.dtype) -> str:
    """Returns the dtype in which elements of a dtype are combined."""
    return "uint8" if dtype == BOOL else compute_type(dtype)


def total_dtype(combine: str, dtype: np.dtype) -> str:
    """Returns the dtype of the totals of blocks."""
    return "float64" if combine == "sum" and dtype in FLOAT_DTYPES else lane_dtype(dtype)


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
