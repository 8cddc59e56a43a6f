"""Dictionaries of numbers and sets, whose keys are integers: a list of keys in the order of insertion, and a list of values.

A look-up compares the keys one by one, so that it needs no code of hashes, which could not be differentiated.
"""

from __future__ import annotations

import operator
from typing import Any

from numba import types

from fastgrad.differentiation.frontend import containers
from fastgrad.differentiation.frontend import views as view_rules
from fastgrad.differentiation.ir.representation import Operand, Scalar, View, index_constant, refuse
from fastgrad.differentiation.ir.values import Items, Iterable, Mapping, NumberList, Static, describe, tuple_of

TYPES = (types.DictType, types.Set)


def position_of(keys, key):  # type: ignore[no-untyped-def]
    """Returns the position of a key, or -1."""
    for i in range(keys.shape[0]):
        if keys[i] == key:
            return i
    return -1


def checked_position_of(keys, key):  # type: ignore[no-untyped-def]
    """Returns the position of a key."""
    for i in range(keys.shape[0]):
        if keys[i] == key:
            return i
    raise KeyError


def count_of_new(position):  # type: ignore[no-untyped-def]
    """Returns 1 for a key that has no position yet, else 0."""
    return 1 if position < 0 else 0


def place_of(position, length):  # type: ignore[no-untyped-def]
    """Returns where an item is stored: at its position, or at the end."""
    return length if position < 0 else position


def value_or(values, position, default):  # type: ignore[no-untyped-def]
    """Returns the value at a position, or without one the default."""
    return default if position < 0 else values[position]


def unite(data, length, before, more):  # type: ignore[no-untyped-def]
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
    return 0


def new_mapping(lowering: Any, type: types.Type, arguments: list[Any]) -> Mapping:
    """Returns a new dictionary without items, or a new set of the elements of ``arguments[0]``."""
    is_set = isinstance(type, types.Set)
    dtypes = [type.dtype] if is_set else [type.key_type, type.value_type]
    if not isinstance(dtypes[0], (types.Integer, types.Boolean)):
        raise refuse(
            f"a {_word(type)} with keys of type {dtypes[0]} can't be differentiated: use integers as keys",
            lowering.builder.location,
        )
    if not isinstance(dtypes[-1], containers.NUMBERS):
        raise refuse(
            f"a dictionary with values of type {dtypes[-1]} can't be differentiated: use numbers, such as positions in an array",
            lowering.builder.location,
        )
    keys, *values = [containers.new_list(lowering, types.List(dtype), []) for dtype in dtypes]
    result = Mapping(keys, values[0] if values else None, type)
    if is_set and arguments:
        _unite(lowering, result, arguments[0])
    return result


def _word(type: types.Type) -> str:
    return "set" if isinstance(type, types.Set) else "dictionary"


def _position(lowering: Any, mapping: Mapping, key: Any, function: Any) -> Scalar:
    position: Scalar = lowering.inline(
        function, [containers.items_of(lowering, mapping.keys), _key(lowering, mapping, key)]
    )
    return position


def _key(lowering: Any, mapping: Mapping, key: Any) -> Operand:
    number: Operand = lowering.cast(lowering.scalar(key), mapping.keys.type.dtype)
    return number


def item(lowering: Any, mapping: Mapping, key: Any) -> Any:
    """Lowers the value of a key."""
    assert mapping.values is not None
    position = _position(lowering, mapping, key, checked_position_of)
    return view_rules.load_element(lowering.builder, mapping.values.data, [position])


def set_item(lowering: Any, mapping: Mapping, key: Any, value: Any = None) -> None:
    """Lowers the assignment of the value of a key, or adds a key to a set."""
    key = _key(lowering, mapping, key)
    position = _position(lowering, mapping, key, position_of)
    count = lowering.inline(count_of_new, [position])
    before = containers.resize(lowering, mapping.keys, count)
    place = lowering.inline(place_of, [position, before])
    view_rules.store_element(lowering.builder, mapping.keys.data, [place], key)
    if mapping.values is not None:
        number = lowering.cast(lowering.number(value), mapping.values.type.dtype)
        containers.resize(lowering, mapping.values, count)
        view_rules.store_element(lowering.builder, mapping.values.data, [place], number)


def remove(lowering: Any, mapping: Mapping, key: Any) -> Any:
    """Lowers the removal of a key; returns its value, of a set None."""
    position = _position(lowering, mapping, key, checked_position_of)
    result: Any = Static(None)
    for part in (mapping.keys, mapping.values):
        if part is not None:
            result = containers.call_method(lowering, part, "pop", [position], types.none)
    return result if mapping.values is not None else Static(None)


def _unite(lowering: Any, mapping: Mapping, more: Any) -> None:
    """Adds the elements of an array, a list, a set or a tuple to a set."""
    if isinstance(more, Items):
        for key in more.values:
            set_item(lowering, mapping, key)
        return
    more = more.keys if isinstance(more, Mapping) else more
    array = containers.items_of(lowering, more) if isinstance(more, NumberList) else more
    if not isinstance(array, View) or len(array.axes) != 1:
        raise refuse(f"a set of {describe(more)} can't be differentiated", lowering.builder.location)
    before = containers.resize(lowering, mapping.keys, array.axes[0].size)
    lowering.inline(unite, [mapping.keys.data, mapping.keys.length, before, array])


def iterable(lowering: Any, mapping: Mapping, parts: str = "keys") -> Iterable:
    """Returns the iteration over the "keys", "values" or "items" of a dictionary."""
    if mapping.values is None:
        raise refuse(
            "a loop over a set can't be differentiated: its order follows from hashes; go through a list or a sorted array",
            lowering.builder.location,
        )
    lists = {"keys": [mapping.keys], "values": [mapping.values], "items": [mapping.keys, mapping.values]}[parts]

    def item_of(k: Scalar) -> Any:
        loaded = [view_rules.load_element(lowering.builder, part.data, [k]) for part in lists]
        return loaded[0] if len(loaded) == 1 else tuple_of(loaded)

    return Iterable(containers.length_of(lowering, mapping.keys), item_of, (mapping.keys,))


def contains(lowering: Any, mapping: Mapping, key: Any, type: types.Type) -> Any:
    """Lowers ``key in mapping``."""
    return lowering.apply(operator.ge, [_position(lowering, mapping, key, position_of), index_constant(0)], type)


def call_method(lowering: Any, mapping: Mapping, name: str, arguments: list[Any], type: types.Type) -> Any:
    """Lowers the call of a method of a dictionary or a set."""
    is_set = mapping.values is None
    if name in ("keys", "values", "items") and not is_set:
        return iterable(lowering, mapping, name)
    if name == "get" and len(arguments) == 2 and mapping.values is not None:
        position = _position(lowering, mapping, arguments[0], position_of)
        default = lowering.cast(lowering.number(arguments[1]), mapping.values.type.dtype)
        return lowering.inline(value_or, [mapping.values.data, position, default])
    if name == "pop" and len(arguments) == 1 and not is_set:
        return remove(lowering, mapping, arguments[0])
    if name == "add":
        set_item(lowering, mapping, arguments[0])
    elif name == "remove":
        remove(lowering, mapping, arguments[0])
    elif name == "update" and is_set:
        for more in arguments:
            _unite(lowering, mapping, more)
    elif name == "clear":
        for part in (mapping.keys, mapping.values):
            if part is not None:
                containers.call_method(lowering, part, "clear", [], type)
    else:
        raise refuse(
            f"the method {name} of a {_word(mapping.type)} can't be differentiated like this", lowering.builder.location
        )
    return Static(None)
