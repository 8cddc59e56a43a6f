"""``Lamb``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastgrad._src.core.tensor import convert_to_tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.keras.optimizers.moments import MomentOptimizer
from fastgrad._src.ops import namespace as ops


class Lamb(MomentOptimizer):
    """Lamb (You et al., 2019): Adam's step, scaled by the norm of each variable.

    Let m and v be Adam's moments without their bias, and ``u = m / (sqrt(v) + epsilon)``: ``w -= rate * norm(w) / norm(u) * u``.
    The quotient is 1 if one of the norms is 0. Every weight of a variable depends on all its gradients, so ``IndexedSlices``
    are made dense.

    Args:
        learning_rate: see ``Optimizer``.
        beta_1, beta_2: the decay rates of the first and the second moment.
        epsilon: added to the root of the second moment.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
        loss_scale_factor, gradient_accumulation_steps, name: see ``Optimizer``.

    Raises:
        ValueError: a number is out of its range.
    """

    def build(self, variables: Sequence[Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        self._momentums, self._velocities = self.add_optimizer_variables(variables, ["momentum", "velocity"])

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        position = self._get_variable_index(variable)
        m, v = self._momentums[position], self._velocities[position]
        g = ops.cast(convert_to_tensor(gradient), variable.dtype)
        step = ops.cast(self.iterations + 1, variable.dtype)
        self.assign_add(m, (g - m) * (1.0 - self.beta_1))
        self.assign_add(v, (ops.square(g) - v) * (1.0 - self.beta_2))
        denominator = ops.sqrt(v / (1.0 - ops.pow(ops.cast(self.beta_2, g.dtype), step))) + self.epsilon
        update = m / (1.0 - ops.pow(ops.cast(self.beta_1, g.dtype), step)) / denominator
        norms = ops.norm(variable), ops.norm(update)
        ratio = ops.where(ops.minimum(*norms) > 0, norms[0] / norms[1], ops.ones_like(norms[0]))
        self.assign_sub(variable, ratio * ops.cast(learning_rate, g.dtype) * update)
