"""``ConvolutionLayer``: the base of convolution layers, with their settings, bias and activation."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.argument_checks import check_positive, refuse, require
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras import activations
from fastgrad._src.keras.layers.input_spec import InputSpec
from fastgrad._src.keras.layers.spatial_layer import SpatialLayer
from fastgrad._src.keras.layers.weight_arguments import add_weight_of, weight_arguments
from fastgrad._src.keras.layers.window_arguments import (
    Shape,
    joined_shape,
    padding_name,
    spatial_integers,
    split_shape,
    window_counts,
)
from fastgrad._src.keras.settings import standardize_data_format
from fastgrad._src.keras.weight import Weight
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.shaping import reshape


class ConvolutionLayer(SpatialLayer):
    """A layer that convolves, adds a bias and applies an activation.

    Args:
        kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias: see ``Conv2D``.
        causal: whether padding may be ``"causal"``.
        **kwargs: as in ``Layer``.
    """

    def __init__(
        self,
        kernel_size: Any,
        strides: Any,
        padding: str,
        data_format: str | None,
        dilation_rate: Any,
        activation: Any,
        use_bias: bool,
        causal: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        rank = self.rank
        self.kernel_size = spatial_integers(kernel_size, rank, "kernel_size")
        self.strides = spatial_integers(strides, rank, "strides")
        self.dilation_rate = spatial_integers(dilation_rate, rank, "dilation_rate")
        self.padding = padding_name(padding, causal)
        self.data_format = standardize_data_format(data_format)
        self.activation: Any = activations.get(activation)
        self.use_bias = use_bias
        self.input_spec = InputSpec(min_ndim=rank + 2)
        steps = {"strides": self.strides, "dilation_rate": self.dilation_rate}
        require(
            max(self.strides) == 1 or max(self.dilation_rate) == 1,
            self,
            "`strides` or `dilation_rate` must be 1",
            **steps,
        )

    def _channels_of(self, input_shape: Any) -> int:
        """Returns the number of channels in ``input_shape`` and fixes it in ``input_spec``; ValueError if it is unknown."""
        axis = 1 if self.data_format == "channels_first" else -1
        channels = input_shape[axis]
        if channels is None:
            refuse(self, "the channel dimension must be known", input_shape=input_shape)
        self.input_spec = InputSpec(min_ndim=self.rank + 2, axes={axis: channels})
        return int(channels)

    def _make_bias(self, channels: int) -> None:
        self.bias: Weight | None = add_weight_of(self, "bias", (channels,)) if self.use_bias else None

    def _cast_to_layer_dtype(self, inputs: Tensor) -> Tensor:
        return inputs if inputs._array.dtype == self._layer_dtype.numpy else cast(inputs, self._layer_dtype)

    def _window_output_shape(self, input_shape: Any, channels: int | None) -> Shape:
        """The shape of the output with ``channels``; ValueError where windows are larger than the input."""
        sizes, _ = split_shape(input_shape, self.data_format)
        counts = window_counts(sizes, self.kernel_size, self.strides, self.padding, self.dilation_rate, self.name)
        return joined_shape(input_shape[0], counts, channels, self.data_format)

    def _with_bias_and_activation(self, y: Tensor) -> Any:
        """``activation(y + bias)``."""
        if self.bias is not None:
            bias = self.bias._read()
            if self.data_format == "channels_first":
                bias = reshape(bias, (-1, *(1,) * self.rank))
            y = y + bias
        return y if self.activation is None else self.activation(y)


def convolution_config_names(*weights: str) -> tuple[str, ...]:
    """The names of the constructor arguments that all convolution layers with ``weights`` and a bias have."""
    return (
        *("kernel_size", "strides", "padding", "data_format", "dilation_rate", "use_bias", "activation"),
        *weight_arguments(*weights, "bias"),
        "activity_regularizer",
    )


def checked_filters(owner: Any, filters: Any) -> int:
    """The number of filters; ValueError unless it is a positive integer."""
    check_positive(owner, filters=filters)
    number: int = filters
    return number
