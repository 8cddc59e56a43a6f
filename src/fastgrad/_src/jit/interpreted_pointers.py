"""The pointers of a kernel's body that runs as plain Python: NumPy arrays with bounds, or plain addresses.

An access outside of an array raises `IndexError` in the line of the body. Bounds are known for the arguments of a
kernel, local arrays, and the arrays of a program's steps. Memory whose address a body gets as a number has no bounds,
such as Python's objects and the frames of programs.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.jit.interpreted_numbers import Integer, NumberType, number_type

_C_TYPES = {np.dtype(c): c for c in (ctypes.c_float, ctypes.c_double)} | {
    np.dtype(f"{sign}int{8 * size}"): getattr(ctypes, f"c_{sign}int{8 * size}")
    for sign in ("", "u")
    for size in (1, 2, 4, 8)
}


class ArrayPointer:
    """A pointer to the elements of an array; elements of a bool array are bytes.

    Args:
        array: a contiguous array.
        name: its name in messages.
    """

    __slots__ = ("_is_plain", "array", "kind", "name")

    def __init__(self, array: np.ndarray, name: str) -> None:
        self.kind = number_type(array.dtype)
        self.array = array.reshape(-1).view(self.kind.dtype)
        self.name = name
        self._is_plain = array.dtype in (np.float32, np.float64, np.int64)  # else elements are `Integer`s

    def __repr__(self) -> str:
        return f"{self.name}: {self.array!r}"

    def __getitem__(self, index: Any) -> Any:
        self._check(index)
        return self.array[index] if self._is_plain else Integer(self.array.item(index), self.kind.name)

    def __setitem__(self, index: Any, value: Any) -> None:
        self._check(index)
        converted = self.kind(value)
        self.array[index] = converted if self._is_plain else converted.value

    @property
    def address(self) -> int:
        """The address of the first element."""
        return int(self.array.__array_interface__["data"][0])

    def _check(self, index: Any) -> None:
        if not 0 <= index < self.array.size:
            raise IndexError(f"{self.name}[{index}] is outside of its {self.array.size} elements")


class AddressPointer:
    """A pointer to elements at an address, without bounds.

    Args:
        kind: the type of the elements.
        address: the address of the first element.
    """

    __slots__ = ("_c_type", "_size", "address", "kind")

    def __init__(self, kind: NumberType, address: int) -> None:
        self.kind = kind
        self.address = int(address)
        self._c_type: Any = _C_TYPES[kind.dtype]
        self._size = kind.dtype.itemsize

    def __repr__(self) -> str:
        return f"pointer({self.kind}, {self.address:#x})"

    def __getitem__(self, index: Any) -> Any:
        return self.kind(self._c_type.from_address(self.address + self._size * int(index)).value)

    def __setitem__(self, index: Any, value: Any) -> None:
        converted = self.kind(value)
        there = self._c_type.from_address(self.address + self._size * int(index))
        there.value = int(converted) if self.kind.dtype.kind in "iu" else converted


class PointerTable:
    """A pointer to pointers: the arrays of a list.

    Args:
        pointers: a pointer to each array.
        name: its name in messages.
    """

    __slots__ = ("name", "pointers")

    def __init__(self, pointers: Sequence[Any], name: str) -> None:
        self.pointers = pointers
        self.name = name

    def __getitem__(self, index: Any) -> Any:
        if not 0 <= index < len(self.pointers):
            raise IndexError(f"{self.name}[{index}] is outside of its {len(self.pointers)} elements")
        return self.pointers[int(index)]


class _Memory:
    """A view of memory at an address as elements of a dtype, with NumPy's array interface."""

    def __init__(self, address: int, dtype: np.dtype, count: int) -> None:
        self.__array_interface__ = {"data": (address, False), "typestr": dtype.str, "shape": (count,), "version": 3}


def pointer_at(kind: NumberType, address: int, count: int, name: str) -> Any:
    """Returns a pointer to `count` elements at an address; a negative `count` means that there are no bounds."""
    if count < 0:
        return AddressPointer(kind, address)
    if count == 0:
        return ArrayPointer(np.empty(0, kind.dtype), name)
    return ArrayPointer(np.asarray(_Memory(int(address), kind.dtype, int(count))), name)
