"""Facts of Numba's types of arguments and results."""

from __future__ import annotations

from numba import types

WITHOUT_MEMORY = (types.Number, types.Boolean, types.UnicodeType, types.NoneType, types.Dispatcher)
"""The classes of types whose values have no memory that a function could write."""


class UnknownType(types.PyObject):  # type: ignore[misc]  # Numba has no types
    """The type of the values of a class that Numba does not know.

    Attributes:
        to_array: the name of the class's method that returns an array of NumPy, as of pandas and PyTorch; empty if there is none.
    """

    def __init__(self, kind: type) -> None:
        self.to_array = next((name for name in ("to_numpy", "numpy") if callable(getattr(kind, name, None))), "")
        super().__init__(
            kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        )


def leaf_types(type: types.Type) -> list[types.Type]:
    """Returns the types of the items of tuples, and other types as they are, from left to right."""
    return [leaf for item in type for leaf in leaf_types(item)] if isinstance(type, types.BaseTuple) else [type]


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
