"""Arguments that are lists and dictionaries, as new arrays of their numbers; gradients and tangents of lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import types
from numba.extending import overload

from fastgrad._src.derivatives.codegen.tape_memory import may_share_memory
from fastgrad._src.jit.numba_internals import as_dtype


def shares_memory(values, array):  # type: ignore[no-untyped-def]
    """Returns whether an array of a list may share memory with another array."""
    for item in values:  # noqa: SIM110  # Numba compiles no generators
        if may_share_memory(item, array):
            return True
    return False


shares_memory_of_item = numba.njit(shares_memory)


def _numbers(dtype: np.dtype) -> Callable[..., Any]:
    def numbers(owner, name):  # type: ignore[no-untyped-def]
        result, count = np.empty(len(owner), dtype), 0
        for number in owner:
            result[count] = number
            count += 1  # noqa: SIM113  # dictionaries have no enumerate in Numba
        return result

    return numbers


def _values_of_dictionary(dtype: np.dtype) -> Callable[..., Any]:
    def numbers(owner, name):  # type: ignore[no-untyped-def]
        result, count = np.empty(len(owner), dtype), 0
        for number in owner.values():
            result[count] = number
            count += 1  # noqa: SIM113
        return result

    return numbers


def _elements_of_arrays(dtype: np.dtype) -> Callable[..., Any]:
    def elements(owner, name):  # type: ignore[no-untyped-def]
        count = 0
        for item in owner:
            count += item.size
        result, count = np.empty(count, dtype), 0
        for item in owner:
            for number in item.flat:
                result[count] = number
                count += 1
        return result

    return elements


def _elements_of_lists(dtype: np.dtype) -> Callable[..., Any]:
    def elements(owner, name):  # type: ignore[no-untyped-def]
        count = 0
        for item in owner:
            count += len(item)
        result, count = np.empty(count, dtype), 0
        for item in owner:
            for number in item:
                result[count] = number
                count += 1
        return result

    return elements


def _starts_of_arrays(owner, name):  # type: ignore[no-untyped-def]
    result, count = np.empty(len(owner), np.int64), 0
    for k in range(len(owner)):
        result[k] = count
        count += owner[k].size
    return result


def _starts_of_lists(owner, name):  # type: ignore[no-untyped-def]
    result, count = np.empty(len(owner), np.int64), 0
    for k in range(len(owner)):
        result[k] = count
        count += len(owner[k])
    return result


def _sizes(axis: int) -> Callable[..., Any]:
    def sizes(owner, name):  # type: ignore[no-untyped-def]
        result = np.empty(len(owner), np.int64)
        for k in range(len(owner)):
            result[k] = owner[k].shape[axis]
        return result

    return sizes


def _lengths(owner, name):  # type: ignore[no-untyped-def]
    result = np.empty(len(owner), np.int64)
    for k in range(len(owner)):
        result[k] = len(owner[k])
    return result


def implementation(type: types.Type, name: str) -> Callable[..., Any]:
    """Returns the function of a list or a dictionary and ``name`` that returns one of the arrays that it is lowered to.

    For a list of numbers: its "items". For a list of arrays or of lists: the "elements", the "starts", and the sizes along the axes, "size_0" ...
    For a dictionary: the "keys", the "values".
    """
    if isinstance(type, types.DictType):
        kind = type.key_type if name == "keys" else type.value_type
        return (_numbers if name == "keys" else _values_of_dictionary)(as_dtype(kind))
    if name == "items":
        return _numbers(as_dtype(type.dtype))
    is_nested = not isinstance(type.dtype, types.Array)
    if name == "elements":
        return (_elements_of_lists if is_nested else _elements_of_arrays)(as_dtype(type.dtype.dtype))
    if name == "starts":
        return _starts_of_lists if is_nested else _starts_of_arrays
    return _lengths if is_nested else _sizes(int(name.removeprefix("size_")))


# ---- gradients and tangents -----------------------------------------------------------------------------------------

_OTHER_SHAPE = (
    "jvp: the tangent of a list has another length or other shapes than the list: pass a list of tangents of the items"
)


def list_like(owner, elements):  # type: ignore[no-untyped-def]
    """Returns a list with the lengths and shapes of a list, of an array of the elements of all items; arrays show its memory."""
    return _list_function(numba.typeof(owner))(owner, elements)


@overload(list_like)
def _list_like(owner, elements):  # type: ignore[no-untyped-def]
    return _list_function(owner)


def _list_function(type: types.Type) -> Callable[..., Any]:
    if isinstance(type.dtype, types.Array):
        return _list_of_arrays
    return _list_of_lists if isinstance(type.dtype, (types.List, types.ListType)) else _list_of_numbers


def _list_of_numbers(owner, elements):  # type: ignore[no-untyped-def]
    return [elements[k] for k in range(len(owner))]


def _list_of_arrays(owner, elements):  # type: ignore[no-untyped-def]
    result, start = [], 0
    for item in owner:
        result.append(elements[start : start + item.size].reshape(item.shape))
        start += item.size
    return result


def _list_of_lists(owner, elements):  # type: ignore[no-untyped-def]
    result, start = [], 0
    for item in owner:
        result.append([elements[start + k] for k in range(len(item))])
        start += len(item)
    return result


def tangents_in_list(tangents, owner):  # type: ignore[no-untyped-def]
    """Returns the elements of a list of tangents as an array of the dtype of the elements of ``owner``, a list.

    Raises:
        ValueError: the lists differ in length, or their items in shape.
    """
    return _tangents_function(numba.typeof(owner))(tangents, owner)


@overload(tangents_in_list)
def _tangents_in_list(tangents, owner):  # type: ignore[no-untyped-def]
    return _tangents_function(owner)


def _tangents_function(type: types.Type) -> Callable[..., Any]:
    if isinstance(type.dtype, types.Array):
        return _tangents_of_arrays(as_dtype(type.dtype.dtype))
    if isinstance(type.dtype, (types.List, types.ListType)):
        return _tangents_of_lists(as_dtype(type.dtype.dtype))
    return _tangents_of_numbers(as_dtype(type.dtype))


def _tangents_of_numbers(dtype: np.dtype) -> Callable[..., Any]:
    def elements(tangents, owner):  # type: ignore[no-untyped-def]
        if len(tangents) != len(owner):
            raise ValueError(_OTHER_SHAPE)
        result = np.empty(len(owner), dtype)
        for k in range(len(owner)):
            result[k] = tangents[k]
        return result

    return elements


def _tangents_of_arrays(dtype: np.dtype) -> Callable[..., Any]:
    def elements(tangents, owner):  # type: ignore[no-untyped-def]
        if len(tangents) != len(owner):
            raise ValueError(_OTHER_SHAPE)
        count = 0
        for k in range(len(owner)):
            if tangents[k].shape != owner[k].shape:
                raise ValueError(_OTHER_SHAPE)
            count += owner[k].size
        result, count = np.empty(count, dtype), 0
        for item in tangents:
            for number in item.flat:
                result[count] = number
                count += 1
        return result

    return elements


def _tangents_of_lists(dtype: np.dtype) -> Callable[..., Any]:
    def elements(tangents, owner):  # type: ignore[no-untyped-def]
        if len(tangents) != len(owner):
            raise ValueError(_OTHER_SHAPE)
        count = 0
        for k in range(len(owner)):
            if len(tangents[k]) != len(owner[k]):
                raise ValueError(_OTHER_SHAPE)
            count += len(owner[k])
        result, count = np.empty(count, dtype), 0
        for item in tangents:
            for number in item:
                result[count] = number
                count += 1
        return result

    return elements
