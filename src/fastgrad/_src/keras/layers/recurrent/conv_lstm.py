"""``ConvLSTM2D``, an LSTM whose products are convolutions, and its cell (Shi et al. 2015)."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.argument_checks import refuse, require
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras.layers.convolution.base import checked_filters
from fastgrad._src.keras.layers.input_spec import InputSpec
from fastgrad._src.keras.layers.recurrent.cell_layer import CellLayer
from fastgrad._src.keras.layers.recurrent.lstm import LSTMCell
from fastgrad._src.keras.layers.weight_arguments import add_weight_of, with_weight_arguments
from fastgrad._src.keras.layers.window_arguments import (
    Shape,
    joined_shape,
    padding_name,
    spatial_integers,
    split_shape,
    tensor_format,
    window_counts,
)
from fastgrad._src.keras.settings import standardize_data_format
from fastgrad._src.ops import namespace as ops


class ConvLSTMCell(LSTMCell):
    """One time step of a ``ConvLSTM2D``: an ``LSTMCell`` with convolutions of the inputs and of the state as products.

    Args:
        rank: the number of spatial dimensions.
        filters: the number of channels of the state.
        kernel_size, strides, padding, data_format, dilation_rate: of the convolution of the inputs. That of the state has stride 1
            and the padding ``"same"``.
        activation, recurrent_activation, use_bias, unit_forget_bias, dropout, recurrent_dropout, seed: as in ``LSTMCell``; each
            gate has dropout of its own.
        kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer, recurrent_regularizer,
            bias_regularizer, kernel_constraint, recurrent_constraint, bias_constraint: of the weights.
        **kwargs: as in ``Layer``.

    Weights: ``kernel`` (*kernel_size, channels, 4 filters), ``recurrent_kernel`` (*kernel_size, filters, 4 filters), ``bias``
    (4 filters,).

    Raises:
        ValueError: an argument has another value.
    """

    _config_names: tuple[str, ...] = (
        "rank",
        "filters",
        "kernel_size",
        "strides",
        "padding",
        "data_format",
        "dilation_rate",
    )

    @with_weight_arguments(
        kernel="glorot_uniform", recurrent="orthogonal", bias="zeros", other_initializers=("unit_forget_bias",)
    )
    def __init__(
        self,
        rank: int,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        *,
        unit_forget_bias: bool = True,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            checked_filters(self, filters),
            activation,
            recurrent_activation,
            use_bias,
            unit_forget_bias=unit_forget_bias,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
            **{**kwargs, "implementation": 1},
        )
        self.rank, self.filters = rank, filters
        self.kernel_size = spatial_integers(kernel_size, rank, "kernel_size")
        self.strides = spatial_integers(strides, rank, "strides")
        self.padding = padding_name(padding)
        self.data_format = standardize_data_format(data_format)
        self.dilation_rate = spatial_integers(dilation_rate, rank, "dilation_rate")
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            refuse(
                self, "`strides` or `dilation_rate` must be 1", strides=self.strides, dilation_rate=self.dilation_rate
            )
        self._input_shape: Shape | None = None

    def build(self, input_shape: Any) -> None:
        """Makes the weights; all sizes of ``input_shape`` but the batch must be known."""
        require(
            None not in tuple(input_shape)[1:],
            self,
            "it needs static input shapes but for the batch",
            input_shape=input_shape,
        )
        self._input_shape = tuple(input_shape)
        _, channels = split_shape(input_shape, self.data_format)
        width = 4 * self.filters
        self.kernel = add_weight_of(self, "kernel", (*self.kernel_size, channels, width))
        recurrent_shape = (*self.kernel_size, self.filters, width)
        self.recurrent_kernel = add_weight_of(self, "recurrent", recurrent_shape, name="recurrent_kernel")
        self.bias = None
        if self.use_bias:
            self.bias = add_weight_of(self, "bias", (width,), initializer=self._bias_initializer())

    def get_initial_state(self, batch_size: Any = None) -> list[Tensor]:
        """The states h and c before the first time step: zeros."""
        if self._input_shape is None:
            refuse(self, "the shape of the states is known after `build(input_shape)`")
        shape, _ = self.compute_output_shape((batch_size, *self._input_shape[1:]))
        return [ops.zeros(shape, self._layer_dtype) for _ in range(2)]

    def compute_output_shape(self, input_shape: Any, states_shape: Any = None) -> Any:
        sizes, _ = split_shape(input_shape, self.data_format)
        counts = window_counts(sizes, self.kernel_size, self.strides, self.padding, self.dilation_rate, self.name)
        shape = joined_shape(input_shape[0], counts, self.filters, self.data_format)
        return shape, [shape, shape]

    def _has_time_loop_kernel(self) -> bool:
        return False

    def call(self, inputs: Tensor, states: Any, training: bool | None = False) -> tuple[Tensor, list[Tensor]]:
        h, c = states
        factors, state_factors = self._step_dropout_factors(inputs, h, training)
        z = self._convolution(inputs, self.kernel._read(), factors, self.strides, self.padding, self.dilation_rate)
        if self.bias is not None:
            bias = self.bias._read()
            z = z + (ops.reshape(bias, (-1, *[1] * self.rank)) if self.data_format == "channels_first" else bias)
        ones = (1,) * self.rank
        z = z + self._convolution(h, self.recurrent_kernel._read(), state_factors, ones, "same", ones)
        i, f, g, o = ops.split(z, 4, axis=self._channel_axis)
        gate = self.recurrent_activation
        c = gate(f) * c + gate(i) * self.activation(g)
        h = gate(o) * self.activation(c)
        return h, [h, c]

    @property
    def _channel_axis(self) -> int:
        return 1 if self.data_format == "channels_first" else -1

    def _convolution(self, x: Tensor, kernel: Tensor, factors: Any, strides: Any, padding: str, rates: Any) -> Tensor:
        """The convolution of ``x``; with ``factors``, each gate's channels of the result come of ``x`` times its factors."""
        x = x if x.dtype.is_floating else ops.cast(x, self._layer_dtype)
        settings = strides, padding.upper(), tensor_format(self.data_format, self.rank), rates
        if factors is None:
            return ops.convolution_in_groups(x, kernel, *settings)
        gates = zip(factors, ops.split(kernel, 4, axis=-1), strict=True)
        return ops.concat([ops.convolution_in_groups(x * f, part, *settings) for f, part in gates], self._channel_axis)

    def get_config(self) -> dict[str, Any]:
        return {name: value for name, value in super().get_config().items() if name != "units"}


class _ConvLSTM(CellLayer):
    """The base of convolutional LSTM layers; ``ConvLSTM2D`` describes the arguments."""

    cell: ConvLSTMCell

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.input_spec = InputSpec(ndim=self.cell.rank + 3)

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        batch, length, *sizes = sequences_shape
        state, _ = self.cell.compute_output_shape((batch, *sizes))
        output = (batch, length, *state[1:]) if self.return_sequences else state
        return (output, state, state) if self.return_state else output


class ConvLSTM2D(_ConvLSTM, cell=ConvLSTMCell, cell_arguments={"rank": 2}):
    """A convolutional LSTM for sequences of images, (batch, time, height, width, channels).

    Args:
        filters: the number of output channels.
        kernel_size: the size of the convolutions' windows.
        strides: the distance between windows of the inputs.
        padding: of the inputs' convolution: ``"valid"`` or ``"same"``.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        dilation_rate: the distance between the elements of a window of the inputs.
        activation: of the candidate state.
        recurrent_activation: of the gates.
        use_bias: whether there is a bias.
        kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer, recurrent_regularizer,
            bias_regularizer, kernel_constraint, recurrent_constraint, bias_constraint: of the weights.
        unit_forget_bias: whether the bias of the forget gate begins as 1.
        activity_regularizer: a penalty on the output.
        dropout, recurrent_dropout: the fractions of inputs and state that are dropped in training.
        seed: of dropout.
        return_sequences, return_state, go_backwards, stateful, unroll: as in ``RNN``.
        **kwargs: as in ``RNN``.

    Raises:
        ValueError: an argument has another value; a size of the inputs is unknown.
    """
