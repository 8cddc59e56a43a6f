"""``MomentOptimizer``: the arguments that Adam and related optimizers share."""

from __future__ import annotations

from typing import Any, Unpack

from fastgrad._src.keras.optimizers.arguments import OptimizerOptions, checked_number
from fastgrad._src.keras.optimizers.optimizer import Optimizer, with_optimizer_options


class MomentOptimizer(Optimizer):
    """The base of optimizers that track the first moment of gradients and another measure of their size.

    Args:
        learning_rate: see ``Optimizer``.
        beta_1: the decay rate of the first moment.
        beta_2: the decay rate of the other measure.
        epsilon: added to the divisor of steps.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
        loss_scale_factor, gradient_accumulation_steps, name: see ``Optimizer``.

    Raises:
        ValueError: a number is out of its range.
    """

    _config_names: tuple[str, ...] = ("beta_1", "beta_2", "epsilon")

    @with_optimizer_options
    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **kwargs: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        class_name = type(self).__name__
        self.beta_1 = checked_number(beta_1, f"{class_name}: beta_1", low=0.0, high=1.0, below_high=True)
        self.beta_2 = checked_number(beta_2, f"{class_name}: beta_2", low=0.0, high=1.0, below_high=True)
        self.epsilon = checked_number(epsilon, f"{class_name}: epsilon", low=0.0)
