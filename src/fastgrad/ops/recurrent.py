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

from fastgrad.kernels.runtime.eager_launch import run_at_once
from fastgrad.kernels.runtime.launch import Launches
from fastgrad.operation import TABLE, Form, Operation, joint, operation
from fastgrad.ops.batching import Batched, NotBatched, Rule, call_row, rows_in_front, spread_rows
from fastgrad.ops.joining import concat, split, stack
from fastgrad.ops.kernel_launches import launches_from, planned
from fastgrad.result_rules import ArraySpec
from fastgrad.tape import GradientTape
from fastgrad.tensor import Tensor

HAS_KERNEL: frozenset[np.dtype] = frozenset([np.dtype(np.float32), np.dtype(np.float64)])
Shapes = Callable[..., Sequence[tuple[int, ...]]]


def _run(launches: Callable[..., Launches | None], shapes: Shapes) -> Callable[..., tuple[np.ndarray, ...]]:
    """Makes a ``run`` that calls the kernels of ``launches`` on new output arrays; ``shapes`` gives their shapes."""

    def run(*arrays: np.ndarray, **attributes: Any) -> tuple[np.ndarray, ...]:
        dtype = arrays[0].dtype
        sizes = shapes(*arrays)
        if not arrays[0].size:
            return tuple([np.zeros(size, dtype) for size in sizes])
        outputs = tuple([np.empty(size, dtype) for size in sizes])
        arrays = tuple([np.ascontiguousarray(array) for array in arrays])
        plan = planned(launches, arrays, outputs, attributes)
        assert plan is not None
        run_at_once(plan, arrays, outputs)
        return outputs

    return run


def _result(shapes: Shapes) -> Callable[..., tuple[ArraySpec, ...]]:
    """Makes a result rule; ``shapes`` gives the shapes of the outputs."""
    return lambda x, *inputs, **attributes: tuple([ArraySpec(shape, x.dtype) for shape in shapes(x, *inputs)])


def _differentiated(
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


def _matmul(a: Tensor, b: Tensor, transpose_a: bool = False, transpose_b: bool = False) -> Tensor:
    product: Tensor = TABLE["matmul"](a, b, transpose_a=transpose_a, transpose_b=transpose_b)
    return product


def _before(states: Tensor) -> Tensor:
    """The states before each time step, as a matrix with one row per step and batch element."""
    return _rows(states[:-1])


def _time_first(x: Tensor) -> Tensor:
    """Returns ``x`` with its first two axes exchanged."""
    transposed: Tensor = TABLE["transpose"](x, perm=(1, 0, *range(2, x._array.ndim)))
    return transposed


def _rows(x: Tensor) -> Tensor:
    steps, batch, width = x._array.shape
    matrix: Tensor = TABLE["reshape"](x, shape=(steps * batch, width))
    return matrix


def _kept(mask: Sequence[Tensor], t: int, new: Tensor, old: Tensor) -> Tensor:
    """``new`` where the mask is True at step ``t``, or if there is no mask; else ``old``."""
    if not mask:
        return new
    column = TABLE["reshape"](mask[0][t], shape=(new._array.shape[0], 1))
    keep = TABLE["broadcast_to"](column, shape=new._array.shape)
    selected: Tensor = TABLE["where"](keep, new, old)
    return selected


def _column_sum(x: Tensor) -> Tensor:
    column_sums: Tensor = TABLE["reduce_sum"](_rows(x), axes=(0,), keepdims=False)
    return column_sums


def _over_time(row: Operation, x: Tensor, kernel: Tensor, given: Sequence[Tensor], mask: Tensor | None) -> Any:
    """Applies ``row`` to the product of ``x``, shape (batch, time, features), and ``kernel``."""
    x = _time_first(x)
    projected = TABLE["reshape"](_matmul(_rows(x), kernel), shape=(*x._array.shape[:2], kernel._array.shape[1]))
    return row(projected, *given, *([] if mask is None else [_time_first(mask)]))


def _sequences(states: Tensor, wanted: bool) -> Tensor | None:
    """The states after each time step, shape (batch, time, units); None unless ``wanted``."""
    return _time_first(states[1:]) if wanted else None


def _optional_inputs(has: Sequence[bool], given: Sequence[Tensor]) -> list[Tensor | None]:
    remaining = iter(given)
    return [next(remaining) if is_present else None for is_present in has]


def _add_step_cotangent(carried: Tensor, of_all: Tensor | None, t: int) -> Tensor:
    return carried if of_all is None else carried + of_all[t]


def _zeros_like(x: Tensor) -> Tensor:
    return x * 0.0


# ---- LSTM ------------------------------------------------------------------------------------------------


def _lstm_steps(x: Tensor, recurrent: Tensor, bias: Tensor, h: Tensor, c: Tensor, *mask: Tensor) -> tuple[Tensor, ...]:
    hs, cs, all_gates = [h], [c], []
    sigmoid, tanh = TABLE["sigmoid"], TABLE["tanh"]
    for t in range(x._array.shape[0]):
        i, f, g, o = split(x[t] + _matmul(h, recurrent) + bias, 4, axis=1)
        i, f, g, o = sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)
        c = _kept(mask, t, f * c + i * g, c)
        h = _kept(mask, t, o * tanh(c), h)
        hs.append(h)
        cs.append(c)
        all_gates.append(concat([i, f, g, o], 1))
    return stack(hs), stack(cs), stack(all_gates), h, c


def _lstm_gradient_steps(
    gates: Tensor, cs: Tensor, recurrent: Tensor, *given: Tensor, has: tuple[bool, ...]
) -> tuple[Tensor, ...]:
    mask, of_hs, of_h, of_c = _optional_inputs(has, given)
    masks = [] if mask is None else [mask]
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
            [_kept(masks, t, gate_cotangent, _zeros_like(gate_cotangent)) for gate_cotangent in gate_cotangents], 1
        )
        dc = _kept(masks, t, d * f, dc)
        dh = _kept(masks, t, _zeros_like(dh), dh) + _matmul(dz, recurrent, transpose_b=True)
        step_cotangents.append(dz)
    return stack(step_cotangents[::-1]), _add_step_cotangent(dh, of_hs, 0), dc


def _lstm_gradient_rule(needs: Any, gg: Any, y: Any, *inputs: Tensor, has: tuple[bool, ...]) -> Any:
    return _differentiated(lambda *xs: _lstm_gradient_steps(*xs, has=has), inputs, needs, gg)


def _lstm_rule(
    needs: Any, g: Any, y: Any, x: Tensor, recurrent: Tensor, bias: Tensor, h0: Tensor, c0: Tensor, *mask: Tensor
) -> Any:
    if g[1] is not None or g[2] is not None:  # only when the gradient itself is differentiated
        return _differentiated(_lstm_steps, (x, recurrent, bias, h0, c0, *mask), needs, g)
    has = (bool(mask), *(g[position] is not None for position in (0, 3, 4)))
    state_cotangents = [g[position] for position in (0, 3, 4) if g[position] is not None]
    dz, dh, dc = _lstm_gradient(y[2], y[1], recurrent, *mask, *state_cotangents, has=has)
    by_recurrent = _matmul(_before(y[0]), _rows(dz), transpose_a=True) if needs[1] else None
    by_bias = _column_sum(dz) if needs[2] else None
    return (dz, by_recurrent, by_bias, dh, dc, *[None] * len(mask))


def _lstm_shapes(x: np.ndarray, recurrent: np.ndarray, bias: np.ndarray, h0: np.ndarray, *rest: np.ndarray) -> Any:
    states = (x.shape[0] + 1, *h0.shape)
    return states, states, x.shape, h0.shape, h0.shape


_lstm_launches = launches_from("recurrent.lstm", "lstm_launches")
_lstm_gradient_launches = launches_from("recurrent.lstm", "lstm_gradient_launches")


def _apart(y: Tensor, rows: int) -> Tensor:
    """Splits the sequences of the rows, and puts an axis of rows in front."""
    *steps, count, width = y._array.shape
    return rows_in_front(call_row("reshape", y, shape=(*steps, rows, count // rows, width)), len(steps))


def _batched_sequences(*shared: int) -> Rule:
    """Makes a batching rule that treats rows as more sequences; the inputs at positions ``shared`` have no rows."""

    def rule(name: str, rows: int, /, *inputs: Batched, **attributes: Any) -> Any:
        operands = []
        for position, x in enumerate(inputs):
            if position in shared:
                if x.has_rows:
                    raise NotBatched
                operands.append(x.tensor)
                continue
            y = spread_rows(x, rows)
            if x.rank == 3 or x.tensor._array.dtype.kind == "b":  # a mask has time steps, too
                steps, count, *width = x.shape
                y = call_row("transpose", y, perm=(1, 0, *range(2, y._array.ndim)))
                operands.append(call_row("reshape", y, shape=(steps, rows * count, *width)))
            else:
                operands.append(call_row("reshape", y, shape=(rows * x.shape[0], *x.shape[1:])))
        outputs = call_row(name, *operands, **attributes)
        return tuple([_apart(y, rows) for y in (outputs if type(outputs) is tuple else (outputs,))])

    return rule


def _lstm_gradient_shapes(gates: Any, cs: Any, *rest: Any) -> Any:
    return gates.shape, cs.shape[1:], cs.shape[1:]


_lstm_gradient = operation(
    "lstm_gradient",
    Form.FUSED,
    run=_run(_lstm_gradient_launches, _lstm_gradient_shapes),
    gradient=joint(_lstm_gradient_rule),
    dtypes=HAS_KERNEL,
    launches=_lstm_gradient_launches,
    batched=_batched_sequences(2),
    result=_result(_lstm_gradient_shapes),
)
_lstm = operation(
    "lstm",
    Form.FUSED,
    run=_run(_lstm_launches, _lstm_shapes),
    gradient=joint(_lstm_rule, zeros=False),
    dtypes=HAS_KERNEL,
    launches=_lstm_launches,
    batched=_batched_sequences(1, 2),
    result=_result(_lstm_shapes),
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
    results = _over_time(_lstm, x, kernel, (recurrent, bias, h, c), mask)
    return _sequences(results[0], sequences), results[3], results[4]


# ---- GRU -------------------------------------------------------------------------------------------------


def _gru_steps(x: Tensor, recurrent: Tensor, bias: Tensor, h: Tensor, *mask: Tensor) -> tuple[Tensor, ...]:
    hs, inner, all_gates = [h], [], []
    sigmoid, tanh = TABLE["sigmoid"], TABLE["tanh"]
    for t in range(x._array.shape[0]):
        x_z, x_r, x_h = split(x[t] + bias[0], 3, axis=1)
        h_z, h_r, h_h = split(_matmul(h, recurrent) + bias[1], 3, axis=1)
        z, r = sigmoid(x_z + h_z), sigmoid(x_r + h_r)
        candidate = tanh(x_h + r * h_h)
        h = _kept(mask, t, z * h + (1.0 - z) * candidate, h)
        hs.append(h)
        all_gates.append(concat([z, r, candidate], 1))
        inner.append(h_h)
    return stack(hs), stack(inner), stack(all_gates), h


def _gru_gradient_steps(
    gates: Tensor, inner: Tensor, hs: Tensor, recurrent: Tensor, *given: Tensor, has: tuple[bool, ...]
) -> tuple[Tensor, ...]:
    mask, of_hs, of_h = _optional_inputs(has, given)
    masks = [] if mask is None else [mask]
    dh = _zeros_like(hs[0]) if of_h is None else of_h
    by_x, by_product = [], []
    for t in range(gates._array.shape[0] - 1, -1, -1):
        z, r, c = split(gates[t], 3, axis=1)
        dh = _add_step_cotangent(dh, of_hs, t + 1)
        d = dh * (1.0 - z) * (1.0 - c * c)
        gate_cotangents = [dh * (hs[t] - c) * (z * (1.0 - z)), d * inner[t] * (r * (1.0 - r)), d * r, d]
        gate_cotangents = [
            _kept(masks, t, gate_cotangent, _zeros_like(gate_cotangent)) for gate_cotangent in gate_cotangents
        ]
        dp = concat(gate_cotangents[:3], 1)
        dh = _kept(masks, t, dh * z, dh) + _matmul(dp, recurrent, transpose_b=True)
        by_x.append(concat([gate_cotangents[0], gate_cotangents[1], gate_cotangents[3]], 1))
        by_product.append(dp)
    return stack(by_x[::-1]), stack(by_product[::-1]), _add_step_cotangent(dh, of_hs, 0)


def _gru_gradient_rule(needs: Any, gg: Any, y: Any, *inputs: Tensor, has: tuple[bool, ...]) -> Any:
    return _differentiated(lambda *xs: _gru_gradient_steps(*xs, has=has), inputs, needs, gg)


def _gru_rule(needs: Any, g: Any, y: Any, x: Tensor, recurrent: Tensor, bias: Tensor, h0: Tensor, *mask: Tensor) -> Any:
    if g[1] is not None or g[2] is not None:
        return _differentiated(_gru_steps, (x, recurrent, bias, h0, *mask), needs, g)
    has = (bool(mask), g[0] is not None, g[3] is not None)
    state_cotangents = [g[position] for position in (0, 3) if g[position] is not None]
    dx, dp, dh = _gru_gradient(y[2], y[1], y[0], recurrent, *mask, *state_cotangents, has=has)
    by_recurrent = _matmul(_before(y[0]), _rows(dp), transpose_a=True) if needs[1] else None
    by_bias = stack([_column_sum(dx), _column_sum(dp)]) if needs[2] else None
    return (dx, by_recurrent, by_bias, dh, *[None] * len(mask))


def _gru_shapes(x: np.ndarray, recurrent: np.ndarray, bias: np.ndarray, h0: np.ndarray, *mask: np.ndarray) -> Any:
    return (x.shape[0] + 1, *h0.shape), (x.shape[0], *h0.shape), x.shape, h0.shape


_gru_launches = launches_from("recurrent.gru", "gru_launches")
_gru_gradient_launches = launches_from("recurrent.gru", "gru_gradient_launches")


def _gru_gradient_shapes(gates: Any, inner: Any, hs: Any, *rest: Any) -> Any:
    return gates.shape, gates.shape, hs.shape[1:]


_gru_gradient = operation(
    "gru_gradient",
    Form.FUSED,
    run=_run(_gru_gradient_launches, _gru_gradient_shapes),
    gradient=joint(_gru_gradient_rule),
    dtypes=HAS_KERNEL,
    launches=_gru_gradient_launches,
    batched=_batched_sequences(3),
    result=_result(_gru_gradient_shapes),
)
_gru = operation(
    "gru",
    Form.FUSED,
    run=_run(_gru_launches, _gru_shapes),
    gradient=joint(_gru_rule, zeros=False),
    dtypes=HAS_KERNEL,
    launches=_gru_launches,
    batched=_batched_sequences(1, 2),
    result=_result(_gru_shapes),
)


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
    results = _over_time(_gru, x, kernel, (recurrent, bias, h), mask)
    return _sequences(results[0], sequences), results[3]


# ---- simple RNN ------------------------------------------------------------------------------------------


def _simple_gradient_steps(hs: Tensor, recurrent: Tensor, *given: Tensor, has: tuple[bool, ...]) -> tuple[Tensor, ...]:
    mask, of_hs, of_h = _optional_inputs(has, given)
    masks = [] if mask is None else [mask]
    dh = _zeros_like(hs[0]) if of_h is None else of_h
    step_cotangents = []
    for t in range(hs._array.shape[0] - 2, -1, -1):
        h = hs[t + 1]
        dh = _add_step_cotangent(dh, of_hs, t + 1)
        d = dh * (1.0 - h * h)
        d = _kept(masks, t, d, _zeros_like(d))
        dh = _kept(masks, t, _zeros_like(dh), dh) + _matmul(d, recurrent, transpose_b=True)
        step_cotangents.append(d)
    return stack(step_cotangents[::-1]), _add_step_cotangent(dh, of_hs, 0)


def _simple_gradient_rule(needs: Any, gg: Any, y: Any, *inputs: Tensor, has: tuple[bool, ...]) -> Any:
    return _differentiated(lambda *xs: _simple_gradient_steps(*xs, has=has), inputs, needs, gg)


def _simple_rule(
    needs: Any, g: Any, y: Any, x: Tensor, recurrent: Tensor, bias: Tensor, h0: Tensor, *mask: Tensor
) -> Any:
    has = (bool(mask), g[0] is not None, g[1] is not None)
    state_cotangents = [cotangent for cotangent in g if cotangent is not None]
    dx, dh = _simple_gradient(y[0], recurrent, *mask, *state_cotangents, has=has)
    by_recurrent = _matmul(_before(y[0]), _rows(dx), transpose_a=True) if needs[1] else None
    by_bias = _column_sum(dx) if needs[2] else None
    return (dx, by_recurrent, by_bias, dh, *[None] * len(mask))


_simple_launches = launches_from("recurrent.simple", "simple_rnn_launches")
_simple_gradient_launches = launches_from("recurrent.simple", "simple_rnn_gradient_launches")


def _simple_rnn_gradient_shapes(hs: Any, *rest: Any) -> Any:
    return (hs.shape[0] - 1, *hs.shape[1:]), hs.shape[1:]


_simple_gradient = operation(
    "simple_rnn_gradient",
    Form.FUSED,
    run=_run(_simple_gradient_launches, _simple_rnn_gradient_shapes),
    gradient=joint(_simple_gradient_rule),
    dtypes=HAS_KERNEL,
    launches=_simple_gradient_launches,
    batched=_batched_sequences(1),
    result=_result(_simple_rnn_gradient_shapes),
)


def _simple_rnn_shapes(x: Any, recurrent: Any, bias: Any, h0: Any, *mask: Any) -> Any:
    return (x.shape[0] + 1, *h0.shape), h0.shape


_simple = operation(
    "simple_rnn",
    Form.FUSED,
    run=_run(_simple_launches, _simple_rnn_shapes),
    gradient=joint(_simple_rule, zeros=False),
    dtypes=HAS_KERNEL,
    launches=_simple_launches,
    batched=_batched_sequences(1, 2),
    result=_result(_simple_rnn_shapes),
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
    results = _over_time(_simple, x, kernel, (recurrent, bias, h), mask)
    return _sequences(results[0], sequences), results[1]
