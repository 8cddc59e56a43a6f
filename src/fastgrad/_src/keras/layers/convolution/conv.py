"""``Conv1D``, ``Conv2D`` and ``Conv3D``."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.argument_checks import require
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras.layers.convolution.base import ConvolutionLayer, checked_filters, convolution_config_names
from fastgrad._src.keras.layers.weight_arguments import add_weight_of, with_weight_arguments
from fastgrad._src.keras.layers.window_arguments import tensor_format
from fastgrad._src.keras.weight import Weight
from fastgrad._src.ops.convolution import convolution_in_groups
from fastgrad._src.ops.padding import pad


class _Convolution(ConvolutionLayer):
    """The base of ``Conv1D``, ``Conv2D`` and ``Conv3D``; ``Conv2D`` describes the arguments."""

    _config_names = (*convolution_config_names("kernel"), "filters", "groups")

    @with_weight_arguments(kernel="glorot_uniform", bias="zeros", activity_regularizer=True)
    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        **kwargs: Any,
    ) -> None:
        causal = self.rank == 1
        super().__init__(
            kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, causal, **kwargs
        )
        self.filters = checked_filters(self, filters)
        require(groups > 0, self, "The number of groups must be a positive integer", groups=groups)
        require(filters % groups == 0, self, "`filters` must be divisible by `groups`", filters=filters, groups=groups)
        self.groups = groups

    def build(self, input_shape: Any) -> None:
        """Makes kernel and bias; the channels of ``input_shape`` must be known."""
        channels = self._channels_of(input_shape)
        require(not channels % self.groups, self, f"`groups` must divide the channels, {channels}", groups=self.groups)
        self.compute_output_shape(input_shape)
        self._kernel = add_weight_of(self, "kernel", (*self.kernel_size, channels // self.groups, self.filters))
        self._make_bias(self.filters)

    @property
    def kernel(self) -> Weight:
        """The filters; AttributeError before the layer is built."""
        if not self.built and "_kernel" not in self.__dict__:
            raise AttributeError("You must build the layer before accessing `kernel`.")
        return self._kernel

    def call(self, inputs: Tensor) -> Any:
        x, padding = self._cast_to_layer_dtype(inputs), self.padding
        if padding == "causal":
            left_padding = (self.kernel_size[0] - 1) * self.dilation_rate[0]
            channels_first = self.data_format == "channels_first"
            x = pad(x, [[0, 0], [0, 0], [left_padding, 0]] if channels_first else [[0, 0], [left_padding, 0], [0, 0]])
            padding = "valid"
        format = tensor_format(self.data_format, self.rank)
        y = convolution_in_groups(x, self._kernel._read(), self.strides, padding.upper(), format, self.dilation_rate)
        return self._with_bias_and_activation(y)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """The shape of the output; ValueError where windows are larger than the input."""
        return self._window_output_shape(input_shape, self.filters)


class Conv1D(_Convolution, rank=1):
    """Convolution of sequences, (batch, steps, channels); arguments as in ``Conv2D``, and the padding ``"causal"``: before the input only."""


class Conv2D(_Convolution, rank=2):
    """Convolution of images: ``activation(convolution(inputs, kernel) + bias)``.

    Args:
        filters: the number of channels of the output.
        kernel_size: the height and width of the filters, or one number for both.
        strides: the distance from one window to the next, in the same form; above 1 only without dilation.
        padding: ``"valid"`` (none) or ``"same"`` (zeros, so that outputs with stride 1 are as large as inputs).
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        dilation_rate: the distance between neighbouring elements of a window, in the same form.
        groups: the number of groups of channels; each group is convolved with its own filters.
        activation: a function or its name; default none.
        use_bias: whether there is a bias.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, kernel_constraint, bias_constraint: of the
            weights.
        activity_regularizer: a penalty on the output.
        **kwargs: as in ``Layer``.

    Inputs and outputs have shape (batch, height, width, channels), with ``"channels_first"`` (batch, channels, height, width).
    Weights: ``kernel`` (height, width, channels / groups, filters), ``bias`` (filters,).

    Raises:
        ValueError: an argument is no such number or name, or arguments do not go together.

    Example:
        >>> tf.keras.layers.Conv2D(8, kernel_size=3, padding="same")(tf.zeros((1, 28, 28, 1))).shape
        TensorShape([1, 28, 28, 8])
    """


class Conv3D(_Convolution, rank=3):
    """Convolution of volumes, (batch, depth, height, width, channels); arguments as in ``Conv2D``, with three sizes."""
