"""What variables stand for while a function is lowered: numbers, arrays, tuples, and values that are known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba.core import types
from numba.core.registry import cpu_target

from fastgrad.differentiation.ir import Constant, Counter, Operand, Scalar, View, is_constant


class Static:
    """A Python value that is known: a function, a module, None."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class Items:
    """A tuple or list whose items are values."""

    __slots__ = ("type", "values")

    def __init__(self, values: list[Any], type: types.Type) -> None:
        self.values = values
        self.type = type


class Method:
    """A method of an array."""

    __slots__ = ("name", "owner")

    def __init__(self, owner: Any, name: str) -> None:
        self.owner = owner
        self.name = name


class Deferred:
    """A value that can't be differentiated: an error where it is used."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason


class Range:
    """The range of a ``for`` loop."""

    __slots__ = ("start", "step", "stop")

    def __init__(self, start: Operand, stop: Operand, step: Operand) -> None:
        self.start = start
        self.stop = stop
        self.step = step


class Iterable:
    """What a ``for`` loop goes through: the number of items, and a function from a number to the item."""

    __slots__ = ("count", "item")

    def __init__(self, count: Operand, item: Callable[[Scalar], Any]) -> None:
        self.count = count
        self.item = item


class LoopState:
    """An iterator."""

    __slots__ = ("counter", "iterable")

    def __init__(self, counter: Counter, iterable: Iterable) -> None:
        self.counter = counter
        self.iterable = iterable


class Step:
    """What an iterator gives: whether there is an item, and the item, which is read where the loop's body begins."""

    __slots__ = ("_make", "is_resolved", "is_valid", "item")

    def __init__(self, is_valid: Scalar, make: Callable[[], Any]) -> None:
        self.is_valid = is_valid
        self._make = make
        self.is_resolved = False
        self.item: Any = None

    def resolve(self) -> None:
        """Reads the item."""
        if not self.is_resolved:
            self.item = self._make()
            self.is_resolved = True


def type_of(value: Any) -> types.Type:
    """Returns the Numba type of a value, as an argument of a call."""
    if isinstance(value, (Constant, Scalar)):
        return types.unliteral(value.type)
    if isinstance(value, View):
        layout = value.root.type.layout if value.is_whole() else "C" if _is_row(value) else "A"
        return types.Array(value.root.type.dtype, len(value.axes), layout)
    if isinstance(value, Items):
        items = [type_of(item) for item in value.values]
        if isinstance(value.type, (types.BaseNamedTuple, types.List)):
            return value.type
        return types.Tuple(items)
    if isinstance(value, Static):
        return types.none if value.value is None else cpu_target.typing_context.resolve_value_type(value.value)
    if isinstance(value, Range):
        return types.range_state64_type
    raise TypeError(f"no type for {value!r}")


def _is_row(view: View) -> bool:
    """True if a view of a contiguous root is the whole of its last axes."""
    root, rank = view.root, len(view.axes)
    return root.type.layout == "C" and all(
        axis.root_axis is not None
        and axis.root_axis == root.type.ndim - rank + number
        and is_constant(axis.step, 1)
        and (axis.size is root.dims[axis.root_axis] or number == 0)
        for number, axis in enumerate(view.axes)
    )


def leaves(value: Any) -> list[Any]:
    """Returns the numbers and arrays of a value, from left to right."""
    if isinstance(value, Items):
        return [leaf for item in value.values for leaf in leaves(item)]
    if isinstance(value, Static) and value.value is None:
        return []
    return [value]
