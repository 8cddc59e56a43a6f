"""Lists of arrays, and lists of lists of numbers: a list of the elements of all items, with the start and the sizes of each item.

Numba's list holds the arrays themselves. This list holds copies. `Aliases` proves that the program can't tell the difference: neither the array nor the item is written
while the other is used, and an inner list does not change its length.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from numba import types

from fastgrad._src.derivatives.frontend import array_expressions, containers, methods
from fastgrad._src.derivatives.frontend import views as view_rules
from fastgrad._src.derivatives.ir.operands import INDEX, Axis, Operand, Root, View, index_constant
from fastgrad._src.derivatives.ir.statements import Grow, Statement, Store
from fastgrad._src.derivatives.ir.values import ArrayList, Items, Iterable, NumberList, TupleList, describe, tuple_of
from fastgrad._src.scalars.terms import MULTIPLY

if TYPE_CHECKING:
    from fastgrad._src.derivatives.frontend.lowering import Lowering

_INTEGERS = types.List(INDEX)


def new_list(lowering: Lowering, type: types.Type, items: list[Any]) -> ArrayList:
    """Returns a new list of arrays."""
    elements = containers.new_list(lowering, types.List(type.dtype.dtype), [])
    rank = getattr(type.dtype, "ndim", 1)
    starts, *sizes = [containers.new_list(lowering, _INTEGERS, []) for _ in range(1 + rank)]
    result = ArrayList(elements, starts, tuple(sizes), type)
    for item in items:
        methods.call(lowering, result, "append", [item], types.none)
    return result


@contextlib.contextmanager
def _noting_length_writes(lowering: Lowering, values: ArrayList, item: Any) -> Iterator[None]:
    """Notes that the statements of its block write the length of an item; `Aliases` proves that a list which is the item keeps its length."""
    with _captured_statements(lowering) as statements:
        yield
    if isinstance(item, NumberList) and isinstance(item.length, View):
        _note_copy(lowering, values.sizes[0].data.root, item.length.root, statements)


@contextlib.contextmanager
def _captured_statements(lowering: Lowering) -> Iterator[list[Statement]]:
    """Yields a list that has, after the block, the statements that it appended."""
    function, block = lowering.builder.function, lowering.builder.block
    count, block_count = len(block.statements), len(function.blocks)
    statements: list[Statement] = []
    yield statements
    for part in (block.statements[count:], *[other.statements for other in function.blocks[block_count:]]):
        statements += part


def _note_copy(lowering: Lowering, elements: Root, source: Root, statements: list[Statement]) -> None:
    """Notes for `Aliases` that statements write elements of an array that Numba does not copy."""
    function = lowering.builder.function
    written = [statement for statement in statements if isinstance(statement, (Grow, Store))]
    first = next(statement for statement in written if statement.root is elements)
    function.appended[first] = source
    stores = {statement for statement in written if isinstance(statement, Store) and statement.root is elements}
    function.fills.setdefault(elements, set()).update(stores)


def _spans(values: ArrayList) -> TupleList:
    """Returns the list of the starts and the sizes of the items."""
    return TupleList([values.starts, *values.sizes], types.List(types.UniTuple(INDEX, 1 + len(values.sizes))))


def _append_elements(lowering: Lowering, values: ArrayList, array: Any) -> list[Operand]:
    """Appends the elements of an array to those of all items; returns its start and its sizes."""
    builder = lowering.builder
    if isinstance(array, Items) and isinstance(values.type.dtype, types.List):
        array = containers.new_list(lowering, values.type.dtype, array.values)
    if isinstance(array, NumberList):
        array = containers.items_of(lowering, array)
    array = array_expressions.materialize(lowering, array)
    if not array.is_array or len(array.axes) != len(values.sizes) or array.dtype != values.type.dtype.dtype:
        raise builder.refuse(
            f"{describe(array)} as an item of a list of arrays can't be differentiated; append arrays of one type"
        )
    sizes = array.sizes
    with _captured_statements(lowering) as statements:
        start = containers.resize(lowering, values.elements, view_rules.product(builder, sizes))
        lowering.array_functions.assign(lowering, _view_of(lowering, values, start, sizes), array)
    _note_copy(lowering, values.elements.data.root, array.root, statements)
    return [start, *sizes]


def _view_of(lowering: Lowering, values: ArrayList, start: Operand, sizes: list[Operand]) -> View:
    """Returns the item whose elements, in C order, begin with number ``start`` of all elements."""
    builder, elements = lowering.builder, values.elements.data
    if elements.root.is_copy_of_argument:  # the parts of complex numbers are an axis
        unit, starts, parts = index_constant(1), [start, *elements.starts[1:]], elements.parts
    else:
        is_complex = isinstance(values.type.dtype.dtype, types.Complex)
        unit = index_constant(2 if is_complex else 1)
        starts = [builder.index(MULTIPLY, start, unit)]
        parts = Axis(0, index_constant(1), index_constant(2)) if is_complex else None
    axes = [
        Axis(0, builder.index(MULTIPLY, view_rules.product(builder, sizes[axis + 1 :]), unit), size)
        for axis, size in enumerate(sizes)
    ]
    return View(elements.root, starts, axes, parts)


def _item_of(values: ArrayList, view: View) -> Any:
    """Returns the item whose elements a view shows: the array, or the list."""
    if not isinstance(values.type.dtype, types.List):
        return view
    return NumberList(view, view.axes[0].size, values.type.dtype)


def _item_at(lowering: Lowering, values: ArrayList, position: Operand) -> Any:
    numbers = [
        view_rules.load_real(lowering.builder, integers.data, [position]) for integers in (values.starts, *values.sizes)
    ]
    for number in numbers:
        number.is_natural = True
    return _item_of(values, _view_of(lowering, values, numbers[0], list(numbers[1:])))


def item(lowering: Lowering, values: ArrayList, index: Any) -> Any:
    """Lowers an item of a list of arrays."""
    if isinstance(index, view_rules.Slice):
        raise lowering.builder.refuse("a slice of a list of arrays can't be differentiated; read the items one by one")
    return _item_at(lowering, values, containers.position_of(lowering, values.starts, index))


def iterable(lowering: Lowering, values: ArrayList) -> Iterable:
    """Returns what a ``for`` loop over a list of arrays goes through."""
    count = containers.length_of(lowering, values)
    return Iterable(count, lambda k: _item_at(lowering, values, k), (values.starts,))


def _store(lowering: Lowering, values: ArrayList, *arguments: Any, name: str) -> None:
    *index, item = arguments
    numbers = _append_elements(lowering, values, item)
    with _noting_length_writes(lowering, values, item):
        methods.call(lowering, _spans(values), name, [*index, tuple_of(numbers)], types.none)


def _call_method(lowering: Lowering, values: ArrayList, *arguments: Any, name: str) -> Any:
    span = methods.call(lowering, _spans(values), name, [*arguments], types.none)
    return _item_of(values, _view_of(lowering, values, span.values[0], span.values[1:])) if name == "pop" else None


methods.RULES["list of arrays"] = {
    **dict.fromkeys(["append", "insert", "__setitem__"], _store),
    **dict.fromkeys(["pop", "reverse", "clear"], _call_method),
    "__getitem__": item,
    "__iter__": iterable,
}
