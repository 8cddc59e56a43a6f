"""``Dense``: the fully connected layer."""

from __future__ import annotations

from typing import Any

from fastgrad.keras import activations, constraints, initializers, regularizers
from fastgrad.keras.layers.input_spec import InputSpec
from fastgrad.keras.layers.layer import Layer
from fastgrad.keras.saving.objects import serialize_keras_object
from fastgrad.keras.weight import Weight
from fastgrad.ops.casting import cast
from fastgrad.ops.dense import dense
from fastgrad.tensor import Tensor

_FUSED_ACTIVATIONS = {
    activations.linear: "linear",
    activations.relu: "relu",
    activations.tanh: "tanh",
    activations.gelu: "gelu",
}
"""Activations that run in the kernel that adds the bias. Sigmoid and softmax are not fused: their result keeps the
logits, from which cross-entropies are computed."""


class Dense(Layer):
    """``activation(inputs @ kernel + bias)``.

    Args:
        units: the size of the output.
        activation: a function or its name; default none.
        use_bias: whether there is a bias.
        kernel_initializer, bias_initializer: initializers of the weights.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties on weights and output, in ``losses``.
        kernel_constraint, bias_constraint: projections that optimizers apply.
        **kwargs: ``name``, ``dtype``, ``trainable``; ``input_shape`` or ``input_dim`` as a Sequential's first layer.

    Inputs have shape (batch, ..., features), outputs (batch, ..., units). Weights: ``kernel`` (features, units), ``bias``
    (units,).

    Raises:
        ValueError: ``units`` is not a positive integer.
    """

    _leaf = True

    def __init__(
        self,
        units: Any,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        if not isinstance(units, int) or isinstance(units, bool) or units <= 0:
            raise ValueError(
                f"Received an invalid value for `units`, expected a positive integer. Received: units={units}"
            )
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.units = units
        self.activation: Any = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.input_spec = InputSpec(min_ndim=2)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Makes kernel and bias; the last size of ``input_shape`` must be known."""
        if input_shape[-1] is None:
            raise ValueError(
                f"Dense '{self.name}': the last dimension of the inputs must be known to build the layer, "
                f"got input_shape={tuple(input_shape)}."
            )
        self._kernel = self.add_weight(
            shape=(input_shape[-1], self.units),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        self.bias: Weight | None = None
        if self.use_bias:
            self.bias = self.add_weight(
                shape=(self.units,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )
        self.input_spec = InputSpec(min_ndim=2, axes={-1: input_shape[-1]})

    @property
    def kernel(self) -> Weight:
        """The weight of shape (features, units); AttributeError before the layer is built."""
        if not self.built and "_kernel" not in self.__dict__:
            raise AttributeError("You must build the layer before accessing `kernel`.")
        return self._kernel

    def call(self, inputs: Tensor) -> Any:
        """``activation(inputs @ kernel + bias)``."""
        if inputs._array.dtype != self._layer_dtype.numpy:
            inputs = cast(inputs, self._layer_dtype)
        bias, fused_name = self.bias, _FUSED_ACTIVATIONS.get(self.activation)
        y = dense(inputs, self._kernel._read(), None if bias is None else bias._read(), fused_name or "linear")
        return y if fused_name is not None or self.activation is None else self.activation(y)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """``(*input_shape[:-1], units)``."""
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """The constructor arguments by name."""
        return {
            **super().get_config(),
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            **{
                name: serialize_keras_object(getattr(self, name))
                for name in (
                    "kernel_initializer",
                    "bias_initializer",
                    "kernel_regularizer",
                    "bias_regularizer",
                    "kernel_constraint",
                    "bias_constraint",
                )
            },
        }
