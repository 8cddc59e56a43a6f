"""``Adamax``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastgrad.keras.optimizers.kernel_optimizer import KernelOptimizer
from fastgrad.keras.optimizers.moments import MomentOptimizer
from fastgrad.kernels.updating import optimizers as kernels
from fastgrad.variable import Variable


class Adamax(MomentOptimizer, KernelOptimizer):
    """Adamax (Kingma and Ba, 2014): Adam with the greatest gradient in place of the second moment.

    ``m += (1 - beta_1) * (g - m); u = max(beta_2 * u, |g|); w -= rate / (1 - beta_1**t) * m / (u + epsilon)``.
    Of ``IndexedSlices``, rows that once had a gradient go on moving while it fades, as under a dense gradient; the others
    cost nothing.

    Args:
        learning_rate: see ``Optimizer``.
        beta_1: how much of the first moment stays at each step.
        beta_2: how much of the norm stays.
        epsilon: added to the norm.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
        loss_scale_factor, gradient_accumulation_steps, name: see ``Optimizer``.

    Raises:
        ValueError: a number out of its range.
    """

    def build(self, variables: Sequence[Variable]) -> None:
        """Makes the slots of ``variables``."""
        if self.built:
            return
        super().build(variables)
        self._m, self._u = self.add_optimizer_variables(variables, ["momentum", "norm"])

    def _slot_lists(self) -> Sequence[list[Any]]:
        return [self._m, self._u]

    def _rule(self) -> kernels.UpdateRule:
        return kernels.adamax

    def _numbers(self, rate: Any, step: Any) -> tuple[Any, ...]:
        return rate, self.beta_1, self.beta_2, self.beta_1**step, self.epsilon
