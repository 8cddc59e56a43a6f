"""``RMSprop``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastgrad.keras.optimizers.arguments import checked_number
from fastgrad.keras.optimizers.kernel_optimizer import KernelOptimizer
from fastgrad.kernels.updating import optimizers as kernels
from fastgrad.variable import Variable


class RMSprop(KernelOptimizer):
    """RMSprop (Hinton, 2012): the gradient over the root of its mean square.

    ``v = rho * v + (1 - rho) * g**2; w -= rate * g / sqrt(v + epsilon)``; with ``centered``, v less the square of the mean
    gradient; with momentum ``m = momentum * m + rate * g / sqrt(...); w -= m``.
    Of ``IndexedSlices``, rows that once had a gradient are still faded, as under a dense gradient; the others cost nothing.

    Args:
        learning_rate: see ``Optimizer``.
        rho: how much of the mean square stays at each step.
        momentum: how much of the last step is added to the next.
        epsilon: added inside the root.
        centered: whether the mean gradient is kept too.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
        loss_scale_factor, gradient_accumulation_steps, name: see ``Optimizer``.

    Raises:
        ValueError: a number out of its range.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
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
        self.rho = checked_number(rho, "RMSprop: rho", low=0.0, high=1.0)
        self.momentum = checked_number(momentum, "RMSprop: momentum", low=0.0, high=1.0)
        self.epsilon = checked_number(epsilon, "RMSprop: epsilon", low=0.0)
        self.centered = centered

    def build(self, variables: Sequence[Variable]) -> None:
        """Makes the slots of ``variables``."""
        if self.built:
            return
        super().build(variables)
        self._velocities = self.add_optimizer_variables(variables, "velocity")
        self._momentums = self.add_optimizer_variables(variables, "momentum") if self.momentum > 0 else []
        self._average_gradients = self.add_optimizer_variables(variables, "average_gradient") if self.centered else []

    def _slot_lists(self) -> Sequence[list[Any]]:
        return [kind for kind in (self._velocities, self._average_gradients, self._momentums) if kind]

    def _rule(self) -> kernels.UpdateRule:
        if self._average_gradients:
            return kernels.rmsprop_centered_momentum if self._momentums else kernels.rmsprop_centered
        return kernels.rmsprop_momentum if self._momentums else kernels.rmsprop

    def _numbers(self, rate: Any, step: Any) -> tuple[Any, ...]:
        momentum = (self.momentum,) if self._momentums else ()
        return (rate, self.rho, *momentum, self.epsilon)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this optimizer again, without its state."""
        return {
            **super().get_config(),
            "rho": self.rho,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "centered": self.centered,
        }
