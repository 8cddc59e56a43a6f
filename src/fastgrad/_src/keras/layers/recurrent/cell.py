"""``RecurrentCell``: the base of the cells of LSTM, GRU and SimpleRNN: weights, and dropout drawn once a sequence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastgrad._src.core.argument_checks import check_positive, require
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras import activations
from fastgrad._src.keras.layers.layer import Layer
from fastgrad._src.keras.layers.seeds import generator_of_seed
from fastgrad._src.keras.layers.weight_arguments import add_weight_of, weight_arguments
from fastgrad._src.keras.weight import Weight
from fastgrad._src.ops import namespace as ops

WEIGHT_ARGUMENTS = weight_arguments("kernel", "recurrent", "bias")
"""The names of the arguments for initializers, regularizers and constraints of the weights."""


class RecurrentCell(Layer):
    """The base of cells with ``kernel`` (features, gates units), ``recurrent_kernel`` (units, gates units) and ``bias``.

    Args:
        units: the size of the state.
        activation: of the candidate state.
        use_bias: whether there is a bias.
        dropout, recurrent_dropout: the fraction of inputs and of the state that is dropped in training, the same at all times.
        seed: of the draws.
        implementation: 1: each gate has its own draws; 2: all have the same. Recurrent dropout makes it 1.
        **kwargs: as in ``Layer``.

    Attributes:
        _all_steps: the operation that computes all time steps from sequences, weights, states and mask.

    Raises:
        ValueError: ``units`` is not positive.
    """

    gates = 1
    _all_steps: Callable[..., Any]
    bias_initializer: Any
    _config_names: tuple[str, ...] = (
        *("units", "activation", "use_bias", *WEIGHT_ARGUMENTS),
        *("dropout", "recurrent_dropout", "seed"),
    )
    _dropout_mask: Any
    _recurrent_dropout_mask: Any

    def __init__(
        self,
        units: Any,
        activation: Any,
        use_bias: bool,
        dropout: float,
        recurrent_dropout: float,
        seed: int | None,
        implementation: int = 2,
        **kwargs: Any,
    ) -> None:
        check_positive(self, units=units)
        super().__init__(**kwargs)
        self.units = self.output_size = units
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.dropout = min(1.0, max(0.0, dropout))
        self.recurrent_dropout = min(1.0, max(0.0, recurrent_dropout))
        self.implementation = 1 if self.recurrent_dropout else implementation
        self.seed = seed
        self._generator = generator_of_seed(seed)
        self.reset_dropout_mask()
        self.reset_recurrent_dropout_mask()

    @property
    def state_size(self) -> Any:
        """The size of the state, or a list of the sizes of several states."""
        return self.units

    def build(self, input_shape: Any) -> None:
        """Makes the weights; the last size of ``input_shape`` must be known."""
        require(input_shape[-1] is not None, self, "the last dimension must be known", input_shape=input_shape)
        width = self.gates * self.units
        self.kernel = add_weight_of(self, "kernel", (input_shape[-1], width))
        self.recurrent_kernel = add_weight_of(self, "recurrent", (self.units, width), name="recurrent_kernel")
        self.bias: Weight | None = None
        if self.use_bias:
            self.bias = add_weight_of(self, "bias", self._bias_shape(), initializer=self._bias_initializer())

    def _bias_shape(self) -> tuple[int, ...]:
        return (self.gates * self.units,)

    def _bias_initializer(self) -> Any:
        return self.bias_initializer

    def get_initial_state(self, batch_size: Any = None) -> list[Tensor]:
        """The state before the first time step: zeros of shape (batch_size, size)."""
        sizes = self.state_size if isinstance(self.state_size, list) else [self.state_size]
        return [ops.zeros((batch_size, size), self._layer_dtype) for size in sizes]

    def _has_time_loop_kernel(self) -> bool:
        """True if ``_all_steps`` can compute all time steps of a cell with these activations."""
        gate = getattr(self, "recurrent_activation", activations.sigmoid)  # SimpleRNN has no gates
        return self.activation is activations.tanh and gate is activations.sigmoid

    def _run_all_steps(
        self, sequences: Tensor, states: list[Tensor], mask: Tensor | None, returns_sequences: bool
    ) -> tuple[Tensor | None, list[Tensor]]:
        """Runs all time steps by one operation; returns the first state at each step if wanted, and the last states."""
        bias = ops.zeros(self._bias_shape(), self._layer_dtype) if self.bias is None else self.bias._read()
        weights = self.kernel._read(), self.recurrent_kernel._read(), bias
        outputs, *last_states = type(self)._all_steps(sequences, *weights, *states, mask, returns_sequences)
        return outputs, last_states

    def compute_output_shape(self, input_shape: Any, states_shape: Any = None) -> Any:
        """The shapes of the output and of the states."""
        output = (input_shape[0], self.units)
        return output, [output] * len(self.get_initial_state(1))

    # ---- dropout -------------------------------------------------------------------------------------

    def _dropout_factors(self, like: Tensor, rate: float) -> Any:
        """Draws the factors of dropout: one tensor for all gates, or a list with a tensor for each gate."""
        ones = ops.ones_like(like)
        count = self.gates if self.implementation == 1 and self.gates > 1 else 1
        factors = [
            ops.dropout(ones, rate)
            if self._generator is None
            else ops.dropout_from(self._generator._draw_words, ones, rate, None)
            for _ in range(count)
        ]
        return factors[0] if self.implementation != 1 or self.gates == 1 else factors

    def get_dropout_mask(self, step_input: Tensor) -> Any:
        """The dropout factors of the inputs (one tensor, or a list with one for each gate); None without dropout."""
        if self._dropout_mask is None and self.dropout > 0:
            self.__dict__["_dropout_mask"] = self._dropout_factors(step_input, self.dropout)
        return self._dropout_mask

    def get_recurrent_dropout_mask(self, step_input: Tensor) -> Any:
        """The factors of the state, drawn at the first call; None without recurrent dropout."""
        if self._recurrent_dropout_mask is None and self.recurrent_dropout > 0:
            self.__dict__["_recurrent_dropout_mask"] = self._dropout_factors(step_input, self.recurrent_dropout)
        return self._recurrent_dropout_mask

    def reset_dropout_mask(self) -> None:
        """Discards the drawn dropout factors, so that the next sequence gets new factors."""
        self.__dict__["_dropout_mask"] = None

    def reset_recurrent_dropout_mask(self) -> None:
        """Discards the drawn dropout factors, so that the next sequence gets new factors."""
        self.__dict__["_recurrent_dropout_mask"] = None

    def _step_dropout_factors(self, inputs: Tensor, state: Tensor, training: Any) -> tuple[Any, Any]:
        """The dropout factors of the inputs and of the state; None for no dropout."""
        if not training:
            return None, None
        drops, drops_state = 0.0 < self.dropout < 1.0, 0.0 < self.recurrent_dropout < 1.0
        return (
            self.get_dropout_mask(inputs) if drops else None,
            self.get_recurrent_dropout_mask(state) if drops_state else None,
        )

    def _gate_products(self, x: Tensor, kernel: Any, factors: Any) -> Tensor:
        """``(x * factors) @ kernel``; with a list of factors, each gate's columns of ``kernel`` have their own factors."""
        x = x if x.dtype.is_floating else ops.cast(x, self._layer_dtype)
        if factors is None:
            return ops.matmul(x, kernel)
        if isinstance(factors, Tensor):
            return ops.matmul(x * factors, kernel)
        gate_kernels = ops.split(kernel, self.gates, axis=1)
        return ops.concat(
            [ops.matmul(x * f, gate_kernel) for f, gate_kernel in zip(factors, gate_kernels, strict=True)], -1
        )
