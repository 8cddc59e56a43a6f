"""An LSTM over time, forward and backward; gates are i, f, g, o.

Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000: c' = f c + i g, h' = o tanh(c'), with
i, f, o = sigmoid and g = tanh of the quarters of x + h U + bias, where x is the projection of the inputs.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastgrad._src.jit.body import scalar_function
from fastgrad._src.kernels.math.vector_math import least, sigmoid, tanh
from fastgrad._src.kernels.recurrent.walk import (
    BLOCK_STATE_UNITS,
    cell_kernels,
    copy_elements,
    forward_launches,
    gradient_launches,
)
from fastgrad._src.kernels.runtime.launch import Launches, Spec


@scalar_function
def lstm_step(x, work, bias, hs, cs, gates, gates_at, work_at, state_at, next_at, units, keep_state):
    """Computes an LSTM's next state of one sequence; see `walk.recurrent_step`."""
    for j in range(2 * units):
        gates[gates_at + j] = sigmoid((x[gates_at + j] + work[work_at + j]) + bias[j])
    for j in range(2 * units, 3 * units):
        gates[gates_at + j] = tanh((x[gates_at + j] + work[work_at + j]) + bias[j])
    for j in range(3 * units, 4 * units):
        gates[gates_at + j] = sigmoid((x[gates_at + j] + work[work_at + j]) + bias[j])
    if keep_state:
        copy_elements(hs, state_at, hs, next_at, units)
        copy_elements(cs, state_at, cs, next_at, units)
    else:
        for j in range(units):
            cs[next_at + j] = (
                gates[gates_at + units + j] * cs[state_at + j] + gates[gates_at + j] * gates[gates_at + 2 * units + j]
            )
        for j in range(units):
            hs[next_at + j] = gates[gates_at + 3 * units + j] * tanh(cs[next_at + j])


@scalar_function
def lstm_step_gradient(gates, cs, hs, dx, dp, dh, dc, scratch, gates_at, dh_at, state_at, next_at, units):
    """Computes the cotangents of an LSTM's time step of one sequence, and tanh(c) again; see `walk.recurrent_step_gradient`."""
    for left in range(0, units, BLOCK_STATE_UNITS):
        n = least(BLOCK_STATE_UNITS, units - left)
        for j in range(n):
            scratch[4 * BLOCK_STATE_UNITS + j] = tanh(cs[next_at + left + j])
        for j in range(n):
            place, unit = gates_at + left + j, dh_at + left + j
            i, f, g, o = gates[place], gates[place + units], gates[place + 2 * units], gates[place + 3 * units]
            bent = scratch[4 * BLOCK_STATE_UNITS + j]
            d = dc[unit] + dh[unit] * o * (T(1) - bent * bent)
            scratch[j] = d * g * (i * (T(1) - i))
            scratch[BLOCK_STATE_UNITS + j] = d * cs[state_at + left + j] * (f * (T(1) - f))
            scratch[2 * BLOCK_STATE_UNITS + j] = d * i * (T(1) - g * g)
            scratch[3 * BLOCK_STATE_UNITS + j] = dh[unit] * bent * (o * (T(1) - o))
            dc[unit] = d * f
            dh[unit] = T(0)
        for q in range(4):
            copy_elements(scratch, q * BLOCK_STATE_UNITS, dp, gates_at + q * units + left, n)


lstm, lstm_gradient = cell_kernels(
    "lstm", lstm_step, lstm_step_gradient, 4, has_second_state=True, gradient_aliases={"dp": "dx"}
)


def lstm_launches(inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches:
    """Maps x, recurrent kernel, bias, h, c and an optional mask to hs, cs, gates, the last h and c; see `walk`."""
    return forward_launches(lstm, inputs, range(5), has_second_state=True)


def lstm_gradient_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], has: tuple[bool, bool, bool, bool]
) -> Launches:
    """Maps gates, cs, recurrent kernel and the inputs that `has` flags to cotangents of x, h, c; see `walk`."""
    return gradient_launches(lstm_gradient, inputs, has, (0, 1, 1), (0, 0, 1, 2))
