"""``Adagrad``."""

from __future__ import annotations

from typing import Any, Unpack

from fastgrad._src.keras.optimizers.arguments import OptimizerOptions, checked_number
from fastgrad._src.keras.optimizers.optimizer import with_optimizer_options
from fastgrad._src.keras.optimizers.rule_optimizer import RuleOptimizer
from fastgrad._src.kernels.optimizers import optimizers as rules
from fastgrad._src.kernels.optimizers.update_rule import ZERO_GRADIENT_MOVES, ZERO_GRADIENT_RESTS


class Adagrad(RuleOptimizer):
    """Adagrad (Duchi et al., 2011): the gradient divided by the root of the sum of all its squares.

    ``a += g**2; w -= rate * g / sqrt(a + epsilon)``. With ``IndexedSlices``, only their rows change.

    Args:
        learning_rate: see ``Optimizer``.
        initial_accumulator_value: the initial value of the sums.
        epsilon: added inside the root.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
        loss_scale_factor, gradient_accumulation_steps, name: see ``Optimizer``.

    Raises:
        ValueError: a number is out of its range.
    """

    rule = rules.adagrad
    _slot_of_squares = ("accumulator", None)
    _config_names = ("initial_accumulator_value", "epsilon")

    @with_optimizer_options
    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **kwargs: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        argument_name = "Adagrad: initial_accumulator_value"
        self.initial_accumulator_value = checked_number(initial_accumulator_value, argument_name, low=0.0)
        self.epsilon = checked_number(epsilon, "Adagrad: epsilon", low=0.0)

    @property
    def _zero_gradient_mode(self) -> int:
        return ZERO_GRADIENT_RESTS if self.initial_accumulator_value + self.epsilon > 0 else ZERO_GRADIENT_MOVES

    def initial_value(self, slot: str) -> Any:
        return self.initial_accumulator_value
