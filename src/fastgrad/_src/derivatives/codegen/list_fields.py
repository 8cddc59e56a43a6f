"""Arguments that are lists and dictionaries, as new arrays of their numbers; gradients and tangents of lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import types
from numba.extending import overload, register_jitable

from fastgrad._src.derivatives.codegen.tape_memory import may_share_memory
from fastgrad._src.jit.numba_internals import as_dtype

_identity = register_jitable(lambda values: values)


def shares_memory(container, array):  # type: ignore[no-untyped-def]
    """Returns whether an array in a list, a dictionary or a tuple may share memory with another array."""
    return _shares_memory(numba.typeof(container))(container, array)


def _has_arrays(type: types.Type) -> bool:
    if isinstance(type, types.BaseTuple):
        return any(map(_has_arrays, type))
    if isinstance(type, types.DictType):
        return _has_arrays(type.value_type)
    return isinstance(type, types.Array) or (isinstance(type, (types.List, types.ListType)) and _has_arrays(type.dtype))


def _shares_memory(type: types.Type) -> Callable[..., Any]:
    if not _has_arrays(type):
        return lambda container, array: False
    if isinstance(type, types.Array):
        return lambda container, array: may_share_memory(container, array)  # noqa: PLW0108  # Numba compares names
    if isinstance(type, types.BaseTuple):
        return lambda container, array: shares_memory(container[0], array) or shares_memory(container[1:], array)
    items_of = register_jitable((lambda owner: owner.values()) if isinstance(type, types.DictType) else _identity)

    def item_shares_memory(container, array):  # type: ignore[no-untyped-def]
        for item in items_of(container):  # noqa: SIM110  # Numba compiles no generators
            if shares_memory(item, array):
                return True
        return False

    return item_shares_memory


overload(shares_memory)(lambda container, array: _shares_memory(container))


@numba.njit
def shares_memory_of_item(container, array):  # type: ignore[no-untyped-def]
    """Is `shares_memory`, compiled."""
    return shares_memory(container, array)


class _ItemFunctions(NamedTuple):
    """Functions of an item of a list: its shape, how many numbers it has, its numbers, and the item of these numbers that is like another one."""

    shape: Callable[..., Any]
    size: Callable[..., Any]
    numbers: Callable[..., Any]
    item_like: Callable[..., Any]


_NUMBER_ITEMS = _ItemFunctions(register_jitable(lambda number: ()), len, _identity, _identity)
_LIST_ITEMS = _ItemFunctions(
    register_jitable(lambda values: (len(values),)),
    len,
    _identity,
    register_jitable(lambda numbers, values: [number for number in numbers]),  # noqa: C416  # Numba's list takes no array
)
_ARRAY_ITEMS = _ItemFunctions(
    register_jitable(lambda array: array.shape),
    register_jitable(lambda array: array.size),
    register_jitable(lambda array: array.ravel()),
    register_jitable(lambda numbers, array: numbers.reshape(array.shape)),
)


def _item_functions(type: types.Type) -> _ItemFunctions:
    if isinstance(type.dtype, types.Array):
        return _ARRAY_ITEMS
    return _LIST_ITEMS if _is_nested(type) else _NUMBER_ITEMS


def _is_nested(type: types.Type) -> bool:
    return isinstance(type.dtype, (types.Array, types.List, types.ListType))


def _numbers(dtype: np.dtype) -> Callable[..., Any]:
    def numbers(owner, name):  # type: ignore[no-untyped-def]
        result, count = np.empty(len(owner), dtype), 0
        for number in owner:
            result[count] = number
            count += 1  # noqa: SIM113  # dictionaries have no enumerate in Numba
        return result

    return numbers


def _elements(type: types.Type) -> Callable[..., Any]:
    """Returns the function of a list and a name that returns the array of the elements of all items."""
    if not _is_nested(type):
        return _numbers(as_dtype(type.dtype))
    dtype, (_, size_of, numbers_of, _) = as_dtype(type.dtype.dtype), _item_functions(type)

    def elements(owner, name):  # type: ignore[no-untyped-def]
        count = 0
        for item in owner:
            count += size_of(item)
        result, count = np.empty(count, dtype), 0
        for item in owner:
            for number in numbers_of(item):
                result[count] = number
                count += 1
        return result

    return elements


def implementation(type: types.Type, name: str) -> Callable[..., Any]:
    """Returns the function of a list or a dictionary and ``name`` that returns one of the arrays that it is lowered to.

    For a list of numbers: its "items". For a list of arrays or of lists: the "elements", the "starts", and the sizes along the axes, "size_0" ...
    For a list of tuples: those of the list of each item, with its number in front, as in "1.items". For a dictionary: the "keys", and those of the list
    of its values.
    """
    if name == "keys":
        return _numbers(as_dtype(type.key_type))
    if isinstance(type, types.DictType):
        of_values = register_jitable(implementation(types.List(type.value_type), name))
        return lambda owner, name: of_values([value for value in owner.values()], name)  # noqa: C416  # Numba has no list of it
    column, is_tuple, rest = name.partition(".")
    if is_tuple:
        number = int(column)
        of_column = register_jitable(implementation(types.List(type.dtype[number]), rest))
        return lambda owner, name: of_column([item[number] for item in owner], name)
    if name in ("items", "elements"):
        return _elements(type)
    shape_of, size_of, _, _ = _item_functions(type)

    def starts(owner, name):  # type: ignore[no-untyped-def]
        result, count = np.empty(len(owner), np.int64), 0
        for k in range(len(owner)):
            result[k] = count
            count += size_of(owner[k])
        return result

    if name == "starts":
        return starts
    axis = int(name.removeprefix("size_"))

    def sizes(owner, name):  # type: ignore[no-untyped-def]
        result = np.empty(len(owner), np.int64)
        for k in range(len(owner)):
            result[k] = shape_of(owner[k])[axis]
        return result

    return sizes


# ---- gradients and tangents -----------------------------------------------------------------------------------------


def list_like(owner, elements):  # type: ignore[no-untyped-def]
    """Returns a list with the lengths and shapes of a list, of an array of the elements of all items; arrays show its memory."""
    return _list_like(numba.typeof(owner))(owner, elements)


def _list_like(type: types.Type) -> Callable[..., Any]:
    if not _is_nested(type):
        return lambda owner, elements: [elements[k] for k in range(len(owner))]
    _, size_of, _, item_like = _item_functions(type)

    def nested(owner, elements):  # type: ignore[no-untyped-def]
        result, start = [], 0
        for item in owner:
            stop = start + size_of(item)
            result.append(item_like(elements[start:stop], item))
            start = stop
        return result

    return nested


overload(list_like)(lambda owner, elements: _list_like(owner))


def tangents_in_list(tangents, owner):  # type: ignore[no-untyped-def]
    """Returns the elements of a list of tangents as an array of the dtype of the elements of ``owner``, a list.

    Raises:
        ValueError: the lists differ in length, or their items in shape.
    """
    return _tangents_in_list(numba.typeof(owner))(tangents, owner)


def _tangents_in_list(type: types.Type) -> Callable[..., Any]:
    shape_of, elements_of = _item_functions(type).shape, numba.njit(_elements(type))

    def elements(tangents, owner):  # type: ignore[no-untyped-def]
        is_like = len(tangents) == len(owner)
        for k in range(len(owner) if is_like else 0):
            is_like = is_like and shape_of(tangents[k]) == shape_of(owner[k])
        if not is_like:
            raise ValueError(
                "jvp: the tangent of a list has another length or other shapes than the list: pass a list of tangents of the items"
            )
        return elements_of(tangents, None)

    return elements


overload(tangents_in_list)(lambda tangents, owner: _tangents_in_list(owner))
