"""``StackedRNNCells``: a cell that runs several cells in sequence."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core import nest
from fastgrad._src.keras.layers.layer import Layer
from fastgrad._src.keras.saving.objects import deserialize_keras_object, serialize_keras_object
from fastgrad._src.ops.creation import zeros


class StackedRNNCells(Layer):
    """A cell for ``RNN`` that runs several cells in sequence: the output of a cell is the input of the next cell.

    Args:
        cells: the cells, bottom first.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: a cell without ``call`` or ``state_size``.
    """

    def __init__(self, cells: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for cell in cells:
            for name, text in (("call", "`call` method"), ("state_size", "`state_size` attribute")):
                if name not in dir(cell):
                    kind = text.split()[-1]
                    raise ValueError(f"All cells must have a {text}. Received cell without a `{name}` {kind}: {cell}")
        self.cells = list(cells)

    @property
    def state_size(self) -> list[Any]:
        """The state sizes of the stacked cells, as a list."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> int:
        """The output size of the top cell."""
        return _output_size(self.cells[-1])

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        """Returns the states of the stacked cells before the first time step."""
        states: list[Any] = []
        for cell in self.cells:
            if getattr(cell, "get_initial_state", None):
                states.append(cell.get_initial_state(batch_size=batch_size))
            elif isinstance(cell.state_size, int):
                states.append(zeros((batch_size, cell.state_size), self._layer_dtype))
            else:
                states.append([zeros((batch_size, size), self._layer_dtype) for size in cell.state_size])
        return states

    def call(self, inputs: Any, states: Any, training: bool = False, **kwargs: Any) -> Any:
        new_states = []
        for cell, state in zip(self.cells, states, strict=True):
            has_nested_state = nest.is_nested(state)
            options = dict(kwargs)
            if isinstance(cell, Layer) and cell._signature.takes_training:
                options["training"] = training
            call_cell = cell if callable(cell) else cell.call
            inputs, new_state = call_cell(inputs, list(state) if has_nested_state else [state], **options)
            new_states.append(
                new_state[0]
                if nest.is_nested(new_state) and len(new_state) == 1 and not has_nested_state
                else new_state
            )
        return inputs, new_states[0] if len(new_states) == 1 else new_states

    def build(self, input_shape: Any) -> None:
        for cell in self.cells:
            if isinstance(cell, Layer) and not cell.built:
                cell.build(input_shape)
                cell.built = True
            input_shape = (input_shape[0], _output_size(cell))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cells": [serialize_keras_object(cell) for cell in self.cells]}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        config = dict(config)
        cells = [deserialize_keras_object(cell, custom_objects) for cell in config.pop("cells")]
        return cls(cells, **config)


def _output_size(cell: Any) -> Any:
    size = getattr(cell, "output_size", None)
    if size is not None:
        return size
    return cell.state_size if isinstance(cell.state_size, int) else cell.state_size[0]
