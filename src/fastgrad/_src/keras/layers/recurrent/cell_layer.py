"""``CellLayer``: an ``RNN`` that makes its cell from its own arguments."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import Parameter, signature
from types import MappingProxyType
from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_choice
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras.constructor import make_constructor
from fastgrad._src.keras.layers.input_spec import InputSpec
from fastgrad._src.keras.layers.layer import Layer
from fastgrad._src.keras.layers.recurrent.cell import RecurrentCell
from fastgrad._src.keras.layers.recurrent.rnn import RNN, RNN_LAYER_ARGUMENTS, where_unmasked
from fastgrad._src.keras.naming import to_snake_case
from fastgrad._src.ops import namespace as ops

_OTHER_PARAMETERS = {
    name: Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation="Any")
    for name, default in (("activity_regularizer", None), ("use_cudnn", "auto"))
}
"""The parameters that neither cells nor ``RNN`` have."""


def _checked_use_cudnn(use_cudnn: Any) -> Any:
    """Returns ``use_cudnn``, which is kept for Keras's signature; ValueError unless it is "auto", True, False or None."""
    check_choice("RNN", ("auto", True, False, None), use_cudnn=use_cudnn)
    return use_cudnn


class CellLayer(RNN):
    """The base of the layers LSTM, GRU and SimpleRNN, which make their cell from their own arguments.

    Class keywords describe a subclass: ``cell`` is the class of its cell, ``cell_arguments`` the arguments that all cells get. Its
    constructor takes the other arguments of the cell and those of ``RNN``; ``last_arguments`` stand at the end. The arguments of the cell, except the seed, are properties.
    """

    cell: Any
    _cell_argument_names: tuple[str, ...]

    def __init_subclass__(
        cls,
        cell: type[RecurrentCell] | None = None,
        last_arguments: tuple[str, ...] = (),
        cell_arguments: Mapping[str, Any] = MappingProxyType({}),
        **options: Any,
    ) -> None:
        super().__init_subclass__(**options)
        if cell is None:
            return
        known = {**signature(cell.__init__).parameters, **signature(RNN.__init__).parameters, **_OTHER_PARAMETERS}
        _, *cell_names, _ = [name for name in signature(cell.__init__).parameters if name not in cell_arguments]
        names = [name for name in (*cell_names, *RNN_LAYER_ARGUMENTS[:-1]) if name not in last_arguments]
        names.insert(names.index("bias_regularizer") + 1, "activity_regularizer")
        parameters = [known[name] for name in (*names, *last_arguments, "kwargs")]

        def body(self: Any, **arguments: Any) -> None:
            if "use_cudnn" in last_arguments:
                self.use_cudnn = _checked_use_cudnn(arguments.pop("use_cudnn"))
            own_arguments = {name: arguments.pop(name) for name in (*cell_names, "implementation") if name in arguments}
            shared = {name: arguments[name] for name in ("dtype", "trainable") if name in arguments}
            own_cell = cell(name=to_snake_case(cell.__name__), **cell_arguments, **own_arguments, **shared)
            super(cls, self).__init__(own_cell, **arguments)

        cls.__init__ = make_constructor(cls.__module__, cls.__qualname__, parameters, body)  # type: ignore[method-assign]
        cls._cell_argument_names = (*cell_names, *(("implementation",) if "use_cudnn" in last_arguments else ()))
        for name in cls._cell_argument_names:
            if name != "seed":
                setattr(cls, name, _cell_attribute(name))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.input_spec = InputSpec(ndim=3)

    def inner_loop(
        self, sequences: Tensor, initial_state: list[Any], mask: Tensor | None, training: bool = False
    ) -> tuple[Tensor, Tensor | None, list[Any]]:
        """Returns the last output, all outputs and the last states; computed by one operation if the cell has one."""
        cell: RecurrentCell = self.cell
        if not sequences.dtype.is_floating:
            sequences = ops.cast(sequences, cell._layer_dtype)
        factors = cell.get_dropout_mask(sequences[:, 0]) if training and cell.dropout else None
        if (
            not cell._has_time_loop_kernel()
            or self._layer_dtype.numpy not in ops.KERNEL_FLOATS
            or (training and cell.recurrent_dropout)
            or isinstance(factors, list)
            or (mask is not None and mask.ndim != 2)
            # The kernels take the sizes of states from the cell. What does not fit, the products of the steps refuse.
            or any(state._array.shape != (sequences._array.shape[0], cell.units) for state in initial_state)
        ):
            return super().inner_loop(sequences, initial_state, mask, training)
        if factors is not None:
            sequences = sequences * ops.expand_dims(factors, 1)
        if self.go_backwards:
            sequences = ops.reverse(sequences, [1])
            mask = None if mask is None else ops.reverse(mask, [1])
        outputs, states = cell._run_all_steps(sequences, initial_state, mask, self.return_sequences)
        last_output = states[0]
        if mask is not None:
            # Where no step has counted yet the output is zeros, whatever the first state is.
            has_output = mask if self.zero_output_for_mask else ops.cumsum(ops.cast(mask, dtypes.int32), 1) > 0
            last_output = where_unmasked(has_output[:, -1], last_output, ops.zeros_like(last_output))
            if outputs is not None:
                outputs = where_unmasked(has_output, outputs, ops.zeros_like(outputs))
        return last_output, outputs, states

    def get_config(self) -> dict[str, Any]:
        return {
            **Layer.get_config(self),
            **self._config_of(RNN_LAYER_ARGUMENTS),
            **self.cell._config_of(self._cell_argument_names),
            **self._config_of(("activity_regularizer",)),
        }


def _cell_attribute(name: str) -> property:
    return property(lambda layer: getattr(layer.cell, name), doc=f"The cell's ``{name}``.")
