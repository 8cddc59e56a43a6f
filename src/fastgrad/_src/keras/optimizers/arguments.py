"""Checks of the numeric arguments of optimizers."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any, TypedDict

from fastgrad._src.core.tensor import as_tensor_or_none


class OptimizerOptions(TypedDict, total=False):
    """The arguments of ``Optimizer``, which all optimizers take, for type checkers."""

    weight_decay: float | None
    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    loss_scale_factor: float | None
    gradient_accumulation_steps: int | None
    name: str | None


def checked_rate(value: Any, argument: str) -> float:
    """Returns a learning rate as a float; it must be finite and not negative.

    Args:
        value: the number, or a scalar tensor or variable, whose current value is taken.
        argument: the class and the name of the argument, for the error.

    Raises:
        ValueError: ``value`` is something else.
    """
    tensor = as_tensor_or_none(value)
    if tensor is not None and not tensor.ndim:
        value = tensor._on_host().item()
    return checked_number(value, argument, low=0.0)


def checked_number(value: Any, argument: str, low: float, high: float = math.inf, below_high: bool = False) -> Any:
    """Returns ``value``, a finite number from ``low`` to ``high`` (below ``high`` if ``below_high``).

    Raises:
        ValueError: ``value`` is something else.
    """
    is_in_range = isinstance(value, Real) and math.isfinite(value) and low <= float(value) <= high
    if not is_in_range or (below_high and value == high):
        upper_limit_text = "" if high == math.inf else f" and {'below' if below_high else 'at most'} {high:g}"
        raise ValueError(f"{argument} must be a finite number, at least {low:g}{upper_limit_text}. Received: {value!r}")
    return value


def checked_option(value: Any, argument: str) -> Any:
    """Returns ``value``, a finite number that is not negative, or None; raises as ``checked_number`` does."""
    return None if value is None else checked_number(value, argument, low=0.0)
