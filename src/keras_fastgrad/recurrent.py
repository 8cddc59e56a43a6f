"""``LSTM`` and ``GRU`` over all steps by one operation, where Keras would ask cuDNN."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import fastgrad as fg
from fastgrad._src.ops import recurrent as operations

_DTYPES = (fg.float32, fg.float64)


def override_recurrent(module: ModuleType) -> None:
    """Replaces ``lstm`` and ``gru`` of the backend: for what they refuse, Keras loops over the steps.

    ``options`` are the other arguments of Keras's functions, which it passes by name.
    """

    def operands(inputs: Any, states: list[Any], mask: Any, options: dict[str, Any]) -> list[Any]:
        if mask is not None or options.get("time_major"):
            raise NotImplementedError
        weights = (options["kernel"], options["recurrent_kernel"], options["bias"])
        x, *others = [fg.convert_to_tensor(value) for value in (inputs, *weights, *states)]
        if x.dtype not in _DTYPES or any(tensor.dtype != x.dtype for tensor in others):
            raise NotImplementedError
        return [fg.reverse(x, [1]) if options["go_backwards"] else x, *others]

    def results(outputs: Any, states: list[Any]) -> tuple[Any, Any, list[Any]]:
        return states[0], fg.expand_dims(states[0], 1) if outputs is None else outputs, states

    def arguments_of_choice(options: dict[str, Any]) -> tuple[Any, ...]:
        return options["activation"], options["recurrent_activation"], options["unroll"], options["bias"] is not None

    def lstm(inputs: Any, initial_state_h: Any, initial_state_c: Any, mask: Any, **options: Any) -> Any:
        if not module._do_lstm_arguments_support_cudnn(*arguments_of_choice(options)):
            raise NotImplementedError
        x, kernel, recurrent_kernel, bias, h, c = operands(inputs, [initial_state_h, initial_state_c], mask, options)
        outputs, h, c = operations.lstm(x, kernel, recurrent_kernel, bias, h, c, None, options["return_sequences"])
        return results(outputs, [h, c])

    def gru(inputs: Any, initial_state: Any, mask: Any, **options: Any) -> Any:
        if not module._do_gru_arguments_support_cudnn(*arguments_of_choice(options), options["reset_after"]):
            raise NotImplementedError
        x, kernel, recurrent_kernel, bias, h = operands(inputs, [initial_state], mask, options)
        outputs, h = operations.gru(x, kernel, recurrent_kernel, bias, h, None, options["return_sequences"])
        return results(outputs, [h])

    vars(module).update(lstm=lstm, gru=gru)
