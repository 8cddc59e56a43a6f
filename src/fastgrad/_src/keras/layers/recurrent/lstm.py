"""``LSTM`` and its cell (Hochreiter and Schmidhuber 1997; with a forget gate, Gers et al. 2000)."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras import activations
from fastgrad._src.keras.layers.recurrent.cell import RecurrentCell
from fastgrad._src.keras.layers.recurrent.cell_layer import CellLayer
from fastgrad._src.keras.layers.weight_arguments import with_weight_arguments
from fastgrad._src.ops import namespace as ops


class LSTMCell(RecurrentCell):
    """One time step of an ``LSTM``.

    Let i, f, g, o be the quarters of inputs @ kernel + h @ recurrent_kernel + bias. The new states are
    c' = recurrent_activation(f) c + recurrent_activation(i) activation(g) and h' = recurrent_activation(o) activation(c').

    Args:
        units: the size of the state.
        activation: of the candidate state.
        recurrent_activation: of the gates.
        use_bias: whether there is a bias.
        kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer, recurrent_regularizer,
            bias_regularizer, kernel_constraint, recurrent_constraint, bias_constraint: of the weights.
        unit_forget_bias: whether the bias of the forget gate begins as 1.
        dropout, recurrent_dropout: the fractions of inputs and state that are dropped in training.
        seed: of dropout.
        **kwargs: as in ``Layer``; ``implementation`` 1 gives each gate dropout of its own.

    Weights: ``kernel`` (features, 4 units), ``recurrent_kernel`` (units, 4 units), ``bias`` (4 units,).

    Raises:
        ValueError: ``units`` is not positive.
    """

    gates = 4
    _all_steps = ops.lstm
    _config_names: tuple[str, ...] = ("recurrent_activation", "unit_forget_bias", "implementation")

    @with_weight_arguments(
        kernel="glorot_uniform", recurrent="orthogonal", bias="zeros", other_initializers=("unit_forget_bias",)
    )
    def __init__(
        self,
        units: int,
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
        super().__init__(units, activation, use_bias, dropout, recurrent_dropout, seed, **kwargs)
        self.recurrent_activation = activations.get(recurrent_activation)
        self.unit_forget_bias = unit_forget_bias

    @property
    def state_size(self) -> list[int]:
        """The sizes of the states h and c."""
        return [self.units, self.units]

    def _bias_initializer(self) -> Any:
        initializer, units = self.bias_initializer, self.units
        if not self.unit_forget_bias:
            return initializer

        def bias_with_forget_gate_ones(shape: Any, dtype: Any = None) -> Tensor:
            gate_biases = [
                initializer((units,), dtype=dtype),
                ops.ones((units,), dtype),
                initializer((2 * units,), dtype=dtype),
            ]
            return ops.concat(gate_biases, 0)

        return bias_with_forget_gate_ones

    def call(self, inputs: Tensor, states: Any, training: bool = False) -> tuple[Tensor, list[Tensor]]:
        """Returns the output h after a time step, and the states [h, c]."""
        h, c = states
        factors, state_factors = self._step_dropout_factors(inputs, h, training)
        z = self._gate_products(inputs, self.kernel, factors) + self._gate_products(
            h, self.recurrent_kernel, state_factors
        )
        if self.bias is not None:
            z = z + self.bias
        i, f, g, o = ops.split(z, 4, axis=1)
        gate = self.recurrent_activation
        c = gate(f) * c + gate(i) * self.activation(g)
        h = gate(o) * self.activation(c)
        return h, [h, c]


class LSTM(CellLayer, cell=LSTMCell, last_arguments=("use_cudnn",)):
    """Long short-term memory; see ``LSTMCell``.

    Args:
        units: the size of the state and of the outputs.
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
        use_cudnn: kept for Keras's signature.
        **kwargs: as in ``RNN``; ``implementation`` 1 gives each gate dropout of its own.

    Inputs have shape (batch, time, features), outputs (batch, units) or (batch, time, units).

    Raises:
        ValueError: ``units`` is not positive.

    Example:
        >>> tf.keras.layers.LSTM(4)(tf.zeros((2, 5, 3))).shape
        TensorShape([2, 4])
    """
