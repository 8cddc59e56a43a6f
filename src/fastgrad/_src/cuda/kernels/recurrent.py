"""Recurrent layers over time: a launch for each time step, with a thread for each unit of a sequence.

The products of a step read the whole previous state, so all units must be complete: a launch waits for that.

A backward step begins with the product of the later step, which gives the cotangents of its states. It ends with the cotangents
of its gates. The cotangents of the weights are products over all time steps.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any

from fastgrad._src.cuda.codegen.kernel import DeviceKernel, device_kernel_of
from fastgrad._src.cuda.kernels.replacement import Replacement, ScratchMemory, device_launch
from fastgrad._src.cuda.kernels.rows import FLOATS
from fastgrad._src.jit.body import fused_multiply_add, scalar_function
from fastgrad._src.jit.build import kernel
from fastgrad._src.jit.signature import parse_signature
from fastgrad._src.kernels.math.vector_math import sigmoid, tanh
from fastgrad._src.kernels.recurrent import products
from fastgrad._src.kernels.recurrent.gru import gru, gru_gradient
from fastgrad._src.kernels.recurrent.lstm import lstm, lstm_gradient
from fastgrad._src.kernels.recurrent.simple import simple_rnn, simple_rnn_gradient
from fastgrad._src.kernels.runtime.launch import Launch

# Constants and functions of a cell; each kernel has its own.
GATE_COUNT = 1  # products with the recurrent kernel for a unit of the state
HAS_SECOND_STATE = 0  # whether there is a second state


@scalar_function
def recurrent_step(
    x, p0, p1, p2, p3, bias, hs, residual, gates, gates_at, unit, state_at, next_state_at, units, keeps_state
):
    """Computes a unit of a sequence in a time step: from projected inputs and products to the next state.

    `p0` to `p3` are the products of the state with the recurrent kernel, of as many gates as the cell has. `gates_at` is the index of its first gate in `x` and `gates`. `state_at` and `next_state_at` are the indices of its state and of its next state in `hs`.
    """


@scalar_function
def recurrent_step_gradient(
    gates, residual, hs, dx, dp, dh, dc, d_state, gates_at, element, state_at, next_state_at, units
):
    """Computes the cotangents of a unit's products and inputs from `d_state`, the cotangent of its state.

    At `element`, `dh` and `dc` become the cotangents of the previous state, except through the products.
    """


@kernel("matrix: in[T], packed: out[T], n: int, row: int, column: int, first: int, last: int", noalias=True, T=FLOATS)
def copy_matrix(matrix, packed, n, row, column, first, last):
    """Copies a matrix of n columns with the strides `row` and `column` to contiguous rows. A unit is an element."""
    for i in range(first, last):
        term = i // n
        packed[i] = matrix[term * row + (i - term * n) * column]


@scalar_function
def state_product(hs, state_at, recurrent, column, units, width):
    """Returns the product of the state at `state_at` with a column of the recurrent kernel."""
    total = T(0)
    for k in range(units):
        total = fused_multiply_add(hs[state_at + k], recurrent[k * width + column], total)
    return total


def _run_step_forwards(
    x, recurrent, bias, mask, hs, residual, gates, h, c, batch, steps, units, masked, t, first, last
):  # fmt: skip
    """A time step: the next states and the residuals; after the last step also the last states.

    If `masked` and the mask is 0, the states do not change. Each element is read before it is written, so `gates` may be `x`.
    """
    width = GATE_COUNT * units
    for line in range(first, last):
        row, j = t * batch + line // units, line % units
        state_at = row * units + j
        next_state_at = state_at + batch * units
        keeps_state = masked != 0 and mask[row] == 0
        p0 = state_product(hs, row * units, recurrent, j, units, width)
        p1 = state_product(hs, row * units, recurrent, units + j, units, width) if GATE_COUNT > 1 else T(0)
        p2 = state_product(hs, row * units, recurrent, 2 * units + j, units, width) if GATE_COUNT > 2 else T(0)
        p3 = state_product(hs, row * units, recurrent, 3 * units + j, units, width) if GATE_COUNT > 3 else T(0)
        recurrent_step(
            x,
            p0,
            p1,
            p2,
            p3,
            bias,
            hs,
            residual,
            gates,
            row * width + j,
            j,
            state_at,
            next_state_at,
            units,
            keeps_state,
        )
        if t == steps - 1:
            h[line] = hs[next_state_at]
            if HAS_SECOND_STATE != 0:
                c[line] = residual[next_state_at]


def _run_step_backwards(
    gates, residual, hs, recurrent, mask, ghs, gh, gc, dx, dp, dh, dc, batch, steps, units, masked, with_hs, with_h, with_c,
    t, first, last,
):  # fmt: skip
    """A backward time step: cotangents of inputs and gate products, and of previous states except through the products.

    After the first time step, for `t` = -1, it completes the cotangents of the first states. `dp` may be `gates`.
    """
    width = GATE_COUNT * units
    for line in range(first, last):
        row, j = t * batch + line // units, line % units
        state_at = row * units + j
        d = T(0)
        if t < steps - 1:
            later = (row + batch) * width
            for k in range(width):
                d = fused_multiply_add(dp[later + k], recurrent[k * units + j], d)
            d += dh[line]
        else:
            if with_h != 0:
                d = gh[line]
            if HAS_SECOND_STATE != 0:
                dc[line] = gc[line] if with_c != 0 else T(0)
        if with_hs != 0:
            d += ghs[state_at + batch * units]
        at = row * width + j
        if t < 0:
            dh[line] = d
        elif masked != 0 and mask[row] == 0:
            for q in range(GATE_COUNT):
                dp[at + q * units] = T(0)
                dx[at + q * units] = T(0)
            dh[line] = d
        else:
            recurrent_step_gradient(
                gates, residual, hs, dx, dp, dh, dc, d, at, line, state_at, state_at + batch * units, units
            )


_FORWARD_SIGNATURE = (
    "x: in[T], recurrent: in[T], bias: in[T], mask: in[bool], hs: inout[T], residual: inout[T], gates: out[T], h: out[T], "
    "c: out[T], batch: int, steps: int, units: int, masked: int, t: int, first: int, last: int"
)
_BACKWARD_SIGNATURE = (
    "gates: in[T], residual: in[T], hs: in[T], recurrent: in[T], mask: in[bool], ghs: in[T], gh: in[T], gc: in[T], "
    "dx: out[T], dp: inout[T], dh: inout[T], dc: inout[T], batch: int, steps: int, units: int, masked: int, "
    "with_hs: int, with_h: int, with_c: int, t: int, first: int, last: int"
)


@kernel("initial: in[T], states: out[T], end: out[T], steps: int, first: int, last: int", noalias=True, T=FLOATS)
def copy_initial_state(initial, states, end, steps, first, last):
    """Copies the initial state to the start of `states`; without time steps also to `end`, the last state."""
    for i in range(first, last):
        state = initial[i]
        states[i] = state
        if steps == 0:
            end[i] = state


# ---- cells -------------------------------------------------------------------------------------------------


@scalar_function
def lstm_step(
    x, p0, p1, p2, p3, bias, hs, residual, gates, gates_at, unit, state_at, next_state_at, units, keeps_state
):
    """Computes an LSTM's unit in a time step, with the formulas of `kernels.recurrent.lstm`."""
    i = sigmoid((x[gates_at] + p0) + bias[unit])
    f = sigmoid((x[gates_at + units] + p1) + bias[units + unit])
    g = tanh((x[gates_at + 2 * units] + p2) + bias[2 * units + unit])
    o = sigmoid((x[gates_at + 3 * units] + p3) + bias[3 * units + unit])
    gates[gates_at], gates[gates_at + units], gates[gates_at + 2 * units], gates[gates_at + 3 * units] = i, f, g, o
    if keeps_state:
        residual[next_state_at] = residual[state_at]
        hs[next_state_at] = hs[state_at]
    else:
        carried = f * residual[state_at] + i * g
        residual[next_state_at] = carried
        hs[next_state_at] = o * tanh(carried)


@scalar_function
def lstm_step_gradient(gates, residual, hs, dx, dp, dh, dc, d_state, gates_at, element, state_at, next_state_at, units):
    """Computes the cotangents of an LSTM's unit in a time step; tanh(c) is recomputed."""
    i, f, g, o = gates[gates_at], gates[gates_at + units], gates[gates_at + 2 * units], gates[gates_at + 3 * units]
    bent = tanh(residual[next_state_at])
    e = dc[element] + d_state * o * (T(1) - bent * bent)
    dp[gates_at] = e * g * (i * (T(1) - i))
    dp[gates_at + units] = e * residual[state_at] * (f * (T(1) - f))
    dp[gates_at + 2 * units] = e * i * (T(1) - g * g)
    dp[gates_at + 3 * units] = d_state * bent * (o * (T(1) - o))
    dc[element] = e * f
    dh[element] = T(0)


@scalar_function
def gru_step(x, p0, p1, p2, p3, bias, hs, residual, gates, gates_at, unit, state_at, next_state_at, units, keeps_state):
    """Computes a GRU's unit in a time step as `kernels.recurrent.gru` does; `residual` gets the candidate's product."""
    inner = p2 + bias[5 * units + unit]
    z = sigmoid((x[gates_at] + p0) + (bias[unit] + bias[3 * units + unit]))
    r = sigmoid((x[gates_at + units] + p1) + (bias[units + unit] + bias[4 * units + unit]))
    c = tanh((x[gates_at + 2 * units] + r * inner) + bias[2 * units + unit])
    residual[state_at] = inner
    gates[gates_at], gates[gates_at + units], gates[gates_at + 2 * units] = z, r, c
    hs[next_state_at] = hs[state_at] if keeps_state else z * hs[state_at] + (T(1) - z) * c


@scalar_function
def gru_step_gradient(gates, residual, hs, dx, dp, dh, dc, d_state, gates_at, element, state_at, next_state_at, units):
    """Computes the cotangents of a GRU's unit in a time step: of its products in `dp`, of its inputs in `dx`."""
    z, r, c = gates[gates_at], gates[gates_at + units], gates[gates_at + 2 * units]
    of_z = d_state * (hs[state_at] - c) * (z * (T(1) - z))
    e = d_state * (T(1) - z) * (T(1) - c * c)
    of_r = e * residual[state_at] * (r * (T(1) - r))
    dp[gates_at], dp[gates_at + units], dp[gates_at + 2 * units] = of_z, of_r, e * r
    dx[gates_at], dx[gates_at + units], dx[gates_at + 2 * units] = of_z, of_r, e
    dh[element] = d_state * z


@scalar_function
def simple_step(
    x, p0, p1, p2, p3, bias, hs, residual, gates, gates_at, unit, state_at, next_state_at, units, keeps_state
):
    """Computes a simple RNN's unit in a time step, with the formula of `kernels.recurrent.simple`."""
    hs[next_state_at] = hs[state_at] if keeps_state else tanh((x[gates_at] + p0) + bias[unit])


@scalar_function
def simple_step_gradient(
    gates, residual, hs, dx, dp, dh, dc, d_state, gates_at, element, state_at, next_state_at, units
):
    """Computes the equal cotangents of a simple RNN unit's product and input in a time step, in `dp`."""
    h = hs[next_state_at]
    dp[gates_at] = d_state * (T(1) - h * h)
    dh[element] = T(0)


# ---- replacements of CPU kernels ---------------------------------------------------------------------------


def _step_kernel(name: str, body: Any, signature: str, **cell_globals: Any) -> DeviceKernel:
    function: Any = types.FunctionType(body.__code__, {**globals(), **cell_globals}, name)
    function.__doc__ = body.__doc__
    return DeviceKernel(function, parse_signature(signature), {"T": FLOATS})


def _cell_replacements(
    name: str, recurrent_step: Any, recurrent_step_gradient: Any, gates: int, carries: bool = False
) -> tuple[Replacement, Replacement]:
    """Returns the replacements of a cell's kernels, forward and backward.

    The arguments are as in `kernels.recurrent.walk.cell_kernels`.
    """
    cell_globals = {"GATE_COUNT": gates, "HAS_SECOND_STATE": int(carries)}
    forwards = _step_kernel(
        f"{name}_step", _run_step_forwards, _FORWARD_SIGNATURE, **cell_globals, recurrent_step=recurrent_step
    )
    backwards = _step_kernel(
        f"{name}_step_gradient",
        _run_step_backwards,
        _BACKWARD_SIGNATURE,
        **cell_globals,
        recurrent_step_gradient=recurrent_step_gradient,
    )

    def replace_forward(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
        operands: Any = launch.operands
        x, packed, bias, h0, c0, mask, hs, residual, gates, h, c, _, batch, steps, units, masked = operands
        states = ((h0, hs, h), (c0, residual, c))[: 2 if carries else 1]
        arrays = x, packed, bias, mask, hs, residual, gates, h, c
        sizes = batch, steps, units, masked
        return [
            *[device_launch(_copy_initial_state_on_gpu, dtypes, (*state, steps), batch * units) for state in states],
            *[device_launch(forwards, dtypes, (*arrays, *sizes, t), batch * units) for t in range(steps)],
        ]

    def replace_backward(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
        operands: Any = launch.operands
        batch, steps, units, *_ = operands[12:]
        return [device_launch(backwards, dtypes, (*operands, t), batch * units) for t in range(steps - 1, -2, -1)]

    return replace_forward, replace_backward


def _pack_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    """Returns the replacement of `pack_matrix`: a GPU's kernels read rows, and neighbouring threads neighbouring columns."""
    operands: Any = launch.operands
    matrix, packed, k, n, row, column = operands
    return [device_launch(_copy_on_gpu, dtypes, (matrix, packed, n, row, column), k * n)]


_copy_initial_state_on_gpu, _copy_on_gpu = device_kernel_of(copy_initial_state), device_kernel_of(copy_matrix)
_lstm_replacement, _lstm_gradient_replacement = _cell_replacements(
    "lstm", lstm_step, lstm_step_gradient, 4, carries=True
)
_gru_replacement, _gru_gradient_replacement = _cell_replacements("gru", gru_step, gru_step_gradient, 3)
_simple_replacement, _simple_gradient_replacement = _cell_replacements(
    "simple_rnn", simple_step, simple_step_gradient, 1
)

REPLACEMENTS: dict[Any, Replacement] = {
    products.pack_matrix.function: _pack_replacement,
    lstm.function: _lstm_replacement,
    lstm_gradient.function: _lstm_gradient_replacement,
    gru.function: _gru_replacement,
    gru_gradient.function: _gru_gradient_replacement,
    simple_rnn.function: _simple_replacement,
    simple_rnn_gradient.function: _simple_gradient_replacement,
}
"""The GPU replacements of CPU kernels, by the body of the CPU kernel."""
