"""Lists of each kind: of numbers, of arrays, and of tuples, which are a list for each item of the tuples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from numba import types

from fastgrad.differentiation.frontend import array_lists, containers
from fastgrad.differentiation.frontend import views as view_rules
from fastgrad.differentiation.ir.representation import Operand, Scalar, View, refuse
from fastgrad.differentiation.ir.values import ArrayList, Items, Iterable, NumberList, Static, TupleList, describe

if TYPE_CHECKING:
    from fastgrad.differentiation.frontend.lowering import Lowering

LISTS = (ArrayList, NumberList, TupleList)


def has_kind(type: types.Type) -> bool:
    """True if lists of a type may grow in a derivative."""
    if not isinstance(type, (types.List, types.ListType)):
        return False
    dtype = type.dtype
    if isinstance(dtype, types.BaseTuple):
        return len(dtype) > 0 and all(has_kind(types.List(types.unliteral(item))) for item in dtype)
    if isinstance(dtype, (types.Array, types.List)):
        dtype = dtype.dtype
    return isinstance(dtype, containers.NUMBERS)


def new_list(lowering: Lowering, type: types.Type, items: Sequence[Any]) -> Any:
    """Returns a new list of a type of which `has_kind` is true."""
    if isinstance(type.dtype, types.BaseTuple):
        columns = [types.List(types.unliteral(item)) for item in type.dtype]
        rows = [_items_of_tuple(lowering, item, len(columns)) for item in items]
        parts = [new_list(lowering, column, [row[n] for row in rows]) for n, column in enumerate(columns)]
        return TupleList(parts, type)
    if isinstance(type.dtype, (types.Array, types.List)):
        return array_lists.new_list(lowering, type, [*items])
    return containers.new_list(lowering, type, [*items])


def append_items(values, more):  # type: ignore[no-untyped-def]
    """Appends the items of another list."""
    for item in more:
        values.append(item)


def list_of(lowering: Lowering, type: types.Type, arguments: list[Any]) -> Any:
    """Lowers ``list(…)`` and ``List(…)`` of tuples, arrays or lists, and empty lists, whose argument, if any, is the type of items."""
    source = arguments[0] if arguments else None
    if isinstance(source, Items):
        return new_list(lowering, type, source.values)
    result = new_list(lowering, type, [])
    if isinstance(source, LISTS):
        lowering.calls.inline(append_items, [result, source])
    elif source is not None and not isinstance(source, Static):
        raise refuse(f"a list of {describe(source)} can't be differentiated", lowering.builder.location)
    return result


def _items_of_tuple(lowering: Lowering, value: Any, count: int) -> list[Any]:
    if not isinstance(value, Items) or len(value.values) != count:
        raise refuse(
            f"{describe(value)} as an item of a list of tuples can't be differentiated", lowering.builder.location
        )
    return value.values


def length_of(lowering: Lowering, values: Any) -> Operand:
    """Returns the length of a list, as it is now."""
    while isinstance(values, TupleList):
        values = values.columns[0]
    return containers.length_of(lowering, values.starts if isinstance(values, ArrayList) else values)


def item(lowering: Lowering, values: Any, index: Any, type: types.Type) -> Any:
    """Lowers an item or a slice of a list; ``type`` is that of the result."""
    if not isinstance(values, TupleList):
        module = array_lists if isinstance(values, ArrayList) else containers
        return module.item(lowering, values, index, type)
    if isinstance(index, view_rules.Slice):
        return TupleList([item(lowering, part, index, part.type) for part in values.columns], values.type)
    return Items([item(lowering, part, index, part.type.dtype) for part in values.columns], values.type.dtype)


def set_item(lowering: Lowering, values: Any, index: Any, value: Any) -> None:
    """Lowers the assignment of an item of a list."""
    if not isinstance(values, TupleList):
        module = array_lists if isinstance(values, ArrayList) else containers
        module.set_item(lowering, values, index, value)
        return
    if isinstance(index, view_rules.Slice):
        raise refuse(
            "the assignment of a slice of a list of tuples can't be differentiated; assign the items one by one",
            lowering.builder.location,
        )
    for part, number in zip(values.columns, _items_of_tuple(lowering, value, len(values.columns)), strict=True):
        set_item(lowering, part, index, number)


def iterable(lowering: Lowering, values: Any) -> Iterable:
    """Returns what a ``for`` loop over a list goes through."""
    if isinstance(values, ArrayList):
        return array_lists.iterable(lowering, values)
    if isinstance(values, NumberList):
        count = containers.length_of(lowering, values)
        lists = (values,) if isinstance(values.length, View) else ()
        return Iterable(count, lambda k: view_rules.load_element(lowering.builder, values.data, [k]), lists)
    parts = [iterable(lowering, part) for part in values.columns]

    def item_at(k: Scalar) -> Items:
        return Items([part.item(k) for part in parts], values.type.dtype)

    return Iterable(parts[0].count, item_at, parts[0].lists)


def call_method(lowering: Lowering, values: Any, name: str, arguments: list[Any], type: types.Type) -> Any:
    """Lowers the call of a method of a list; ``type`` is that of the result."""
    if not isinstance(values, TupleList):
        module = array_lists if isinstance(values, ArrayList) else containers
        return module.call_method(lowering, values, name, arguments, type)
    if name in ("append", "insert"):
        *index, value = arguments
        row = _items_of_tuple(lowering, value, len(values.columns))
        calls: list[list[Any]] = [[*index, number] for number in row]
    elif name == "extend" and isinstance(arguments[0], TupleList):
        calls = [[part] for part in arguments[0].columns]
    elif name == "extend" and isinstance(arguments[0], Items):
        for value in arguments[0].values:
            call_method(lowering, values, "append", [value], types.none)
        return Static(None)
    elif name in ("pop", "reverse", "clear", "copy"):
        calls = [arguments for _ in values.columns]
    else:
        raise refuse(
            f"the method {name} of a list of tuples can't be differentiated; append the tuples one by one",
            lowering.builder.location,
        )
    results = [
        call_method(lowering, part, name, call, part.type if name == "copy" else part.type.dtype)
        for part, call in zip(values.columns, calls, strict=True)
    ]
    if name == "copy":
        return TupleList(results, values.type)
    return Items(results, values.type.dtype) if name == "pop" else Static(None)
