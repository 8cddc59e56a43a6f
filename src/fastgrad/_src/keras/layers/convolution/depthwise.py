"""``DepthwiseConv1D``, ``DepthwiseConv2D``, ``SeparableConv1D`` and ``SeparableConv2D``."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.argument_checks import check_positive
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras.layers.convolution.base import ConvolutionLayer, checked_filters, convolution_config_names
from fastgrad._src.keras.layers.weight_arguments import add_weight_of, with_weight_arguments
from fastgrad._src.keras.layers.window_arguments import split_shape, tensor_format
from fastgrad._src.keras.weight import Weight
from fastgrad._src.ops.convolution import convolution
from fastgrad._src.ops.shaping import reshape


class _PerChannelConvolution(ConvolutionLayer):
    """The base of depthwise and separable convolutions, which convolve each channel with its own filters."""

    depth_multiplier: int

    def _set_depth_multiplier(self, multiplier: Any) -> None:
        check_positive(self, depth_multiplier=multiplier)
        self.depth_multiplier = multiplier

    def _convolve_channels(self, inputs: Tensor, filters: Weight) -> Tensor:
        kernel = reshape(filters._read(), (*self.kernel_size, 1, -1))
        format = tensor_format(self.data_format, self.rank)
        return convolution(
            self._cast_to_layer_dtype(inputs), kernel, self.strides, self.padding.upper(), format, self.dilation_rate
        )


class _DepthwiseConvolution(_PerChannelConvolution):
    """The base of depthwise convolutions; ``DepthwiseConv2D`` describes the arguments."""

    kernel: Weight
    _config_names = (*convolution_config_names("depthwise"), "depth_multiplier")

    @with_weight_arguments(depthwise="glorot_uniform", bias="zeros", activity_regularizer=True)
    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, **kwargs)
        self._set_depth_multiplier(depth_multiplier)

    def build(self, input_shape: Any) -> None:
        """Makes kernel and bias; the channels of ``input_shape`` must be known."""
        channels = self._channels_of(input_shape)
        self.compute_output_shape(input_shape)
        kernel_shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.kernel = add_weight_of(self, "depthwise", kernel_shape, name="kernel")
        self._make_bias(channels * self.depth_multiplier)

    def call(self, inputs: Tensor) -> Any:
        return self._with_bias_and_activation(self._convolve_channels(inputs, self.kernel))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """The shape of the output; ValueError where windows are larger than the input."""
        _, channels = split_shape(input_shape, self.data_format)
        return self._window_output_shape(input_shape, None if channels is None else channels * self.depth_multiplier)


class _SeparableConvolution(_PerChannelConvolution):
    """The base of separable convolutions; ``SeparableConv2D`` describes the arguments."""

    depthwise_kernel: Weight
    pointwise_kernel: Weight
    _config_names = (*convolution_config_names("depthwise", "pointwise"), "filters", "depth_multiplier")

    @with_weight_arguments(
        depthwise="glorot_uniform", pointwise="glorot_uniform", bias="zeros", activity_regularizer=True
    )
    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, **kwargs)
        self.filters = checked_filters(self, filters)
        self._set_depth_multiplier(depth_multiplier)

    def build(self, input_shape: Any) -> None:
        """Makes the weights; the channels of ``input_shape`` must be known."""
        channels, multiplier = self._channels_of(input_shape), self.depth_multiplier
        self.compute_output_shape(input_shape)
        depthwise_shape = (*self.kernel_size, channels, multiplier)
        self.depthwise_kernel = add_weight_of(self, "depthwise", depthwise_shape, name="depthwise_kernel")
        pointwise_shape = (*(1,) * self.rank, channels * multiplier, self.filters)
        self.pointwise_kernel = add_weight_of(self, "pointwise", pointwise_shape, name="pointwise_kernel")
        self._make_bias(self.filters)

    def call(self, inputs: Tensor) -> Any:
        y = self._convolve_channels(inputs, self.depthwise_kernel)
        format = tensor_format(self.data_format, self.rank)
        return self._with_bias_and_activation(convolution(y, self.pointwise_kernel._read(), 1, "VALID", format))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """The shape of the output; ValueError where windows are larger than the input."""
        return self._window_output_shape(input_shape, self.filters)


class DepthwiseConv1D(_DepthwiseConvolution, rank=1):
    """Convolution of each channel of sequences (batch, steps, channels); arguments as in ``DepthwiseConv2D``."""


class DepthwiseConv2D(_DepthwiseConvolution, rank=2):
    """Convolution of each channel of images (batch, height, width, channels) with its own filters, then bias and activation.

    Args:
        kernel_size, strides, padding, data_format, dilation_rate: see ``Conv2D``.
        depth_multiplier: the number of filters of each channel.
        activation, use_bias, bias_initializer, bias_regularizer, activity_regularizer, bias_constraint, **kwargs: as in
            ``Conv2D``.
        depthwise_initializer, depthwise_regularizer, depthwise_constraint: of the filters.

    Weights: ``kernel`` (height, width, channels, depth_multiplier), ``bias`` (channels * depth_multiplier,).

    Raises:
        ValueError: an argument is no such number or name, or arguments do not go together.
    """


class SeparableConv1D(_SeparableConvolution, rank=1):
    """Convolution of each channel of sequences, then one of size 1 over channels; arguments as in ``SeparableConv2D``."""


class SeparableConv2D(_SeparableConvolution, rank=2):
    """Depthwise convolution of images, then a 1 x 1 convolution that mixes the channels, then bias and activation.

    Args:
        filters: the number of channels of the output.
        kernel_size, strides, padding, data_format, dilation_rate: of the depthwise convolution, see ``Conv2D``.
        depth_multiplier: the number of depthwise filters of each channel.
        activation, use_bias, bias_initializer, bias_regularizer, activity_regularizer, bias_constraint, **kwargs: as in
            ``Conv2D``.
        depthwise_initializer, depthwise_regularizer, depthwise_constraint, pointwise_initializer, pointwise_regularizer,
            pointwise_constraint: of the filters of both.

    Weights: ``depthwise_kernel`` (height, width, channels, depth_multiplier), ``pointwise_kernel`` (1, 1, channels *
    depth_multiplier, filters), ``bias`` (filters,).

    Raises:
        ValueError: an argument is no such number or name, or arguments do not go together.
    """
