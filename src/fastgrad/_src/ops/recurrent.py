"""Recurrent layers over time: LSTM, GRU and simple RNN.

Each layer is one operation forward and one backward, besides two matrix products: the projection of the inputs before the
steps, and the gradient of the recurrent kernel after them. Inside, sequences have shape (time, batch, ...), so that the data
of a time step is contiguous, and the states before and after all steps are one array. Each operation returns its residuals
(gates, states). Second derivatives come from the same steps, written as operations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from fastgrad._src.core.operation import TABLE, Form, Operation, joint, operation
from fastgrad._src.core.result_rules import ArraySpec
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.kernels.runtime.launch import Spec
from fastgrad._src.ops.batching import (
    BatchArg,
    BatchingRule,
    NotBatched,
    broadcast_rows,
    call_operation,
    move_rows_to_front,
)
from fastgrad._src.ops.joining import concat, split, stack
from fastgrad._src.ops.kernel_launches import KERNEL_FLOATS, launches_from, make_kernel_run
from fastgrad._src.ops.references import cotangents_by_tape, gradient_of_reference
from fastgrad._src.scalars.formulas import FUNCTION_COST

ResultShapes = Callable[..., Sequence[tuple[int, ...]]]
"""A function of the inputs of a recurrent operation that returns the shapes of the results."""

_GRADIENT_COST = 8
"""About the number of products and additions of a gate's cotangent."""


def _recurrent_operation(
    name: str, gradient: Any, shapes: ResultShapes, shared: Sequence[int], module: str
) -> Operation:
    """Declares an operation that computes all time steps of a recurrent layer, or its gradient.

    Args:
        name: the name of the operation; its kernels are in the module ``module`` of ``kernels/recurrent``.
        gradient: the gradient rule.
        shapes: returns the shapes of the results, from the inputs, arrays or specs.
        shared: the positions of the inputs that all sequences share.
    """
    launches = launches_from(f"recurrent.{module}", f"{name}_launches")
    is_gradient = shared[0] > 1  # the inputs of a gradient begin with residuals

    def flops(inputs: Sequence[Spec], outputs: Sequence[Spec], **_: Any) -> int:
        gates = prod((outputs if is_gradient else inputs)[0].shape)
        return gates * (2 * inputs[shared[0]].shape[0] + (_GRADIENT_COST if is_gradient else FUNCTION_COST))

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
        rounds_as_run=True,
        flops=flops,
        batched=_sequence_batching_rule(*shared),
        result=result,
    )


def _over_time(residual_count: int) -> Callable[[Callable[..., Any]], Callable[..., tuple[Tensor, ...]]]:
    """Makes the gradient of all time steps of that of one step, written in operations.

    The step maps its number, the residuals and the cotangents of the states after it to the cotangents of the projections, and to
    those of the states before it, without the part through the product with the recurrent kernel.
    """

    def make_gradient_steps(step_gradient: Callable[..., Any]) -> Callable[..., tuple[Tensor, ...]]:
        def gradient_steps(*inputs: Tensor, has: tuple[bool, ...]) -> tuple[Tensor, ...]:
            residuals, recurrent = inputs[:residual_count], inputs[residual_count]
            mask, of_hs, *of_states = _optional_inputs(has, inputs[residual_count + 1 :])
            states = residuals[-1]
            cotangents = [_zeros_like(states[0]) if g is None else g for g in of_states]
            by_step = []
            for t in range(states._array.shape[0] - 2, -1, -1):
                cotangents[0] = _add_step_cotangent(cotangents[0], of_hs, t + 1)
                of_projections, before = step_gradient(t, *residuals, *cotangents)
                of_projections = [_select_by_mask(mask, t, g, _zeros_like(g)) for g in of_projections]
                cotangents = [_select_by_mask(mask, t, new, old) for new, old in zip(before, cotangents, strict=True)]
                cotangents[0] = cotangents[0] + _matmul(of_projections[-1], recurrent, transpose_b=True)
                by_step.append(of_projections)
            cotangents[0] = _add_step_cotangent(cotangents[0], of_hs, 0)
            return *[stack(list(projection)) for projection in zip(*by_step[::-1], strict=True)], *cotangents

        return gradient_steps

    return make_gradient_steps


def _layer_operation(
    name: str,
    module: str,
    shapes: ResultShapes,
    steps: Callable[..., Any] | None,
    gradient_steps: Callable[..., Any],
    residuals: tuple[int, ...],
    states: tuple[int, ...],
    projections: int,
) -> Operation:
    """Declares the operations of a recurrent layer and of its gradient; returns the former.

    The layer maps projected inputs, the recurrent kernel, the bias, the initial states and an optional mask to the results
    below. The gradient maps the residuals, the recurrent kernel, and those of mask and cotangents that its attribute ``has``
    flags, to the cotangents of the projections and of the initial states.

    Args:
        name, module, shapes: see ``_recurrent_operation``.
        steps: the layer by simpler operations, if some of its results are not in ``states``.
        gradient_steps: the gradient by simpler operations, made by ``_over_time``.
        residuals: the positions of the results that the gradient reads; the last is a state before and after all steps.
        states: the positions of the results that users see: the states h at all times, then the last states.
        projections: how many there are: 1, or 2 if the product with the recurrent kernel has other cotangents than the
            projected inputs.
    """
    state_count = len(states) - 1

    def gradient_shapes(*inputs: Any) -> list[tuple[int, ...]]:
        count, *state_shape = inputs[len(residuals) - 1].shape
        projection_shape = (count - 1, state_shape[0], inputs[len(residuals)].shape[1])
        return [projection_shape] * projections + [tuple(state_shape)] * state_count

    gradient = _recurrent_operation(
        f"{name}_gradient", gradient_of_reference(gradient_steps), gradient_shapes, (len(residuals),), module
    )

    def gradient_rule(needs: Any, g: Any, y: Any, *inputs: Tensor) -> Any:
        if steps is not None and any(g[position] is not None for position in range(len(g)) if position not in states):
            return cotangents_by_tape(steps, inputs, needs, g)  # only when the gradient itself is differentiated
        recurrent, bias, mask = inputs[1], inputs[2], inputs[3 + state_count :]
        cotangents = [g[position] for position in states]
        has = (bool(mask), *[cotangent is not None for cotangent in cotangents])
        given = [*mask, *[cotangent for cotangent in cotangents if cotangent is not None]]
        results = gradient(*[y[position] for position in residuals], recurrent, *given, has=has)
        dx, dp = results[0], results[projections - 1]
        by_recurrent = _matmul(_merge_time_and_batch(y[0][:-1]), _merge_time_and_batch(dp), True) if needs[1] else None
        by_bias = None
        if needs[2]:
            by_bias = _column_sum(dx) if bias._array.ndim == 1 else stack([_column_sum(dx), _column_sum(dp)])
        return (dx, by_recurrent, by_bias, *results[projections:], *[None] * len(mask))

    return _recurrent_operation(name, joint(gradient_rule, zeros=False), shapes, (1, 2), module)


def _matmul(a: Tensor, b: Tensor, transpose_a: bool = False, transpose_b: bool = False) -> Tensor:
    return TABLE["matmul"](a, b, transpose_a=transpose_a, transpose_b=transpose_b)


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


@_over_time(residual_count=2)
def _lstm_gradient_steps(
    t: int, gates: Tensor, cs: Tensor, dh: Tensor, dc: Tensor
) -> tuple[list[Tensor], tuple[Tensor, ...]]:
    i, f, g, o = split(gates[t], 4, axis=1)
    tanh_c = TABLE["tanh"](cs[t + 1])
    d = dc + dh * o * (1.0 - tanh_c * tanh_c)
    dz = [d * g * (i * (1.0 - i)), d * cs[t] * (f * (1.0 - f)), d * i * (1.0 - g * g), dh * tanh_c * (o * (1.0 - o))]
    return [concat(dz, 1)], (_zeros_like(dh), d * f)


def _lstm_shapes(x: np.ndarray, recurrent: np.ndarray, bias: np.ndarray, h0: np.ndarray, *rest: np.ndarray) -> Any:
    states = (x.shape[0] + 1, *h0.shape)
    return states, states, x.shape, h0.shape, h0.shape


_lstm = _layer_operation(
    "lstm", "lstm", _lstm_shapes, _lstm_steps, _lstm_gradient_steps, (2, 1), (0, 3, 4), projections=1
)


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


@_over_time(residual_count=3)
def _gru_gradient_steps(
    t: int, gates: Tensor, inner: Tensor, hs: Tensor, dh: Tensor
) -> tuple[list[Tensor], tuple[Tensor, ...]]:
    z, r, c = split(gates[t], 3, axis=1)
    d = dh * (1.0 - z) * (1.0 - c * c)
    dz, dr = dh * (hs[t] - c) * (z * (1.0 - z)), d * inner[t] * (r * (1.0 - r))
    return [concat([dz, dr, d], 1), concat([dz, dr, d * r], 1)], (dh * z,)


def _gru_shapes(x: np.ndarray, recurrent: np.ndarray, bias: np.ndarray, h0: np.ndarray, *mask: np.ndarray) -> Any:
    return (x.shape[0] + 1, *h0.shape), (x.shape[0], *h0.shape), x.shape, h0.shape


_gru = _layer_operation("gru", "gru", _gru_shapes, _gru_steps, _gru_gradient_steps, (2, 1, 0), (0, 3), projections=2)


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


@_over_time(residual_count=1)
def _simple_rnn_gradient_steps(t: int, hs: Tensor, dh: Tensor) -> tuple[list[Tensor], tuple[Tensor, ...]]:
    return [dh * (1.0 - hs[t + 1] * hs[t + 1])], (_zeros_like(dh),)


_simple_rnn = _layer_operation(
    "simple_rnn",
    "simple",
    lambda x, recurrent, bias, h0, *mask: ((x.shape[0] + 1, *h0.shape), h0.shape),
    None,
    _simple_rnn_gradient_steps,
    (0,),
    (0, 1),
    projections=1,
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
