"""``RMSNormalization``: divides features by the root of the mean of their squares."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras.layers.same_shape import SameShape
from fastgrad._src.ops import namespace as ops


class RMSNormalization(SameShape):
    """``scale * x / sqrt(mean(x^2) + epsilon)`` over some axes (Zhang and Sennrich 2019).

    Args:
        axis: an axis or a list of axes.
        epsilon: added to the mean of the squares.
        **kwargs: as in ``Layer``.

    Weight: ``scale``, of the sizes of the axes in ascending order; it multiplies the last axes. 16-bit float inputs are
    computed in float32.
    """

    _config_names = ("axis", "epsilon")

    def __init__(self, axis: Any = -1, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis, self.epsilon = axis, epsilon

    def build(self, input_shape: Any) -> None:
        self.axis = sorted(self.axis) if isinstance(self.axis, (list, tuple)) else [self.axis]
        shape = self._sizes_of_axes("RMSNormalization", input_shape, self.axis)
        self.scale = self.add_weight(shape=shape, initializer="ones", name="scale")

    def call(self, x: Tensor) -> Tensor:
        inputs, x = x, ops.cast_narrow_to_float32(x)
        squares = ops.reduce_mean(ops.square(x), axis=self.axis, keepdims=True)
        outputs = x * ops.rsqrt(squares + self.epsilon) * ops.cast(self.scale._read(), x.dtype)
        return outputs if outputs.dtype is inputs.dtype else ops.cast(outputs, inputs.dtype)
