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


def shares_memory(values, array):  # type: ignore[no-untyped-def]
    """Returns whether an array of a list may share memory with another array."""
    for item in values:  # noqa: SIM110  # Numba compiles no generators
        if may_share_memory(item, array):
            return True
    return False


shares_memory_of_item = numba.njit(shares_memory)


class _ItemFunctions(NamedTuple):
    """Functions of an item of a list: its shape, how many numbers it has, its numbers, and the item of these numbers that is like another one."""

    shape: Callable[..., Any]
    size: Callable[..., Any]
    numbers: Callable[..., Any]
    item_like: Callable[..., Any]


_identity = register_jitable(lambda values: values)
_dictionary_values = register_jitable(lambda owner: owner.values())
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


def _numbers(dtype: np.dtype, items_of: Callable[..., Any] = _identity) -> Callable[..., Any]:
    def numbers(owner, name):  # type: ignore[no-untyped-def]
        result, count = np.empty(len(owner), dtype), 0
        for number in items_of(owner):
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
    For a dictionary: the "keys", the "values".
    """
    if isinstance(type, types.DictType):
        is_keys = name == "keys"
        return _numbers(
            as_dtype(type.key_type if is_keys else type.value_type), _identity if is_keys else _dictionary_values
        )
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
