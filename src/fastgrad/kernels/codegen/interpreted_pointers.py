"""The pointers of a kernel's body that runs as plain Python: NumPy arrays with bounds, or plain addresses.

An access outside of an array is an `IndexError` in the line of the body that makes it. How many elements there are is known of arrays
that a kernel is called with, of local arrays, and of the arrays of a program's steps. Memory that a body knows by a number
alone, such as Python's objects and the frames of programs, has no bounds.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from fastgrad.kernels.codegen.interpreted_numbers import Integer, NumberType, number_type

_C_TYPES = {np.dtype(c): c for c in (ctypes.c_float, ctypes.c_double)} | {
    np.dtype(f"{sign}int{8 * size}"): getattr(ctypes, f"c_{sign}int{8 * size}")
    for sign in ("", "u")
    for size in (1, 2, 4, 8)
}


class ArrayPointer:
    """A pointer to the elements of an array.

    Args:
        array: contiguous.
        name: what messages call it.
    """

    __slots__ = ("array", "kind", "name")

    def __init__(self, array: np.ndarray, name: str) -> None:
        self.kind = number_type(array.dtype)
        self.array = array.reshape(-1).view(self.kind.dtype)
        self.name = name

    def __repr__(self) -> str:
        return f"{self.name}: {self.array!r}"

    def __getitem__(self, index: Any) -> Any:
        if not 0 <= index < self.array.size:
            self._refuse(index)
        return self.array[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        if not 0 <= index < self.array.size:
            self._refuse(index)
        self.array[index] = self.kind(value)

    @property
    def address(self) -> int:
        """Where the first element lies."""
        return int(self.array.__array_interface__["data"][0])

    def _refuse(self, index: Any) -> NoReturn:
        raise IndexError(f"{self.name}[{index}] is outside of its {self.array.size} elements")


class IntegerPointer(ArrayPointer):
    """The same to integers that NumPy's scalars do not stand for; see `Integer`."""

    __slots__ = ()

    def __getitem__(self, index: Any) -> Integer:
        if not 0 <= index < self.array.size:
            self._refuse(index)
        return Integer(self.array.item(index), self.kind.name)

    def __setitem__(self, index: Any, value: Any) -> None:
        if not 0 <= index < self.array.size:
            self._refuse(index)
        self.array[index] = self.kind(value).value


def pointer_to(array: np.ndarray, name: str) -> ArrayPointer:
    """A pointer to the elements of a contiguous array; one of truth values has bytes."""
    is_plain = array.dtype in (np.float32, np.float64, np.int64)
    return (ArrayPointer if is_plain else IntegerPointer)(array, name)


class AddressPointer:
    """A pointer to elements at an address, of which nobody knows how many there are.

    Args:
        kind: the type of the elements.
        address: of the first.
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
        pointers: to each array.
        name: what messages call it.
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
    """Elements at an address, as NumPy takes them."""

    def __init__(self, address: int, dtype: np.dtype, count: int) -> None:
        self.__array_interface__ = {"data": (address, False), "typestr": dtype.str, "shape": (count,), "version": 3}


def pointer_at(kind: NumberType, address: int, count: int, name: str) -> Any:
    """A pointer to so many elements at an address; with a negative number nobody knows how many."""
    if count < 0:
        return AddressPointer(kind, address)
    if count == 0:
        return pointer_to(np.empty(0, kind.dtype), name)
    return pointer_to(np.asarray(_Memory(int(address), kind.dtype, int(count))), name)
