"""Projections of features to heads and back: the dense layers inside attention."""

from __future__ import annotations

from math import prod
from typing import Any

from fastgrad._src.core.argument_checks import require
from fastgrad._src.core.operation import TABLE
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras import initializers
from fastgrad._src.keras.layers.layer import Layer
from fastgrad._src.keras.layers.weight_arguments import add_weight_of, weight_arguments, with_weight_arguments
from fastgrad._src.keras.weight import Weight
from fastgrad._src.ops.dense import dense
from fastgrad._src.ops.shaping import reshape

WEIGHT_ARGUMENTS = weight_arguments("kernel", "bias")


class HeadProjection(Layer):
    """``inputs @ kernel + bias``, where new axes replace the last axes of the inputs.

    Args:
        contracted: the number of last axes that are summed over.
        output: the sizes of the new axes.
        use_bias: whether there is a bias.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, kernel_constraint, bias_constraint: of the
            weights.
        **kwargs: as in ``Layer``.

    Weights: ``kernel`` (*contracted sizes, *output), ``bias`` (*output). The initializer sees the kernel as a matrix.
    """

    _leaf = True
    kernel_initializer: Any
    bias_initializer: Any

    @with_weight_arguments(kernel="glorot_uniform", bias="zeros")
    def __init__(self, contracted: int, output: tuple[int, ...], use_bias: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.contracted, self.output, self.use_bias = contracted, tuple(output), use_bias

    def build(self, input_shape: Any) -> None:
        """Makes the kernel and bias of the projection; the sizes that are summed over must be known."""
        summed, output = tuple(input_shape[-self.contracted :]), self.output
        require(None not in summed, self, "the last sizes must be known to build it", input_shape=input_shape)
        self._matrix = prod(summed), prod(output)
        kernel_initializer, bias_initializer = map(_clone_initializer, (self.kernel_initializer, self.bias_initializer))
        self.kernel = add_weight_of(
            self,
            "kernel",
            (*summed, *output),
            initializer=lambda shape, dtype: reshape(kernel_initializer(self._matrix, dtype), shape),
        )
        self.bias: Weight | None = None
        if self.use_bias:
            self.bias = add_weight_of(self, "bias", output, initializer=bias_initializer)

    def call(self, inputs: Tensor) -> Tensor:
        outer_shape = inputs._array.shape[: -self.contracted]
        rows = _in_shape(inputs, (prod(outer_shape), self._matrix[0]))
        bias = None if self.bias is None else _in_shape(self.bias._read(), self._matrix[1:])
        projected = dense(rows, _in_shape(self.kernel._read(), self._matrix), bias)
        return _in_shape(projected, (*outer_shape, *self.output))


def _in_shape(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    return x if x._array.shape == shape else TABLE["reshape"](x, shape=shape)


def _clone_initializer(initializer: Any) -> Any:
    """A clone of an initializer, so that projections with the same options begin with different values."""
    return initializer.clone() if isinstance(initializer, initializers.Initializer) else initializer
