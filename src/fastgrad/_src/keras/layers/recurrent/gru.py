"""``GRU`` and its cell (Cho et al. 2014)."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras import activations
from fastgrad._src.keras.layers.recurrent.cell import RecurrentCell
from fastgrad._src.keras.layers.recurrent.cell_layer import CellLayer
from fastgrad._src.keras.layers.weight_arguments import with_weight_arguments
from fastgrad._src.ops import namespace as ops


class GRUCell(RecurrentCell):
    """One time step of a ``GRU``.

    Let x_z, x_r, x_h be the thirds of inputs @ kernel + bias, and s_z, s_r, s_h those of state @ recurrent_kernel (+ its bias).
    The gates are z = recurrent_activation(x_z + s_z) and r = recurrent_activation(x_r + s_r). The new state is
    z state + (1 - z) activation(x_h + r s_h). Unless ``reset_after``, r multiplies the state before the matrix product, not s_h.

    Args:
        units: the size of the state.
        activation: of the candidate state.
        recurrent_activation: of the gates.
        use_bias: whether there is a bias.
        kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer, recurrent_regularizer,
            bias_regularizer, kernel_constraint, recurrent_constraint, bias_constraint: of the weights.
        dropout, recurrent_dropout: the fractions of inputs and state that are dropped in training.
        reset_after: whether the reset gate multiplies the state after its matrix product, or before.
        seed: of dropout.
        **kwargs: as in ``Layer``; ``implementation`` 1 gives each gate dropout of its own.

    Weights: ``kernel`` (features, 3 units), ``recurrent_kernel`` (units, 3 units), and ``bias`` (3 units,). If ``reset_after``,
    ``bias`` has shape (2, 3 units): a row for each of the two matrix products.

    Raises:
        ValueError: ``units`` is not positive.
    """

    gates = 3
    _all_steps = ops.gru
    _config_names = ("recurrent_activation", "reset_after", "implementation")

    @with_weight_arguments(kernel="glorot_uniform", recurrent="orthogonal", bias="zeros")
    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        *,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        reset_after: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, activation, use_bias, dropout, recurrent_dropout, seed, **kwargs)
        self.recurrent_activation = activations.get(recurrent_activation)
        self.reset_after = reset_after

    def _bias_shape(self) -> tuple[int, ...]:
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def call(self, inputs: Tensor, states: Any, training: bool = False) -> tuple[Tensor, Any]:
        h = states[0] if isinstance(states, (list, tuple)) else states
        factors, state_factors = self._step_dropout_factors(inputs, h, training)
        x = self._gate_products(inputs, self.kernel, factors)
        if self.bias is not None:
            x = x + (self.bias[0] if self.reset_after else self.bias)
        x_z, x_r, x_h = ops.split(x, 3, axis=1)
        gate = self.recurrent_activation
        if self.reset_after:
            projected_state = self._gate_products(h, self.recurrent_kernel, state_factors)
            if self.bias is not None:
                projected_state = projected_state + self.bias[1]
            h_z, h_r, h_h = ops.split(projected_state, 3, axis=1)
            z, r = gate(x_z + h_z), gate(x_r + h_r)
            candidate = self.activation(x_h + r * h_h)
        else:
            gate_factors = state_factors if isinstance(state_factors, list) else [state_factors] * 3
            states_of_gates = [h if factor is None else h * factor for factor in gate_factors]
            k_z, k_r, k_h = ops.split(self.recurrent_kernel, 3, axis=1)
            z = gate(x_z + ops.matmul(states_of_gates[0], k_z))
            r = gate(x_r + ops.matmul(states_of_gates[1], k_r))
            candidate = self.activation(x_h + ops.matmul(r * states_of_gates[2], k_h))
        h = z * h + (1.0 - z) * candidate
        return h, [h] if isinstance(states, (list, tuple)) else h

    def _has_time_loop_kernel(self) -> bool:
        return self.reset_after and super()._has_time_loop_kernel()


class GRU(CellLayer, cell=GRUCell, last_arguments=("reset_after", "use_cudnn")):
    """Gated recurrent unit; see ``GRUCell``.

    Args:
        units: the size of the state and of the outputs.
        activation: of the candidate state.
        recurrent_activation: of the gates.
        use_bias: whether there is a bias.
        kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer, recurrent_regularizer,
            bias_regularizer, kernel_constraint, recurrent_constraint, bias_constraint: of the weights.
        reset_after: whether the reset gate multiplies the state after its matrix product, or before.
        activity_regularizer: a penalty on the output.
        dropout, recurrent_dropout: the fractions of inputs and state that are dropped in training.
        seed: of dropout.
        return_sequences, return_state, go_backwards, stateful, unroll: as in ``RNN``.
        use_cudnn: kept for Keras's signature.
        **kwargs: as in ``RNN``; ``implementation`` 1 gives each gate dropout of its own.

    Inputs have shape (batch, time, features), outputs (batch, units) or (batch, time, units).

    Raises:
        ValueError: ``units`` is not positive.
    """
