"""What a function returns: which parts a program computes anew, and which are the same each time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad import nest
from fastgrad.array_conversion import short
from fastgrad.compiler.dispatch.identity import reference
from fastgrad.compiler.recording.record import Recording
from fastgrad.compiler.recording.scalar import Scalar
from fastgrad.composite import Composite
from fastgrad.dtypes import int32
from fastgrad.indexed_slices import IndexedSlices
from fastgrad.ops.tensor_array import TensorArray
from fastgrad.shape import TensorShape
from fastgrad.tensor import Tensor, as_tensor_or_none, convert_to_tensor
from fastgrad.variable import Variable

COMPUTED, ARGUMENT, SAME, CONSTANT = range(4)
"""Where a leaf of the result comes from: the program, the caller, or it is the same each time (a constant is a tensor)."""


def as_results(value: Any, name: str) -> Any:
    """What a function returned, with tensors for numbers, arrays and variables, as TensorFlow's functions return.

    Args:
        value: a nested structure.
        name: the function's, for errors.

    Raises:
        TypeError: an object that holds tensors in its attributes, which could not be made anew by a replay.
    """
    if isinstance(value, Tensor) or value is None:
        return value
    if nest.is_nested(value):
        flat = [as_results(item, name) for item in nest.flatten(value)]
        return nest.pack_sequence_as(value, flat)
    if isinstance(value, (IndexedSlices, Composite)):
        return value
    if isinstance(value, Variable):
        return Variable.value(value)
    if isinstance(value, (Scalar, bool, int, float, complex, str, bytes, np.ndarray, np.generic)):
        return convert_to_tensor(value)
    if isinstance(value, TensorShape) and value.is_fully_defined():
        return convert_to_tensor(list(value), int32)
    if isinstance(value, TensorArray):
        raise TypeError(f"{name}(): can't return a TensorArray from tf.function; return array.stack().")
    if hasattr(value, "__next__"):
        raise TypeError(
            f"{name}(): can't return {short(value)} from tf.function: it would run its Python later. Return a list."
        )
    found = as_tensor_or_none(value)
    if found is not None:
        return found
    for attribute, held in getattr(value, "__dict__", {}).items():
        if isinstance(held, Tensor):
            raise TypeError(
                f"{name}(): can't return {short(value)}, of type {type(value).__name__}, from tf.function: its attribute "
                f"{attribute!r} is a tensor, which a replay could not put into it. Return the tensors, in lists, tuples or dicts."
            )
    return value


class Results:
    """How the result of a call is put together from what a program gives.

    Args:
        value: what the function returned, as of ``as_results``.
        arguments: the tensors that stood for the call's arrays.
        recording: of the run.

    Attributes:
        tensors: what the program must compute, in order.
        count: how many they are.
        plan: for each leaf where it comes from.
        is_single: whether the result is one computed tensor.
    """

    def __init__(self, value: Any, arguments: Sequence[Tensor], recording: Recording) -> None:
        self._recording: Recording | None = recording
        self.tensors: list[Tensor] = []
        self._places = {id(tensor): position for position, tensor in enumerate(arguments)}
        self._numbers: dict[int, int] = {}
        self.plan = self._planned(value)
        self.count = len(self.tensors)
        self._recording = None
        self.is_single = self.plan == (COMPUTED, 0)

    def done(self) -> list[Tensor]:
        """Gives ``tensors`` away: they are needed while the program is written down."""
        found, self.tensors = self.tensors, []
        self._places, self._numbers = {}, {}
        return found

    def _planned(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            place = self._places.get(id(value))
            if place is not None:
                return ARGUMENT, place
            if self._recording is not None and self._recording.takes_as_constant(value):
                return CONSTANT, reference(value), value._array
            number = self._numbers.setdefault(id(value), len(self.tensors))
            if number == len(self.tensors):
                self.tensors.append(value)
            return COMPUTED, number
        if isinstance(value, IndexedSlices):
            shape = value.dense_shape
            return IndexedSlices, [self._planned(part) for part in (value.values, value.indices, shape)]
        if isinstance(value, Composite):
            form, tensors = value._apart()
            return Composite, [self._planned(part) for part in tensors], type(value), form
        if nest.is_nested(value):
            # The structure, with a plan for each leaf.
            return (
                list,
                value if not nest.flatten(value) else nest.map_structure(lambda _: 0, value),
                [self._planned(item) for item in nest.flatten(value)],
            )
        return SAME, value

    def packed(self, arrays: Sequence[np.ndarray], given: Sequence[Any]) -> Any:
        """The result of a call.

        Args:
            arrays: what the program gave.
            given: the call's tensors, arrays and floats.
        """
        if self.is_single:
            return Tensor(arrays[0])
        return _packed(self.plan, [Tensor(array) for array in arrays], given)

    def first(self, tensors: list[Tensor], given: Sequence[Any]) -> Any:
        """The result of the recording itself, whose tensors are ``tensors``."""
        return _packed(self.plan, tensors, given)


def _packed(plan: Any, tensors: list[Tensor], given: Sequence[Any]) -> Any:
    kind = plan[0]
    if kind is COMPUTED:
        return tensors[plan[1]]
    if kind is ARGUMENT:
        value = given[plan[1]]
        return value if isinstance(value, Tensor) else convert_to_tensor(value)
    if kind is SAME:
        return plan[1]
    if kind is CONSTANT:
        same = plan[1]()
        return Tensor(plan[2]) if same is None else same
    if kind is IndexedSlices:
        return IndexedSlices(*[_packed(part, tensors, given) for part in plan[1]])
    if kind is Composite:
        made: Any = plan[2]
        return made._together(plan[3], [_packed(part, tensors, given) for part in plan[1]])
    return nest.pack_sequence_as(plan[1], [_packed(part, tensors, given) for part in plan[2]])
