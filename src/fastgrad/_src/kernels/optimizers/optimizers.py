"""The update rules of Keras 3's optimizers (keras.optimizers) and of TensorFlow 1's, in their order of operations.

A rule is a scalar function of the variable, its slots, the gradient and hyper-parameters; see `update_rule`. A user's
rule (`keras.optimizers.update_rule`) has the same form.
"""

from __future__ import annotations

import functools
import math

from fastgrad._src.jit.body import scalar_function
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.math.power import power as raised
from fastgrad._src.kernels.math.vector_math import nan_greatest
from fastgrad._src.kernels.optimizers.update_rule import (
    FLOATS,
    ZERO_GRADIENT_RESTS,
    ZERO_GRADIENT_RESTS_AT_ZERO_SLOTS,
    UpdateRule,
)

_skips_zero_gradient = functools.partial(UpdateRule, zero_gradient=ZERO_GRADIENT_RESTS)
_skips_zero_gradient_at_zero_slots = functools.partial(UpdateRule, zero_gradient=ZERO_GRADIENT_RESTS_AT_ZERO_SLOTS)


@_skips_zero_gradient
def sgd(p, g, learning_rate):
    """Keras: SGD."""
    return p - g * learning_rate


@_skips_zero_gradient_at_zero_slots
def momentum(p, m, g, learning_rate, momentum):
    """Keras: SGD(momentum=...)."""
    m = m * momentum - g * learning_rate
    return p + m, m


@_skips_zero_gradient_at_zero_slots
def nesterov(p, m, g, learning_rate, momentum):
    """Keras: SGD(momentum=..., nesterov=True)."""
    m = m * momentum - g * learning_rate
    return p + (m * momentum - g * learning_rate), m


@_skips_zero_gradient
def accumulated_momentum(p, a, g, learning_rate, momentum):
    """TensorFlow 1: tf.compat.v1.train.MomentumOptimizer, whose accumulator sums gradients without the rate."""
    a = a * momentum + g
    return p - learning_rate * a, a


@_skips_zero_gradient
def accumulated_nesterov(p, a, g, learning_rate, momentum):
    """TensorFlow 1: MomentumOptimizer(use_nesterov=True)."""
    a = a * momentum + g
    return p - learning_rate * (g + momentum * a), a


@_skips_zero_gradient_at_zero_slots
def adam(p, m, v, g, alpha, one_minus_beta_1, one_minus_beta_2, epsilon):
    """Keras: Adam, AdamW; `alpha` is learning_rate * sqrt(1 - beta_2^t) / (1 - beta_1^t)."""
    m = m + (g - m) * one_minus_beta_1
    v = v + (g * g - v) * one_minus_beta_2
    return p - m * alpha / (math.sqrt(v) + epsilon), m, v


@_skips_zero_gradient_at_zero_slots
def adam_amsgrad(p, m, v, greatest_v, g, alpha, one_minus_beta_1, one_minus_beta_2, epsilon):
    """Keras: Adam(amsgrad=True), with the greatest second moment so far."""
    m = m + (g - m) * one_minus_beta_1
    v = v + (g * g - v) * one_minus_beta_2
    greatest_v = nan_greatest(greatest_v, v)
    return p - m * alpha / (math.sqrt(greatest_v) + epsilon), m, v, greatest_v


@_skips_zero_gradient_at_zero_slots
def rmsprop(p, v, g, learning_rate, rho, one_minus_rho, epsilon):
    """Keras: RMSprop."""
    v = rho * v + one_minus_rho * (g * g)
    return p - learning_rate * g / math.sqrt(v + epsilon), v


@_skips_zero_gradient_at_zero_slots
def rmsprop_momentum(p, v, m, g, learning_rate, rho, one_minus_rho, momentum, epsilon):
    """Keras: RMSprop(momentum=...)."""
    v = rho * v + one_minus_rho * (g * g)
    m = momentum * m + learning_rate * g / math.sqrt(v + epsilon)
    return p - m, v, m


@_skips_zero_gradient_at_zero_slots
def rmsprop_centered(p, v, average, g, learning_rate, rho, one_minus_rho, epsilon):
    """Keras: RMSprop(centered=True)."""
    v = rho * v + one_minus_rho * (g * g)
    average = rho * average + one_minus_rho * g
    return p - learning_rate * g / math.sqrt(v - average * average + epsilon), v, average


@_skips_zero_gradient_at_zero_slots
def rmsprop_centered_momentum(p, v, m, average, g, learning_rate, rho, one_minus_rho, momentum, epsilon):
    """Keras: RMSprop(centered=True, momentum=...)."""
    v = rho * v + one_minus_rho * (g * g)
    average = rho * average + one_minus_rho * g
    m = momentum * m + learning_rate * g / math.sqrt(v - average * average + epsilon)
    return p - m, v, m, average


@_skips_zero_gradient
def adagrad(p, accumulator, g, learning_rate, epsilon):
    """Keras: Adagrad."""
    accumulator = accumulator + g * g
    return p - learning_rate * g / math.sqrt(accumulator + epsilon), accumulator


@_skips_zero_gradient_at_zero_slots
def adadelta(p, accumulated_g, accumulated_step, g, learning_rate, rho, one_minus_rho, epsilon):
    """Keras: Adadelta."""
    accumulated_g = rho * accumulated_g + one_minus_rho * (g * g)
    step = -(math.sqrt(accumulated_step + epsilon) * g / math.sqrt(accumulated_g + epsilon))
    accumulated_step = rho * accumulated_step + one_minus_rho * (step * step)
    return p + learning_rate * step, accumulated_g, accumulated_step


@_skips_zero_gradient_at_zero_slots
def adamax(p, m, u, g, learning_rate, one_minus_beta_1, beta_2, one_minus_beta_1_power, epsilon):
    """Keras: Adamax; `beta_1_power` is beta_1^t."""
    m = m + (g - m) * one_minus_beta_1
    u = nan_greatest(beta_2 * u, math.fabs(g))
    return p - learning_rate * m / (one_minus_beta_1_power * (u + epsilon)), m, u


@_skips_zero_gradient_at_zero_slots
def nadam(
    p, m, v, g, learning_rate, one_minus_beta_1, one_minus_beta_2, m_weight, g_weight, one_minus_beta_2_power, epsilon
):
    """Keras: Nadam; `m_weight` is u[t+1] / (1 - u[1]...u[t+1]), `g_weight` (1 - u[t]) / (1 - u[1]...u[t])."""
    m = m + (g - m) * one_minus_beta_1
    v = v + (g * g - v) * one_minus_beta_2
    step = (m_weight * m + g_weight * g) * learning_rate / (math.sqrt(v / one_minus_beta_2_power) + epsilon)
    return p - step, m, v


@scalar_function
def ftrl_power(x, power):
    """Returns x^power, by a square root for the usual power 1/2."""
    return math.sqrt(x) if power == T(0.5) else raised(x, power)


@UpdateRule
def ftrl(p, accumulator, linear, g, learning_rate, power, l1, l2, shrinkage):
    """Keras: Ftrl; `power` is -learning_rate_power; `l2` is l2_regularization_strength + beta / (2 learning_rate)."""
    grown = accumulator + g * g
    root = ftrl_power(grown, power)
    linear = linear + (g + T(2) * shrinkage * p - (root - ftrl_power(accumulator, power)) / learning_rate * p)
    clipped = l1 if linear > l1 else (-l1 if linear < -l1 else linear)
    return (clipped - linear) / (root / learning_rate + T(2) * l2), grown, linear


@_skips_zero_gradient_at_zero_slots
def lion(p, m, g, learning_rate, beta_1, one_minus_beta_1, beta_2, one_minus_beta_2):
    """Keras: Lion."""
    direction = m * beta_1 + g * one_minus_beta_1
    sign = T(1) if direction > 0 else (T(-1) if direction < 0 else direction)
    return p - learning_rate * sign, m * beta_2 + g * one_minus_beta_2


@functools.partial(UpdateRule, decays=False)
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


@kernel("count: in[int64], out: out[int64], every: int")
def completed_rounds(count, out, every):
    """Writes how many times `every` steps have been completed after `count` steps."""
    out[0] = count[0] // every


@kernel("count: in[int64], out: out[uint8], every: int")
def is_last_of_round(count, out, every):
    """Writes 1 if the step after `count` steps is the last of `every`, else 0."""
    out[0] = 1 if (count[0] + 1) % every == 0 else 0
