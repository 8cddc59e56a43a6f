"""``Adam`` and ``AdamW``."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, Unpack

from fastgrad._src.core.argument_checks import require
from fastgrad._src.core.variable import Variable
from fastgrad._src.keras.optimizers.arguments import OptimizerOptions
from fastgrad._src.keras.optimizers.moments import MomentOptimizer
from fastgrad._src.keras.optimizers.optimizer import with_optimizer_options
from fastgrad._src.keras.optimizers.recorded_attributes import square_root
from fastgrad._src.keras.optimizers.rule_optimizer import RuleOptimizer
from fastgrad._src.keras.optimizers.variable import OptimizerVariable
from fastgrad._src.kernels.optimizers import optimizers as rules
from fastgrad._src.kernels.optimizers.update_rule import UpdateRule


class Adam(MomentOptimizer, RuleOptimizer):
    """Adam (Kingma and Ba, 2014), in the form with "epsilon hat".

    ``m += (1 - beta_1) * (g - m); v += (1 - beta_2) * (g**2 - v)``;
    ``w -= rate * sqrt(1 - beta_2**t) / (1 - beta_1**t) * m / (sqrt(v) + epsilon)``.
    With ``IndexedSlices``, a row that once had a gradient still moves at later steps, as with a dense gradient.
    Rows that never had a gradient cost nothing.

    Args:
        learning_rate: see ``Optimizer``.
        beta_1, beta_2: the decay rates of the first and the second moment.
        epsilon: added to the root of the second moment.
        amsgrad: whether the greatest second moment so far replaces the second moment (Reddi et al., 2018).
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
        loss_scale_factor, gradient_accumulation_steps, name: see ``Optimizer``.

    Raises:
        ValueError: a number is out of its range.

    Example:
        >>> v = tf.Variable(1.0)
        >>> optimizer = tf.keras.optimizers.Adam(learning_rate=0.1)
        >>> step = optimizer.apply_gradients([(tf.constant(2.0), v)])
        >>> print(f"{v.numpy():.2f}")
        0.90
    """

    slot_names = MappingProxyType({"m": "momentum", "v": "velocity", "greatest_v": "velocity_hat"})
    _slot_of_squares = ("velocity", "beta_2")
    _config_names = ("amsgrad",)

    @with_optimizer_options
    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **kwargs: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)
        self.amsgrad = amsgrad

    @property
    def rule(self) -> UpdateRule:
        """The update rule for the value that ``amsgrad`` had when the slots were made."""
        return rules.adam_amsgrad if (len(self._slots) == 3 if self.built else self.amsgrad) else rules.adam

    def _new_slots(self, variables: Sequence[Variable], names: list[str]) -> list[list[OptimizerVariable]]:
        # Saved files list the moments variable by variable, then all greatest second moments.
        return [*super()._new_slots(variables, names[:2]), *super()._new_slots(variables, names[2:])]

    def hyperparameters(self, learning_rate: Any, step: Any) -> tuple[Any, ...]:
        step_size = learning_rate * square_root(1.0 - self.beta_2**step) / (1.0 - self.beta_1**step)
        return step_size, self.beta_1, self.beta_2, self.epsilon


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2017): ``Adam`` with ``weight_decay`` 0.004 by default.

    Args:
        learning_rate: see ``Optimizer``.
        weight_decay: each step first subtracts ``weight_decay * learning_rate`` times the weight from every weight.
        beta_1, beta_2, epsilon, amsgrad: see ``Adam``.
        clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency, loss_scale_factor,
        gradient_accumulation_steps, name: see ``Optimizer``.

    Raises:
        ValueError: a number is out of its range, or ``weight_decay`` is None.
    """

    @with_optimizer_options
    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **kwargs)
        require(weight_decay is not None, self, "`weight_decay` must be a float", weight_decay=weight_decay)
