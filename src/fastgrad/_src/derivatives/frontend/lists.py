"""Lists of numbers, of arrays, and of tuples; a list of tuples is one list for each item of the tuples."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numba
import numpy as np
from numba import types
from numba.typed import List

from fastgrad._src.derivatives.frontend import array_lists, containers, methods
from fastgrad._src.derivatives.frontend import views as view_rules
from fastgrad._src.derivatives.ir.call_rules import CallRule
from fastgrad._src.derivatives.ir.operands import INDEX, Operand, Scalar, View, index_constant
from fastgrad._src.derivatives.ir.values import (
    ArrayList,
    Items,
    Iterable,
    Mapping,
    MappingView,
    NumberList,
    Range,
    Static,
    TupleList,
    describe,
    static_value,
)
from fastgrad._src.jit.generated_source import function_from_source
from fastgrad._src.jit.numba_internals import arg_sort_backwards, arg_sort_forwards

if TYPE_CHECKING:
    from fastgrad._src.derivatives.frontend.lowering import Lowering


def is_growable_list_type(type: types.Type) -> bool:
    """True if lists of a type may grow in a derivative."""
    if not isinstance(type, (types.List, types.ListType)):
        return False
    dtype = type.dtype
    if isinstance(dtype, types.BaseTuple):
        return len(dtype) > 0 and all(is_growable_list_type(types.List(types.unliteral(item))) for item in dtype)
    if isinstance(dtype, (types.Array, types.List)):
        dtype = dtype.dtype
    return isinstance(dtype, containers.NUMBERS)


def new_list(lowering: Lowering, type: types.Type, items: Sequence[Any]) -> Any:
    """Returns a new list of a type of which `is_growable_list_type` is true."""
    if isinstance(type.dtype, types.BaseTuple):
        columns = [types.List(types.unliteral(item)) for item in type.dtype]
        rows = [_items_of_tuple(lowering, item, len(columns)) for item in items]
        parts = [new_list(lowering, column, [row[n] for row in rows]) for n, column in enumerate(columns)]
        return TupleList(parts, type)
    if isinstance(type.dtype, (types.Array, types.List)):
        return array_lists.new_list(lowering, type, [*items])
    return containers.new_list(lowering, type, [*items])


def parameter(lowering: Lowering, name: str, type: types.Type, position: int) -> Any:
    """Returns a parameter that is a list of numbers, of arrays, or of lists of numbers; else a text why it can't be differentiated."""

    def part(field: str, dtype: types.Type, part_type: types.Type | None = None) -> Any:
        return containers.parameter_list(lowering, name, part_type or types.List(dtype), field, dtype, position)

    dtype = type.dtype
    if isinstance(dtype, containers.NUMBERS):
        return part("items", dtype, type)
    if isinstance(dtype, (types.Array, types.List, types.ListType)) and isinstance(dtype.dtype, containers.NUMBERS):
        sizes = [part(f"size_{axis}", INDEX) for axis in range(getattr(dtype, "ndim", 1))]
        return ArrayList(part("elements", dtype.dtype), part("starts", INDEX), tuple(sizes), type)
    return f"is of type {type} (pass a tuple: tuple({name.removeprefix('a_')}))"


def append_items(values, more):  # type: ignore[no-untyped-def]
    """Appends the items of another list."""
    for item in more:
        values.append(item)


def list_of(lowering: Lowering, type: types.Type, arguments: list[Any]) -> Any:
    """Lowers ``list(…)`` and ``List(…)`` of what a loop may go through, and empty lists, whose argument, if any, is the type of items."""
    source = arguments[0] if arguments else None
    if isinstance(source, Items):
        return new_list(lowering, type, source.values)
    if isinstance(type.dtype, containers.NUMBERS) and isinstance(source, View) and len(source.axes) == 1:
        return containers.list_of_array(lowering, type, source)
    if isinstance(type.dtype, containers.NUMBERS) and isinstance(source, Range):
        return containers.list_of_range(lowering, type, source)
    result = new_list(lowering, type, [])
    if source is not None and not isinstance(source, Static):
        lowering.calls.inline(append_items, [result, source])
    return result


@numba.njit
def slice_bounds(n, start, stop, step, is_typed):  # type: ignore[no-untyped-def]
    """Returns the first index of a slice of ``n`` items, where it ends, and the step, as Numba's lists do; typed ones ignore that of an empty list."""
    if is_typed and n == 0:
        return 0, 0, 1
    if step == 0:
        raise ValueError("slice step cannot be zero")
    low, high = (0, n) if step > 0 else (-1, n - 1)
    first = max(start + n, low) if start < 0 else min(start, high)
    last = max(stop + n, low) if stop < 0 else min(stop, high)
    return first, last, step


def assign_slice(values, start, stop, step, more, is_typed):  # type: ignore[no-untyped-def]
    """Assigns the items of a list to a slice of another one, which changes its length if the step is 1."""
    old, new = values.copy(), more.copy()
    start, stop, step = slice_bounds(len(old), start, stop, step, is_typed)
    count = len(range(start, stop, step))
    if step == 1:
        place = min(start, stop) if is_typed else start
        values.clear()
        for i in range(place):
            values.append(old[i])
        for item in new:
            values.append(item)
        for i in range(place + count, len(old)):
            values.append(old[i])
    else:
        if len(new) != count:
            raise ValueError("cannot resize extended list slice with step != 1")
        for k in range(count):
            values[start + k * step] = new[k]


def delete_slice(values, start, stop, step, is_typed):  # type: ignore[no-untyped-def]
    """Removes the items of a slice of a list."""
    if step != 1 and not is_typed:
        raise NotImplementedError("unsupported del list[start:stop:step] with step != 1")
    old = values.copy()
    start, stop, step = slice_bounds(len(old), start, stop, step, is_typed)
    values.clear()
    for i in range(len(old)):
        is_within = start <= i < stop if step > 0 else stop < i <= start
        if not is_within or (i - start) % step != 0:
            values.append(old[i])


def _bounds(lowering: Lowering, values: Any, index: view_rules.Slice) -> list[Operand]:
    """Returns the start, the stop and the step of a slice, and whether the list is a typed one."""
    builder = lowering.builder
    if isinstance(values, ArrayList):
        raise builder.refuse(
            "a slice of a list of arrays can't be assigned or deleted in a derivative; assign the items one by one"
        )
    step = index_constant(1) if index.step is None else index.step
    is_rising = lowering.operators.apply(operator.gt, [step, index_constant(0)], types.boolean)
    first, last = index_constant(0), index_constant(types.intp.maxval)
    start, stop = [
        lowering.calls.inline(chosen, [is_rising, *ends]) if bound is None else bound
        for bound, ends in ((index.start, (first, last)), (index.stop, (last, index_constant(types.intp.minval))))
    ]
    return [start, stop, step, builder.constant(isinstance(values.type, types.ListType))]


def chosen(condition, first, second):  # type: ignore[no-untyped-def]
    """Returns one of two numbers."""
    return first if condition else second


def set_slice(lowering: Lowering, values: Any, index: view_rules.Slice, more: Any) -> None:
    """Lowers the assignment of a slice of a list."""
    *bounds, is_typed = _bounds(lowering, values, index)
    if more is values and not is_typed.value:  # type: ignore[union-attr]  # a constant
        raise lowering.builder.refuse(
            "a list that is assigned to a slice of itself can't be differentiated: assign a copy"
        )
    if not more.is_list:
        more = list_of(lowering, values.type, [more])
    lowering.calls.inline(assign_slice, [values, *bounds, more, is_typed])


def delete_item(lowering: Lowering, values: Any, index: Any) -> None:
    """Lowers ``del`` of an item or a slice of a list."""
    if isinstance(index, view_rules.Slice):
        lowering.calls.inline(delete_slice, [values, *_bounds(lowering, values, index)])
    else:
        methods.call(lowering, values, "pop", [index], types.none)


# ---- the order of a sort ------------------------------------------------------------------------------------------


@numba.njit
def _sorting_positions(keys, is_reversed):  # type: ignore[no-untyped-def]
    """Returns the positions that sort an array or a list, as Numba's sort of lists does it."""
    return np.array(arg_sort_backwards(keys) if is_reversed else arg_sort_forwards(keys))


@functools.cache
def _sorting_rule(count: int) -> CallRule:
    """Returns the call of the function of ``count`` arrays of keys, whose rows are compared, that returns the positions that sort them."""
    names = [f"keys{number}" for number in range(count)]
    keys = names[0] if count == 1 else f"List(zip({', '.join(names)}))"
    text = f"def positions(is_reversed, {', '.join(names)}):\n    return sorting_positions({keys}, is_reversed)\n"
    function = function_from_source(
        "positions", text, f"<sort by {count} keys>", {"sorting_positions": _sorting_positions, "List": List}
    )
    return CallRule(numba.njit(function), None, None, (), name="sort of a list")


def sort_keys(values, key):  # type: ignore[no-untyped-def]
    """Returns the list of the keys of items."""
    return [key(item) for item in values]


def reorder(values, positions):  # type: ignore[no-untyped-def]
    """Puts the items of a list in another order."""
    old = values.copy()
    for i in range(len(old)):
        values[i] = old[positions[i]]


def _number_lists(values: Any) -> list[Any]:
    """Returns the lists of numbers that a list of tuples is made of."""
    return (
        [part for each in values.columns for part in _number_lists(each)] if isinstance(values, TupleList) else [values]
    )


def sort(lowering: Lowering, values: Any, key: Any = None, reverse: Any = None) -> None:
    """Lowers ``sort`` of a list."""
    builder, operators = lowering.builder, lowering.operators
    is_reversed: Any = builder.constant(bool(static_value(reverse)))
    if isinstance(reverse, Scalar):
        is_reversed = operators.apply(operator.ne, [reverse, index_constant(0)], types.boolean)
    has_key = isinstance(key, Static) and key.value is not None
    has_nan = not isinstance(values.type.dtype, (types.Integer, types.Boolean))
    if isinstance(values, NumberList) and not has_key and not has_nan:  # `np.sort` puts NaN last, Numba's lists do not
        containers.sort(lowering, values, is_reversed)
        return
    columns = _number_lists(lowering.calls.inline(sort_keys, [values, key]) if has_key else values)
    if not all(isinstance(column, NumberList) for column in columns):
        raise builder.refuse("sort of a list by keys that are no numbers can't be differentiated")
    keys = [containers.items_of(lowering, column) for column in columns]
    if any(isinstance(column.dtype, types.Complex) for column in keys):
        raise builder.refuse("sort of a list by complex numbers can't be differentiated")
    positions = lowering.calls.call_by_rule(_sorting_rule(len(keys)), [is_reversed, *keys], types.Array(INDEX, 1, "C"))
    lowering.calls.inline(reorder, [values, positions])


def _items_of_tuple(lowering: Lowering, value: Any, count: int) -> list[Any]:
    if not isinstance(value, Items) or len(value.values) != count:
        raise lowering.builder.refuse(f"{describe(value)} as an item of a list of tuples can't be differentiated")
    return value.values


def length_of(lowering: Lowering, values: Any) -> Operand:
    """Returns the length of a list, a dictionary or a set, as it is now."""
    return containers.length_of(lowering, values.list_of_same_length)


def item(lowering: Lowering, values: Any, index: Any, type: types.Type) -> Any:
    """Lowers an item or a slice of a list; ``type`` is that of the result."""
    return _ACCESSES[values.kind].item(lowering, values, index, type)


def set_item(lowering: Lowering, values: Any, index: Any, value: Any) -> None:
    """Lowers the assignment of an item or a slice of a list."""
    if isinstance(index, view_rules.Slice):
        set_slice(lowering, values, index, value)
    else:
        _ACCESSES[values.kind].set_item(lowering, values, index, value)


def iterable(lowering: Lowering, values: Any) -> Iterable:
    """Returns what a ``for`` loop over a list goes through."""
    return _ACCESSES[values.kind].iterable(lowering, values)


def _item_of_tuples(lowering: Lowering, values: TupleList, index: Any, type: types.Type) -> Any:
    if isinstance(index, view_rules.Slice):
        return TupleList([item(lowering, part, index, part.type) for part in values.columns], values.type)
    return Items([item(lowering, part, index, part.type.dtype) for part in values.columns], values.type.dtype)


def _set_item_of_tuples(lowering: Lowering, values: TupleList, index: Any, value: Any) -> None:
    for part, number in zip(values.columns, _items_of_tuple(lowering, value, len(values.columns)), strict=True):
        set_item(lowering, part, index, number)


def _iterable_of_tuples(lowering: Lowering, values: TupleList) -> Iterable:
    parts = [iterable(lowering, part) for part in values.columns]

    def item_at(k: Scalar) -> Items:
        return Items([part.item(k) for part in parts], values.type.dtype)

    return Iterable(parts[0].count, item_at, parts[0].lists)


class _Access(NamedTuple):
    """How items of a kind of lists are read, assigned, and gone through."""

    item: Callable[..., Any]
    set_item: Callable[..., None]
    iterable: Callable[..., Iterable]


_ACCESSES = {
    "list": _Access(containers.item, containers.set_item, containers.iterable),
    "list of arrays": _Access(array_lists.item, array_lists.set_item, array_lists.iterable),
    "list of tuples": _Access(_item_of_tuples, _set_item_of_tuples, _iterable_of_tuples),
}
"""The accesses by the ``kind`` of the list."""


def _extend(lowering: Lowering, values: Any, more: Any, *, name: str) -> Any:
    if isinstance(more, (Iterable, Mapping, MappingView, Range)):
        return lowering.calls.inline(append_items, [values, more])
    if isinstance(values, NumberList):
        return containers.extend(lowering, values, more)
    if isinstance(more, TupleList):
        _call_for_each(lowering, values, name, [[part] for part in more.columns])
        return None
    if not isinstance(more, Items):
        return NotImplemented
    for value in more.values:
        _append_or_insert(lowering, values, value, name="append")
    return None


def _append_or_insert(lowering: Lowering, values: TupleList, *arguments: Any, name: str) -> None:
    *index, value = arguments
    row = _items_of_tuple(lowering, value, len(values.columns))
    _call_for_each(lowering, values, name, [[*index, number] for number in row])


def _call_method(lowering: Lowering, values: TupleList, *arguments: Any, name: str) -> Any:
    results = _call_for_each(lowering, values, name, [[*arguments]] * len(values.columns))
    if name == "copy":
        return TupleList(results, values.type)
    return Items(results, values.type.dtype) if name == "pop" else None


def _call_for_each(lowering: Lowering, values: TupleList, name: str, calls: list[list[Any]]) -> list[Any]:
    """Calls a method of the list of each item of the tuples, with its arguments of ``calls``; returns the results."""
    return [
        methods.call(lowering, part, name, call, part.type if name == "copy" else part.type.dtype)
        for part, call in zip(values.columns, calls, strict=True)
    ]


methods.RULES["list of tuples"] = {
    **dict.fromkeys(["append", "insert"], _append_or_insert),
    **dict.fromkeys(["pop", "reverse", "clear", "copy"], _call_method),
}
for _kind in ("list", "list of tuples"):
    methods.RULES[_kind] |= {"extend": _extend, "sort": sort}
