"""``Dense``: the fully connected layer."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.argument_checks import check_positive, require
from fastgrad._src.core.composite import Composite, CompositeOperand
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras import activations
from fastgrad._src.keras.layers.input_spec import InputSpec
from fastgrad._src.keras.layers.layer import Layer
from fastgrad._src.keras.layers.weight_arguments import add_weight_of, weight_arguments, with_weight_arguments
from fastgrad._src.keras.weight import Weight
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.dense import FUSED_ACTIVATIONS, bias_add, dense

_FUSED_NAMES = {getattr(activations, name): name for name in FUSED_ACTIVATIONS}
"""The names of activations that run in the kernel that adds the bias. Sigmoid and softmax are not among them: their result
keeps the logits, from which cross-entropies are computed."""


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

    Inputs have shape (batch, ..., features), outputs (batch, ..., units); a ``SparseTensor`` has shape (batch, features). Weights: ``kernel`` (features, units), ``bias``
    (units,).

    Raises:
        ValueError: ``units`` is not a positive integer.

    Example:
        >>> layer = tf.keras.layers.Dense(4, activation="relu")
        >>> layer(tf.ones((2, 3))).shape
        TensorShape([2, 4])
        >>> [weight.shape for weight in layer.weights]
        [TensorShape([3, 4]), TensorShape([4])]
    """

    _leaf = True
    _config_names = ("units", "activation", "use_bias", *weight_arguments("kernel", "bias"))

    @with_weight_arguments(kernel="glorot_uniform", bias="zeros", activity_regularizer=True)
    def __init__(
        self,
        units: Any,
        activation: Any = None,
        use_bias: bool = True,
        **kwargs: Any,
    ) -> None:
        check_positive(self, units=units)
        super().__init__(**kwargs)
        self.units = units
        self.activation: Any = activations.get(activation)
        self.use_bias = use_bias
        self.input_spec = InputSpec(min_ndim=2)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Makes kernel and bias; the last size of ``input_shape`` must be known."""
        require(input_shape[-1] is not None, self, "the last dimension must be known", input_shape=input_shape)
        self._kernel = add_weight_of(self, "kernel", (input_shape[-1], self.units))
        self.bias: Weight | None = add_weight_of(self, "bias", (self.units,)) if self.use_bias else None
        self.input_spec = InputSpec(min_ndim=2, axes={-1: input_shape[-1]})

    @property
    def kernel(self) -> Weight:
        """The weight of shape (features, units); AttributeError before the layer is built."""
        if not self.built and "_kernel" not in self.__dict__:
            raise AttributeError("You must build the layer before accessing `kernel`.")
        return self._kernel

    def call(self, inputs: Tensor) -> Any:
        if isinstance(inputs, Composite):
            return self._call_sparse(inputs)
        if inputs._array.dtype != self._layer_dtype.numpy:
            inputs = cast(inputs, self._layer_dtype)
        bias, fused_name = self.bias, _FUSED_NAMES.get(self.activation)
        y = dense(inputs, self._kernel._read(), None if bias is None else bias._read(), fused_name or "linear")
        return y if fused_name is not None or self.activation is None else self.activation(y)

    def _call_sparse(self, inputs: Any) -> Any:
        from fastgrad._src.structures.sparse.product import sparse_dense_matmul

        if not inputs.is_rectangular:
            raise CompositeOperand(inputs)
        y = sparse_dense_matmul(cast(inputs, self._layer_dtype), self._kernel._read())
        y = y if self.bias is None else bias_add(y, self.bias._read())
        return y if self.activation is None else self.activation(y)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.units)
