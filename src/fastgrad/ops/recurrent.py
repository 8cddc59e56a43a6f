"""Recurrent layers over time: LSTM, GRU and simple RNN.

Each layer is one operation forward and one backward, besides two matrix products: the projection of the inputs before the
steps, and the gradient of the recurrent kernel after them. Inside, sequences have shape (time, batch, ...), so that the data
of a time step is contiguous, and the states before and after all steps are one array. Each operation returns its residuals
(gates, states). Second derivatives come from the same steps, written as operations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastgrad.core.operation import TABLE, Form, JointGradient, Operation, joint, operation
from fastgrad.core.result_rules import ArraySpec
from fastgrad.core.tape import GradientTape
from fastgrad.core.tensor import Tensor
from fastgrad.ops.batching import BatchArg, BatchingRule, NotBatched, broadcast_rows, call_operation, move_rows_to_front
from fastgrad.ops.joining import concat, split, stack
from fastgrad.ops.kernel_launches import KERNEL_FLOATS, launches_from, make_kernel_run

ResultShapes = Callable[..., Sequence[tuple[int, ...]]]
"""A function of the inputs of a recurrent operation that returns the shapes of the results."""


def _recurrent_operation(
    name: str, gradient: Any, shapes: ResultShapes, shared: Sequence[int], module: str | None = None
) -> Operation:
    """Declares an operation that computes all time steps of a recurrent layer, or its gradient.

    Args:
        name: the name of the operation; its kernels are in the module ``module`` of ``kernels/recurrent``.
        gradient: the gradient rule.
        shapes: returns the shapes of the results, from the inputs, arrays or specs.
        shared: the positions of the inputs that all sequences share.
    """
    launches = launches_from(f"recurrent.{module or name.removesuffix('_gradient')}", f"{name}_launches")

    def result(*xs: Any, **_: Any) -> tuple[ArraySpec, ...]:
        return tuple([ArraySpec(size, xs[0].dtype) for size in shapes(*xs)])

    by_kernel = make_kernel_run(launches, result)

    def run_sequence(*arrays: np.ndarray, **attributes: Any) -> tuple[np.ndarray, ...]:
        if arrays[0].size:
            results: tuple[np.ndarray, ...] = by_kernel(*arrays, **attributes)
            return results
        return tuple([np.zeros(size, arrays[0].dtype) for size in shapes(*arrays)])

    return operation(
        name,
        Form.FUSED,
        run=run_sequence,
        gradient=gradient,
        dtypes=KERNEL_FLOATS,
        launches=launches,
        batched=_sequence_batching_rule(*shared),
        result=result,
    )


def _cotangents_by_tape(
    function: Callable[..., Any], inputs: Sequence[Tensor], needs: Sequence[bool], cotangents: Sequence[Tensor | None]
) -> tuple[Tensor | None, ...]:
    """The cotangents of the inputs of ``function``, which is composed of operations."""
    needed_inputs = [x for x, need in zip(inputs, needs, strict=True) if need]
    with GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(needed_inputs)
        results = function(*inputs)
    pairs = [(y, g) for y, g in zip(results, cotangents, strict=True) if g is not None]
    input_cotangents = iter(tape.gradient([y for y, _ in pairs], needed_inputs, output_gradients=[g for _, g in pairs]))
    return tuple([next(input_cotangents) if need else None for need in needs])


def _gradient_of_steps(steps: Callable[..., Any]) -> JointGradient:
    """The gradient rule of an operation that computes ``steps``, which are composed of operations."""

    def rule(needs: Any, g: Any, y: Any, *inputs: Tensor, has: tuple[bool, ...]) -> Any:
        return _cotangents_by_tape(lambda *xs: steps(*xs, has=has), inputs, needs, g)

    return joint(rule)


def _matmul(a: Tensor, b: Tensor, transpose_a: bool = False, transpose_b: bool = False) -> Tensor:
    return TABLE["matmul"](a, b, transpose_a=transpose_a, transpose_b=transpose_b)


def _states_before(states: Tensor) -> Tensor:
    """The states before each time step, as a matrix with one row per step and batch element."""
    return _merge_time_and_batch(states[:-1])


def _time_first(x: Tensor) -> Tensor:
    """Returns ``x`` with its first two axes exchanged."""
    return TABLE["transpose"](x, perm=(1, 0, *range(2, x._array.ndim)))


def _merge_time_and_batch(x: Tensor) -> Tensor:
    steps, batch, width = x._array.shape
    return TABLE["reshape"](x, shape=(steps * batch, width))


def _select_by_mask(mask: Tensor | None, t: int, new: Tensor, old: Tensor) -> Tensor:
    """``new`` where the mask is True at step ``t``, or if there is no mask; else ``old``."""
    if mask is None:
        return new
    column = TABLE["reshape"](mask[t], shape=(new._array.shape[0], 1))
    keep = TABLE["broadcast_to"](column, shape=new._array.shape)
    return TABLE["where"](keep, new, old)


def _column_sum(x: Tensor) -> Tensor:
    return TABLE["reduce_sum"](_merge_time_and_batch(x), axes=(0,), keepdims=False)


def _call_over_time(
    operation: Operation, x: Tensor, kernel: Tensor, other_inputs: Sequence[Tensor], mask: Tensor | None
) -> Any:
    """Applies ``operation`` to the product of ``x``, shape (batch, time, features), and ``kernel``."""
    x = _time_first(x)
    projected = TABLE["reshape"](
        _matmul(_merge_time_and_batch(x), kernel), shape=(*x._array.shape[:2], kernel._array.shape[1])
    )
    return operation(projected, *other_inputs, *([] if mask is None else [_time_first(mask)]))


def _state_sequences(states: Tensor, sequences: bool) -> Tensor | None:
    """Returns the states after each time step, shape (batch, time, units); None if ``sequences`` is False."""
    return _time_first(states[1:]) if sequences else None


def _optional_inputs(presence_flags: Sequence[bool], present_inputs: Sequence[Tensor]) -> list[Tensor | None]:
    remaining = iter(present_inputs)
    return [next(remaining) if is_present else None for is_present in presence_flags]


def _add_step_cotangent(carried_cotangent: Tensor, sequence_cotangent: Tensor | None, t: int) -> Tensor:
    return carried_cotangent if sequence_cotangent is None else carried_cotangent + sequence_cotangent[t]


def _zeros_like(x: Tensor) -> Tensor:
    return x * 0.0


# ---- LSTM ------------------------------------------------------------------------------------------------


def _lstm_steps(
    x: Tensor, recurrent: Tensor, bias: Tensor, h: Tensor, c: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, ...]:
    hs, cs, all_gates = [h], [c], []
    sigmoid, tanh = TABLE["sigmoid"], TABLE["tanh"]
    for t in range(x._array.shape[0]):
        i, f, g, o = split(x[t] + _matmul(h, recurrent) + bias, 4, axis=1)
        i, f, g, o = sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)
        c = _select_by_mask(mask, t, f * c + i * g, c)
        h = _select_by_mask(mask, t, o * tanh(c), h)
        hs.append(h)
        cs.append(c)
        all_gates.append(concat([i, f, g, o], 1))
    return stack(hs), stack(cs), stack(all_gates), h, c


def _lstm_gradient_steps(
    gates: Tensor, cs: Tensor, recurrent: Tensor, *given: Tensor, has: tuple[bool, ...]
) -> tuple[Tensor, ...]:
    mask, of_hs, of_h, of_c = _optional_inputs(has, given)
    tanh = TABLE["tanh"]
    dh = _zeros_like(cs[0]) if of_h is None else of_h
    dc = _zeros_like(cs[0]) if of_c is None else of_c
    step_cotangents = []
    for t in range(gates._array.shape[0] - 1, -1, -1):
        i, f, g, o = split(gates[t], 4, axis=1)
        dh = _add_step_cotangent(dh, of_hs, t + 1)
        tanh_c = tanh(cs[t + 1])
        d = dc + dh * o * (1.0 - tanh_c * tanh_c)
        gate_cotangents = [
            d * g * (i * (1.0 - i)),
            d * cs[t] * (f * (1.0 - f)),
            d * i * (1.0 - g * g),
            dh * tanh_c * (o * (1.0 - o)),
        ]
        dz = concat(
            [
                _select_by_mask(mask, t, gate_cotangent, _zeros_like(gate_cotangent))
                for gate_cotangent in gate_cotangents
            ],
            1,
        )
        dc = _select_by_mask(mask, t, d * f, dc)
        dh = _select_by_mask(mask, t, _zeros_like(dh), dh) + _matmul(dz, recurrent, transpose_b=True)
        step_cotangents.append(dz)
    return stack(step_cotangents[::-1]), _add_step_cotangent(dh, of_hs, 0), dc


def _lstm_gradient_rule(
    needs: Any, g: Any, y: Any, x: Tensor, recurrent: Tensor, bias: Tensor, h0: Tensor, c0: Tensor, *mask: Tensor
) -> Any:
    if g[1] is not None or g[2] is not None:  # only when the gradient itself is differentiated
        return _cotangents_by_tape(_lstm_steps, (x, recurrent, bias, h0, c0, *mask), needs, g)
    has = (bool(mask), *(g[position] is not None for position in (0, 3, 4)))
    state_cotangents = [g[position] for position in (0, 3, 4) if g[position] is not None]
    dz, dh, dc = _lstm_gradient(y[2], y[1], recurrent, *mask, *state_cotangents, has=has)
    by_recurrent = _matmul(_states_before(y[0]), _merge_time_and_batch(dz), transpose_a=True) if needs[1] else None
    by_bias = _column_sum(dz) if needs[2] else None
    return (dz, by_recurrent, by_bias, dh, dc, *[None] * len(mask))


def _unmerge_rows(y: Tensor, rows: int) -> Tensor:
    """Returns ``y``, whose batch axis merges rows and sequences, with a separate axis of rows in front."""
    *steps, count, width = y._array.shape
    return move_rows_to_front(call_operation("reshape", y, shape=(*steps, rows, count // rows, width)), len(steps))


def _sequence_batching_rule(*shared: int) -> BatchingRule:
    """Makes a batching rule that treats rows as more sequences; the inputs at positions ``shared`` have no rows."""

    def rule(name: str, rows: int, /, *inputs: BatchArg, **attributes: Any) -> Any:
        operands = []
        for position, x in enumerate(inputs):
            if position in shared:
                if x.has_rows:
                    raise NotBatched
                operands.append(x.tensor)
                continue
            y = broadcast_rows(x, rows)
            if x.rank == 3 or x.tensor._array.dtype.kind == "b":  # a mask has time steps, too
                steps, count, *width = x.shape
                y = call_operation("transpose", y, perm=(1, 0, *range(2, y._array.ndim)))
                operands.append(call_operation("reshape", y, shape=(steps, rows * count, *width)))
            else:
                operands.append(call_operation("reshape", y, shape=(rows * x.shape[0], *x.shape[1:])))
        outputs = call_operation(name, *operands, **attributes)
        return tuple([_unmerge_rows(y, rows) for y in (outputs if type(outputs) is tuple else (outputs,))])

    return rule


def _lstm_shapes(x: np.ndarray, recurrent: np.ndarray, bias: np.ndarray, h0: np.ndarray, *rest: np.ndarray) -> Any:
    states = (x.shape[0] + 1, *h0.shape)
    return states, states, x.shape, h0.shape, h0.shape


_lstm_gradient = _recurrent_operation(
    "lstm_gradient",
    _gradient_of_steps(_lstm_gradient_steps),
    lambda gates, cs, *rest: (gates.shape, cs.shape[1:], cs.shape[1:]),
    shared=(2,),
)
_lstm = _recurrent_operation("lstm", joint(_lstm_gradient_rule, zeros=False), _lstm_shapes, shared=(1, 2))


def lstm(
    x: Tensor,
    kernel: Tensor,
    recurrent: Tensor,
    bias: Tensor,
    h: Tensor,
    c: Tensor,
    mask: Tensor | None = None,
    sequences: bool = True,
) -> tuple[Tensor | None, Tensor, Tensor]:
    """An LSTM with tanh and sigmoid over time (Hochreiter and Schmidhuber 1997; Gers et al. 2000).

    Args:
        x: shape (batch, time, features), float32 or float64, like all other arguments except the mask.
        kernel, recurrent, bias: shapes (features, 4 units), (units, 4 units), (4 units,); gates i, f, g, o.
        h, c: the initial states, (batch, units).
        mask: boolean, (batch, time): where it is False the states do not change.
        sequences: whether to return the states at all times.

    Returns:
        h at all times, (batch, time, units), or None; the last h and c. The calling layer checks shapes and dtypes.
    """
    results = _call_over_time(_lstm, x, kernel, (recurrent, bias, h, c), mask)
    return _state_sequences(results[0], sequences), results[3], results[4]


# ---- GRU -------------------------------------------------------------------------------------------------


def _gru_steps(x: Tensor, recurrent: Tensor, bias: Tensor, h: Tensor, mask: Tensor | None = None) -> tuple[Tensor, ...]:
    hs, inner, all_gates = [h], [], []
    sigmoid, tanh = TABLE["sigmoid"], TABLE["tanh"]
    for t in range(x._array.shape[0]):
        x_z, x_r, x_h = split(x[t] + bias[0], 3, axis=1)
        h_z, h_r, h_h = split(_matmul(h, recurrent) + bias[1], 3, axis=1)
        z, r = sigmoid(x_z + h_z), sigmoid(x_r + h_r)
        candidate = tanh(x_h + r * h_h)
        h = _select_by_mask(mask, t, z * h + (1.0 - z) * candidate, h)
        hs.append(h)
        all_gates.append(concat([z, r, candidate], 1))
        inner.append(h_h)
    return stack(hs), stack(inner), stack(all_gates), h


def _gru_gradient_steps(
    gates: Tensor, inner: Tensor, hs: Tensor, recurrent: Tensor, *given: Tensor, has: tuple[bool, ...]
) -> tuple[Tensor, ...]:
    mask, of_hs, of_h = _optional_inputs(has, given)
    dh = _zeros_like(hs[0]) if of_h is None else of_h
    by_x, by_product = [], []
    for t in range(gates._array.shape[0] - 1, -1, -1):
        z, r, c = split(gates[t], 3, axis=1)
        dh = _add_step_cotangent(dh, of_hs, t + 1)
        d = dh * (1.0 - z) * (1.0 - c * c)
        gate_cotangents = [dh * (hs[t] - c) * (z * (1.0 - z)), d * inner[t] * (r * (1.0 - r)), d * r, d]
        gate_cotangents = [
            _select_by_mask(mask, t, gate_cotangent, _zeros_like(gate_cotangent)) for gate_cotangent in gate_cotangents
        ]
        dp = concat(gate_cotangents[:3], 1)
        dh = _select_by_mask(mask, t, dh * z, dh) + _matmul(dp, recurrent, transpose_b=True)
        by_x.append(concat([gate_cotangents[0], gate_cotangents[1], gate_cotangents[3]], 1))
        by_product.append(dp)
    return stack(by_x[::-1]), stack(by_product[::-1]), _add_step_cotangent(dh, of_hs, 0)


def _gru_gradient_rule(
    needs: Any, g: Any, y: Any, x: Tensor, recurrent: Tensor, bias: Tensor, h0: Tensor, *mask: Tensor
) -> Any:
    if g[1] is not None or g[2] is not None:
        return _cotangents_by_tape(_gru_steps, (x, recurrent, bias, h0, *mask), needs, g)
    has = (bool(mask), g[0] is not None, g[3] is not None)
    state_cotangents = [g[position] for position in (0, 3) if g[position] is not None]
    dx, dp, dh = _gru_gradient(y[2], y[1], y[0], recurrent, *mask, *state_cotangents, has=has)
    by_recurrent = _matmul(_states_before(y[0]), _merge_time_and_batch(dp), transpose_a=True) if needs[1] else None
    by_bias = stack([_column_sum(dx), _column_sum(dp)]) if needs[2] else None
    return (dx, by_recurrent, by_bias, dh, *[None] * len(mask))


def _gru_shapes(x: np.ndarray, recurrent: np.ndarray, bias: np.ndarray, h0: np.ndarray, *mask: np.ndarray) -> Any:
    return (x.shape[0] + 1, *h0.shape), (x.shape[0], *h0.shape), x.shape, h0.shape


_gru_gradient = _recurrent_operation(
    "gru_gradient",
    _gradient_of_steps(_gru_gradient_steps),
    lambda gates, inner, hs, *rest: (gates.shape, gates.shape, hs.shape[1:]),
    shared=(3,),
)
_gru = _recurrent_operation("gru", joint(_gru_gradient_rule, zeros=False), _gru_shapes, shared=(1, 2))


def gru(
    x: Tensor,
    kernel: Tensor,
    recurrent: Tensor,
    bias: Tensor,
    h: Tensor,
    mask: Tensor | None = None,
    sequences: bool = True,
) -> tuple[Tensor | None, Tensor]:
    """A GRU with tanh and sigmoid over time, whose reset gate comes after the product (Cho et al. 2014).

    Args:
        x: shape (batch, time, features), float32 or float64, like all other arguments except the mask.
        kernel, recurrent, bias: shapes (features, 3 units), (units, 3 units), (2, 3 units) for the two products; gates z, r,
            and the candidate.
        h: the initial state, (batch, units).
        mask: boolean, (batch, time): where it is False the state does not change.
        sequences: whether to return the states at all times.

    Returns:
        The state at all times, (batch, time, units), or None, and the last one.
    """
    results = _call_over_time(_gru, x, kernel, (recurrent, bias, h), mask)
    return _state_sequences(results[0], sequences), results[3]


# ---- simple RNN ------------------------------------------------------------------------------------------


def _simple_rnn_gradient_steps(
    hs: Tensor, recurrent: Tensor, *given: Tensor, has: tuple[bool, ...]
) -> tuple[Tensor, ...]:
    mask, of_hs, of_h = _optional_inputs(has, given)
    dh = _zeros_like(hs[0]) if of_h is None else of_h
    step_cotangents = []
    for t in range(hs._array.shape[0] - 2, -1, -1):
        h = hs[t + 1]
        dh = _add_step_cotangent(dh, of_hs, t + 1)
        d = dh * (1.0 - h * h)
        d = _select_by_mask(mask, t, d, _zeros_like(d))
        dh = _select_by_mask(mask, t, _zeros_like(dh), dh) + _matmul(d, recurrent, transpose_b=True)
        step_cotangents.append(d)
    return stack(step_cotangents[::-1]), _add_step_cotangent(dh, of_hs, 0)


def _simple_rnn_gradient_rule(
    needs: Any, g: Any, y: Any, x: Tensor, recurrent: Tensor, bias: Tensor, h0: Tensor, *mask: Tensor
) -> Any:
    has = (bool(mask), g[0] is not None, g[1] is not None)
    state_cotangents = [cotangent for cotangent in g if cotangent is not None]
    dx, dh = _simple_rnn_gradient(y[0], recurrent, *mask, *state_cotangents, has=has)
    by_recurrent = _matmul(_states_before(y[0]), _merge_time_and_batch(dx), transpose_a=True) if needs[1] else None
    by_bias = _column_sum(dx) if needs[2] else None
    return (dx, by_recurrent, by_bias, dh, *[None] * len(mask))


_simple_rnn_gradient = _recurrent_operation(
    "simple_rnn_gradient",
    _gradient_of_steps(_simple_rnn_gradient_steps),
    lambda hs, *rest: ((hs.shape[0] - 1, *hs.shape[1:]), hs.shape[1:]),
    shared=(1,),
    module="simple",
)
_simple_rnn = _recurrent_operation(
    "simple_rnn",
    joint(_simple_rnn_gradient_rule, zeros=False),
    lambda x, recurrent, bias, h0, *mask: ((x.shape[0] + 1, *h0.shape), h0.shape),
    shared=(1, 2),
    module="simple",
)


def simple_rnn(
    x: Tensor,
    kernel: Tensor,
    recurrent: Tensor,
    bias: Tensor,
    h: Tensor,
    mask: Tensor | None = None,
    sequences: bool = True,
) -> tuple[Tensor | None, Tensor]:
    """h' = tanh(x kernel + bias + h recurrent) over time (Elman 1990).

    Args:
        x: shape (batch, time, features), float32 or float64, like all other arguments except the mask.
        kernel, recurrent, bias: shapes (features, units), (units, units), (units,).
        h: the initial state, (batch, units).
        mask: boolean, (batch, time): where it is False the state does not change.
        sequences: whether to return the states at all times.

    Returns:
        The state at all times, (batch, time, units), or None, and the last one.
    """
    results = _call_over_time(_simple_rnn, x, kernel, (recurrent, bias, h), mask)
    return _state_sequences(results[0], sequences), results[1]
