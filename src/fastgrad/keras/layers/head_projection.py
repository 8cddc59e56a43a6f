"""Projections of features to heads and back: the dense layers inside attention."""

from __future__ import annotations

from math import prod
from typing import Any

from fastgrad.core.tensor import Tensor
from fastgrad.keras import initializers
from fastgrad.keras.layers.layer import Layer
from fastgrad.keras.layers.weight_arguments import weight_arguments
from fastgrad.keras.weight import Weight
from fastgrad.ops.dense import dense
from fastgrad.ops.shaping import reshape

WEIGHT_ARGUMENTS = weight_arguments("kernel", "bias")


class HeadProjection(Layer):
    """``inputs @ kernel + bias``, where new axes replace the last axes of the inputs.

    Args:
        contracted: the number of last axes that are summed over.
        output: the sizes of the new axes.
        use_bias: whether there is a bias.
        options: options of the weights, by Keras's names: ``kernel_initializer``, ``bias_regularizer`` ...
        **kwargs: as in ``Layer``.

    Weights: ``kernel`` (*contracted sizes, *output), ``bias`` (*output). The initializer sees the kernel as a matrix.
    """

    _leaf = True

    def __init__(
        self, contracted: int, output: tuple[int, ...], use_bias: bool, options: dict[str, Any], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.contracted, self.output, self.use_bias, self.options = contracted, tuple(output), use_bias, dict(options)

    def build(self, input_shape: Any) -> None:
        """Makes kernel and bias; the sizes that are summed over must be known."""
        summed, output, options = tuple(input_shape[-self.contracted :]), self.output, self.options
        if None in summed:
            raise ValueError(f"{self.name}: the last sizes of the inputs must be known to build it, got {input_shape}.")
        self._matrix = prod(summed), prod(output)
        initializer = _cloned_initializer(options["kernel_initializer"])
        self.kernel = self.add_weight(
            shape=(*summed, *output),
            initializer=lambda shape, dtype: reshape(initializer(self._matrix, dtype), shape),
            regularizer=options["kernel_regularizer"],
            constraint=options["kernel_constraint"],
            name="kernel",
        )
        self.bias: Weight | None = None
        if self.use_bias:
            self.bias = self.add_weight(
                shape=output,
                initializer=_cloned_initializer(options["bias_initializer"]),
                regularizer=options["bias_regularizer"],
                constraint=options["bias_constraint"],
                name="bias",
            )

    def call(self, inputs: Tensor) -> Tensor:
        """Projects ``inputs``."""
        shape = inputs._array.shape
        outer_shape = shape[: len(shape) - self.contracted]
        rows = inputs if self.contracted == 1 else reshape(inputs, (*outer_shape, self._matrix[0]))
        bias = None if self.bias is None else reshape(self.bias._read(), (self._matrix[1],))
        projected = dense(rows, reshape(self.kernel._read(), self._matrix), bias)
        return projected if len(self.output) == 1 else reshape(projected, (*outer_shape, *self.output))


def _cloned_initializer(identifier: Any) -> Any:
    """A clone of an initializer, so that projections with the same options begin with different values."""
    initializer = initializers.get(identifier)
    return initializer.clone() if isinstance(initializer, initializers.Initializer) else initializer
