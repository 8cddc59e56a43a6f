"""Recurrent layers over time: a launch for each time step, with a thread for each unit of a sequence.

The products of a step read the whole previous state, so all units must be complete: a launch waits for that.

A backward step begins with the product of the later step, which gives the cotangents of its states. It ends with the cotangents
of its gates. The cotangents of the weights are products over all time steps.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any

from fastgrad.cuda.codegen.kernel import DeviceKernel, on_device
from fastgrad.cuda.kernels.replacement import Replacement, ScratchMemory, device_launch
from fastgrad.cuda.kernels.rows import FLOATS
from fastgrad.kernels.codegen.body import fused_multiply_add, scalar_function
from fastgrad.kernels.codegen.build import kernel
from fastgrad.kernels.codegen.signature import parse_signature
from fastgrad.kernels.math.vector_math import sigmoid, tanh
from fastgrad.kernels.recurrent import products
from fastgrad.kernels.recurrent.gru import gru, gru_gradient
from fastgrad.kernels.recurrent.lstm import lstm, lstm_gradient
from fastgrad.kernels.recurrent.simple import simple_rnn, simple_rnn_gradient
from fastgrad.kernels.runtime.launch import Launch

# Constants and functions of a cell; each kernel has its own.
GATES = 1  # products with the recurrent kernel for a unit of the state
CARRIES = 0  # whether there is a second state


@scalar_function
def step(x, p0, p1, p2, p3, bias, hs, kept, gates, at, j, now, after, units, stays):
    """Computes unit j of a sequence in a time step: from projected inputs and products to the next state.

    `p0` to `p3` are the products of the state with the recurrent kernel, of as many gates as the cell has. `at` is the index of its first gate in `x` and `gates`. `now` and `after` are the indices of its state and of its next state in `hs`.
    """


@scalar_function
def step_back(gates, kept, hs, dx, dp, dh, dc, d, at, line, now, after, units):
    """Computes the cotangents of a unit's products and inputs from `d`, the cotangent of its state.

    At `line`, `dh` and `dc` become the cotangents of the previous state, for its direct use.
    """


@scalar_function
def state_product(hs, state, recurrent, column, units, width):
    """Returns the product of the state at `state` with a column of the recurrent kernel."""
    total = T(0)
    for k in range(units):
        total = fused_multiply_add(hs[state + k], recurrent[k * width + column], total)
    return total


def _run_step_forwards(
    x, recurrent, bias, mask, hs, kept, gates, h, c, batch, steps, units, masked, t, first, last
):  # fmt: skip
    """A time step: the next states and the residuals; after the last step also the last states.

    If `masked` and the mask is 0, the states do not change. Each element is read before it is written, so `gates` may be `x`.
    """
    width = GATES * units
    for line in range(first, last):
        row, j = t * batch + line // units, line % units
        now = row * units + j
        after = now + batch * units
        stays = masked != 0 and mask[row] == 0
        p0 = state_product(hs, row * units, recurrent, j, units, width)
        p1 = state_product(hs, row * units, recurrent, units + j, units, width) if GATES > 1 else T(0)
        p2 = state_product(hs, row * units, recurrent, 2 * units + j, units, width) if GATES > 2 else T(0)
        p3 = state_product(hs, row * units, recurrent, 3 * units + j, units, width) if GATES > 3 else T(0)
        step(x, p0, p1, p2, p3, bias, hs, kept, gates, row * width + j, j, now, after, units, stays)
        if t == steps - 1:
            h[line] = hs[after]
            if CARRIES != 0:
                c[line] = kept[after]


def _run_step_backwards(
    gates, kept, hs, recurrent, mask, ghs, gh, gc, dx, dp, dh, dc, batch, steps, units, masked, with_hs, with_h, with_c,
    t, first, last,
):  # fmt: skip
    """A backward time step: the cotangents of inputs, products, and the previous states for their direct use.

    After the first time step, for `t` = -1, it completes the cotangents of the first states. `dp` may be `gates`.
    """
    width = GATES * units
    for line in range(first, last):
        row, j = t * batch + line // units, line % units
        now = row * units + j
        d = T(0)
        if t < steps - 1:
            later = (row + batch) * width
            for k in range(width):
                d = fused_multiply_add(dp[later + k], recurrent[j * width + k], d)
            d += dh[line]
        else:
            if with_h != 0:
                d = gh[line]
            if CARRIES != 0:
                dc[line] = gc[line] if with_c != 0 else T(0)
        if with_hs != 0:
            d += ghs[now + batch * units]
        at = row * width + j
        if t < 0:
            dh[line] = d
        elif masked != 0 and mask[row] == 0:
            for q in range(GATES):
                dp[at + q * units] = T(0)
                dx[at + q * units] = T(0)
            dh[line] = d
        else:
            step_back(gates, kept, hs, dx, dp, dh, dc, d, at, line, now, now + batch * units, units)


_FORWARDS = (
    "x: in[T], recurrent: in[T], bias: in[T], mask: in[bool], hs: inout[T], kept: inout[T], gates: out[T], h: out[T], "
    "c: out[T], batch: int, steps: int, units: int, masked: int, t: int, first: int, last: int"
)
_BACKWARDS = (
    "gates: in[T], kept: in[T], hs: in[T], recurrent: in[T], mask: in[bool], ghs: in[T], gh: in[T], gc: in[T], "
    "dx: out[T], dp: inout[T], dh: inout[T], dc: inout[T], batch: int, steps: int, units: int, masked: int, "
    "with_hs: int, with_h: int, with_c: int, t: int, first: int, last: int"
)


@kernel("given: in[T], states: out[T], end: out[T], steps: int, first: int, last: int", noalias=True, T=FLOATS)
def first_state(given, states, end, steps, first, last):
    """The state before all time steps; without time steps also the last state."""
    for i in range(first, last):
        state = given[i]
        states[i] = state
        if steps == 0:
            end[i] = state


# ---- cells -------------------------------------------------------------------------------------------------


@scalar_function
def lstm_step(x, p0, p1, p2, p3, bias, hs, kept, gates, at, j, now, after, units, stays):
    """Computes an LSTM's unit in a time step, with the formulas of `kernels.recurrent.lstm`."""
    i = sigmoid((x[at] + p0) + bias[j])
    f = sigmoid((x[at + units] + p1) + bias[units + j])
    g = tanh((x[at + 2 * units] + p2) + bias[2 * units + j])
    o = sigmoid((x[at + 3 * units] + p3) + bias[3 * units + j])
    gates[at], gates[at + units], gates[at + 2 * units], gates[at + 3 * units] = i, f, g, o
    if stays:
        kept[after] = kept[now]
        hs[after] = hs[now]
    else:
        carried = f * kept[now] + i * g
        kept[after] = carried
        hs[after] = o * tanh(carried)


@scalar_function
def lstm_step_back(gates, kept, hs, dx, dp, dh, dc, d, at, line, now, after, units):
    """Computes the cotangents of an LSTM's unit in a time step; tanh(c) is recomputed."""
    i, f, g, o = gates[at], gates[at + units], gates[at + 2 * units], gates[at + 3 * units]
    bent = tanh(kept[after])
    e = dc[line] + d * o * (T(1) - bent * bent)
    dp[at] = e * g * (i * (T(1) - i))
    dp[at + units] = e * kept[now] * (f * (T(1) - f))
    dp[at + 2 * units] = e * i * (T(1) - g * g)
    dp[at + 3 * units] = d * bent * (o * (T(1) - o))
    dc[line] = e * f
    dh[line] = T(0)


@scalar_function
def gru_step(x, p0, p1, p2, p3, bias, hs, kept, gates, at, j, now, after, units, stays):
    """Computes a GRU's unit in a time step, with the formulas of `kernels.recurrent.gru`; `kept` is the candidate's product."""
    inner = p2 + bias[5 * units + j]
    z = sigmoid((x[at] + p0) + (bias[j] + bias[3 * units + j]))
    r = sigmoid((x[at + units] + p1) + (bias[units + j] + bias[4 * units + j]))
    c = tanh((x[at + 2 * units] + r * inner) + bias[2 * units + j])
    kept[now] = inner
    gates[at], gates[at + units], gates[at + 2 * units] = z, r, c
    hs[after] = hs[now] if stays else z * hs[now] + (T(1) - z) * c


@scalar_function
def gru_step_back(gates, kept, hs, dx, dp, dh, dc, d, at, line, now, after, units):
    """Computes the cotangents of a GRU's unit in a time step; those of product and inputs differ."""
    z, r, c = gates[at], gates[at + units], gates[at + 2 * units]
    of_z = d * (hs[now] - c) * (z * (T(1) - z))
    e = d * (T(1) - z) * (T(1) - c * c)
    of_r = e * kept[now] * (r * (T(1) - r))
    dp[at], dp[at + units], dp[at + 2 * units] = of_z, of_r, e * r
    dx[at], dx[at + units], dx[at + 2 * units] = of_z, of_r, e
    dh[line] = d * z


@scalar_function
def simple_step(x, p0, p1, p2, p3, bias, hs, kept, gates, at, j, now, after, units, stays):
    """Computes a simple recurrent unit in a time step, with the formula of `kernels.recurrent.simple`."""
    hs[after] = hs[now] if stays else tanh((x[at] + p0) + bias[j])


@scalar_function
def simple_step_back(gates, kept, hs, dx, dp, dh, dc, d, at, line, now, after, units):
    """Computes the cotangents of a simple recurrent unit in a time step; product and inputs have the same."""
    h = hs[after]
    dp[at] = d * (T(1) - h * h)
    dh[line] = T(0)


# ---- replacements of CPU kernels ---------------------------------------------------------------------------


def _step_kernel(name: str, walk: Any, signature: str, **own: Any) -> DeviceKernel:
    function: Any = types.FunctionType(walk.__code__, {**globals(), **own}, name)
    function.__doc__ = walk.__doc__
    return DeviceKernel(function, parse_signature(signature), {"T": FLOATS})


def _cell_replacements(
    name: str, step: Any, step_back: Any, gates: int, carries: bool = False
) -> tuple[Replacement, Replacement]:
    """Returns the replacements of a cell's kernels, forward and backward.

    The arguments are as in `kernels.recurrent.walk.cell_kernels`.
    """
    own = {"GATES": gates, "CARRIES": int(carries)}
    forwards = _step_kernel(f"{name}_step", _run_step_forwards, _FORWARDS, **own, step=step)
    backwards = _step_kernel(f"{name}_step_back", _run_step_backwards, _BACKWARDS, **own, step_back=step_back)

    def steps_of(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
        operands: Any = launch.operands
        x, packed, bias, h0, c0, mask, hs, kept, gates, h, c, work, batch, steps, units, masked = operands
        recurrent = memory.source(packed)
        memory.leave(work)
        states = ((h0, hs, h), (c0, kept, c))[: 2 if carries else 1]
        arrays = x, recurrent, bias, mask, hs, kept, gates, h, c
        given = batch, steps, units, masked
        return [
            *[device_launch(_first_state, dtypes, (*state, steps), batch * units) for state in states],
            *[device_launch(forwards, dtypes, (*arrays, *given, t), batch * units) for t in range(steps)],
        ]

    def steps_back_of(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
        operands: Any = launch.operands
        gates, kept, hs, packed, *rest = operands
        arrays = gates, kept, hs, memory.source(packed), *rest
        batch, steps, units, *_ = rest[8:]
        return [device_launch(backwards, dtypes, (*arrays, t), batch * units) for t in range(steps - 1, -2, -1)]

    return steps_of, steps_back_of


def _pack_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    """Returns the replacement of `pack_matrix`: nothing, as GPU kernels read the recurrent kernel itself."""
    operands: Any = launch.operands
    matrix, packed, *_ = operands
    memory.leave(packed, matrix)
    return []


_first_state = on_device(first_state)
_lstm, _lstm_gradient = _cell_replacements("lstm", lstm_step, lstm_step_back, 4, carries=True)
_gru, _gru_gradient = _cell_replacements("gru", gru_step, gru_step_back, 3)
_simple, _simple_gradient = _cell_replacements("simple_rnn", simple_step, simple_step_back, 1)

REPLACEMENTS: dict[Any, Replacement] = {
    products.pack_matrix.function: _pack_replacement,
    lstm.function: _lstm,
    lstm_gradient.function: _lstm_gradient,
    gru.function: _gru,
    gru_gradient.function: _gru_gradient,
    simple_rnn.function: _simple,
    simple_rnn_gradient.function: _simple_gradient,
}
"""The table of `choice`."""
