"""Lists of numbers, records, arrays of records, and instances of ``jitclass``.

A list is a growing array and a length. The length is an element of another array, so that all aliases of the list share it. A list of complex
numbers has two floats for each number. A record is one array for each field. So is an instance; its numbers are arrays without axes.
"""

from __future__ import annotations

import itertools
import operator
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types

from fastgrad._src.derivatives.frontend import array_expressions, methods, selections
from fastgrad._src.derivatives.frontend import views as view_rules
from fastgrad._src.derivatives.frontend.builder import Builder
from fastgrad._src.derivatives.functions.argument_types import field_types_of
from fastgrad._src.derivatives.functions.numba_types import number_type
from fastgrad._src.derivatives.ir.operands import Axis, Field, Operand, Root, Scalar, View, index_constant
from fastgrad._src.derivatives.ir.scalar_operations import AT_LEAST_0, njit_that_may_raise
from fastgrad._src.derivatives.ir.values import (
    ArrayList,
    Fields,
    Items,
    Iterable,
    Method,
    NumberList,
    Static,
    TupleList,
    describe,
    listed,
    tuple_of,
    type_of,
)
from fastgrad._src.jit.numba_internals import as_dtype
from fastgrad._src.scalars.formulas import DIVISION_COST
from fastgrad._src.scalars.terms import ADD, MULTIPLY

if TYPE_CHECKING:
    from fastgrad._src.derivatives.frontend.lowering import Lowering

NUMBERS = (types.Float, types.Integer, types.Boolean, types.Complex)


@njit_that_may_raise
def list_position(index, length):  # type: ignore[no-untyped-def]
    """Returns the position of a list's item: negative indices count from the end."""
    position = index + length if index < 0 else index
    if position < 0 or position >= length:
        raise IndexError("list index out of range")
    return position


def pop(data, length, index):  # type: ignore[no-untyped-def]
    """Removes an item of a list and returns it."""
    if length[0] == 0:
        raise IndexError("pop from empty list")
    position = index + length[0] if index < 0 else index
    if position < 0 or position >= length[0]:
        raise IndexError("pop index out of range")
    value = data[position]
    length[0] -= 1
    for i in range(position, length[0]):
        data[i] = data[i + 1]
    return value


def count(items, value):  # type: ignore[no-untyped-def]
    """Returns how many items of a list equal a value."""
    total = 0
    for item in items:
        if item == value:
            total += 1
    return total


def first_index(items, value, start, stop):  # type: ignore[no-untyped-def]
    """Returns the index of the first item of a slice of a list that equals a value."""
    n = items.shape[0]
    for i in range(max(start + n if start < 0 else start, 0), min(stop + n if stop < 0 else stop, n)):
        if items[i] == value:
            return i
    raise ValueError("value not in list")


def insert(data, length, index, value):  # type: ignore[no-untyped-def]
    """Moves the items of a list, whose length has grown by 1, and sets one."""
    last = length[0] - 1
    position = max(index + last, 0) if index < 0 else min(index, last)
    for i in range(last, position, -1):
        data[i] = data[i - 1]
    data[position] = value


def reverse_items(items):  # type: ignore[no-untyped-def]
    """Reverses the items of a list."""
    n = items.shape[0]
    for i in range(n // 2):
        item = items[i]
        items[i] = items[n - 1 - i]
        items[n - 1 - i] = item


def contains(items, value):  # type: ignore[no-untyped-def]
    """Returns whether an array has an element."""
    for item in items:  # noqa: SIM110  # Numba compiles no generators
        if item == value:
            return True
    return False


def is_element(array, value):  # type: ignore[no-untyped-def]
    """Returns whether an array of any rank has an element."""
    for item in array.ravel():  # noqa: SIM110  # Numba compiles no generators
        if item == value:
            return True
    return False


def repeat(items, count, out):  # type: ignore[no-untyped-def]
    """Writes the repetitions of an array."""
    n = items.shape[0]
    for i in range(count):
        for j in range(n):
            out[i * n + j] = items[j]


def list_of_size(lowering: Lowering, type: types.Type, size: Operand) -> NumberList:
    """Returns a new list of ``size`` items, whose contents are not set."""
    builder = lowering.builder
    dtype = type.dtype.underlying_float if isinstance(type.dtype, types.Complex) else type.dtype
    root = builder.allocate(dtype, [_element_count(builder, type, size)], "empty", "list").root
    root.is_growing = True
    length = builder.allocate(types.int64, [index_constant(1)], "empty", "length")
    builder.store(length.root, size, [index_constant(0)])
    return NumberList(_items_from(root, type, index_constant(0), size), length, type)


def _element_count(builder: Builder, type: types.Type, count: Operand) -> Operand:
    """Returns how many elements of its array ``count`` items of a list take."""
    return builder.index(MULTIPLY, count, index_constant(2)) if isinstance(type.dtype, types.Complex) else count


def _items_from(root: Root, type: types.Type, start: Operand, count: Operand) -> View:
    """Returns the view of ``count`` items of a list, whose array is ``root``, from the element ``start`` of the array on."""
    if isinstance(type.dtype, types.Complex):
        parts = Axis(0, index_constant(1), index_constant(2))
        return View(root, [start], [Axis(0, index_constant(2), count)], parts)
    return View(root, [start], [Axis(0, index_constant(1), count)])


def new_list(lowering: Lowering, type: types.Type, items: list[Any]) -> NumberList:
    """Returns a new list of numbers."""
    result = list_of_size(lowering, type, index_constant(len(items)))
    for number, item in enumerate(items):
        value = lowering.operands.cast(lowering.operands.number(item), type.dtype)
        view_rules.store_element(lowering.builder, result.data, [index_constant(number)], value)
    return result


def list_of_array(lowering: Lowering, type: types.Type, array: View) -> NumberList:
    """Returns a new list of the elements of an array of one axis."""
    result = list_of_size(lowering, type, array.axes[0].size)
    lowering.array_functions.assign(lowering, items_of(lowering, result), array)
    return result


def parameter_list(
    lowering: Lowering, name: str, type: types.Type, field: str, dtype: types.Type, position: int
) -> NumberList:
    """Returns numbers of a parameter that is a list or a dictionary: a list that can't change, because the caller would see it."""
    array_type, builder = types.Array(dtype, 1, "C"), lowering.builder
    root = builder.root(array_type, "parameter", name)
    root.name, root.block, root.position = f"field_{field.replace('.', '_')}_of_{name}", None, position
    root.field = Field(name, field, isinstance(dtype, types.Complex), True, is_copy=True)
    builder.read_dims(root, array_type)
    items = View.whole(root, dtype)
    return NumberList(items, items.axes[0].size, type)


def length_of(lowering: Lowering, container: Any) -> Operand:
    """Returns the length of a list, a dictionary or a set, as it is now."""
    values: NumberList = container.list_of_same_length
    if not isinstance(values.length, View):
        return values.length
    length: Scalar = lowering.builder.load(values.length.root, [index_constant(0)], "length")
    length.is_natural = True
    return length


def items_of(lowering: Lowering, values: NumberList) -> View:
    """Returns the view of the items of a list. It must not outlive the next change of the list's length."""
    if not isinstance(values.length, View):
        return values.data
    return _items_from(values.data.root, values.type, index_constant(0), length_of(lowering, values))


def as_arrays(lowering: Lowering, arguments: list[Any]) -> list[Any]:
    """Returns values with arrays for lists."""
    copy = lowering.array_functions.copy
    return [
        copy(lowering, items_of(lowering, value)) if isinstance(value, NumberList) else value for value in arguments
    ]


def position_of(lowering: Lowering, values: NumberList, index: Any) -> Operand:
    """Returns the position of an item of a list, which is checked."""
    builder = lowering.builder
    length, position = length_of(lowering, values), builder.call_of(list_position, 2)
    return builder.index(position, lowering.operands.scalar(index), length, cost=DIVISION_COST, is_natural=True)


def item(lowering: Lowering, values: NumberList, index: Any, *, result_type: types.Type) -> Any:
    """Lowers an item or a slice of a list."""
    if isinstance(index, view_rules.Slice):
        part = view_rules.subview(lowering.builder, items_of(lowering, values), [index])
        return list_of_array(lowering, result_type, part)
    return view_rules.load_element(lowering.builder, values.data, [position_of(lowering, values, index)])


def set_item(lowering: Lowering, values: NumberList, index: Any, value: Any) -> None:
    """Lowers the assignment of an item of a list."""
    number = lowering.operands.cast(lowering.operands.number(value), values.type.dtype)
    view_rules.store_element(lowering.builder, values.data, [position_of(lowering, values, index)], number)


def iterable(lowering: Lowering, values: NumberList) -> Iterable:
    """Returns what a ``for`` loop over a list of numbers goes through."""
    lists = (values,) if isinstance(values.length, View) else ()
    return Iterable(
        length_of(lowering, values), lambda k: view_rules.load_element(lowering.builder, values.data, [k]), lists
    )


def resize(lowering: Lowering, values: NumberList, count: Operand) -> Operand:
    """Adds ``count`` to the length of a list and returns the length before that."""
    builder = lowering.builder
    length = length_to_change(lowering, values)
    before = length_of(lowering, values)
    after = builder.index(ADD, before, count)
    builder.grow(values.data.root, _element_count(builder, values.type, after))
    builder.store(length.root, after, [index_constant(0)])
    return before


def length_to_change(lowering: Lowering, values: NumberList) -> View:
    """Notes that the length of a list changes here, and returns the array that holds it."""
    if not isinstance(values.length, View):
        lowering.builder.note_write(values.data.root)
        raise lowering.builder.refuse(
            "an item of a list of lists changes its length, which can't be differentiated; append lists that are complete"
        )
    lowering.note_length_change(values)
    return values.length


def extend(lowering: Lowering, values: NumberList, more: Any) -> None:
    """Lowers ``values += more`` for a list or an array."""
    (array,) = as_arrays(lowering, [more])
    if not array.is_array or len(array.axes) != 1:
        raise lowering.builder.refuse(f"a list that is extended by {describe(more)} can't be differentiated")
    start = resize(lowering, values, array.axes[0].size)
    start = _element_count(lowering.builder, values.type, start)
    target = _items_from(values.data.root, values.type, start, array.axes[0].size)
    lowering.array_functions.assign(lowering, target, array)


def _add(lowering: Lowering, values: NumberList, *arguments: Any, name: str) -> None:
    *index, item = arguments
    number = lowering.operands.cast(lowering.operands.number(item), values.type.dtype)
    before = resize(lowering, values, index_constant(1))
    if name == "append":
        view_rules.store_element(lowering.builder, values.data, [before], number)
    else:
        lowering.calls.inline(insert, [values.data, values.length, lowering.operands.scalar(*index), number])


def _pop(lowering: Lowering, values: NumberList, position: Any = None) -> Any:
    length = length_to_change(lowering, values)
    index = index_constant(-1) if position is None else lowering.operands.scalar(position)
    return lowering.calls.inline(pop, [values.data, length, index])


def _find(lowering: Lowering, values: NumberList, item: Any, *ends: Any, name: str) -> Any:
    value = lowering.operands.number(item)
    if isinstance(values.type, types.ListType):
        value = lowering.operands.cast(value, values.type.dtype)
    if name == "remove":
        _pop(lowering, values, _find(lowering, values, item, name="index"))
        return None
    if name == "count":
        return lowering.calls.inline(count, [items_of(lowering, values), value])
    bounds = [lowering.operands.scalar(bound) for bound in ends]
    others = [index_constant(0), index_constant(types.intp.maxval)][len(bounds) :]
    return lowering.calls.inline(first_index, [items_of(lowering, values), value, *bounds, *others])


methods.RULES["list"] = {
    **dict.fromkeys(["append", "insert"], _add),
    **dict.fromkeys(["count", "index", "remove"], _find),
    "__getitem__": item,
    "__setitem__": set_item,
    "__iter__": iterable,
    "pop": _pop,
    "reverse": lambda lowering, values: lowering.calls.inline(reverse_items, [items_of(lowering, values)]),
    "clear": lambda lowering, values: lowering.builder.store(
        length_to_change(lowering, values).root, index_constant(0), [index_constant(0)]
    ),
    "copy": lambda lowering, values, *, result_type: list_of_array(lowering, result_type, items_of(lowering, values)),
}


def apply(lowering: Lowering, function: Any, operands: list[Any], type: types.Type) -> Any:
    """Lowers an operator of lists."""
    first, second = operands
    builder = lowering.builder
    if any(isinstance(operand, (ArrayList, TupleList)) for operand in operands):
        raise builder.refuse(
            f"{getattr(function, '__name__', function)} of lists of arrays or tuples can't be differentiated; append the items one by one"
        )
    if function is operator.contains and isinstance(first, NumberList):
        return lowering.calls.inline(contains, [items_of(lowering, first), lowering.operands.number(second)])
    if function is operator.add and isinstance(type, types.List):
        result = new_list(lowering, type, [])
        for part in operands:
            methods.call(lowering, result, "extend", [part], types.none)
        return result
    if function is operator.mul and isinstance(type, types.List):
        values, count = (first, second) if isinstance(first, NumberList) else (second, first)
        count = builder.index(AT_LEAST_0, lowering.operands.scalar(count), is_natural=True)
        items = items_of(lowering, values)
        result = list_of_size(lowering, type, builder.index(MULTIPLY, items.axes[0].size, count))
        lowering.calls.inline(repeat, [items, count, items_of(lowering, result)])
        return result
    raise builder.refuse(f"{getattr(function, '__name__', function)} of lists can't be differentiated")


# ---- records ----------------------------------------------------------------------------------------------------


def allocate_records(lowering: Lowering, type: types.Array, shape: Any, function: str) -> Fields:
    """Returns a new array of records, of a shape or that of another array of records."""
    dims = shape.sizes if isinstance(shape, Fields) else [lowering.operands.array_size(size) for size in listed(shape)]
    _check_no_shared_bytes(lowering, type)
    parts = {}
    for name, (dtype, inner) in types_of_fields(type).items():
        sizes = [*dims, *[index_constant(size) for size in inner]]
        parts[name] = lowering.builder.allocate(dtype, sizes, function, name)
    return Fields(parts, type)


def _check_no_shared_bytes(lowering: Lowering, type: types.Type) -> None:
    """Refuses records whose fields share bytes."""
    record = number_type(type)
    if not isinstance(record, types.Record):
        return
    dtype = as_dtype(record)
    fields = sorted((offset, offset + field.itemsize) for field, offset in dtype.fields.values())
    if any(end > start for (_, end), (start, _) in itertools.pairwise(fields)):
        raise lowering.builder.refuse("a record whose fields overlap in memory can't be differentiated")


def types_of_fields(type: types.Type) -> dict[str, tuple[types.Type, tuple[int, ...]]]:
    """Returns the types of the numbers of a record's fields, and the fields' own shapes. Fields of texts are an error where they are read."""
    fields = {
        name: (field.dtype, field.shape) if isinstance(field, types.NestedArray) else (field, ())
        for name, field in field_types_of(type).items()  # type: ignore[union-attr]
    }
    return {name: field for name, field in fields.items() if isinstance(field[0], NUMBERS)}


def parameter_fields(lowering: Lowering, name: str, type: types.Type, position: int) -> Fields:
    """Returns a parameter that is a record, an array of records, or an instance of ``jitclass``."""
    builder, parts = lowering.builder, {}
    _check_no_shared_bytes(lowering, type)
    is_instance = isinstance(type, types.ClassInstanceType)
    rank, fields = getattr(type, "ndim", 0), types_of_fields(type)
    for field, field_type in field_types_of(type).items():  # type: ignore[union-attr]
        dtype = number_type(field_type)
        if is_instance and isinstance(dtype, NUMBERS):
            array_type = field_type if dtype is not field_type else types.Array(dtype, 0, "C")
        elif not is_instance and field in fields:
            dtype, inner = fields[field]
            array_type = types.Array(dtype, rank + len(inner), "A")
        else:
            continue  # an error where it is read
        root = builder.root(array_type, "parameter", name)
        root.name, root.block, root.position = f"field_{field}_of_{name}", None, position
        root.field = Field(name, field, isinstance(dtype, types.Complex), not is_instance)
        builder.read_dims(root, array_type)
        parts[field] = View.whole(root, dtype)
    if not parts and not is_instance:
        raise builder.refuse(f"{Fields(parts, type).describe()} without numbers can't be differentiated")
    return Fields(parts, type)


def _part(lowering: Lowering, fields: Fields, name: str) -> View:
    """Returns the array of a field of records; refuses one that has no numbers."""
    if name not in fields.parts:
        kind = field_types_of(fields.type)[name]  # type: ignore[index]
        raise lowering.builder.refuse(f"the field {name} of a record is of type {kind}, which can't be differentiated")
    return fields.parts[name]


def new_instance(
    lowering: Lowering, type: types.ClassInstanceType, arguments: list[Any], keywords: dict[str, Any]
) -> Fields:
    """Lowers the call of a ``jitclass``: its numbers are 0 before the constructor runs, its arrays are those that the constructor assigns."""
    parts = {
        name: lowering.builder.allocate(field, [], "zeros", name)
        for name, field in type.struct.items()
        if isinstance(field, NUMBERS)
    }
    instance = Fields(parts, type)
    instance.depth = lowering.depth
    lowering.calls.call_compiled(type.jit_methods["__init__"], [instance, *arguments], keywords)
    instance.depth = None
    return instance


def field_item(lowering: Lowering, fields: Fields, index: Any) -> Any:
    """Lowers a field of records, or an item of an array of records."""
    if isinstance(index, str):
        return lowering.operands.element_or_view(_part(lowering, fields, index))
    if isinstance(fields.type, types.ClassInstanceType):
        raise lowering.builder.refuse("an item of an instance of a jitclass can't be differentiated: call a method")
    indices = _indices_of_records(lowering, fields, index)
    if any(isinstance(position, View) for position in indices):
        parts = {name: selections.select(lowering, part, indices) for name, part in fields.parts.items()}
    else:
        parts = {name: view_rules.subview(lowering.builder, part, indices) for name, part in fields.parts.items()}
    name, part = next(iter(fields.parts.items()))
    rank = len(parts[name].axes) - len(part.axes) + len(fields.sizes)
    record = getattr(fields.type, "dtype", fields.type)
    return Fields(parts, types.Array(record, rank, "A") if rank else record)


def _indices_of_records(lowering: Lowering, fields: Fields, index: Any) -> list[Any]:
    """Returns indices of an array of records, with slices for an ellipsis, which leave the axes of fields, and positions for a mask."""
    indices = index if isinstance(index, list) else [index]
    if any(position is view_rules.ALL_AXES for position in indices):
        indices = view_rules.with_all_slices(indices, len(fields.sizes))
    mask = indices[0] if len(indices) == 1 else None
    if isinstance(mask, View) and isinstance(mask.dtype, types.Boolean) and len(mask.axes) == 1:
        indices = [lowering.calls.inline(selections.true_positions, [mask, fields.sizes[0]])]
    return indices


def field_array(lowering: Lowering, owner: Fields | Items, name: str) -> View:
    """Lowers `field_of`: a field of records or of an instance, or of the named tuple that is its tangent, as an array."""
    if isinstance(owner, Fields):
        return owner.parts[name]
    value = owner.values[owner.type.fields.index(name)]
    if isinstance(value, View):
        return value
    array: View = lowering.builder.allocate(type_of(value), [], "zeros", name)
    view_rules.store_element(lowering.builder, array, [], lowering.operands.number(value))
    return array


def set_field(lowering: Lowering, fields: Fields, index: Any, value: Any) -> None:
    """Lowers the assignment to a field of records, or to an item of an array of records."""
    is_instance = isinstance(fields.type, types.ClassInstanceType)
    if is_instance and index in fields.type.jit_props:
        lowering.calls.call_compiled(fields.type.jit_props[index]["set"], [fields, value], {})
        return
    if is_instance and not isinstance(fields.type.struct.get(index), NUMBERS):
        if not isinstance(fields.type.struct.get(index), types.Array) or not lowering.runs_once_since(fields.depth):
            raise lowering.builder.refuse(
                f"the assignment to {index} of an instance of a jitclass can't be differentiated: numbers may be assigned, arrays once, by the "
                f"constructor, outside of loops and branches. Write the elements: {index}[:] = ..."
            )
        array = array_expressions.materialize(lowering, value)
        layout = fields.type.struct[index].layout
        fields.parts[index] = View(array.root, array.starts, array.axes, array.parts, layout)
        return
    if isinstance(index, str):
        target = _part(lowering, fields, index)
        if is_instance:
            value = lowering.operands.cast(value, fields.type.struct[index])
        if target.axes:
            lowering.array_functions.assign(lowering, target, value)
        else:
            view_rules.store_element(lowering.builder, target, [], lowering.operands.number(value))
        return
    if not isinstance(value, Fields):
        raise lowering.builder.refuse(f"{describe(value)} is assigned to a record, which can't be differentiated")
    is_seen = any(part.root.memory_owner.kind != "local" for part in fields.parts.values())
    if is_seen and len(fields.parts) < len(field_types_of(fields.type)):  # type: ignore[arg-type]
        raise lowering.builder.refuse(
            "an assignment to records of an argument with fields of texts can't be differentiated: assign the fields, or to a copy of the array"
        )
    indices = _indices_of_records(lowering, fields, index)
    arrays = [position for position in indices if isinstance(position, View)]
    if arrays:
        if any(array_expressions.may_share(part, position) for part in fields.parts.values() for position in arrays):
            raise lowering.builder.refuse(
                "an assignment to records whose indices are a field of theirs can't be differentiated; copy the indices first"
            )
        for name, part in fields.parts.items():
            selections.assign_selected(lowering, part, indices, field_item(lowering, value, name))
        return
    targets = field_item(lowering, fields, indices)
    for name in targets.parts:
        set_field(lowering, targets, name, field_item(lowering, value, name))


def field_attribute(lowering: Lowering, fields: Fields, name: str) -> Any:
    """Lowers an attribute of a record or of an array of records."""
    sizes: list[Any] = fields.sizes
    is_instance = isinstance(fields.type, types.ClassInstanceType)
    if name in fields.parts or (not is_instance and name in field_types_of(fields.type)):  # type: ignore[operator]
        return field_item(lowering, fields, name)
    if is_instance:
        return _instance_attribute(lowering, fields, name)
    if name == "shape":
        return tuple_of(sizes)
    if sizes and name in ("copy", "ravel"):
        return Method(fields, name)
    if sizes and name in ("size", "ndim"):
        return view_rules.product(lowering.builder, sizes) if name == "size" else index_constant(len(sizes))
    if name == "dtype":
        return Static(as_dtype(number_type(fields.type)))
    raise lowering.builder.refuse(f"the attribute {name} of {describe(fields)} can't be differentiated")


def _instance_attribute(lowering: Lowering, instance: Fields, name: str) -> Any:
    """Lowers a property or a method of an instance of ``jitclass``."""
    type = instance.type
    if name in type.jit_props:
        return lowering.calls.call_compiled(type.jit_props[name]["get"], [instance], {})
    if name in type.jit_methods:
        return Method(instance, name)
    if name in type.jit_static_methods:
        return Static(type.jit_static_methods[name])
    kind = type.struct.get(name)
    reason = "is read before the constructor assigns it" if isinstance(kind, types.Array) else f"is of type {kind}"
    raise lowering.builder.refuse(
        f"the field {name} of an instance of {type.classname} {reason}, which can't be differentiated"
    )


ALLOCATIONS = {np.zeros: "zeros", np.zeros_like: "zeros", np.empty: "empty", np.empty_like: "empty"}
