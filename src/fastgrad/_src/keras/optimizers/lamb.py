"""``Lamb``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import fastgrad as tf
from fastgrad._src.core.variable import Variable
from fastgrad._src.keras.optimizers.moments import MomentOptimizer


class Lamb(MomentOptimizer):
    """Lamb (You et al., 2019): Adam's step, scaled by the norm of each variable.

    Let m and v be Adam's moments without their bias, and ``u = m / (sqrt(v) + epsilon)``: ``w -= rate * norm(w) / norm(u) * u``.
    The quotient is 1 if one of the norms is 0. Every weight of a variable depends on all its gradients, so ``IndexedSlices``
    are made dense.

    Args:
        learning_rate: see ``Optimizer``.
        beta_1: the decay rate of the first moment.
        beta_2: the decay rate of the second moment.
        epsilon: added to the root of the second moment.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
        loss_scale_factor, gradient_accumulation_steps, name: see ``Optimizer``.

    Raises:
        ValueError: a number is out of its range.
    """

    def build(self, variables: Sequence[Variable]) -> None:
        """Makes the slots of ``variables``: the state that the optimizer keeps for each variable."""
        if self.built:
            return
        super().build(variables)
        self._momentums, self._velocities = self.add_optimizer_variables(variables, ["momentum", "velocity"])

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Updates one variable, and its slots, by its gradient."""
        position = self._get_variable_index(variable)
        m, v = self._momentums[position], self._velocities[position]
        g = tf.cast(tf.convert_to_tensor(gradient), variable.dtype)
        step = tf.cast(self.iterations + 1, variable.dtype)
        m.assign_add((g - m) * (1.0 - self.beta_1))
        v.assign_add((tf.square(g) - v) * (1.0 - self.beta_2))
        denominator = tf.sqrt(v / (1.0 - tf.pow(tf.cast(self.beta_2, g.dtype), step))) + self.epsilon
        update = m / (1.0 - tf.pow(tf.cast(self.beta_1, g.dtype), step)) / denominator
        norms = tf.norm(variable), tf.norm(update)
        ratio = tf.where(tf.minimum(*norms) > 0, norms[0] / norms[1], tf.ones_like(norms[0]))
        variable.assign_sub(ratio * tf.cast(learning_rate, g.dtype) * update)
