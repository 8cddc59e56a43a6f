"""Rows that have no function in TensorFlow, or whose random numbers are others there: central differences alone judge them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from ..case import Case, at, normal, positive


def refuse_tensorflow(tf: Any) -> None:
    """Raises ImportError in TensorFlow's process, which may have fastgrad, too."""
    if tf.__name__ != "fastgrad":
        raise ImportError(f"{tf.__name__} has no such function")


def row(name: str, **attributes: Any) -> Callable[..., Any]:
    """The row of the operation table of that name."""

    def function(tf: Any, *xs: Any) -> Any:
        refuse_tensorflow(tf)
        return importlib.import_module("fastgrad.core.operation").TABLE[name](*xs, **attributes)

    return function


def dropped(tf: Any, x: Any) -> Any:
    """Dropout from a seed."""
    refuse_tensorflow(tf)
    return importlib.import_module("fastgrad.ops.random_stateless").stateless_dropout(x, 0.4, [1, 2]) ** 2


CASES: dict[str, Case] = {
    "gelu_slope": at(row("gelu_slope"), normal(4), order=1),
    "gelu_tanh_slope": at(row("gelu_tanh_slope"), normal(4), order=1),
    "log2": at(row("log2"), positive(4)),
    "log10": at(row("log10"), positive(4)),
    "hypot": at(row("hypot"), normal(4), positive(4)),
    "copy_to_device": at(row("copy_to_device", device="CPU:0"), normal(4)),
    "dropout": at(dropped, normal(8), dtypes=("float64", "float32")),
    "recomputed_input": at(row("recomputed_input"), normal(4)),
}
