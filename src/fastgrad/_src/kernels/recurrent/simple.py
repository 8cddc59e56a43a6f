"""A simple recurrent layer (Elman 1990), forward and backward: h' = tanh(x + h U + bias), x the projected inputs."""

from __future__ import annotations

from collections.abc import Sequence

from fastgrad._src.jit.body import scalar_function
from fastgrad._src.kernels.math.vector_math import tanh
from fastgrad._src.kernels.recurrent.walk import cell_kernels, copy_elements, forward_launches, gradient_launches
from fastgrad._src.kernels.runtime.launch import Launches, Spec


@scalar_function
def simple_step(x, work, bias, hs, residual, gates, gates_at, work_at, state_at, next_at, units, keep_state):
    """Computes a simple recurrent layer's next state of one sequence; see `walk.recurrent_step`."""
    if keep_state:
        copy_elements(hs, state_at, hs, next_at, units)
    else:
        for j in range(units):
            hs[next_at + j] = tanh((x[gates_at + j] + work[work_at + j]) + bias[j])


@scalar_function
def simple_step_gradient(gates, residual, hs, dx, dp, dh, dc, scratch, gates_at, dh_at, state_at, next_at, units):
    """Computes the cotangents of a simple recurrent layer's time step for one sequence; see `walk.recurrent_step_gradient`."""
    for j in range(units):
        dp[gates_at + j] = dh[dh_at + j] * (T(1) - hs[next_at + j] * hs[next_at + j])
        dh[dh_at + j] = T(0)


simple_rnn, simple_rnn_gradient = cell_kernels(
    "simple_rnn",
    simple_step,
    simple_step_gradient,
    1,
    aliases={"residual": "hs", "gates": "hs", "c": "h"},
    gradient_aliases={"dp": "dx", "dc": "dh"},
)


def simple_rnn_launches(inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches:
    """Maps x, the recurrent kernel, the bias, h and an optional mask to hs and the last h; see `walk`."""
    return forward_launches(simple_rnn, inputs, (0, 0, 0, 1, 1))


def simple_rnn_gradient_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], has: tuple[bool, bool, bool]
) -> Launches:
    """Maps hs, recurrent kernel and the inputs that `has` flags to cotangents of x and h; see `walk`."""
    return gradient_launches(simple_rnn_gradient, inputs, has, (0, 0, 0), (0, 0, 1, 1))
