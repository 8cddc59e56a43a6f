"""The constructor arguments of layers of images: each with its default, its check and the attribute that it becomes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from inspect import Parameter
from typing import Any

from fastgrad._src.keras.affine_transform import FILL_MODES_OF_TENSORFLOW, INTERPOLATIONS
from fastgrad._src.keras.image_resizing import checked_size

Check = Callable[[str, str, Any], Any]
"""Takes the name of the layer, that of the argument, and its value; returns the attribute, or raises an error."""


@dataclasses.dataclass(frozen=True)
class Argument:
    """An argument of a constructor, and the attribute of its name.

    Args:
        name: the name of both.
        annotation: the type, as text.
        default: the default value, if there is one.
        check: makes the attribute from the value; None for the arguments that ``ImageLayer`` takes.
    """

    name: str
    annotation: str = "Any"
    default: Any = Parameter.empty
    check: Check | None = lambda layer, argument, value: value

    @property
    def parameter(self) -> Parameter:
        """The parameter of the constructor."""
        kind = Parameter.POSITIONAL_OR_KEYWORD
        return Parameter(self.name, kind, default=self.default, annotation=self.annotation)


def factor_error(argument: str, interval: str, value: Any) -> ValueError:
    """Returns the error for a factor that is no number, or pair of numbers, in an interval."""
    return ValueError(
        f"The `{argument}` argument should be a number (or a list of two numbers) in the range {interval}. "
        f"Received: {argument}={value}"
    )


def factor_range(factor: Any, low: float, high: float, argument: str = "factor") -> tuple[float, float]:
    """Returns the bounds of ``factor``, a number for both sides of 0 or a pair."""
    if isinstance(factor, (tuple, list)):
        if len(factor) != 2 or factor[0] > high or factor[1] < low:
            raise factor_error(argument, f"[{low}, {high}]", factor)
        least, most = sorted(factor)
        return least, most
    if not isinstance(factor, (int, float)) or not low <= factor <= high:
        raise factor_error(argument, f"[{low}, {high}]", factor)
    return max(-abs(factor), low), abs(factor)


def factor_argument(low: float) -> Argument:
    """The argument ``factor``, whose attribute is the pair of ``factor_range`` with numbers from ``low`` to 1."""
    return Argument("factor", check=lambda layer, argument, value: factor_range(value, low, 1, argument))


def checked_value_range(value: Any) -> list[float]:
    """Returns the least and the greatest value of images; ValueError unless they are two numbers."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise ValueError(f"The `value_range` argument should be a list of two numbers. Received: value_range={value}")
    return sorted(value)


def choice_argument(name: str, choices: Sequence[str], default: str) -> Argument:
    """An argument that is one of ``choices``."""

    def check(layer: str, argument: str, value: Any) -> Any:
        if value not in choices:
            raise NotImplementedError(f"{layer}: Unknown `{argument}` {value}. Expected of one {choices}.")
        return value

    return Argument(name, "str", default, check)


SIZE = Argument("height", "int", check=checked_size), Argument("width", "int", check=checked_size)
SEED = Argument("seed", "int | None", None)
DATA_FORMAT = Argument("data_format", "str | None", None, check=None)
ANY_VALUE_RANGE = Argument("value_range", default=(0, 255))
FILL_MODE = choice_argument("fill_mode", FILL_MODES_OF_TENSORFLOW, "reflect")
FILL_VALUE = Argument("fill_value", "float", 0.0)
INTERPOLATION = choice_argument("interpolation", INTERPOLATIONS, "bilinear")
