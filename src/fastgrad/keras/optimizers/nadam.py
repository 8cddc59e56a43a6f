"""``Nadam``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastgrad.keras.optimizers.arguments import checked_number
from fastgrad.keras.optimizers.followed import scaled_variable, value_of
from fastgrad.keras.optimizers.kernel_optimizer import KernelOptimizer
from fastgrad.kernels.updating import optimizers as kernels
from fastgrad.variable import Variable


class Nadam(KernelOptimizer):
    """Nadam (Dozat, 2015): Adam with Nesterov momentum.

    With ``u[t] = beta_1 * (1 - 0.96**t / 2)`` and p[t] the product of u[1] to u[t], the step is
    ``rate * m_hat / (sqrt(v / (1 - beta_2**t)) + epsilon)`` where
    ``m_hat = u[t+1] * m / (1 - p[t+1]) + (1 - u[t]) * g / (1 - p[t])``, and m and v are Adam's.
    Of ``IndexedSlices``, rows that once had a gradient go on moving while their moments fade, as under a dense gradient;
    the others cost nothing.

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
        self.beta_1 = checked_number(beta_1, "Nadam: beta_1", low=0.0, high=1.0, below_high=True)
        self.beta_2 = checked_number(beta_2, "Nadam: beta_2", low=0.0, high=1.0, below_high=True)
        self.epsilon = checked_number(epsilon, "Nadam: epsilon", low=0.0)

    def build(self, variables: Sequence[Variable]) -> None:
        """Makes the slots of ``variables``."""
        if self.built:
            return
        super().build(variables)
        self._momentums, self._velocities = self.add_optimizer_variables(variables, ["momentum", "velocity"])
        dtype = variables[0].dtype if variables else None
        self._u_product = self.add_variable((), "ones", dtype, name="u_product")

    def _slot_lists(self) -> Sequence[list[Any]]:
        return [self._momentums, self._velocities]

    def _rule(self) -> kernels.UpdateRule:
        return kernels.nadam

    def _numbers(self, rate: Any, step: Any) -> tuple[Any, ...]:
        u, next_u, product = self._u(step), self._u(step + 1.0), value_of(self._u_product, step)
        m_weight, g_weight = next_u / (1.0 - product * next_u), (1.0 - u) / (1.0 - product)
        return rate, self.beta_1, self.beta_2, m_weight, g_weight, self.beta_2**step, self.epsilon

    def _u(self, step: Any) -> Any:
        return self.beta_1 * (1.0 - 0.5 * 0.96**step)

    def _begin(self, step: Any) -> None:
        scaled_variable(self._u_product, self._u(step))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this optimizer again, without its state."""
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }
