"""Cosine schedules (Loshchilov and Hutter, 2016: SGDR)."""

from __future__ import annotations

import math
from typing import Any

from fastgrad._src.keras.optimizers.arguments import checked_rate
from fastgrad._src.keras.optimizers.recorded_attributes import cos, floor, log, minimum, select
from fastgrad._src.keras.optimizers.schedules.learning_rate_schedule import FormulaSchedule


class CosineDecay(FormulaSchedule):
    """``start * ((1 - alpha) * (1 + cos(pi * t)) / 2 + alpha)`` with ``t = step / decay_steps``, at most 1.

    With ``warmup_target``, the rate first changes linearly from ``initial_learning_rate`` to ``warmup_target``. The decay
    starts there.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: the length of the decay.
        alpha: the fraction of the rate that is left at the end.
        name: part of the configuration.
        warmup_target: the rate at the end of the warmup, or None.
        warmup_steps: the length of the warmup.

    Raises:
        ValueError: ``decay_steps`` is not positive, or a rate is not finite or negative.
    """

    _config_names = ("initial_learning_rate", "decay_steps", "alpha", "name", "warmup_target", "warmup_steps")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ) -> None:
        self.initial_learning_rate = checked_rate(initial_learning_rate, "CosineDecay: initial_learning_rate")
        self.decay_steps = self._check_steps("decay_steps", decay_steps)
        self.alpha = alpha
        self.name = name
        self.warmup_target = (
            None if warmup_target is None else checked_rate(warmup_target, "CosineDecay: warmup_target")
        )
        self.warmup_steps = warmup_steps

    def _rate(self, step: Any) -> Any:
        if self.warmup_target is None:
            return self._decayed(self.initial_learning_rate, step)
        rate_increase = self.warmup_target - self.initial_learning_rate
        warmup_rate = step * rate_increase / self.warmup_steps + self.initial_learning_rate
        decayed = self._decayed(self.warmup_target, step - self.warmup_steps)
        return select(step < self.warmup_steps, warmup_rate, decayed)

    def _decayed(self, start: Any, step: Any) -> Any:
        fraction = minimum(step, self.decay_steps) / self.decay_steps
        return start * ((1.0 - self.alpha) * 0.5 * (1.0 + cos(math.pi * fraction)) + self.alpha)


class CosineDecayRestarts(FormulaSchedule):
    """A cosine decay that starts again after each period.

    Args:
        initial_learning_rate: the rate at step 0.
        first_decay_steps: the length of the first period.
        t_mul: the ratio of a period's length to the length of the previous period.
        m_mul: the ratio of a period's initial rate to the initial rate of the previous period.
        alpha: the fraction of the rate that is left at a period's end.
        name: part of the configuration.

    Raises:
        ValueError: ``decay_steps`` is not positive, or the rate is not finite or negative.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: int,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        self.initial_learning_rate = checked_rate(initial_learning_rate, "CosineDecayRestarts: initial_learning_rate")
        self.first_decay_steps = self._check_steps("first_decay_steps", first_decay_steps)
        self._t_mul = t_mul
        self._m_mul = m_mul
        self.alpha = alpha
        self.name = name

    def _rate(self, step: Any) -> Any:
        time = step / self.first_decay_steps
        if self._t_mul == 1.0:
            period = floor(time)
            fraction = time - period
        else:
            # The first n periods take (1 - t_mul^n) / (1 - t_mul) times the length of the first. A rounding error of the
            # logarithm must not move a restart by a step.
            t_mul = self._t_mul
            period = floor(log(1.0 - time * (1.0 - t_mul)) / log(t_mul) + 1e-9)
            length = t_mul**period
            fraction = (time - (1.0 - length) / (1.0 - t_mul)) / length
        cosine = 0.5 * self._m_mul**period * (1.0 + cos(math.pi * fraction))
        return self.initial_learning_rate * ((1.0 - self.alpha) * cosine + self.alpha)

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "first_decay_steps": self.first_decay_steps,
            "t_mul": self._t_mul,
            "m_mul": self._m_mul,
            "alpha": self.alpha,
            "name": self.name,
        }
