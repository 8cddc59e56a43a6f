"""``Conv1DTranspose`` and ``Conv2DTranspose``."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras.layers.convolution.base import ConvolutionLayer, checked_filters, convolution_config_names
from fastgrad._src.keras.layers.weight_arguments import add_weight_of, with_weight_arguments
from fastgrad._src.keras.layers.window_arguments import joined_shape, spatial_integers, split_shape, tensor_format
from fastgrad._src.keras.weight import Weight
from fastgrad._src.ops.transposed_convolution import conv_transpose


class _TransposedConvolution(ConvolutionLayer):
    """The base of transposed convolutions; ``Conv2DTranspose`` describes the arguments."""

    kernel: Weight
    _config_names = (*convolution_config_names("kernel"), "filters", "output_padding")

    @with_weight_arguments(kernel="glorot_uniform", bias="zeros", activity_regularizer=True)
    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, **kwargs)
        self.filters = checked_filters(self, filters)
        self.output_padding = None
        if output_padding is not None:
            self.output_padding = spatial_integers(output_padding, self.rank, "output_padding", min_value=0)
            if any(extra >= stride for extra, stride in zip(self.output_padding, self.strides, strict=True)):
                raise ValueError(f"`output_padding` must be below strides={self.strides}, got {self.output_padding}")

    def build(self, input_shape: Any) -> None:
        """Makes kernel and bias; the channels of ``input_shape`` must be known."""
        channels = self._channels_of(input_shape)
        self.kernel = add_weight_of(self, "kernel", (*self.kernel_size, self.filters, channels))
        self._make_bias(self.filters)

    def call(self, inputs: Tensor) -> Any:
        x = self._cast_to_layer_dtype(inputs)
        shape = self.compute_output_shape(x._array.shape)
        format = tensor_format(self.data_format, self.rank)
        kernel = self.kernel._read()
        return self._with_bias_and_activation(
            conv_transpose(x, kernel, shape, self.strides, self.padding.upper(), format, self.dilation_rate)
        )

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        sizes, _ = split_shape(input_shape, self.data_format)
        output_sizes = transposed_sizes(
            sizes, self.kernel_size, self.strides, self.dilation_rate, self.padding, self.output_padding
        )
        return joined_shape(input_shape[0], output_sizes, self.filters, self.data_format)


def transposed_sizes(
    sizes: Any, kernel_size: Any, strides: Any, dilation_rate: Any, padding: str, output_padding: Any = None
) -> list[int | None]:
    """Returns the spatial sizes of a transposed convolution's result, None for an unknown one.

    Args:
        sizes: the spatial sizes of the input.
        kernel_size, strides, dilation_rate: a number for each spatial dimension.
        padding: ``"valid"`` or ``"same"``.
        output_padding: the elements added to each size; None to infer them from ``strides``.
    """
    extra_sizes = output_padding or (None,) * len(sizes)
    output_sizes: list[int | None] = []
    for size, cells, stride, rate, extra_size in zip(
        sizes, kernel_size, strides, dilation_rate, extra_sizes, strict=True
    ):
        span = (cells - 1) * rate + 1
        if size is None:
            output_sizes.append(None)
        elif extra_size is None:
            output_sizes.append(size * stride + (max(span - stride, 0) if padding == "valid" else 0))
        else:
            trimmed = 0 if padding == "valid" else 2 * (span // 2)
            output_sizes.append((size - 1) * stride + span - trimmed + extra_size)
    return output_sizes


class Conv1DTranspose(_TransposedConvolution, rank=1):
    """The transpose of a convolution of sequences, (batch, steps, channels); arguments as in ``Conv2DTranspose``."""


class Conv2DTranspose(_TransposedConvolution, rank=2):
    """The transpose of a convolution of images: ``activation(transposed convolution(inputs, kernel) + bias)``.

    The output has about ``strides`` times as many rows and columns as the input.

    Args:
        filters: the number of channels of the output.
        kernel_size, strides, padding, data_format, dilation_rate: of the convolution that is transposed, see ``Conv2D``.
        output_padding: the number of rows and columns beyond the smallest possible output, less than ``strides``. Default: with
            ``"same"`` the output is ``strides`` times as large as the input, with ``"valid"`` as large as windows reach, and at least that.
        activation, use_bias, kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
            activity_regularizer, kernel_constraint, bias_constraint, **kwargs: as in ``Conv2D``.

    Inputs and outputs have shape (batch, height, width, channels), with ``"channels_first"`` (batch, channels, height, width).
    Weights: ``kernel`` (height, width, filters, channels), ``bias`` (filters,).

    Raises:
        ValueError: an argument is no such number or name, or arguments do not go together.
    """
