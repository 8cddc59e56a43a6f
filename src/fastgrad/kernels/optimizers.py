"""Optimizer updates: each rule is one scalar formula, from which three kernels are made.

`rule.variables` updates all variables of a model in one call, in place:
`adam.variables[dtype](parameters, m, v, gradients, *hyperparameters)`, each of the first four a list of arrays.

`rule.rows` updates some rows of a table: `adam.rows[dtype, index_dtype](parameter, m, v, values, ids, rows, width,
*hyperparameters)`, with unique ids inside the table (`embedding.sum_duplicate_rows` makes them unique).

`rule.table` gives what `variables` gives for the dense gradient that has `values` in the rows `ids` and zeros
elsewhere, without making it: `adam.table[dtype, index_dtype](parameter, m, v, values, ids, rows, all_rows, width,
*hyperparameters)`, with unique ids in increasing order.

The formulas are Keras 3's (keras.optimizers), in its order of operations. Their parameters are the weight `p`, the
slots, the gradient `g`, and hyperparameters; for one named `one_minus_x` the caller passes `x`, and the difference is
taken in float64. `decay` is `weight_decay * learning_rate`, 0 for none (Keras: decoupled, before the update).
"""

import math
import types
from typing import NamedTuple

from fastgrad.kernels.body import local_array, scalar_function
from fastgrad.kernels.build import Kernel, kernel
from fastgrad.kernels.reductions import BLOCK, LANES, lane_total
from fastgrad.kernels.vector_math import least, nan_greatest

FLOATS = ("float32", "float64")
INDICES = ("int32", "int64")

_PREFIX = "one_minus_"

_VARIABLES = """
def {name}(p, {slots}, g, count, sizes, {given}):
    {constants}
    for k in range(count):
        {pointers} = {lists}
        for i in range(sizes[k]):
            {targets} = formula({elements}, {hyper})
"""

_ROWS = """
def {name}_rows(p, {slots}, g, ids, rows, width, {given}):
    {constants}
    for k in range(rows):
        row = ids[k] * width
        for j in range(width):
            i = row + j
            {row_targets} = formula({row_elements}, g[k * width + j], {hyper})
"""

_TABLE = """
def {name}_table(p, {slots}, g, ids, rows, all_rows, width, {given}):
    {constants}
    k = 0
    for r in range(all_rows):
        if k < rows and ids[k] == r:
            for j in range(width):
                i = r * width + j
                {row_targets} = formula({row_elements}, g[k * width + j], {hyper})
            k += 1
        else:
            for j in range(width):
                i = r * width + j
                {row_targets} = formula({row_elements}, T(0), {hyper})
"""


class UpdateRule(NamedTuple):
    """The kernels of one optimizer; see the module's text."""

    variables: Kernel
    rows: Kernel
    table: Kernel


def update_rule(formula: types.FunctionType) -> UpdateRule:
    """Make the kernels of a formula `f(p, slot, ..., g, hyperparameter, ...)` that gives the new `p, slot, ...`."""
    names = formula.__code__.co_varnames[: formula.__code__.co_argcount]
    at = names.index("g")
    state, hyper = names[:at], names[at + 1 :]
    given = list(dict.fromkeys(h.removeprefix(_PREFIX) for h in hyper))
    constants = [
        f"{h}_ = T(1.0 - {h.removeprefix(_PREFIX)})" if h.startswith(_PREFIX) else f"{h}_ = T({h})" for h in hyper
    ]
    text = {
        "name": formula.__name__,
        "slots": ", ".join(state[1:]),
        "given": ", ".join(given),
        "constants": "\n    ".join(constants),
        "hyper": ", ".join(f"{h}_" for h in hyper),
        "pointers": ", ".join(f"{s}_" for s in (*state, "g")),
        "lists": ", ".join(f"{s}[k]" for s in (*state, "g")),
        "targets": ", ".join(f"{s}_[i]" for s in state),
        "elements": ", ".join(f"{s}_[i]" for s in (*state, "g")),
        "row_targets": ", ".join(f"{s}[i]" for s in state),
        "row_elements": ", ".join(f"{s}[i]" for s in state),
    }
    scope = {"formula": scalar_function(formula)}

    def make(template: str, arrays: str, gradient: str, rest: str, **variables: tuple[str, ...]) -> Kernel:
        source = template.format(**text).replace(", ,", ",")
        defined: dict[str, types.FunctionType] = {}
        exec(compile(source, f"<{formula.__name__}>", "exec"), scope, defined)  # noqa: S102 - our own templates
        parameters = [f"{s}: {arrays}[T]" for s in state] + [f"g: {gradient}[T]", rest] + [f"{h}: float" for h in given]
        return kernel(", ".join(parameters), **variables)(*defined.values())

    rows = "ids: in[I], rows: int"
    return UpdateRule(
        make(_VARIABLES, "inouts", "ins", "count: count, sizes: sizes", T=FLOATS),
        make(_ROWS, "inout", "in", f"{rows}, width: int", T=FLOATS, I=INDICES),
        make(_TABLE, "inout", "in", f"{rows}, all_rows: int, width: int", T=FLOATS, I=INDICES),
    )


@scalar_function
def decayed(p, decay):
    """A weight after decay; without decay infinities stay."""
    return p - p * decay if decay != 0 else p


@update_rule
def sgd(p, g, rate, decay):
    """Keras: SGD."""
    return decayed(p, decay) - g * rate


@update_rule
def momentum(p, m, g, rate, momentum, decay):
    """Keras: SGD(momentum=...)."""
    m = m * momentum - g * rate
    return decayed(p, decay) + m, m


@update_rule
def nesterov(p, m, g, rate, momentum, decay):
    """Keras: SGD(momentum=..., nesterov=True)."""
    m = m * momentum - g * rate
    return decayed(p, decay) + (m * momentum - g * rate), m


@update_rule
def adam(p, m, v, g, alpha, one_minus_beta_1, one_minus_beta_2, epsilon, decay):
    """Keras: Adam, AdamW; `alpha` is rate * sqrt(1 - beta_2^t) / (1 - beta_1^t)."""
    m = m + (g - m) * one_minus_beta_1
    v = v + (g * g - v) * one_minus_beta_2
    return decayed(p, decay) - m * alpha / (math.sqrt(v) + epsilon), m, v


@update_rule
def adam_amsgrad(p, m, v, greatest_v, g, alpha, one_minus_beta_1, one_minus_beta_2, epsilon, decay):
    """Keras: Adam(amsgrad=True), with the greatest second moment so far."""
    m = m + (g - m) * one_minus_beta_1
    v = v + (g * g - v) * one_minus_beta_2
    greatest_v = nan_greatest(greatest_v, v)
    return decayed(p, decay) - m * alpha / (math.sqrt(greatest_v) + epsilon), m, v, greatest_v


@update_rule
def rmsprop(p, v, g, rate, rho, one_minus_rho, epsilon, decay):
    """Keras: RMSprop."""
    v = rho * v + one_minus_rho * (g * g)
    return decayed(p, decay) - rate * g / math.sqrt(v + epsilon), v


@update_rule
def rmsprop_momentum(p, v, m, g, rate, rho, one_minus_rho, momentum, epsilon, decay):
    """Keras: RMSprop(momentum=...)."""
    v = rho * v + one_minus_rho * (g * g)
    m = momentum * m + rate * g / math.sqrt(v + epsilon)
    return decayed(p, decay) - m, v, m


@update_rule
def rmsprop_centered(p, v, average, g, rate, rho, one_minus_rho, epsilon, decay):
    """Keras: RMSprop(centered=True)."""
    v = rho * v + one_minus_rho * (g * g)
    average = rho * average + one_minus_rho * g
    return decayed(p, decay) - rate * g / math.sqrt(v - average * average + epsilon), v, average


@update_rule
def rmsprop_centered_momentum(p, v, average, m, g, rate, rho, one_minus_rho, momentum, epsilon, decay):
    """Keras: RMSprop(centered=True, momentum=...)."""
    v = rho * v + one_minus_rho * (g * g)
    average = rho * average + one_minus_rho * g
    m = momentum * m + rate * g / math.sqrt(v - average * average + epsilon)
    return decayed(p, decay) - m, v, average, m


@update_rule
def adagrad(p, accumulator, g, rate, epsilon, decay):
    """Keras: Adagrad."""
    accumulator = accumulator + g * g
    return decayed(p, decay) - rate * g / math.sqrt(accumulator + epsilon), accumulator


@update_rule
def adadelta(p, accumulated_g, accumulated_step, g, rate, rho, one_minus_rho, epsilon, decay):
    """Keras: Adadelta."""
    accumulated_g = rho * accumulated_g + one_minus_rho * (g * g)
    step = -(math.sqrt(accumulated_step + epsilon) * g / math.sqrt(accumulated_g + epsilon))
    accumulated_step = rho * accumulated_step + one_minus_rho * (step * step)
    return decayed(p, decay) + rate * step, accumulated_g, accumulated_step


@update_rule
def adamax(p, m, u, g, rate, one_minus_beta_1, beta_2, one_minus_beta_1_power, epsilon, decay):
    """Keras: Adamax; `beta_1_power` is beta_1^t."""
    m = m + (g - m) * one_minus_beta_1
    u = nan_greatest(beta_2 * u, math.fabs(g))
    return decayed(p, decay) - rate * m / (one_minus_beta_1_power * (u + epsilon)), m, u


@update_rule
def nadam(
    p, m, v, g, rate, one_minus_beta_1, one_minus_beta_2, m_weight, g_weight, one_minus_beta_2_power, epsilon, decay
):
    """Keras: Nadam; `m_weight` is u[t+1] / (1 - u[1]...u[t+1]), `g_weight` (1 - u[t]) / (1 - u[1]...u[t])."""
    m = m + (g - m) * one_minus_beta_1
    v = v + (g * g - v) * one_minus_beta_2
    step = (m_weight * m + g_weight * g) * rate / (math.sqrt(v / one_minus_beta_2_power) + epsilon)
    return decayed(p, decay) - step, m, v


@scalar_function
def ftrl_power(x, power):
    """x^power, by a square root for the usual power 1/2."""
    return math.sqrt(x) if power == T(0.5) else math.pow(x, power)


@update_rule
def ftrl(p, accumulator, linear, g, rate, power, l1, l2, shrinkage, decay):
    """Keras: Ftrl; `power` is -learning_rate_power; `l2` is l2_regularization_strength + beta / (2 rate)."""
    p = decayed(p, decay)
    grown = accumulator + g * g
    root = ftrl_power(grown, power)
    linear = linear + (g + T(2) * shrinkage * p - (root - ftrl_power(accumulator, power)) / rate * p)
    clipped = l1 if linear > l1 else (-l1 if linear < -l1 else linear)
    return (clipped - linear) / (root / rate + T(2) * l2), grown, linear


@update_rule
def lion(p, m, g, rate, beta_1, one_minus_beta_1, beta_2, one_minus_beta_2, decay):
    """Keras: Lion."""
    direction = m * beta_1 + g * one_minus_beta_1
    sign = T(1) if direction > 0 else (T(-1) if direction < 0 else direction)
    return decayed(p, decay) - rate * sign, m * beta_2 + g * one_minus_beta_2


@update_rule
def moving_average(p, g, momentum, one_minus_momentum):
    """`p` is the average, `g` the variable (Keras: use_ema)."""
    return p * momentum + g * one_minus_momentum


@kernel("p: inouts[T], count: count, sizes: sizes, decay: float", T=FLOATS)
def decay_weights(p, count, sizes, decay):
    """p -= p * decay: weight decay on its own, for sparse gradients."""
    for k in range(count):
        weights = p[k]
        for i in range(sizes[k]):
            weights[i] -= weights[i] * T(decay)


@kernel("g: ins[T], count: count, sizes: sizes, out: out[float64]", T=FLOATS)
def sums_of_squares(g, count, sizes, out):
    """The sum of the squares of each array, for clipping by norm; out has one element an array."""
    lanes = local_array(T, 256)
    for k in range(count):
        x, n = g[k], sizes[k]
        total = 0.0
        for start in range(0, n, BLOCK):
            end = least(start + BLOCK, n)
            for i in range(least(LANES, end - start)):
                lanes[i] = x[start + i] * x[start + i]
            for at in range(start + LANES, end, LANES):
                for i in range(least(LANES, end - at)):
                    lanes[i] += x[at + i] * x[at + i]
            total += lane_total(lanes, least(LANES, end - start))
        out[k] = total
