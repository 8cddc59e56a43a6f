"""``Adamax``."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from fastgrad._src.keras.optimizers.moments import MomentOptimizer
from fastgrad._src.keras.optimizers.rule_optimizer import RuleOptimizer
from fastgrad._src.kernels.optimizers import optimizers as rules


class Adamax(MomentOptimizer, RuleOptimizer):
    """Adamax (Kingma and Ba, 2014): Adam with a running maximum of the gradient's magnitude as the second moment.

    ``m += (1 - beta_1) * (g - m); u = max(beta_2 * u, |g|); w -= rate / (1 - beta_1**t) * m / (u + epsilon)``.
    With ``IndexedSlices``, a row that once had a gradient still moves at later steps, as with a dense gradient.
    Rows that never had a gradient cost nothing.

    Args:
        learning_rate: see ``Optimizer``.
        beta_1: the decay rate of the first moment.
        beta_2: the decay rate of the norm.
        epsilon: added to the norm.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
        loss_scale_factor, gradient_accumulation_steps, name: see ``Optimizer``.

    Raises:
        ValueError: a number is out of its range.
    """

    rule = rules.adamax
    slot_names = MappingProxyType({"m": "momentum", "u": "norm"})

    def hyperparameters(self, learning_rate: Any, step: Any) -> tuple[Any, ...]:
        return learning_rate, self.beta_1, self.beta_2, self.beta_1**step, self.epsilon
