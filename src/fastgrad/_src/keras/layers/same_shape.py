"""``SameShape``: the base of layers whose output has the shape of their input."""

from __future__ import annotations

from typing import Any

from fastgrad._src.keras.layers.layer import Layer


class SameShape(Layer):
    """A layer whose output has the shape of its input."""

    _leaf = True

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the input."""
        return tuple(input_shape)
