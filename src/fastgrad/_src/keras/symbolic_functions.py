"""The functions of ``keras.ops`` and ``keras.activations``, which take tensors and ``KerasTensor``s."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

FUNCTIONS: dict[str, Callable[..., Any]] = {}
"""The functions by their paths in ``keras``, such as ``"activations.relu"``; those of ``ops`` when it is imported."""


def add_operator(path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Calls the function of a path on ``KerasTensor``s: adds an ``Operator`` to the functional model."""
    layers = importlib.import_module("fastgrad._src.keras.layers.operators")  # it imports the activations
    return layers.Operator(path)(*args, **kwargs)
