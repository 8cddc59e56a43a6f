"""``LayerNormalization``: each sample's features brought to mean 0 and variance 1."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastgrad.errors import InvalidArgumentError
from fastgrad.keras import constraints, initializers, regularizers
from fastgrad.keras.layers.layer import Layer
from fastgrad.keras.saving.objects import serialize_keras_object
from fastgrad.keras.weight import Weight
from fastgrad.ops.normalization import layer_normalization
from fastgrad.ops.shaping import reshape, transpose
from fastgrad.tensor import Tensor, constant_tensor


class LayerNormalization(Layer):
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta`` over some axes (Ba, Kiros and Hinton, 2016).

    Args:
        axis: an axis or several, over which mean and variance are taken.
        epsilon: added to the variance.
        center, scale: whether there are ``beta`` and ``gamma``.
        beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint: of the
            weights.
        **kwargs: as in ``Layer``.

    Inputs and outputs have one shape; the weights have the sizes of the axes.

    Raises:
        TypeError: ``axis`` is neither an int nor a list of ints.
        IndexError: there is no such axis. (At the first call.)
    """

    _leaf = True

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        axes = list(axis) if isinstance(axis, (list, tuple)) else [axis]
        if not all(isinstance(one, int) for one in axes):
            raise TypeError(f"Expected an int or a list/tuple of ints for the argument 'axis', but received: {axis!r}")
        self.axis = axes if isinstance(axis, (list, tuple)) else axis  # a list from the first call on, as in Keras
        self.epsilon = epsilon
        self.center, self.scale = center, scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Makes ``gamma`` and ``beta``; the sizes of the axes must be known."""
        self.axis = sorted(self.axis) if isinstance(self.axis, list) else [self.axis]
        shape = tuple(input_shape[axis] for axis in self.axis)
        if None in shape:
            raise ValueError(
                f"LayerNormalization '{self.name}': the sizes of axes {self.axis} of {input_shape} are unknown."
            )
        rank = len(input_shape)
        axes = [axis % rank for axis in self.axis]
        if len(set(axes)) < len(axes):
            raise InvalidArgumentError(f"LayerNormalization '{self.name}': axes {self.axis} contain an axis twice.")
        self._order = [*(axis for axis in range(rank) if axis not in axes), *axes]
        self.gamma: Weight | None = None
        self.beta: Weight | None = None
        if self.scale:
            self.gamma = self.add_weight(
                shape=shape,
                initializer=self.gamma_initializer,
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
                name="gamma",
            )
        if self.center:
            self.beta = self.add_weight(
                shape=shape,
                initializer=self.beta_initializer,
                regularizer=self.beta_regularizer,
                constraint=self.beta_constraint,
                name="beta",
            )

    def call(self, inputs: Tensor) -> Tensor:
        """The normalised inputs."""
        shape, order = inputs._array.shape, self._order
        size = math.prod(shape[axis] for axis in self.axis)
        gamma, beta = self._flat(self.gamma, np.ones, size), self._flat(self.beta, np.zeros, size)
        if len(self.axis) == 1 and order[-1] == len(shape) - 1:
            return layer_normalization(inputs, gamma, beta, self.epsilon)
        moved = transpose(inputs, order)
        rows = layer_normalization(reshape(moved, [-1, size]), gamma, beta, self.epsilon)
        return transpose(reshape(rows, moved.shape), np.argsort(order))

    def _flat(self, weight: Weight | None, fill: Any, size: int) -> Tensor:
        """A weight as a vector; in place of one that is not there, what changes nothing."""
        if weight is None:
            return constant_tensor(fill(size, self._layer_dtype.numpy))
        value = weight._read()
        return value if value._array.ndim == 1 else reshape(value, [size])

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the input."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {
            **super().get_config(),
            "axis": self.axis,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            **{
                name: serialize_keras_object(getattr(self, name))
                for name in (
                    "beta_initializer",
                    "gamma_initializer",
                    "beta_regularizer",
                    "gamma_regularizer",
                    "beta_constraint",
                    "gamma_constraint",
                )
            },
        }
