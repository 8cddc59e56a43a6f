"""``RMSprop``."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, Unpack

from fastgrad._src.core.variable import Variable
from fastgrad._src.keras.optimizers.arguments import OptimizerOptions, checked_number
from fastgrad._src.keras.optimizers.optimizer import with_optimizer_options
from fastgrad._src.keras.optimizers.rule_optimizer import RuleOptimizer
from fastgrad._src.keras.optimizers.variable import OptimizerVariable
from fastgrad._src.kernels.optimizers import optimizers as rules
from fastgrad._src.kernels.optimizers.update_rule import UpdateRule

# The keys: whether there is momentum, and whether the rule is centered.
_RULE_BY_OPTIONS = {
    (False, False): rules.rmsprop,
    (True, False): rules.rmsprop_momentum,
    (False, True): rules.rmsprop_centered,
    (True, True): rules.rmsprop_centered_momentum,
}


class RMSprop(RuleOptimizer):
    """RMSprop (Hinton, 2012): the gradient divided by the root of its mean square.

    ``v = rho * v + (1 - rho) * g**2; w -= rate * g / sqrt(v + epsilon)``. With ``centered``, the square of the mean gradient is
    subtracted from v. With momentum, ``m = momentum * m + rate * g / sqrt(...); w -= m``.
    With ``IndexedSlices``, a row that once had a gradient still decays at later steps, as with a dense gradient.
    Rows that never had a gradient cost nothing.

    Args:
        learning_rate: see ``Optimizer``.
        rho: the decay rate of the mean square.
        momentum: the fraction of the last step that is added to the next.
        epsilon: added inside the root.
        centered: whether the mean gradient is kept too.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
        loss_scale_factor, gradient_accumulation_steps, name: see ``Optimizer``.

    Raises:
        ValueError: a number is out of its range.

    Example:
        >>> v = tf.Variable(1.0)
        >>> step = tf.keras.optimizers.RMSprop(learning_rate=0.1).apply_gradients([(tf.constant(2.0), v)])
        >>> print(f"{v.numpy():.2f}")
        0.68
    """

    slot_names = MappingProxyType({"v": "velocity", "m": "momentum", "average": "average_gradient"})
    _slot_of_squares = ("velocity", "rho")
    _config_names = ("rho", "momentum", "epsilon", "centered")

    @with_optimizer_options
    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **kwargs: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.rho = checked_number(rho, "RMSprop: rho", low=0.0, high=1.0)
        self.momentum = checked_number(momentum, "RMSprop: momentum", low=0.0, high=1.0)
        self.epsilon = checked_number(epsilon, "RMSprop: epsilon", low=0.0)
        self.centered = centered

    @property
    def rule(self) -> UpdateRule:
        """The update rule for the values that ``momentum`` and ``centered`` had when the slots were made."""
        return self._built_rule if self.built else _RULE_BY_OPTIONS[self.momentum > 0, bool(self.centered)]

    def _new_slots(self, variables: Sequence[Variable], names: list[str]) -> list[list[OptimizerVariable]]:
        # Saved files list the slots kind by kind.
        self._built_rule = _RULE_BY_OPTIONS["momentum" in names, "average_gradient" in names]
        return [slots for name in names for slots in super(RMSprop, self)._new_slots(variables, [name])]
