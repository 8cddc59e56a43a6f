"""Dictionaries of numbers and sets: lists of keys in the order of insertion, and a list of values.

A key is a number, a string, or a tuple of them. It becomes one or more numbers, each in a separate list. `Texts.number_of` gives the number of a
string. A look-up compares the keys one by one, because code of hashes could not be differentiated. Loops over sets are refused: their order
follows from hashes.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Iterator
from types import FunctionType
from typing import TYPE_CHECKING, Any

from numba import types

from fastgrad._src.derivatives.frontend import containers, methods
from fastgrad._src.derivatives.frontend import views as view_rules
from fastgrad._src.derivatives.ir.operands import INDEX, Operand, Scalar, View, index_constant
from fastgrad._src.derivatives.ir.values import (
    Items,
    Iterable,
    Mapping,
    MappingView,
    NumberedText,
    NumberList,
    OptionalValue,
    Static,
    describe,
    tuple_of,
)
from fastgrad._src.jit.generated_source import function_from_source

if TYPE_CHECKING:
    from fastgrad._src.derivatives.frontend.lowering import Lowering

TYPES = (types.DictType, types.Set)


@functools.cache
def search(tells_zeros: tuple[bool, ...], is_checked: bool) -> FunctionType:
    """Returns the function of the lists of keys and a key, of some numbers each, that returns the key's position.

    If there is none, it returns -1, or raises KeyError if ``is_checked``. ``tells_zeros`` says of each number whether 0.0 and -0.0 differ.
    """
    keys, key = [[f"{name}{number}" for number in range(len(tells_zeros))] for name in ("keys", "key")]
    conditions = [f"{part}[i] == {number}" for part, number in zip(keys, key, strict=True)]
    conditions += [
        f"({number} != 0.0 or math.copysign(1.0, {part}[i]) == math.copysign(1.0, {number}))"
        for part, number, tells in zip(keys, key, tells_zeros, strict=True)
        if tells
    ]
    lines = [
        f"def position_of({', '.join([*keys, *key])}):",
        f"    for i in range({keys[0]}.shape[0]):",
        f"        if {' and '.join(conditions)}:",
        "            return i",
        "    raise KeyError" if is_checked else "    return -1",
    ]
    text = f"<search of {tells_zeros} {is_checked}>"
    return function_from_source("position_of", "\n".join([*lines, ""]), text, {"math": math})


def added_item_count(position):  # type: ignore[no-untyped-def]
    """Returns 1 for a key that has no position yet, else 0."""
    return 1 if position < 0 else 0


def place_of(position, length):  # type: ignore[no-untyped-def]
    """Returns where an item is stored: at its position, or at the end."""
    return length if position < 0 else position


def value_or_default(values, position, default):  # type: ignore[no-untyped-def]
    """Returns the value at a position, or without one the default."""
    return default if position < 0 else values[position]


def set_items(mapping, items):  # type: ignore[no-untyped-def]
    """Sets the values of keys, which are pairs."""
    for key, value in items:
        mapping[key] = value


def update_items(mapping, more):  # type: ignore[no-untyped-def]
    """Sets the values of all keys of another dictionary."""
    for key, value in more.items():
        mapping[key] = value


def equals(mapping, other):  # type: ignore[no-untyped-def]
    """Returns whether two dictionaries have the same items."""
    if len(mapping) != len(other):
        return False
    for key, value in mapping.items():  # noqa: SIM110  # Numba compiles no generators
        if key not in other or other[key] != value:
            return False
    return True


def differs(mapping, other):  # type: ignore[no-untyped-def]
    """Returns whether two dictionaries have different items."""
    return not mapping == other  # noqa: SIM201  # that is the function


def check_not_empty(length):  # type: ignore[no-untyped-def]
    """Raises as Numba does if a dictionary is empty."""
    if length == 0:
        raise KeyError


def add_keys(data, length, before, more):  # type: ignore[no-untyped-def]
    """Adds keys to a set of ``before`` keys, whose list is long enough."""
    n = before
    for key in more:
        is_new = True
        for i in range(n):
            if data[i] == key:
                is_new = False
        if is_new:
            data[n] = key
            n += 1
    length[0] = n


def drop(data, length, position):  # type: ignore[no-untyped-def]
    """Removes the item at a position of a list, if that is not negative."""
    if position >= 0:
        length[0] -= 1
        for i in range(position, length[0]):
            data[i] = data[i + 1]


def select(data, length, keys, others, is_common):  # type: ignore[no-untyped-def]
    """Writes the keys that are among ``others``, or that are not, to a set whose list is long enough."""
    n = 0
    for key in keys:
        is_found = False
        for other in others:
            if other == key:
                is_found = True
        if is_found == is_common:
            data[n] = key
            n += 1
    length[0] = n


def new_mapping(lowering: Lowering, type: types.Type, arguments: list[Any]) -> Mapping:
    """Returns a new dictionary without items, or a new set of the elements of ``arguments[0]``."""
    is_set = isinstance(type, types.Set)
    key_types = _parts_of_key(lowering, type, types.unliteral(type.dtype if is_set else type.key_type))
    if not is_set and not isinstance(type.value_type, containers.NUMBERS):
        raise lowering.builder.refuse(
            f"a dictionary with values of type {type.value_type} can't be differentiated: use numbers, such as positions in an array"
        )
    keys = tuple(containers.new_list(lowering, types.List(dtype), []) for dtype in key_types)
    values = None if is_set else containers.new_list(lowering, types.List(type.value_type), [])
    result = Mapping(keys, values, type)
    if is_set and arguments:
        _add_elements(lowering, result, arguments[0])
    return result


def parameter(lowering: Lowering, name: str, type: types.DictType, position: int) -> Any:
    """Returns a parameter that is a dictionary of numbers with numbers as keys; else a text why it can't be differentiated."""
    kinds = {"keys": type.key_type, "values": type.value_type}
    if isinstance(type.key_type, types.Complex) or not all(
        isinstance(kind, containers.NUMBERS) for kind in kinds.values()
    ):
        return f"is of type {type} (pass its values as arguments, or as a named tuple, or numbers with numbers as keys)"
    keys, values = [
        containers.parameter_list(lowering, name, types.List(kind), field, kind, position)
        for field, kind in kinds.items()
    ]
    return Mapping((keys,), values, type)


def _has_plain_keys(mapping: Mapping) -> bool:
    """True if each key of a set is one number."""
    return len(mapping.keys) == 1 and not isinstance(_key_type(mapping), types.UnicodeType)


def _lists_of(mapping: Mapping) -> list[NumberList]:
    """Returns the lists that a dictionary or a set is made of."""
    return [*mapping.keys, *([] if mapping.values is None else [mapping.values])]


def _key_type(mapping: Mapping) -> types.Type:
    return types.unliteral(mapping.type.dtype if mapping.values is None else mapping.type.key_type)


def _parts_of_key(lowering: Lowering, mapping_type: types.Type, type: types.Type) -> list[types.Type]:
    """Returns the types of the numbers that a key of a type is made of."""
    if isinstance(type, (types.Float, types.Integer, types.Boolean)):
        return [type]
    if isinstance(type, types.UnicodeType):
        return [INDEX]
    if isinstance(type, types.BaseTuple) and len(type):
        return [part for item in type for part in _parts_of_key(lowering, mapping_type, item)]
    raise lowering.builder.refuse(
        f"a {'set' if isinstance(mapping_type, types.Set) else 'dictionary'} with keys of type {type} can't be differentiated: use numbers, texts or tuples of them as keys"
    )


def _numbers_of_key(lowering: Lowering, key: Any, type: types.Type) -> list[Operand]:
    """Returns the integers that a key is made of."""
    if isinstance(type, types.UnicodeType):
        return [lowering.texts.number_of(key)]
    if isinstance(type, types.BaseTuple):
        if not isinstance(key, Items) or len(key.values) != len(type):
            raise lowering.builder.refuse(f"a key that is {describe(key)} can't be differentiated")
        pairs = zip(key.values, type, strict=True)
        return [number for item, item_type in pairs for number in _numbers_of_key(lowering, item, item_type)]
    return [lowering.operands.cast(lowering.operands.scalar(key), type)]


def _key_of_numbers(numbers: Iterator[Operand], type: types.Type) -> Any:
    """Returns the key that is made of integers."""
    if isinstance(type, types.UnicodeType):
        return NumberedText(next(numbers))
    if isinstance(type, types.BaseTuple):
        return Items([_key_of_numbers(numbers, item) for item in type], type)
    return next(numbers)


def _position(lowering: Lowering, mapping: Mapping, key: list[Operand], is_checked: bool = False) -> Scalar:
    keys = [containers.items_of(lowering, part) for part in mapping.keys]
    # Numba compares keys of dictionaries by their bits, and those of sets by ==.
    tells_zeros = tuple([mapping.values is not None and isinstance(number.type, types.Float) for number in key])
    position: Scalar = lowering.calls.inline(search(tells_zeros, is_checked), [*keys, *key])
    return position


def _position_of(lowering: Lowering, mapping: Mapping, key: Any, is_checked: bool = False) -> Scalar:
    return _position(lowering, mapping, _numbers_of_key(lowering, key, _key_type(mapping)), is_checked)


def item(lowering: Lowering, mapping: Mapping, key: Any) -> Any:
    """Lowers the value of a key."""
    assert mapping.values is not None
    position = _position_of(lowering, mapping, key, is_checked=True)
    return view_rules.load_element(lowering.builder, mapping.values.data, [position])


def set_item(lowering: Lowering, mapping: Mapping, key: Any, value: Any = None) -> None:
    """Lowers the assignment of the value of a key, or adds a key to a set."""
    _set_item(lowering, mapping, _numbers_of_key(lowering, key, _key_type(mapping)), value)


def _set_item(lowering: Lowering, mapping: Mapping, numbers: list[Operand], value: Any = None) -> None:
    _set_item_at(lowering, mapping, _position(lowering, mapping, numbers), numbers, value)


def _set_item_at(
    lowering: Lowering, mapping: Mapping, position: Scalar, numbers: list[Operand], value: Any = None
) -> None:
    """Sets the value of a key at its position, which is negative for a new key."""
    count = lowering.calls.inline(added_item_count, [position])
    befores = [containers.resize(lowering, part, count) for part in mapping.keys]
    place = lowering.calls.inline(place_of, [position, befores[0]])
    for part, number in zip(mapping.keys, numbers, strict=True):
        if mapping.values is None:  # a set keeps a key that is equal: 0.0 if -0.0 is added
            number = lowering.calls.inline(value_or_default, [part.data, position, number])
        view_rules.store_element(lowering.builder, part.data, [place], number)
    if mapping.values is not None:
        number = lowering.operands.cast(lowering.operands.number(value), mapping.values.type.dtype)
        containers.resize(lowering, mapping.values, count)
        view_rules.store_element(lowering.builder, mapping.values.data, [place], number)


def remove(lowering: Lowering, mapping: Mapping, key: Any) -> Any:
    """Lowers the removal of a key; returns its value, of a set None."""
    numbers = _numbers_of_key(lowering, key, _key_type(mapping))
    position = _position(lowering, mapping, numbers, is_checked=True)
    *_, last = [methods.call(lowering, part, "pop", [position], types.none) for part in _lists_of(mapping)]
    return last if mapping.values is not None else Static(None)


def _add_elements(lowering: Lowering, mapping: Mapping, more: Any) -> None:
    """Adds the elements of an array, a list, a set or a tuple to a set."""
    if isinstance(more, Items):
        for key in more.values:
            set_item(lowering, mapping, key)
        return
    if not _has_plain_keys(mapping):
        raise lowering.builder.refuse(f"a set of {describe(more)} of this kind can't be differentiated")
    array: Any = more
    if isinstance(more, (Mapping, NumberList)):
        array = containers.items_of(lowering, more.keys[0] if isinstance(more, Mapping) else more)
    if not isinstance(array, View) or len(array.axes) != 1:
        raise lowering.builder.refuse(f"a set of {describe(more)} can't be differentiated")
    added = mapping.keys[0]
    before = containers.resize(lowering, added, array.axes[0].size)
    lowering.calls.inline(add_keys, [added.data, added.length, before, array])


def sorted_keys(lowering: Lowering, keys: Any, *, result_type: types.Type) -> Any:
    """Lowers ``sorted(set)``; the result is the same whatever the order of a set is."""
    if not (isinstance(keys, Mapping) and keys.values is None and _has_plain_keys(keys)):
        return NotImplemented
    result = containers.list_of_array(lowering, result_type, containers.items_of(lowering, keys.keys[0]))
    methods.call(lowering, result, "sort", [], types.none)
    return result


def _combine(lowering: Lowering, mapping: Mapping, other: Any, *, name: str) -> Mapping:
    """Returns the intersection, difference or union of two sets of integers."""
    result = new_mapping(lowering, mapping.type, [])
    if name == "union":
        _add_elements(lowering, result, mapping)
        _add_elements(lowering, result, other)
        return result
    if not _has_plain_keys(mapping) or not isinstance(other, Mapping):
        raise lowering.builder.refuse(f"the {name} of sets of this kind can't be differentiated")
    keys, others = (containers.items_of(lowering, part.keys[0]) for part in (mapping, other))
    containers.resize(lowering, result.keys[0], keys.axes[0].size)
    is_common = lowering.builder.constant(name == "intersection")
    lowering.calls.inline(select, [result.keys[0].data, result.keys[0].length, keys, others, is_common])
    return result


def iterable(lowering: Lowering, mapping: Mapping, parts: str = "keys") -> Iterable:
    """Returns the iteration over the "keys", "values" or "items" of a dictionary."""
    values = mapping.values
    if values is None:
        raise lowering.builder.refuse(
            "a loop over a set can't be differentiated: its order follows from hashes. Go through sorted(the set), or through an array"
        )

    def item_of(k: Scalar) -> Any:
        items = []
        if parts != "values":
            numbers: list[Any] = [view_rules.load_element(lowering.builder, part.data, [k]) for part in mapping.keys]
            items.append(_key_of_numbers(iter(numbers), _key_type(mapping)))
        if parts != "keys":
            items.append(view_rules.load_element(lowering.builder, values.data, [k]))
        return items[0] if len(items) == 1 else tuple_of(items)

    return Iterable(containers.length_of(lowering, mapping.keys[0]), item_of, (mapping.keys[0],))


_COMBINATIONS = {operator.or_: "union", operator.and_: "intersection", operator.sub: "difference"}


def apply(lowering: Lowering, function: Any, mapping: Mapping, other: Any, type: types.Type) -> Any:
    """Lowers ``key in mapping``, or an operator of two sets."""
    if function is operator.contains:
        return lowering.operators.apply(operator.ge, [_position_of(lowering, mapping, other), index_constant(0)], type)
    if function in (operator.eq, operator.ne) and isinstance(other, Mapping) and mapping.values is not None:
        return lowering.calls.inline(equals if function is operator.eq else differs, [mapping, other])
    if function not in _COMBINATIONS or mapping.values is not None:
        name = getattr(function, "__name__", function)
        raise lowering.builder.refuse(f"{name} of a {mapping.kind} can't be differentiated")
    return _combine(lowering, mapping, other, name=_COMBINATIONS[function])


def update(lowering: Lowering, function: Any, mapping: Mapping, other: Any) -> Mapping:
    """Lowers ``mapping |= other`` of two sets, which changes the first one."""
    if function is not operator.or_ or mapping.values is not None:
        name = getattr(function, "__name__", function)
        raise lowering.builder.refuse(f"{name} of a {mapping.kind} in place can't be differentiated")
    _add_elements(lowering, mapping, other)
    return mapping


def _value_or_default(lowering: Lowering, mapping: Mapping, name: str, key: Any, default: Any) -> Any:
    """Lowers `get`, `pop` or `setdefault` of a dictionary with a default value."""
    assert mapping.values is not None
    numbers = _numbers_of_key(lowering, key, _key_type(mapping))
    position = _position(lowering, mapping, numbers)
    default = lowering.operands.cast(lowering.operands.number(default), mapping.values.type.dtype)
    value = lowering.calls.inline(value_or_default, [mapping.values.data, position, default])
    if name == "setdefault":
        _set_item_at(lowering, mapping, position, numbers, value)
    elif name == "pop":
        for part in (*mapping.keys, mapping.values):
            length = containers.length_to_change(lowering, part)
            lowering.calls.inline(drop, [part.data, length, position])
    return value


def _get(lowering: Lowering, mapping: Mapping, key: Any, *default: Any, name: str) -> Any:
    if default:
        return _value_or_default(lowering, mapping, name, key, *default)
    if name == "pop":
        return remove(lowering, mapping, key)
    if name != "get":
        return NotImplemented
    assert mapping.values is not None
    position = _position_of(lowering, mapping, key)
    is_set_value = lowering.operators.apply(operator.ge, [position, index_constant(0)], types.boolean)
    zero = lowering.operands.cast(index_constant(0), mapping.values.type.dtype)
    return OptionalValue(is_set_value, lowering.calls.inline(value_or_default, [mapping.values.data, position, zero]))


def _pop_item(lowering: Lowering, mapping: Mapping) -> Items:
    """Takes the newest item of a dictionary."""
    lowering.calls.inline(check_not_empty, [containers.length_of(lowering, mapping.keys[0])])
    *numbers, value = [methods.call(lowering, part, "pop", [], types.none) for part in _lists_of(mapping)]
    return tuple_of([_key_of_numbers(iter(numbers), _key_type(mapping)), value])


def _update(lowering: Lowering, mapping: Mapping, more: Any) -> Any:
    return lowering.calls.inline(update_items, [mapping, more]) if isinstance(more, Mapping) else NotImplemented


def _discard(lowering: Lowering, mapping: Mapping, key: Any) -> None:
    numbers = _numbers_of_key(lowering, key, _key_type(mapping))
    position = _position(lowering, mapping, numbers)
    for keys in mapping.keys:
        lowering.calls.inline(drop, [keys.data, containers.length_to_change(lowering, keys), position])


def _clear(lowering: Lowering, mapping: Mapping) -> None:
    for part in _lists_of(mapping):
        methods.call(lowering, part, "clear", [], types.none)


def _copy(lowering: Lowering, mapping: Mapping) -> Mapping:
    def copy_of(part: NumberList) -> Any:
        return methods.call(lowering, part, "copy", [], part.type)

    values = None if mapping.values is None else copy_of(mapping.values)
    return Mapping(tuple(map(copy_of, mapping.keys)), values, mapping.type)


methods.RULES["dictionary"] = {
    **dict.fromkeys(
        ["keys", "values", "items"],
        lambda lowering, mapping, *, name, result_type: MappingView(mapping, name, result_type),
    ),
    **dict.fromkeys(["get", "pop", "setdefault"], _get),
    "__setitem__": set_item,
    "popitem": _pop_item,
    "update": _update,
    "clear": _clear,
    "copy": _copy,
}
methods.RULES["set"] = {
    **dict.fromkeys(_COMBINATIONS.values(), _combine),
    "add": set_item,
    "remove": remove,
    "discard": _discard,
    "update": _add_elements,
    "clear": _clear,
    "copy": _copy,
}
