"""Lowering of advanced indexing: reads and assignments of elements that integer arrays, or a mask, select.

Integers and slices in the same subscript give a view first. The loops traverse the axes of the result in order, as in Numba.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import types

from fastgrad._src.derivatives.frontend import views as view_rules
from fastgrad._src.derivatives.frontend.array_expressions import broadcast, joint_sizes, may_share
from fastgrad._src.derivatives.ir.operands import Constant, Operand, Scalar, View
from fastgrad._src.derivatives.ir.values import Items
from fastgrad._src.derivatives.numpy.loop_sources import (
    assigned_step,
    broadcast_step,
    common_size,
    copy_loops,
    loops_from_source,
)

if TYPE_CHECKING:
    from fastgrad._src.derivatives.frontend.lowering import Lowering


class _Selection(NamedTuple):
    """What indices select.

    Attributes:
        view: the view that integers and slices give, with all elements along the axes that arrays index.
        axes: the numbers of these axes.
        places: the arrays of integers, all of one shape.
        first: where the axes of ``places`` are in the result; the other axes of the view are around them.
        is_checked: whether an index may be beyond the end of its axis.
    """

    view: View
    axes: list[int]
    places: list[View]
    first: int
    is_checked: bool

    @property
    def order(self) -> list[tuple[bool, int]]:
        """Returns for each axis of the result whether it is one of ``places``, and its number there or in the view."""
        rest = [(False, number) for number in range(len(self.view.axes)) if number not in self.axes]
        selected = [(True, number) for number in range(len(self.places[0].axes))]
        return [*rest[: self.first], *selected, *rest[self.first :]]

    def sizes(self) -> list[Operand]:
        """Returns the sizes of the result."""
        return [(self.places[0] if is_place else self.view).axes[number].size for is_place, number in self.order]


def true_positions(mask, size):  # type: ignore[no-untyped-def]
    """Returns the positions of the elements of a mask that are True; the mask has ``size`` elements."""
    common_size(mask.shape[0], size)
    return np.nonzero(mask)[0]


def _selection(lowering: Lowering, array: View, indices: list[Any]) -> _Selection:
    builder = lowering.builder
    if any(index is view_rules.NEW_AXIS for index in indices):
        raise builder.refuse("a new axis beside an index array can't be differentiated")
    indices = view_rules.with_all_slices(indices, len(array.axes))
    arrays = [index for index in indices if isinstance(index, View)]
    is_mask = any(isinstance(index.dtype, types.Boolean) for index in arrays)
    if is_mask and (len(arrays) > 1 or len(arrays[0].axes) != 1):
        raise builder.refuse("a mask of several axes, or beside an index array, can't be differentiated")
    view = view_rules.subview(
        builder, array, [view_rules.FULL_SLICE if isinstance(index, View) else index for index in indices]
    )
    kept = [number for number, index in enumerate(indices) if not isinstance(index, (Constant, Scalar))]
    axes = [number for number, position in enumerate(kept) if isinstance(indices[position], View)]
    if is_mask:
        size = view.axes[axes[0]].size
        return _Selection(view, axes, [lowering.calls.inline(true_positions, [arrays[0], size])], axes[0], False)
    # Integers count as index arrays: if a slice is between two of them, the axes of the selection are the first ones.
    together = [number for number, index in enumerate(indices) if isinstance(index, (Constant, Scalar, View))]
    is_one_group = together[-1] - together[0] + 1 == len(together)
    first = sum(position < together[0] for position in kept) if is_one_group else 0
    integers = [_as_signed_indices(lowering, array) for array in arrays]
    sizes = joint_sizes(builder, [array.sizes for array in integers])
    places = [broadcast(builder, array, sizes, broadcast_step) for array in integers]
    return _Selection(view, axes, places, first, True)


def _as_signed_indices(lowering: Lowering, array: View) -> View:
    """Returns an index array; one of uint64, whose sum with a size is a float in Numba, as one of int64."""
    if array.dtype != types.uint64:
        return array
    result: View = lowering.calls.inline(copy_loops(len(array.axes), "int64"), [array])
    return result


@functools.cache
def _loops(order: tuple[tuple[bool, int], ...], axes: tuple[int, ...], is_checked: bool, value: str, dtype: str) -> Any:
    """Returns the loops that read the elements of a selection to a new array, or with a text for ``value`` write them."""
    names = [f"p{number}" for number in range(len(axes))]
    sizes = [f"{'p0' if is_place else 'a'}.shape[{number}]" for is_place, number in order]
    variables = [f"{'j' if is_place else 'i'}{number}" for is_place, number in order]
    place = ", ".join(variable for variable, (is_place, _) in zip(variables, order, strict=True) if is_place)
    source_rank = sum(not is_place for is_place, _ in order) + len(axes)
    within = [f"k{axes.index(number)}" if number in axes else f"i{number}" for number in range(source_rank)]
    element, number = f"a[{', '.join(within)}]", f"[{', '.join(variables)}]"
    lines = [f"def {'put' if value else 'take'}(a, {', '.join(names)}{', value' if value else ''}):"]
    if not value:
        lines.append(f"    out = np.empty(({''.join(f'{size}, ' for size in sizes)}), dtype)")
    last = max(depth for depth, (is_place, _) in enumerate(order) if is_place)
    for depth, (variable, size) in enumerate(zip(variables, sizes, strict=True)):
        lines.append("    " * (depth + 1) + f"for {variable} in range({size}):")
        if depth == last:
            for k, (name, axis) in enumerate(zip(names, axes, strict=True)):
                index = f"checked_index({name}[{place}], a.shape[{axis}])" if is_checked else f"{name}[{place}]"
                lines.append("    " * (depth + 2) + f"k{k} = {index}")
    statement = f"{element} = {value.format(number)}" if value else f"out{number} = {element}"
    lines += ["    " * (len(order) + 1) + statement, f"    return {'0' if value else 'out'}", ""]
    return loops_from_source("\n".join(lines), dtype=dtype)


def select(lowering: Lowering, array: View, indices: list[Any]) -> View:
    """Lowers a read by arrays of integers or a mask."""
    selection = _selection(lowering, array, indices)
    loops = _loops(tuple(selection.order), tuple(selection.axes), selection.is_checked, "", str(array.dtype))
    result: View = lowering.calls.inline(loops, [selection.view, *selection.places])
    return result


def assign_selected(lowering: Lowering, array: View, indices: list[Any], value: Any) -> None:
    """Lowers an assignment to the elements that arrays of integers or a mask select."""
    for index in indices:
        if isinstance(index, View) and index.dtype == array.dtype and may_share(array, index):
            is_mask = isinstance(index.dtype, types.Boolean)
            if len(array.axes) > 1 or (is_mask and not array.has_same_elements(index)):
                raise lowering.builder.refuse(
                    "an assignment whose indices are elements of the same array can't be differentiated; copy them first"
                )
    if isinstance(value, Items):
        value = lowering.array_functions.as_array(lowering, value)
    if value.is_array and value.axes and may_share(array, value):
        value = lowering.array_functions.copy(lowering, value)
    selection = _selection(lowering, array, indices)
    sizes = selection.sizes()
    if not (value.is_array and value.axes):
        text, value = "value", lowering.operands.number(value)
    elif len(value.axes) > len(sizes):
        raise lowering.builder.refuse("an array of more axes than those it is assigned to can't be differentiated")
    else:
        text, value = "value{}", broadcast(lowering.builder, value, sizes, assigned_step)
    loops = _loops(tuple(selection.order), tuple(selection.axes), selection.is_checked, text, str(array.dtype))
    lowering.calls.inline(loops, [selection.view, *selection.places, value])
