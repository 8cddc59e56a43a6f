"""``Adadelta``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastgrad.keras.optimizers.arguments import checked_number
from fastgrad.keras.optimizers.kernel_optimizer import KernelOptimizer
from fastgrad.kernels.updating import optimizers as kernels
from fastgrad.variable import Variable


class Adadelta(KernelOptimizer):
    """Adadelta (Zeiler, 2012): the gradient in units of the mean step.

    ``a = rho * a + (1 - rho) * g**2; s = g * sqrt(d + epsilon) / sqrt(a + epsilon)``;
    ``d = rho * d + (1 - rho) * s**2; w -= rate * s``.
    Of ``IndexedSlices``, rows that once had a gradient are still faded, as under a dense gradient; the others cost nothing.

    Args:
        learning_rate: see ``Optimizer``.
        rho: how much of both means stays at each step.
        epsilon: added inside the roots.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
        loss_scale_factor, gradient_accumulation_steps, name: see ``Optimizer``.

    Raises:
        ValueError: a number out of its range.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.95,
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
        self.rho = checked_number(rho, "Adadelta: rho", low=0.0, high=1.0)
        self.epsilon = checked_number(epsilon, "Adadelta: epsilon", low=0.0)

    def build(self, variables: Sequence[Variable]) -> None:
        """Makes the slots of ``variables``."""
        if self.built:
            return
        super().build(variables)
        names = ["accumulated_grad", "accumulated_delta_var"]
        self._accumulated_grads, self._accumulated_delta_vars = self.add_optimizer_variables(variables, names)

    def _slot_lists(self) -> Sequence[list[Any]]:
        return [self._accumulated_grads, self._accumulated_delta_vars]

    def _rule(self) -> kernels.UpdateRule:
        return kernels.adadelta

    def _numbers(self, rate: Any, step: Any) -> tuple[Any, ...]:
        return rate, self.rho, self.epsilon

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this optimizer again, without its state."""
        return {
            **super().get_config(),
            "rho": self.rho,
            "epsilon": self.epsilon,
        }
