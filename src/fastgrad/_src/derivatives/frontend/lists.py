"""Lists of numbers, of arrays, and of tuples; a list of tuples is one list for each item of the tuples."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from numba import types
from numba.typed import List

from fastgrad._src.derivatives.frontend import array_lists, containers, methods
from fastgrad._src.derivatives.frontend import views as view_rules
from fastgrad._src.derivatives.ir.call_rules import CallRule
from fastgrad._src.derivatives.ir.operands import INDEX, Scalar, View, index_constant
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


def parameter(lowering: Lowering, name: str, type: types.Type, position: int, column: str = "") -> Any:
    """Returns a parameter that is a list of numbers, of arrays, of lists of numbers, or of tuples of them; else a text why it can't be differentiated.

    ``column`` says which items of the tuples of the parameter are meant, as `list_fields.implementation` does.
    """

    def part(field: str, dtype: types.Type, part_type: types.Type | None = None) -> Any:
        list_type = part_type or types.List(dtype)
        return containers.parameter_list(lowering, name, list_type, f"{column}{field}", dtype, position)

    dtype = type.dtype
    if isinstance(dtype, containers.NUMBERS):
        return part("items", dtype, type)
    if isinstance(dtype, (types.Array, types.List, types.ListType)) and isinstance(dtype.dtype, containers.NUMBERS):
        sizes = [part(f"size_{axis}", INDEX) for axis in range(getattr(dtype, "ndim", 1))]
        return ArrayList(part("elements", dtype.dtype), part("starts", INDEX), tuple(sizes), type)
    if isinstance(dtype, types.BaseTuple) and len(dtype):
        columns = [
            parameter(lowering, name, types.List(types.unliteral(item)), position, f"{column}{number}.")
            for number, item in enumerate(dtype)
        ]
        return next((reason for reason in columns if isinstance(reason, str)), TupleList(columns, type))
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
    result = new_list(lowering, type, [])
    if source is not None and not isinstance(source, Static):
        lowering.calls.inline(append_items, [result, source])
    return result


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


def number_lists(values: Any) -> list[Any]:
    """Returns the lists of numbers that a list of tuples is made of."""
    return (
        [part for each in values.columns for part in number_lists(each)] if isinstance(values, TupleList) else [values]
    )


def sort(lowering: Lowering, values: Any, key: Any = None, reverse: Any = None) -> None:
    """Lowers ``sort`` of a list."""
    builder, operators = lowering.builder, lowering.operators
    is_reversed: Any = builder.constant(bool(static_value(reverse)))
    if isinstance(reverse, Scalar):
        is_reversed = operators.apply(operator.ne, [reverse, index_constant(0)], types.boolean)
    has_key = isinstance(key, Static) and key.value is not None
    columns = number_lists(lowering.calls.inline(sort_keys, [values, key]) if has_key else values)
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


def _iterable(lowering: Lowering, values: TupleList, *, name: str) -> Iterable:
    parts = _call_for_each(lowering, values, name, [[] for _ in values.columns])

    def item_at(k: Scalar) -> Items:
        return Items([part.item(k) for part in parts], values.type.dtype)

    return Iterable(parts[0].count, item_at, parts[0].lists)


def _extend(lowering: Lowering, values: Any, more: Any, *, name: str) -> Any:
    if isinstance(more, Items):
        for value in more.values:
            methods.call(lowering, values, "append", [value], types.none)
    elif isinstance(values, ArrayList):
        return NotImplemented
    elif isinstance(more, TupleList):
        _call_for_each(lowering, values, name, [[part] for part in more.columns])
    elif isinstance(more, (Iterable, Mapping, MappingView, Range)):
        lowering.calls.inline(append_items, [values, more])
    else:
        return containers.extend(lowering, values, more) if isinstance(values, NumberList) else NotImplemented
    return None


def _store(lowering: Lowering, values: TupleList, *arguments: Any, name: str) -> None:
    *index, value = arguments
    row = _items_of_tuple(lowering, value, len(values.columns))
    _call_for_each(lowering, values, name, [[*index, number] for number in row])


def _call_method(lowering: Lowering, values: TupleList, *arguments: Any, name: str) -> Any:
    results = _call_for_each(lowering, values, name, [[*arguments]] * len(values.columns))
    if name == "copy" or any(isinstance(argument, view_rules.Slice) for argument in arguments):
        return TupleList(results, values.type)
    return Items(results, values.type.dtype) if name in ("pop", "__getitem__") else None


def _call_for_each(lowering: Lowering, values: TupleList, name: str, calls: list[list[Any]]) -> list[Any]:
    """Calls a method of the list of each item of the tuples, with its arguments of ``calls``; returns the results."""
    return [
        methods.call(lowering, part, name, call, part.type) for part, call in zip(values.columns, calls, strict=True)
    ]


methods.RULES["list of tuples"] = {
    **dict.fromkeys(["append", "insert", "__setitem__"], _store),
    **dict.fromkeys(["pop", "reverse", "clear", "copy", "__getitem__"], _call_method),
    "__iter__": _iterable,
}
for _kind in ("list", "list of arrays", "list of tuples"):
    methods.RULES[_kind]["extend"] = _extend
for _kind in ("list", "list of tuples"):
    methods.RULES[_kind]["sort"] = sort
