"""``LSTM`` and ``GRU`` over all steps by one operation, where Keras would ask cuDNN."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import fastgrad as fg
from fastgrad._src.ops import recurrent as operations

_DTYPES = (fg.float32, fg.float64)


def override_recurrent(module: ModuleType) -> None:
    """Replaces ``lstm`` and ``gru`` of the backend: for what they refuse, Keras loops over the steps."""

    def operands(supported: bool, mask: Any, time_major: bool, go_backwards: bool, *values: Any) -> list[Any]:
        if not supported or mask is not None or time_major:
            raise NotImplementedError
        tensors = [fg.convert_to_tensor(value) for value in values]
        if tensors[0].dtype not in _DTYPES or any(tensor.dtype != tensors[0].dtype for tensor in tensors):
            raise NotImplementedError
        return [fg.reverse(tensors[0], [1]) if go_backwards else tensors[0], *tensors[1:]]

    def results(outputs: Any, states: list[Any]) -> tuple[Any, Any, list[Any]]:
        return states[0], fg.expand_dims(states[0], 1) if outputs is None else outputs, states

    def lstm(
        inputs: Any,
        initial_state_h: Any,
        initial_state_c: Any,
        mask: Any,
        kernel: Any,
        recurrent_kernel: Any,
        bias: Any,
        activation: Any,
        recurrent_activation: Any,
        return_sequences: bool = False,
        go_backwards: bool = False,
        unroll: bool = False,
        time_major: bool = False,
    ) -> tuple[Any, Any, list[Any]]:
        supported = module._do_lstm_arguments_support_cudnn(activation, recurrent_activation, unroll, bias is not None)
        values = inputs, kernel, recurrent_kernel, bias, initial_state_h, initial_state_c
        x, weights, recurrent_weights, biases, h, c = operands(supported, mask, time_major, go_backwards, *values)
        outputs, h, c = operations.lstm(x, weights, recurrent_weights, biases, h, c, None, return_sequences)
        return results(outputs, [h, c])

    def gru(
        inputs: Any,
        initial_state: Any,
        mask: Any,
        kernel: Any,
        recurrent_kernel: Any,
        bias: Any,
        activation: Any,
        recurrent_activation: Any,
        return_sequences: bool = False,
        go_backwards: bool = False,
        unroll: bool = False,
        time_major: bool = False,
        reset_after: bool = True,
    ) -> tuple[Any, Any, list[Any]]:
        supported = module._do_gru_arguments_support_cudnn(
            activation, recurrent_activation, unroll, bias is not None, reset_after
        )
        values = inputs, kernel, recurrent_kernel, bias, initial_state
        x, weights, recurrent_weights, biases, h = operands(supported, mask, time_major, go_backwards, *values)
        outputs, h = operations.gru(x, weights, recurrent_weights, biases, h, None, return_sequences)
        return results(outputs, [h])

    vars(module).update(lstm=lstm, gru=gru)
