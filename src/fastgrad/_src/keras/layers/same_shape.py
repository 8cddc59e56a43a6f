"""``SameShape``: the base of layers whose output has the shape of their input."""

from __future__ import annotations

from typing import Any

from fastgrad._src.keras.layers.layer import Layer


class SameShape(Layer):
    """A layer whose output has the shape of its input."""

    _leaf = True

    def compute_output_shape(self, input_shape: Any) -> Any:
        return tuple(input_shape)

    def _sizes_of_axes(self, kind: str, input_shape: Any, axes: list[int]) -> tuple[int, ...]:
        """Returns the sizes of axes of the input, for the weights of a layer of this ``kind``."""
        if any(not -len(input_shape) <= axis < len(input_shape) for axis in axes):
            raise IndexError(f"{kind} '{self.name}': axis {axes} is out of range for {input_shape=}.")
        sizes = tuple(input_shape[axis] for axis in axes)
        if None in sizes:
            raise ValueError(f"{kind} '{self.name}': the sizes of axes {axes} of {input_shape} are unknown.")
        return sizes
