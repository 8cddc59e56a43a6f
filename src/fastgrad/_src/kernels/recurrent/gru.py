"""A GRU over time, forward and backward; gates are z, r, and the candidate.

Cho et al. 2014, with the reset gate after the matrix product: h' = z h + (1 - z) tanh(x_h + r h_h), with z, r = sigmoid
of the thirds of x + bias[0] + (h U + bias[1]), where x is the projection of the inputs.
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
def gru_step(x, work, bias, hs, inner, gates, gates_at, work_at, state_at, next_at, units, keep_state):
    """Computes a GRU's next state of one sequence; see `walk.recurrent_step`. `inner` keeps the candidate's product."""
    for j in range(units):
        inner[state_at + j] = work[work_at + 2 * units + j] + bias[5 * units + j]
    for j in range(2 * units):
        gates[gates_at + j] = sigmoid((x[gates_at + j] + work[work_at + j]) + (bias[j] + bias[3 * units + j]))
    for j in range(units):
        reset = gates[gates_at + units + j] * inner[state_at + j]
        gates[gates_at + 2 * units + j] = tanh((x[gates_at + 2 * units + j] + reset) + bias[2 * units + j])
    if keep_state:
        copy_elements(hs, state_at, hs, next_at, units)
    else:
        for j in range(units):
            z = gates[gates_at + j]
            hs[next_at + j] = z * hs[state_at + j] + (T(1) - z) * gates[gates_at + 2 * units + j]


@scalar_function
def gru_step_gradient(gates, inner, hs, dx, dp, dh, dc, scratch, gates_at, dh_at, state_at, next_at, units):
    """Computes the cotangents of a GRU's time step for one sequence; see `walk.recurrent_step_gradient`."""
    for left in range(0, units, BLOCK_STATE_UNITS):
        n = least(BLOCK_STATE_UNITS, units - left)
        for j in range(n):
            place, unit, state = gates_at + left + j, dh_at + left + j, state_at + left + j
            z, r, c = gates[place], gates[place + units], gates[place + 2 * units]
            d = dh[unit] * (T(1) - z) * (T(1) - c * c)
            scratch[j] = dh[unit] * (hs[state] - c) * (z * (T(1) - z))
            scratch[BLOCK_STATE_UNITS + j] = d * inner[state] * (r * (T(1) - r))
            scratch[2 * BLOCK_STATE_UNITS + j] = d * r
            scratch[3 * BLOCK_STATE_UNITS + j] = d
            dh[unit] = dh[unit] * z
        for q in range(3):
            copy_elements(scratch, q * BLOCK_STATE_UNITS, dp, gates_at + q * units + left, n)
            copy_elements(scratch, (q + q // 2) * BLOCK_STATE_UNITS, dx, gates_at + q * units + left, n)


gru, gru_gradient = cell_kernels(
    "gru", gru_step, gru_step_gradient, 3, aliases={"c": "h"}, gradient_aliases={"dc": "dh"}
)


def gru_launches(inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches:
    """Maps x, recurrent kernel, biases, h and an optional mask to hs, recurrent terms, gates, last h; see `walk`."""
    return forward_launches(gru, inputs, (0, 1, 2, 3, 3))


def gru_gradient_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], has: tuple[bool, bool, bool]) -> Launches:
    """Returns the launches of a GRU's gradient: the cotangents of x, of the recurrent product and of the first h."""
    return gradient_launches(gru_gradient, inputs, has, (0, 1, 2), (0, 1, 2, 2))
