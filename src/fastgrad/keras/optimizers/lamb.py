"""``Lamb``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import fastgrad as tf
from fastgrad.keras.optimizers.arguments import checked_number
from fastgrad.keras.optimizers.optimizer import Optimizer
from fastgrad.variable import Variable


class Lamb(Optimizer):
    """Lamb (You et al., 2019): Adam's step, made as long as each variable is.

    With Adam's moments m and v without their bias, ``u = m / (sqrt(v) + epsilon)``: ``w -= rate * norm(w) / norm(u) * u``, where
    the quotient is 1 if one of the norms is 0. Every weight of a variable depends on all its gradients: ``IndexedSlices`` are made
    dense.

    Args:
        learning_rate: see ``Optimizer``.
        beta_1: how much of the first moment stays at each step.
        beta_2: how much of the second moment stays.
        epsilon: added to the root of the second moment.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
        loss_scale_factor, gradient_accumulation_steps, name: see ``Optimizer``.

    Raises:
        ValueError: a number out of its range.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            clipnorm=clipnorm,
            clipvalue=clipvalue,
            global_clipnorm=global_clipnorm,
            use_ema=use_ema,
            ema_momentum=ema_momentum,
            ema_overwrite_frequency=ema_overwrite_frequency,
            loss_scale_factor=loss_scale_factor,
            gradient_accumulation_steps=gradient_accumulation_steps,
            name=name,
            **kwargs,
        )
        self.beta_1 = checked_number(beta_1, "Lamb: beta_1", low=0.0, high=1.0, below_high=True)
        self.beta_2 = checked_number(beta_2, "Lamb: beta_2", low=0.0, high=1.0, below_high=True)
        self.epsilon = checked_number(epsilon, "Lamb: epsilon", low=0.0)

    def build(self, variables: Sequence[Variable]) -> None:
        """Makes the slots of ``variables``."""
        if self.built:
            return
        super().build(variables)
        self._momentums, self._velocities = self.add_optimizer_variables(variables, ["momentum", "velocity"])

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Updates one variable."""
        where = self._get_variable_index(variable)
        m, v = self._momentums[where], self._velocities[where]
        g = tf.cast(tf.convert_to_tensor(gradient), variable.dtype)
        step = tf.cast(self.iterations + 1, variable.dtype)
        m.assign_add((g - m) * (1.0 - self.beta_1))
        v.assign_add((tf.square(g) - v) * (1.0 - self.beta_2))
        root = tf.sqrt(v / (1.0 - tf.pow(tf.cast(self.beta_2, g.dtype), step))) + self.epsilon
        update = m / (1.0 - tf.pow(tf.cast(self.beta_1, g.dtype), step)) / root
        norms = tf.norm(variable), tf.norm(update)
        ratio = tf.where(tf.minimum(*norms) > 0, norms[0] / norms[1], tf.ones_like(norms[0]))
        variable.assign_sub(ratio * tf.cast(learning_rate, g.dtype) * update)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this optimizer again, without its state."""
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
