"""``RNN``: a layer that calls a cell at each time step with the state of the previous step."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core import dtypes, nest
from fastgrad._src.core.argument_checks import check_type, refuse, require
from fastgrad._src.core.replicas import ALONE, replica_group_scope
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.keras.layers.layer import Layer
from fastgrad._src.keras.layers.recurrent.cell import RecurrentCell
from fastgrad._src.keras.layers.recurrent.stacked_cells import StackedRNNCells
from fastgrad._src.keras.saving.objects import deserialize_keras_object, serialize_keras_object
from fastgrad._src.ops import namespace as ops

RNN_LAYER_ARGUMENTS = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll", "zero_output_for_mask")


class RNN(Layer):
    """Runs a cell over the time steps of a sequence.

    Args:
        cell: a layer with ``call(inputs, states)``, which returns the output and the new states, and ``state_size``, an int
            or a list of ints. It may have ``output_size`` and ``get_initial_state(batch_size)``. Or a list of such cells,
            each of which takes the outputs of the one before.
        return_sequences: whether to return the outputs of all time steps; otherwise only the last output.
        return_state: whether to return the last states, too.
        go_backwards: whether to begin with the last time step; outputs are in the order in which they are computed.
        stateful: whether a batch begins with the last states of the previous batch.
        unroll: whether the loop over time steps is unrolled when the layer is recorded.
        zero_output_for_mask: whether the output of a masked time step is zeros; otherwise it is the previous output.
        **kwargs: as in ``Layer``.

    Inputs have shape (batch, time, ...), outputs (batch, size) or (batch, time, size).

    Raises:
        ValueError: the cell has no ``call`` or ``state_size``.
    """

    states: list[Any] | None

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Any,
    ) -> None:
        if isinstance(cell, (list, tuple)):
            cell = StackedRNNCells(cell)
        require("call" in dir(cell), self, "`cell` should have a `call` method", cell=cell)
        require("state_size" in dir(cell), self, "`cell` must have a `state_size` of one integer or several", cell=cell)
        super().__init__(**kwargs)
        size = cell.state_size
        if size is None:
            raise ValueError("state_size must be specified as property on the RNN cell.")
        check_type("RNN", "an integer, or a list/tuple of integers", (list, tuple, int), ValueError, state_size=size)
        self.zero_output_for_mask = zero_output_for_mask
        self.cell = cell
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.unroll = unroll
        self.state_size = [size] if isinstance(size, int) else list(size)
        self.single_state = isinstance(size, int)
        self.__dict__["states"] = None  # variables that are no weights
        self._expected_batch_size: int | None = None

    # ---- shapes and states ---------------------------------------------------------------------------

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        batch, length = sequences_shape[0], sequences_shape[1]
        size = getattr(self.cell, "output_size", None)
        if size is None:
            size = self.state_size[0]
        require(isinstance(size, int), self, "`output_size` must be an integer", output_size=size)
        output = (batch, length, size) if self.return_sequences else (batch, size)
        if not self.return_state:
            return output
        states = [
            (batch, n) if isinstance(n, int) else [(batch, nested_size) for nested_size in n] for n in self.state_size
        ]
        return (output, *states)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The mask of the inputs if the layer returns sequences, else None; None for each returned state."""
        mask = nest.flatten(previous_mask)[0] if self.return_sequences else None
        return [mask, *[None] * len(self.state_size)] if self.return_state else mask

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        if isinstance(self.cell, Layer) and not self.cell.built:
            self.cell.build((sequences_shape[0], *sequences_shape[2:]))
            self.cell.built = True
        if self.stateful and self.states is None:
            require(sequences_shape[0] is not None, self, "stateful=True needs a batch size", shape=sequences_shape)
            with replica_group_scope(ALONE):  # each replica has the states of its own rows
                self.__dict__["states"] = nest.map_structure(
                    lambda value: Variable(value, trainable=False, name="rnn_state"),
                    self.get_initial_state(sequences_shape[0]),
                )
            self._expected_batch_size = sequences_shape[0]

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """The states before the first time step: from the cell's ``get_initial_state``, or zeros."""
        if getattr(self.cell, "get_initial_state", None):
            cell_states = self.cell.get_initial_state(batch_size=batch_size)
            return list(cell_states) if nest.is_nested(cell_states) else [cell_states]
        return [ops.zeros((batch_size, size), self._layer_dtype) for size in self.state_size]

    def reset_state(self) -> None:
        """Sets the stored states of a stateful layer to zeros."""
        for state in nest.flatten(self.states) if self.states is not None else ():
            state.assign(ops.zeros_like(state))

    def reset_states(self) -> None:
        """Sets the stored states to zeros; another name of ``reset_state``."""
        self.reset_state()

    # ---- computing -----------------------------------------------------------------------------------

    def call(self, sequences: Tensor, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        """The output; with ``return_state`` followed by the last states.

        Args:
            sequences: shape (batch, time, ...).
            initial_state: a tensor for each state; default zeros, or the stored states if ``stateful``.
            mask: shape (batch, time), boolean: where it is False the states stay as they are.
            training: whether dropout is applied.
        """
        batch, length = sequences._array.shape[:2]
        require(length, self, "sequences must have a time step at least", shape=tuple(sequences.shape))
        states = self._initial_states(batch, initial_state)
        if nest.is_nested(mask):
            mask = mask[0]
        if mask is not None:
            mask = ops.cast(mask, dtypes.bool)
            if mask._array.shape[:2] != (batch, length):
                refuse(self, f"mask must be of shape (batch, time) {(batch, length)}", shape=mask.shape)
        if training:
            self._draw_dropout(self.cell, sequences, states)
        last_output, outputs, states = self.inner_loop(sequences, states, mask, training)
        self._reset_dropout(self.cell)
        # The cell may compute in another dtype than the layer.
        last_output, states = (
            ops.cast(last_output, self._layer_dtype),
            nest.map_structure(self._as_state_tensor, states),
        )
        if self.stateful:
            for stored_state, state in zip(nest.flatten(self.states), nest.flatten(states), strict=True):
                stored_state.assign(state)
        output = ops.cast(outputs, self._layer_dtype) if self.return_sequences else last_output
        return (output, *states) if self.return_state else output

    def _initial_states(self, batch: int, initial_state: Any) -> list[Any]:
        if initial_state is None:
            initial_state = self.states if self.stateful else self.get_initial_state(batch)
        if self.stateful and self._expected_batch_size not in (None, batch):
            refuse(
                self, f"stateful=True needs the batch size of the states, {self._expected_batch_size}", batch_size=batch
            )
        states = list(initial_state) if nest.is_nested(initial_state) else [initial_state]
        if len(states) != len(self.state_size):
            refuse(self, f"`initial_state` must be {len(self.state_size)} states, got {len(states)}")
        return [nest.map_structure(self._as_state_tensor, state) for state in states]

    def _as_state_tensor(self, value: Any) -> Tensor:
        tensor = convert_to_tensor(value)
        return tensor if tensor.dtype is self._layer_dtype else ops.cast(tensor, self._layer_dtype)

    def inner_loop(
        self, sequences: Tensor, initial_state: list[Any], mask: Tensor | None, training: bool = False
    ) -> tuple[Tensor, Tensor | None, list[Any]]:
        """Runs the cell over all time steps; returns the last output, all outputs or None, and the last states."""
        cell, options = self.cell, {}
        if isinstance(cell, Layer) and cell._signature.takes_training:
            options["training"] = training
        rows = [_time_first(sequences)]
        if mask is not None:
            rows.append(_time_first(ops.expand_dims(mask, -1) if mask.ndim == 2 else mask))
        if self.go_backwards:
            rows = [ops.reverse(x, [0]) for x in rows]
        call_cell = cell if callable(cell) else cell.call

        def run_step(carry: list[Any], step_inputs: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
            output, new_states = call_cell(step_inputs[0], nest.pack_sequence_as(initial_state, carry[1:]), **options)
            states = nest.flatten(new_states)
            if mask is not None:
                states = [
                    where_unmasked(step_inputs[1], x, old_state) for x, old_state in zip(states, carry[1:], strict=True)
                ]
                previous_output = ops.zeros_like(output) if self.zero_output_for_mask or carry[0] is None else carry[0]
                output = where_unmasked(step_inputs[1], output, previous_output)
            return [output, *states], [output] if self.return_sequences else []

        carried: list[Any] = [None, *nest.flatten(initial_state)]
        results: list[list[Tensor]] = []
        if isinstance(cell, RecurrentCell):
            carried[0] = ops.cast(cell.get_initial_state(sequences._array.shape[0])[0], self._layer_dtype)
        elif not self.unroll:
            # What the loop carries has the shapes and dtypes that the first step of a cell of any kind gives.
            carried, step_outputs = run_step(carried, [x[0] for x in rows])
            results, rows = [step_outputs], [x[1:] for x in rows]
        if self.unroll:
            for row in zip(*[ops.unstack(x) for x in rows], strict=True):
                carried, step_outputs = run_step(carried, list(row))
                results.append(step_outputs)
        stacked = [ops.stack(column) for column in zip(*results, strict=True)]
        if not self.unroll and rows[0]._array.shape[0]:
            carried, loop_outputs = ops.loop_over_rows(run_step, carried, rows)
            stacked = [ops.concat([*stacked, *loop_outputs], 0)] if loop_outputs else []
        all_outputs = _time_first(stacked[0]) if stacked else None
        return carried[0], all_outputs, list(nest.pack_sequence_as(initial_state, carried[1:]))

    def _draw_dropout(self, cell: Any, sequences: Tensor, states: list[Any]) -> None:
        """Draws the dropout factors of the cells before the loop, so that all time steps use the same factors."""
        if isinstance(cell, StackedRNNCells):
            inputs = sequences
            for inner_cell, state in zip(cell.cells, states, strict=True):
                self._draw_dropout(inner_cell, inputs, list(state) if nest.is_nested(state) else [state])
                first_state = nest.flatten(state)[0]
                size = getattr(inner_cell, "output_size", None) or first_state.shape[-1]
                inputs = ops.zeros((first_state.shape[0], 1, size), self._layer_dtype)
        elif isinstance(cell, RecurrentCell):
            if cell.dropout:
                cell.get_dropout_mask(sequences[:, 0])
            if cell.recurrent_dropout:
                cell.get_recurrent_dropout_mask(states[0])

    def _reset_dropout(self, cell: Any) -> None:
        if isinstance(cell, StackedRNNCells):
            for inner_cell in cell.cells:
                self._reset_dropout(inner_cell)
        elif isinstance(cell, RecurrentCell):
            cell.reset_dropout_mask()
            cell.reset_recurrent_dropout_mask()

    # ---- configuration -------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            **self._config_of(RNN_LAYER_ARGUMENTS),
            "cell": serialize_keras_object(self.cell),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        config = dict(config)
        if "cell" in config:  # not of layers that make their own
            config["cell"] = deserialize_keras_object(config["cell"], custom_objects)
        return cls(**config)


def _time_first(x: Tensor) -> Tensor:
    """``x`` with its first two axes exchanged."""
    return ops.transpose(x, [1, 0, *range(2, x.ndim)])


def where_unmasked(mask: Tensor, x: Tensor, otherwise: Tensor) -> Tensor:
    """``x`` where ``mask``, whose axes are the first axes of ``x``, is True; ``otherwise`` elsewhere."""
    return ops.where(ops.reshape(mask, [*mask.shape, *[1] * (x.ndim - mask.ndim)]), x, otherwise)
