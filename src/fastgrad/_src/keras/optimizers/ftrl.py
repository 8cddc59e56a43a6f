"""``Ftrl``."""

from __future__ import annotations

from typing import Any, Unpack

from fastgrad._src.core.argument_checks import check_interval
from fastgrad._src.keras.optimizers.arguments import OptimizerOptions, checked_number
from fastgrad._src.keras.optimizers.optimizer import with_optimizer_options
from fastgrad._src.keras.optimizers.recorded_attributes import quotient_or_zero
from fastgrad._src.keras.optimizers.rule_optimizer import RuleOptimizer
from fastgrad._src.kernels.optimizers import optimizers as rules


class Ftrl(RuleOptimizer):
    """Follow The Regularized Leader, "proximal" (McMahan et al., 2013), for sparse linear models.

    With ``p = -learning_rate_power``: ``b = a + g**2``;
    ``z += g + 2 * l2_shrinkage * w - (b**p - a**p) / rate * w``;
    ``w = (clip(z, -l1, l1) - z) / (b**p / rate + 2 * l2 + beta / rate)``; ``a = b``.
    Each step computes all weights from z, so a weight that never had a gradient becomes 0. With ``IndexedSlices``, all
    rows are updated, without a dense gradient.

    Args:
        learning_rate: see ``Optimizer``.
        learning_rate_power: at most 0; with -0.5 the rates fall as in Adagrad.
        initial_accumulator_value: the initial value of the sums of squares.
        l1_regularization_strength: l1; weights below it become 0.
        l2_regularization_strength: l2 in the formula.
        l2_shrinkage_regularization_strength: l2_shrinkage, which acts on the gradient.
        beta: reduces the first rates.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
        loss_scale_factor, gradient_accumulation_steps, name: see ``Optimizer``.

    Raises:
        ValueError: a number is out of its range.
    """

    rule = rules.ftrl
    _config_names = (
        *("learning_rate_power", "initial_accumulator_value", "l1_regularization_strength"),
        *("l2_regularization_strength", "l2_shrinkage_regularization_strength", "beta"),
    )

    @with_optimizer_options
    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        **kwargs: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        check_interval(self, "(-inf, 0]", learning_rate_power=learning_rate_power)
        for argument_name, value in (
            ("initial_accumulator_value", initial_accumulator_value),
            ("l1_regularization_strength", l1_regularization_strength),
            ("l2_regularization_strength", l2_regularization_strength),
            ("l2_shrinkage_regularization_strength", l2_shrinkage_regularization_strength),
            ("beta", beta),
        ):
            checked_number(value, f"Ftrl: {argument_name}", low=0.0)
        self.learning_rate_power = learning_rate_power
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self.beta = beta

    def initial_value(self, slot: str) -> Any:
        return self.initial_accumulator_value if slot == "accumulator" else "zeros"

    def hyperparameters(self, learning_rate: Any, step: Any) -> tuple[Any, ...]:
        l2 = self.l2_regularization_strength + quotient_or_zero(self.beta, 2.0 * learning_rate)
        shrinkage = self.l2_shrinkage_regularization_strength
        return learning_rate, -self.learning_rate_power, self.l1_regularization_strength, l2, shrinkage
