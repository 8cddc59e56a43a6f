"""Learning rates that depend on the step (``keras.optimizers.schedules``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_interval, require
from fastgrad._src.core.operation import TABLE
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_to_tensor
from fastgrad._src.keras.configured import Configured
from fastgrad._src.keras.optimizers.arguments import checked_rate
from fastgrad._src.keras.optimizers.recorded_attributes import (
    RecordedAttributesBase,
    ceil,
    floor,
    maximum,
    minimum,
    proxy_if_recorded,
)
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.indexing import gather


class LearningRateSchedule(RecordedAttributesBase, Configured):
    """The base of schedules: a subclass defines ``__call__(step)`` and ``get_config()``.

    An optimizer calls the schedule before the update, with its step counter.
    """

    def __call__(self, step: Any) -> Any:
        """Returns the rate at ``step``, a tensor or variable of integers."""
        raise NotImplementedError(
            f"Learning rate schedule '{type(self).__name__}' must override `__call__(self, step)`."
        )

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError(
            f"Learning rate schedule '{type(self).__name__}' must override `get_config()` in order to be serializable."
        )


class FormulaSchedule(LearningRateSchedule):
    """A schedule whose rate is a function of the step, ``_rate``; steps may be numbers, arrays or tensors.

    It computes in float64 and returns float32. Recorded programs read its numbers from variables (see ``recorded_attributes.py``).
    """

    def __call__(self, step: Any) -> Tensor:
        """Returns the rate at ``step``, a float32 tensor of the same shape."""
        schedule, steps = proxy_if_recorded(self), convert_to_tensor(step)
        if schedule is not self:
            rate: Tensor = cast(schedule._rate(cast(steps, dtypes.float64)), dtypes.float32)
            return rate
        with np.errstate(all="ignore"):
            return Tensor(np.asarray(self._rate(steps._on_host().astype(np.float64)), np.float32))

    def get_config(self) -> dict[str, Any]:
        return {}

    def _rate(self, step: Any) -> Any:
        """Returns the float64 rate at ``step``: an array, or a tensor if ``self`` is a ``TensorAttributeProxy``."""
        raise NotImplementedError

    def _check_steps(self, name: str, value: Any) -> Any:
        if isinstance(value, (str, bytes)) or value is None:
            raise TypeError(f"{type(self).__name__}: Argument `{name}` must be a number, got {value!r}.")
        check_interval(self, "(0, inf)", **{name: value})
        return value


class ExponentialDecay(FormulaSchedule):
    """``initial_learning_rate * decay_rate ** (step / decay_steps)``.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: the number of steps in which the rate is multiplied by ``decay_rate`` once.
        decay_rate: the factor.
        staircase: whether the exponent is rounded down to a whole number.
        name: part of the configuration.

    Raises:
        ValueError: ``decay_steps`` is not positive, or the rate is not finite or negative.
    """

    _config_names = ("initial_learning_rate", "decay_steps", "decay_rate", "staircase", "name")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        self.initial_learning_rate = checked_rate(initial_learning_rate, "ExponentialDecay: initial_learning_rate")
        self.decay_steps = self._check_steps("decay_steps", decay_steps)
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def _rate(self, step: Any) -> Any:
        p = step / self.decay_steps
        return self.initial_learning_rate * self.decay_rate ** (floor(p) if self.staircase else p)


class InverseTimeDecay(FormulaSchedule):
    """``initial_learning_rate / (1 + decay_rate * step / decay_steps)``.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: the unit of time.
        decay_rate: the speed of the decay.
        staircase: whether time is rounded down to whole units.
        name: part of the configuration.

    Raises:
        ValueError: ``decay_steps`` is not positive, or the rate is not finite or negative.
    """

    _config_names = ExponentialDecay._config_names

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        self.initial_learning_rate = checked_rate(initial_learning_rate, "InverseTimeDecay: initial_learning_rate")
        self.decay_steps = self._check_steps("decay_steps", decay_steps)
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def _rate(self, step: Any) -> Any:
        p = step / self.decay_steps
        return self.initial_learning_rate / (1.0 + self.decay_rate * (floor(p) if self.staircase else p))


class PiecewiseConstantDecay(FormulaSchedule):
    """``values[i]``, where i is the number of boundaries below the step.

    Args:
        boundaries: increasing steps; at a boundary the previous value still holds.
        values: the rates, one more than boundaries.
        name: part of the configuration.

    Raises:
        ValueError: the lengths do not match, or a rate is not finite or negative.
        TypeError: ``boundaries`` or ``values`` is not a list.
    """

    _config_names = ("boundaries", "values", "name")

    def __init__(self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant") -> None:
        for argument, numbers in (("boundaries", boundaries), ("values", values)):
            require(hasattr(numbers, "__len__"), self, f"`{argument}` must be a list", TypeError, **{argument: numbers})
        text = "`boundaries` must have 1 value less than `values`"
        require(len(boundaries) == len(values) - 1, self, text, boundaries=boundaries, values=values)
        for value in values:
            checked_rate(value, "PiecewiseConstantDecay: each of values")
        self.boundaries = boundaries
        self.values = values
        self.name = name

    def _rate(self, step: Any) -> Any:
        bounds, values = np.asarray(self.boundaries, np.float64), np.asarray(self.values, np.float64)
        if not isinstance(step, Tensor):
            return values[np.searchsorted(bounds, step, side="left")]
        boundaries = constant_tensor(bounds)
        is_past_boundary = cast(step[..., None] > boundaries, dtypes.int64)
        position = TABLE["reduce_sum"](is_past_boundary, axes=(step.ndim,), keepdims=False)
        return gather(constant_tensor(values), position)


class PolynomialDecay(FormulaSchedule):
    """``(initial - end) * (1 - step / decay_steps) ** power + end``, where ``step`` stops at ``decay_steps``.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: the step at which the end is reached.
        end_learning_rate: the rate from that step on.
        power: 1 for a straight line.
        cycle: whether to replace ``decay_steps`` by its first multiple that is not below ``step``.
        name: part of the configuration.

    Raises:
        ValueError: ``decay_steps`` is not positive, or a rate is not finite or negative.
    """

    _config_names = ("initial_learning_rate", "decay_steps", "end_learning_rate", "power", "cycle", "name")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        self.initial_learning_rate = checked_rate(initial_learning_rate, "PolynomialDecay: initial_learning_rate")
        self.decay_steps = self._check_steps("decay_steps", decay_steps)
        self.end_learning_rate = checked_rate(end_learning_rate, "PolynomialDecay: end_learning_rate")
        self.power = power
        self.cycle = cycle
        self.name = name

    def _rate(self, step: Any) -> Any:
        if self.cycle:
            p = step / (maximum(ceil(step / self.decay_steps), 1.0) * self.decay_steps)
        else:
            p = minimum(step, self.decay_steps) / self.decay_steps
        height = self.initial_learning_rate - self.end_learning_rate
        return height * (1.0 - p) ** self.power + self.end_learning_rate
