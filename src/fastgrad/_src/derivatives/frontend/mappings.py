"""Dictionaries and sets: lists of keys in the order of insertion, and a list of values.

A key is a number, a string, or a tuple of them. `Texts.number_of` gives the number of a string; keys that are tuples are a list of tuples. Methods are
Python functions of the lists, which are inlined. A look-up compares the keys one by one, because code of hashes could not be differentiated. Loops over sets are refused: their order
follows from hashes.
"""

from __future__ import annotations

import functools
import math
import operator
from types import FunctionType
from typing import TYPE_CHECKING, Any

from numba import types

from fastgrad._src.derivatives.frontend import containers, lists, methods
from fastgrad._src.derivatives.ir.operands import INDEX, Scalar, View, index_constant
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
def search(tells_zeros: tuple[bool, ...]) -> FunctionType:
    """Returns the function of the lists of keys and a key, of some numbers each, that returns the key's position, or -1.

    ``tells_zeros`` says of each number whether 0.0 and -0.0 differ.
    """
    keys, key = [[f"{name}{number}" for number in range(len(tells_zeros))] for name in ("keys", "key")]
    conditions = [
        f"{part}[i] == {number}"
        + f" and ({number} != 0.0 or math.copysign(1.0, {part}[i]) == math.copysign(1.0, {number}))" * tells
        for part, number, tells in zip(keys, key, tells_zeros, strict=True)
    ]
    lines = [
        f"def position_of({', '.join([*keys, *key])}):",
        f"    for i in range({keys[0]}.shape[0]):",
        f"        if {' and '.join(conditions)}:",
        "            return i",
        "    return -1",
    ]
    text = f"<search of {tells_zeros}>"
    return function_from_source("position_of", "\n".join([*lines, ""]), text, {"math": math})


def get_item(keys, values, position, key):  # type: ignore[no-untyped-def]
    """Returns the value of a key."""
    if position < 0:
        raise KeyError
    return values[position]


def get_or_default(keys, values, position, key, default):  # type: ignore[no-untyped-def]
    """Returns the value of a key, or without one the default."""
    return default if position < 0 else values[position]


def set_item_at(keys, values, position, key, value):  # type: ignore[no-untyped-def]
    """Sets the value of a key."""
    if position < 0:
        keys.append(key)
        values.append(value)
    else:
        values[position] = value


def set_default(keys, values, position, key, default):  # type: ignore[no-untyped-def]
    """Returns the value of a key; without one sets the default."""
    if position < 0:
        keys.append(key)
        values.append(default)
        return default
    return values[position]


def pop(keys, values, position, key):  # type: ignore[no-untyped-def]
    """Removes a key and returns its value."""
    if position < 0:
        raise KeyError
    keys.pop(position)
    return values.pop(position)


def pop_or_default(keys, values, position, key, default):  # type: ignore[no-untyped-def]
    """Removes a key and returns its value, or without one the default."""
    if position < 0:
        return default
    keys.pop(position)
    return values.pop(position)


def add_key(keys, values, position, key):  # type: ignore[no-untyped-def]
    """Adds a key to a set, which keeps an equal one: 0.0 if -0.0 is added."""
    if position < 0:
        keys.append(key)


def remove_key(keys, values, position, key):  # type: ignore[no-untyped-def]
    """Removes a key of a set."""
    if position < 0:
        raise KeyError
    keys.pop(position)


def discard_key(keys, values, position, key):  # type: ignore[no-untyped-def]
    """Removes a key of a set that may have it."""
    if position >= 0:
        keys.pop(position)


def add_keys(keys, more):  # type: ignore[no-untyped-def]
    """Adds keys to those of a set."""
    for key in more:
        if key not in keys:
            keys.append(key)


def add_common_keys(keys, first, second):  # type: ignore[no-untyped-def]
    """Adds the keys that two sets have to those of a set."""
    for key in first:
        if key in second:
            keys.append(key)


def set_items(mapping, items):  # type: ignore[no-untyped-def]
    """Sets the values of keys, which are pairs."""
    for key, value in items:
        mapping[key] = value


def new_mapping(lowering: Lowering, type: types.Type, arguments: list[Any]) -> Mapping:
    """Returns a new dictionary without items, or a new set of the elements of ``arguments[0]``."""
    is_set = isinstance(type, types.Set)
    if not is_set and not lists.is_growable_list_type(types.List(type.value_type)):
        raise lowering.builder.refuse(
            f"a dictionary with values of type {type.value_type} can't be differentiated: use numbers, arrays or tuples of them"
        )
    kinds = [_number_types(lowering, type, _key_type(type)), *([] if is_set else [type.value_type])]
    keys, *values = [lists.new_list(lowering, types.List(kind), []) for kind in kinds]
    result = Mapping(keys, values[0] if values else Static(None), type)
    if is_set and arguments:
        _add_elements(lowering, result, arguments[0])
    return result


def parameter(lowering: Lowering, name: str, type: types.DictType, position: int) -> Any:
    """Returns a parameter that is a dictionary with numbers as keys; else a text why it can't be differentiated."""
    values = lists.parameter(lowering, name, types.List(type.value_type), position)
    key_type = type.key_type
    if isinstance(key_type, types.Complex) or not isinstance(key_type, containers.NUMBERS) or isinstance(values, str):
        return f"is of type {type} (pass its values as arguments, or as a named tuple, or with numbers as keys)"
    keys = containers.parameter_list(lowering, name, types.List(key_type), "keys", key_type, position)
    return Mapping(keys, values, type)


def _has_plain_keys(mapping: Mapping) -> bool:
    """True if each key of a set is one number."""
    return isinstance(_key_type(mapping.type), containers.NUMBERS)


def _key_type(type: types.Type) -> types.Type:
    return types.unliteral(type.dtype if isinstance(type, types.Set) else type.key_type)


def _number_types(lowering: Lowering, mapping_type: types.Type, type: types.Type) -> types.Type:
    """Returns the type of keys of a type in which texts are numbers."""
    if isinstance(type, (types.Float, types.Integer, types.Boolean)):
        return type
    if isinstance(type, types.UnicodeType):
        return INDEX
    if isinstance(type, types.BaseTuple) and len(type):
        return types.Tuple([_number_types(lowering, mapping_type, item) for item in type])
    raise lowering.builder.refuse(
        f"a {'set' if isinstance(mapping_type, types.Set) else 'dictionary'} with keys of type {type} can't be differentiated: use numbers, texts or tuples of them as keys"
    )


def _numbers_of_key(lowering: Lowering, key: Any, type: types.Type) -> Any:
    """Returns a key with numbers for texts."""
    if isinstance(type, types.UnicodeType):
        return lowering.texts.number_of(key)
    if not isinstance(type, types.BaseTuple):
        return lowering.operands.cast(lowering.operands.scalar(key), type)
    if not isinstance(key, Items) or len(key.values) != len(type):
        raise lowering.builder.refuse(f"a key that is {describe(key)} can't be differentiated")
    return tuple_of([_numbers_of_key(lowering, *pair) for pair in zip(key.values, type, strict=True)])


def _key_of_numbers(numbers: Any, type: types.Type) -> Any:
    """Returns the key of what `_numbers_of_key` made of it."""
    if isinstance(type, types.UnicodeType):
        return NumberedText(numbers)
    if isinstance(type, types.BaseTuple):
        return Items([_key_of_numbers(*pair) for pair in zip(numbers.values, type, strict=True)], type)
    return numbers


def _position(lowering: Lowering, mapping: Mapping, key: Any) -> Scalar:
    """Returns the position of a key, whose texts are numbers, or -1."""
    keys = [containers.items_of(lowering, part) for part in lists.number_lists(mapping.keys)]
    # Numba compares keys of dictionaries by their bits, and those of sets by ==.
    tells_zeros = [mapping.kind == "dictionary" and isinstance(number.type, types.Float) for number in key.leaves]
    position: Scalar = lowering.calls.inline(search(tuple(tells_zeros)), [*keys, *key.leaves])
    return position


def _call(lowering: Lowering, function: Any, mapping: Mapping, key: Any, *values: Any) -> Any:
    """Lowers a call of a function of the lists, the position of a key, the key, and values for it."""
    key = _numbers_of_key(lowering, key, _key_type(mapping.type))
    if isinstance(mapping.values, NumberList):
        values = tuple(
            lowering.operands.cast(lowering.operands.number(value), mapping.type.value_type) for value in values
        )
    position = _position(lowering, mapping, key)
    return lowering.calls.inline(function, [mapping.keys, mapping.values, position, key, *values])


def _add_elements(lowering: Lowering, mapping: Mapping, more: Any) -> None:
    """Adds the elements of an array, a list, a set or a tuple to a set."""
    if isinstance(more, Items):
        for key in more.values:
            _call(lowering, add_key, mapping, key)
        return
    if not _has_plain_keys(mapping):
        raise lowering.builder.refuse(f"a set of {describe(more)} of this kind can't be differentiated")
    keys: Any = more.keys if isinstance(more, Mapping) else more
    if not isinstance(keys, NumberList) and (not isinstance(keys, View) or len(keys.axes) != 1):
        raise lowering.builder.refuse(f"a set of {describe(more)} can't be differentiated")
    lowering.calls.inline(add_keys, [mapping.keys, keys])


def _intersection(lowering: Lowering, mapping: Mapping, other: Mapping) -> Any:
    result = new_mapping(lowering, mapping.type, [])
    if not _has_plain_keys(mapping):
        return NotImplemented
    lowering.calls.inline(add_common_keys, [result.keys, mapping.keys, other.keys])
    return result


def sorted_keys(lowering: Lowering, keys: Any, *, result_type: types.Type) -> Any:
    """Lowers ``sorted(set)``; the result is the same whatever the order of a set is."""
    if not (isinstance(keys, Mapping) and keys.kind == "set" and _has_plain_keys(keys)):
        return NotImplemented
    assert isinstance(keys.keys, NumberList)
    result = containers.list_of_array(lowering, result_type, containers.items_of(lowering, keys.keys))
    methods.call(lowering, result, "sort", [], types.none)
    return result


def iterable(lowering: Lowering, mapping: Mapping, parts: str = "keys") -> Iterable:
    """Returns the iteration over the "keys", "values" or "items" of a dictionary."""
    if mapping.kind == "set":
        raise lowering.builder.refuse(
            "a loop over a set can't be differentiated: its order follows from hashes. Go through sorted(the set), or through an array"
        )
    keys, values = [methods.call(lowering, part, "__iter__", [], types.none) for part in (mapping.keys, mapping.values)]

    def key_of(k: Scalar) -> Any:
        return _key_of_numbers(keys.item(k), _key_type(mapping.type))

    items = {"keys": key_of, "values": values.item, "items": lambda k: tuple_of([key_of(k), values.item(k)])}
    return Iterable(keys.count, items[parts], keys.lists)


def apply(lowering: Lowering, function: Any, operands: list[Any], type: types.Type) -> Any:
    """Lowers ``key in mapping``; refuses other operators."""
    mapping, key = operands
    if function is not operator.contains or not isinstance(mapping, Mapping):
        name = getattr(function, "__name__", function)
        kind = next(operand.kind for operand in operands if isinstance(operand, Mapping))
        raise lowering.builder.refuse(
            f"{name} of a {kind} can't be differentiated: compare, add or remove the keys one by one in a loop"
        )
    key = _numbers_of_key(lowering, key, _key_type(mapping.type))
    return lowering.operators.apply(operator.ge, [_position(lowering, mapping, key), index_constant(0)], type)


def _get(lowering: Lowering, mapping: Mapping, key: Any, *default: Any) -> Any:
    if default:
        return _call(lowering, get_or_default, mapping, key, *default)
    if not isinstance(mapping.values, NumberList):
        return NotImplemented
    key = _numbers_of_key(lowering, key, _key_type(mapping.type))
    position = _position(lowering, mapping, key)
    is_set = lowering.operators.apply(operator.ge, [position, index_constant(0)], types.boolean)
    zero = lowering.operands.cast(index_constant(0), mapping.type.value_type)
    value = lowering.calls.inline(get_or_default, [mapping.keys, mapping.values, position, key, zero])
    return OptionalValue(is_set, value)


def _update(lowering: Lowering, mapping: Mapping, more: Any) -> Any:
    if not isinstance(more, Mapping):
        return NotImplemented
    items = MappingView(more, "items", types.DictItemsIterableType(more.type))
    return lowering.calls.inline(set_items, [mapping, items])


def _call_for_each_list(lowering: Lowering, mapping: Mapping, *, name: str) -> Mapping | None:
    parts: list[Any] = [part for part in (mapping.keys, mapping.values) if part.is_list]
    keys, *values = [methods.call(lowering, part, name, [], part.type) for part in parts]
    return Mapping(keys, values[0] if values else Static(None), mapping.type) if name == "copy" else None


def _rule(function: Any, function_of_default: Any = None) -> Any:
    """Returns the rule of a method with a key, and one with a value for it; None if there is no such method."""

    def rule(lowering: Lowering, mapping: Mapping, key: Any, *value: Any) -> Any:
        chosen = function_of_default if value else function
        return NotImplemented if chosen is None else _call(lowering, chosen, mapping, key, *value)

    return rule


methods.RULES["dictionary"] = {
    **dict.fromkeys(
        ["keys", "values", "items"],
        lambda lowering, mapping, *, name, result_type: MappingView(mapping, name, result_type),
    ),
    "__getitem__": _rule(get_item),
    "__setitem__": _rule(None, set_item_at),
    "__iter__": iterable,
    "get": _get,
    "pop": _rule(pop, pop_or_default),
    "setdefault": _rule(None, set_default),
    "update": _update,
    **dict.fromkeys(["clear", "copy"], _call_for_each_list),
}
methods.RULES["set"] = {
    "__iter__": iterable,
    "add": _rule(add_key),
    "remove": _rule(remove_key),
    "discard": _rule(discard_key),
    "update": _add_elements,
    "intersection": _intersection,
    **dict.fromkeys(["clear", "copy"], _call_for_each_list),
}
