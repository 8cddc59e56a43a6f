"""``LSTM`` and ``GRU`` over all steps by one operation, where Keras would ask cuDNN."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import fastgrad as fg
from fastgrad._src.ops import recurrent as operations
from fastgrad._src.ops.kernel_launches import KERNEL_FLOATS


def override_recurrent(module: ModuleType) -> None:
    """Replaces ``lstm`` and ``gru`` of the backend: for what they refuse, Keras loops over the steps.

    ``options`` are the other arguments of Keras's functions, which it passes by name.
    """

    def operands(inputs: Any, states: list[Any], mask: Any, options: dict[str, Any]) -> tuple[list[Any], Any]:
        if options.get("time_major") or (mask is not None and len(mask.shape) != 2):
            raise NotImplementedError
        weights = (options["kernel"], options["recurrent_kernel"], options["bias"])
        x, *others = [fg.convert_to_tensor(value) for value in (inputs, *weights, *states)]
        if x.dtype.numpy not in KERNEL_FLOATS or any(tensor.dtype != x.dtype for tensor in others):
            raise NotImplementedError
        mask = None if mask is None else fg.cast(mask, "bool")
        if options["go_backwards"]:
            x, mask = fg.reverse(x, [1]), None if mask is None else fg.reverse(mask, [1])
        return [x, *others, mask, options["return_sequences"]], mask

    def results(outputs: Any, states: list[Any], mask: Any) -> tuple[Any, Any, list[Any]]:
        last = states[0]
        if mask is not None:  # Keras gives 0 until the first step that the mask shows
            seen = fg.cumsum(fg.cast(mask, "int32"), axis=1) > 0
            last = fg.where(seen[:, -1:], last, fg.zeros_like(last))
            outputs = None if outputs is None else fg.where(seen[:, :, None], outputs, fg.zeros_like(outputs))
        return last, fg.expand_dims(last, 1) if outputs is None else outputs, states

    def arguments_of_choice(options: dict[str, Any]) -> tuple[Any, ...]:
        return options["activation"], options["recurrent_activation"], options["unroll"], options["bias"] is not None

    def lstm(inputs: Any, initial_state_h: Any, initial_state_c: Any, mask: Any, **options: Any) -> Any:
        if not module._do_lstm_arguments_support_cudnn(*arguments_of_choice(options)):
            raise NotImplementedError
        arguments, mask = operands(inputs, [initial_state_h, initial_state_c], mask, options)
        outputs, *states = operations.lstm(*arguments)
        return results(outputs, states, mask)

    def gru(inputs: Any, initial_state: Any, mask: Any, **options: Any) -> Any:
        if not module._do_gru_arguments_support_cudnn(*arguments_of_choice(options), options["reset_after"]):
            raise NotImplementedError
        arguments, mask = operands(inputs, [initial_state], mask, options)
        outputs, *states = operations.gru(*arguments)
        return results(outputs, states, mask)

    vars(module).update(lstm=lstm, gru=gru)


def override_layer(class_name: str, module: ModuleType) -> None:
    """Lets a layer that shows 0 where its mask hides a step loop over the steps: ``lstm`` and ``gru`` do not know of it."""
    kind = getattr(module, class_name)
    keras_loop, tree = kind.inner_loop, module.tree

    def inner_loop(self: Any, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        mask = mask[0] if tree.is_nested(mask) else mask
        loop = super(kind, self).inner_loop if mask is not None and self.zero_output_for_mask else None
        return (loop or keras_loop.__get__(self))(sequences, initial_state, mask=mask, training=training)

    kind.inner_loop = inner_loop
