"""``SGD``: gradient descent, with optional momentum."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Unpack

from fastgrad._src.keras.optimizers.arguments import OptimizerOptions
from fastgrad._src.keras.optimizers.optimizer import with_optimizer_options
from fastgrad._src.keras.optimizers.rule_optimizer import RuleOptimizer
from fastgrad._src.kernels.optimizers import optimizers as rules
from fastgrad._src.kernels.optimizers.update_rule import UpdateRule


class SGD(RuleOptimizer):
    """``w -= rate * g``; with momentum ``m = momentum * m - rate * g; w += m`` (Sutskever et al., 2013).

    ``IndexedSlices`` change only their own rows. With momentum, rows that had a gradient at an earlier step also move.

    Args:
        learning_rate: see ``Optimizer``.
        momentum: a float in [0, 1].
        nesterov: whether to use ``w += momentum * m - rate * g`` with the new m instead.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
        loss_scale_factor, gradient_accumulation_steps, name: see ``Optimizer``.

    Raises:
        ValueError: a number is out of its range.

    Example:
        >>> v = tf.Variable(1.0)
        >>> step = tf.keras.optimizers.SGD(learning_rate=0.1).apply_gradients([(tf.constant(2.0), v)])
        >>> print(f"{v.numpy():.1f}")
        0.8
    """

    slot_names = MappingProxyType({"m": "momentum", "a": "momentum"})
    _config_names = ("momentum", "nesterov")

    @with_optimizer_options
    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: Any = 0.0,
        nesterov: bool = False,
        **kwargs: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        if not isinstance(momentum, float) or not 0 <= momentum <= 1:
            raise ValueError(f"`momentum` must be a float between [0, 1]. Received: momentum={momentum!r}")
        self.momentum = momentum
        self.nesterov = nesterov

    @property
    def rule(self) -> UpdateRule:
        """The update rule: with momentum if ``momentum`` was set when the slots were made."""
        if self._slots or (self.momentum and not self.built):
            return rules.nesterov if self.nesterov else rules.momentum
        return rules.sgd

    def hyperparameters(self, learning_rate: Any, step: Any) -> tuple[Any, ...]:
        return (learning_rate, self.momentum) if self._slots else (learning_rate,)

    @property
    def momentums(self) -> list[Any]:
        """The momentum slots, one for each variable; empty without momentum."""
        return [*self._slots[0]] if self._slots else []
