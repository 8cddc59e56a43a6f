"""``LayerNormalization``: normalises each sample's features to mean 0 and variance 1."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import require
from fastgrad._src.core.composite import Composite
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.tensor import Tensor, constant_tensor
from fastgrad._src.jit.user_lines import warn
from fastgrad._src.keras.layers.ragged_rows import map_vectors
from fastgrad._src.keras.layers.same_shape import SameShape
from fastgrad._src.keras.layers.weight_arguments import add_weight_of, weight_arguments, with_weight_arguments
from fastgrad._src.keras.weight import Weight
from fastgrad._src.ops import namespace as ops


class LayerNormalization(SameShape):
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta`` over some axes (Ba, Kiros and Hinton, 2016).

    Args:
        axis: an axis or a list of axes, over which mean and variance are taken.
        epsilon: added to the variance.
        center, scale: whether there are ``beta`` and ``gamma``.
        beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint: of the
            weights.
        rms_scaling: deprecated in Keras, kept for its files: ``gamma * x / sqrt(variance + epsilon)``, without ``beta``.
        **kwargs: as in ``Layer``.

    Outputs have the shape of the inputs; the weights have the sizes of the axes. 16-bit float inputs are computed in float32.
    Float inputs are not cast to the layer's dtype first, so values beyond float16's range do not overflow.

    Raises:
        TypeError: ``axis`` is neither an int nor a list of ints.
        IndexError: there is no such axis. (At the first call.)

    Example:
        >>> y = tf.keras.layers.LayerNormalization()(tf.constant([[1.0, 2.0, 3.0]]))
        >>> print(np.round(y.numpy(), 2))
        [[-1.22  0.    1.22]]
    """

    _config_names = ("axis", "epsilon", "center", "scale", "rms_scaling", *weight_arguments("beta", "gamma"))

    @with_weight_arguments(beta="zeros", gamma="ones")
    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        *,
        rms_scaling: bool = False,
        **kwargs: Any,
    ) -> None:
        if rms_scaling:
            warn(
                "LayerNormalization: `rms_scaling=True` is deprecated. It divides by the root of the variance, not by the root "
                "mean square. Use keras.layers.RMSNormalization.",
            )
        super().__init__(**kwargs)
        axes = list(axis) if isinstance(axis, (list, tuple)) else [axis]
        require(all(isinstance(n, int) for n in axes), self, "`axis` must be an int, or ints", TypeError, axis=axis)
        self.axis = axes if isinstance(axis, (list, tuple)) else axis  # ``build`` makes it a list, as in Keras
        self.epsilon = epsilon
        self.center, self.scale, self.rms_scaling = center, scale, rms_scaling
        self.supports_masking = True
        self.autocast = False

    def build(self, input_shape: Any) -> None:
        """Makes ``gamma`` and ``beta``; the sizes of the axes must be known."""
        self.axis = sorted(self.axis) if isinstance(self.axis, list) else [self.axis]
        shape = self._sizes_of_axes("LayerNormalization", input_shape, self.axis)
        self._axis_order(len(input_shape))
        self.gamma: Weight | None = None
        self.beta: Weight | None = None
        if self.scale or self.rms_scaling:
            self.gamma = add_weight_of(self, "gamma", shape, autocast=False)
        if self.center and not self.rms_scaling:
            self.beta = add_weight_of(self, "beta", shape, autocast=False)

    def _axis_order(self, rank: int) -> list[int]:
        """The axes of inputs of ``rank``: those that are not normalized, then the normalized axes, both ascending."""
        axes = sorted(axis % rank for axis in self.axis)
        require(len(set(axes)) == len(axes), self, "an axis occurs twice", InvalidArgumentError, axis=self.axis)
        return [*(axis for axis in range(rank) if axis not in axes), *axes]

    def call(self, inputs: Tensor) -> Tensor:
        if isinstance(inputs, Composite):
            return map_vectors(self.call, inputs, tuple(self.axis))
        x = ops.cast_narrow_to_float32(inputs)
        shape = x._array.shape
        size = math.prod(shape[axis] for axis in self.axis)
        gamma = self._weight_vector(self.gamma, np.ones, size, x)
        beta = self._weight_vector(self.beta, np.zeros, size, x)
        if len(self.axis) == 1 and self.axis[0] in (-1, len(shape) - 1):
            outputs = self._normalized_rows(x, gamma, beta)
        else:
            order = self._axis_order(len(shape))
            transposed = ops.transpose(x, order)
            rows = self._normalized_rows(ops.reshape(transposed, [-1, size]), gamma, beta)
            outputs = ops.transpose(ops.reshape(rows, transposed.shape), np.argsort(order))
        return outputs if outputs.dtype is self._layer_dtype else ops.cast(outputs, self._layer_dtype)

    def _normalized_rows(self, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        if not self.rms_scaling:
            return ops.layer_normalization(x, gamma, beta, self.epsilon)
        variance = ops.moments(x, axes=[-1], keepdims=True)[1]
        return x * ops.rsqrt(variance + self.epsilon) * gamma

    def _weight_vector(self, weight: Weight | None, fill: Any, size: int, like: Tensor) -> Tensor:
        """The weight as a vector in the dtype of ``like``; for None a vector of ``fill``, which has no effect."""
        if weight is None:
            return constant_tensor(fill(size, like._array.dtype))
        value = weight._read()
        if value.dtype is not like.dtype:
            value = ops.cast(value, like.dtype)
        return value if value._array.ndim == 1 else ops.reshape(value, [size])
