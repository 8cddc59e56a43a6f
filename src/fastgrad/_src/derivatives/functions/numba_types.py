"""Facts of Numba's types of arguments and results."""

from __future__ import annotations

from numba import types


def number_type(type: types.Type) -> types.Type:
    """Returns the type of an array's elements; other types as they are."""
    return type.dtype if isinstance(type, types.Array) else type


def rank_of_type(type: types.Type) -> int:
    """Returns the number of axes of an array; 0 for other types."""
    return type.ndim if isinstance(type, types.Array) else 0


def number_or_array(dtype: types.Type, rank: int) -> types.Type:
    """Returns the type of a number, or with a ``rank`` that of C-contiguous arrays."""
    return types.Array(dtype, rank, "C") if rank else dtype


def is_float_type(type: types.Type) -> bool:
    """True for the types of real floats and of arrays of them."""
    return isinstance(number_type(type), types.Float)


def is_complex_type(type: types.Type) -> bool:
    """True for the types of complex numbers and of arrays of them."""
    return isinstance(number_type(type), types.Complex)
