"""``SimpleRNN`` and its cell (Elman 1990)."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras.layers.recurrent.cell import RecurrentCell
from fastgrad._src.keras.layers.recurrent.cell_layer import CellLayer
from fastgrad._src.keras.layers.weight_arguments import with_weight_arguments
from fastgrad._src.ops.recurrent import simple_rnn


class SimpleRNNCell(RecurrentCell):
    """One time step of a ``SimpleRNN``: activation(inputs @ kernel + bias + state @ recurrent_kernel).

    Args:
        units: the size of the state.
        activation: of the candidate state.
        use_bias: whether there is a bias.
        kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer, recurrent_regularizer,
            bias_regularizer, kernel_constraint, recurrent_constraint, bias_constraint: of the weights.
        dropout, recurrent_dropout: the fractions of inputs and state that are dropped in training.
        seed: of dropout.
        **kwargs: as in ``Layer``.

    Weights: ``kernel`` (features, units), ``recurrent_kernel`` (units, units), ``bias`` (units,).

    Raises:
        ValueError: ``units`` is not positive.
    """

    _all_steps = simple_rnn

    @with_weight_arguments(kernel="glorot_uniform", recurrent="orthogonal", bias="zeros")
    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        *,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, activation, use_bias, dropout, recurrent_dropout, seed, **kwargs)

    def call(self, sequence: Tensor, states: Any, training: bool = False) -> tuple[Tensor, Any]:
        h = states[0] if isinstance(states, (list, tuple)) else states
        factors, state_factors = self._step_dropout_factors(sequence, h, training)
        x = self._gate_products(sequence, self.kernel, factors)
        if self.bias is not None:
            x = x + self.bias
        h = self.activation(x + self._gate_products(h, self.recurrent_kernel, state_factors))
        return h, [h] if isinstance(states, (list, tuple)) else h


class SimpleRNN(CellLayer, cell=SimpleRNNCell, last_arguments=("seed",)):
    """A fully connected recurrent layer, whose output is its state; see ``SimpleRNNCell``.

    Args:
        units: the size of the state and of the outputs.
        activation: of the candidate state.
        use_bias: whether there is a bias.
        kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer, recurrent_regularizer,
            bias_regularizer, kernel_constraint, recurrent_constraint, bias_constraint: of the weights.
        activity_regularizer: a penalty on the output.
        dropout, recurrent_dropout: the fractions of inputs and state that are dropped in training.
        seed: of dropout.
        return_sequences, return_state, go_backwards, stateful, unroll: as in ``RNN``.
        **kwargs: as in ``RNN``.

    Inputs have shape (batch, time, features), outputs (batch, units) or (batch, time, units).

    Raises:
        ValueError: ``units`` is not positive.
    """
