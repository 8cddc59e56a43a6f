"""``Nadam``."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

from fastgrad._src.core.variable import Variable
from fastgrad._src.keras.optimizers.moments import MomentOptimizer
from fastgrad._src.keras.optimizers.recorded_attributes import multiply_variable, value_of
from fastgrad._src.keras.optimizers.rule_optimizer import RuleOptimizer
from fastgrad._src.kernels.optimizers import optimizers as rules


class Nadam(MomentOptimizer, RuleOptimizer):
    """Nadam (Dozat, 2015): Adam with Nesterov momentum.

    Let ``u[t] = beta_1 * (1 - 0.96**t / 2)``, and p[t] the product of u[1] to u[t]. m and v are Adam's moments. The step is
    ``rate * m_hat / (sqrt(v / (1 - beta_2**t)) + epsilon)`` where
    ``m_hat = u[t+1] * m / (1 - p[t+1]) + (1 - u[t]) * g / (1 - p[t])``.
    With ``IndexedSlices``, a row that once had a gradient still moves at later steps, as with a dense gradient.
    Rows that never had a gradient cost nothing.

    Args:
        learning_rate: see ``Optimizer``.
        beta_1, beta_2: the decay rates of the first and the second moment.
        epsilon: added to the root of the second moment.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
        loss_scale_factor, gradient_accumulation_steps, name: see ``Optimizer``.

    Raises:
        ValueError: a number is out of its range.
    """

    rule = rules.nadam
    slot_names = MappingProxyType({"m": "momentum", "v": "velocity"})
    _slot_of_squares = ("velocity", "beta_2")

    def build(self, variables: Sequence[Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        dtype = variables[0].dtype if variables else None
        self._u_product = self.add_variable((), "ones", dtype, name="u_product")

    def hyperparameters(self, learning_rate: Any, step: Any) -> tuple[Any, ...]:
        return numbers_of_nadam(self, value_of(self._u_product, step), learning_rate, step)

    def _begin_step(self, step: Any) -> None:
        multiply_variable(self._u_product, _momentum_factor(self.beta_1, step))


def numbers_of_nadam(optimizer: Any, u_product: Any, learning_rate: Any, step: Any) -> tuple[Any, ...]:
    """Returns the numbers of the rule for an optimizer with ``beta_1``, ``beta_2`` and ``epsilon``; ``u_product`` is p of the step."""
    u, next_u = _momentum_factor(optimizer.beta_1, step), _momentum_factor(optimizer.beta_1, step + 1.0)
    m_weight, g_weight = next_u / (1.0 - u_product * next_u), (1.0 - u) / (1.0 - u_product)
    beta_1, beta_2 = optimizer.beta_1, optimizer.beta_2
    return learning_rate, beta_1, beta_2, m_weight, g_weight, beta_2**step, optimizer.epsilon


def _momentum_factor(beta_1: Any, step: Any) -> Any:
    return beta_1 * (1.0 - 0.5 * 0.96**step)
