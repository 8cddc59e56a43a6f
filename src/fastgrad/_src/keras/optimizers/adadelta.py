"""``Adadelta``."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Unpack

from fastgrad._src.keras.optimizers.arguments import OptimizerOptions, checked_number
from fastgrad._src.keras.optimizers.optimizer import with_optimizer_options
from fastgrad._src.keras.optimizers.rule_optimizer import RuleOptimizer
from fastgrad._src.kernels.optimizers import optimizers as rules


class Adadelta(RuleOptimizer):
    """Adadelta (Zeiler, 2012): the gradient, scaled to the root mean square of earlier steps.

    ``a = rho * a + (1 - rho) * g**2; s = g * sqrt(d + epsilon) / sqrt(a + epsilon)``;
    ``d = rho * d + (1 - rho) * s**2; w -= rate * s``.
    With ``IndexedSlices``, a row that once had a gradient still decays at later steps, as with a dense gradient.
    Rows that never had a gradient cost nothing.

    Args:
        learning_rate: see ``Optimizer``.
        rho: the decay rate of both means.
        epsilon: added inside the roots.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
        loss_scale_factor, gradient_accumulation_steps, name: see ``Optimizer``.

    Raises:
        ValueError: a number is out of its range.
    """

    rule = rules.adadelta
    slot_names = MappingProxyType({"accumulated_g": "accumulated_grad", "accumulated_step": "accumulated_delta_var"})
    _config_names = ("rho", "epsilon")

    @with_optimizer_options
    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
        **kwargs: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.rho = checked_number(rho, "Adadelta: rho", low=0.0, high=1.0)
        self.epsilon = checked_number(epsilon, "Adadelta: epsilon", low=0.0)
