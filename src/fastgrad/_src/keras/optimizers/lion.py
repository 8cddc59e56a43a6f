"""``Lion``."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Unpack

from fastgrad._src.core.argument_checks import require
from fastgrad._src.keras.optimizers.arguments import OptimizerOptions, checked_number
from fastgrad._src.keras.optimizers.optimizer import with_optimizer_options
from fastgrad._src.keras.optimizers.rule_optimizer import RuleOptimizer
from fastgrad._src.kernels.optimizers import optimizers as rules


class Lion(RuleOptimizer):
    """Lion (Chen et al., 2023): steps by the sign of a momentum.

    ``w -= rate * sign(beta_1 * m + (1 - beta_1) * g); m = beta_2 * m + (1 - beta_2) * g``.
    With ``IndexedSlices``, a row that once had a gradient still moves at later steps, as with a dense gradient.
    Rows that never had a gradient cost nothing.

    Args:
        learning_rate: see ``Optimizer``; use a third to a tenth of Adam's rate.
        beta_1: the weight of the momentum in the step, in (0, 1].
        beta_2: the decay rate of the momentum.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
        loss_scale_factor, gradient_accumulation_steps, name: see ``Optimizer``.

    Raises:
        ValueError: a number is out of its range.
    """

    rule = rules.lion
    slot_names = MappingProxyType({"m": "momentum"})
    _config_names = ("beta_1", "beta_2")

    @with_optimizer_options
    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        **kwargs: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        require(0 < beta_1 <= 1, self, "`beta_1` must be in (0, 1]; with 0 it would be SignSGD", beta_1=beta_1)
        self.beta_1 = beta_1
        self.beta_2 = checked_number(beta_2, "Lion: beta_2", low=0.0, high=1.0)
