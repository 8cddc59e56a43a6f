"""The results of a function: which parts a program computes, and which are the same at each call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.compiler.dispatch.identity import weak_or_strong_reference
from fastgrad._src.compiler.dispatch.signature import COMPOSITE_TENSOR_TYPES
from fastgrad._src.compiler.recording.record import Recording
from fastgrad._src.compiler.recording.scalar import Scalar
from fastgrad._src.core import nest
from fastgrad._src.core.composite import Composite
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, as_tensor_or_none, convert_to_tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.jit.captured_values import short_repr
from fastgrad._src.ops.tensor_array import TensorArray

COMPUTED, ARGUMENT, SAME, CONSTANT = range(4)
"""The source of a leaf of the result: the program, the caller, or a value that is the same each time (a constant is a tensor)."""


def as_results(value: Any, name: str) -> Any:
    """Returns a function's result with numbers, arrays and variables as tensors, as TensorFlow's functions do.

    Args:
        value: a nested structure.
        name: the function's, for errors.

    Raises:
        TypeError: an object that holds tensors in its attributes, which a replay could not create.
    """
    if isinstance(value, Tensor) or value is None:
        return value
    if nest.is_nested(value):
        flat = [as_results(item, name) for item in nest.flatten(value)]
        return nest.pack_sequence_as(value, flat)
    if isinstance(value, COMPOSITE_TENSOR_TYPES):
        return value
    if isinstance(value, Variable):
        return Variable.value(value)
    if isinstance(value, (Scalar, bool, int, float, complex, str, bytes, np.ndarray, np.generic)):
        return convert_to_tensor(value)
    if isinstance(value, TensorShape):
        if not value.is_fully_defined():
            raise TypeError(
                f"{name}(): can't return {value!r} from tf.function: a shape that is not fully defined is no tensor."
            )
        return convert_to_tensor(value)
    if isinstance(value, TensorArray):
        raise TypeError(f"{name}(): can't return a TensorArray from tf.function; return array.stack().")
    if hasattr(value, "__next__"):
        raise TypeError(
            f"{name}(): can't return {short_repr(value)} from tf.function: it would run its Python later. Return a list."
        )
    tensor = as_tensor_or_none(value)
    if tensor is not None:
        return tensor
    for attribute, attribute_value in getattr(value, "__dict__", {}).items():
        if isinstance(attribute_value, Tensor):
            raise TypeError(
                f"{name}(): can't return {short_repr(value)}, of type {type(value).__name__}, from tf.function: its attribute "
                f"{attribute!r} is a tensor, which a replay could not put into it. Return the tensors, in lists, tuples or dicts."
            )
    return value


class Results:
    """Builds the result of a call from the results of a program.

    Args:
        value: the function's result, as returned by ``as_results``.
        arguments: the tensors that stood for the call's arrays.
        recording: of the run.

    Attributes:
        tensors: the results that the program must compute, in order.
        count: their number.
        structure: the nested result, with the source of each leaf.
        is_single: whether the result is one computed tensor.
    """

    def __init__(self, value: Any, arguments: Sequence[Tensor], recording: Recording) -> None:
        self._recording: Recording | None = recording
        self.tensors: list[Tensor] = []
        self._places = {id(tensor): position for position, tensor in enumerate(arguments)}
        self._numbers: dict[int, int] = {}
        self.structure = self._structure_of(value)
        self.count = len(self.tensors)
        self._recording = None
        self.is_single = self.structure == (COMPUTED, 0)

    def pop_tensors(self) -> list[Tensor]:
        """Returns ``tensors`` and forgets them, so that they can be deleted once the graph is made."""
        taken_tensors, self.tensors = self.tensors, []
        self._places, self._numbers = {}, {}
        return taken_tensors

    def _structure_of(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            position = self._places.get(id(value))
            if position is not None:
                return ARGUMENT, position
            if self._recording is not None and self._recording.is_constant_result(value):
                return CONSTANT, weak_or_strong_reference(value), value._array
            number = self._numbers.setdefault(id(value), len(self.tensors))
            if number == len(self.tensors):
                self.tensors.append(value)
            return COMPUTED, number
        if isinstance(value, COMPOSITE_TENSOR_TYPES):
            form, tensors = value._to_components()
            return Composite, [self._structure_of(part) for part in tensors], type(value), form
        if nest.is_nested(value):
            # The structure, with a source for each leaf.
            return (
                list,
                value if not nest.flatten(value) else nest.map_structure(lambda _: 0, value),
                [self._structure_of(item) for item in nest.flatten(value)],
            )
        return SAME, value

    def build(self, arrays: Sequence[np.ndarray], call_values: Sequence[Any]) -> Any:
        """Returns the result of a replayed call, with the original structure.

        Args:
            arrays: the results of the program.
            call_values: the call's tensors, arrays and floats.
        """
        if self.is_single:
            return Tensor(arrays[0])
        return _build_result(self.structure, [Tensor(array) for array in arrays], call_values)

    def build_from_recording(self, tensors: list[Tensor], call_values: Sequence[Any]) -> Any:
        """Returns the result of the recorded call, made of the recording's tensors."""
        return _build_result(self.structure, tensors, call_values)


def _build_result(structure: Any, tensors: list[Tensor], call_values: Sequence[Any]) -> Any:
    kind = structure[0]
    if kind is COMPUTED:
        return tensors[structure[1]]
    if kind is ARGUMENT:
        value = call_values[structure[1]]
        return value if isinstance(value, Tensor) else convert_to_tensor(value)
    if kind is SAME:
        return structure[1]
    if kind is CONSTANT:
        constant = structure[1]()
        return Tensor(structure[2]) if constant is None else constant
    if kind is Composite:
        composite_type: Any = structure[2]
        return composite_type._from_components(
            structure[3], [_build_result(part, tensors, call_values) for part in structure[1]]
        )
    return nest.pack_sequence_as(structure[1], [_build_result(part, tensors, call_values) for part in structure[2]])
