"""``tf.keras``: layers, models, losses, metrics and optimizers. Each namespace is imported when first used."""

from __future__ import annotations

import importlib as _importlib
from typing import Any as _Any

from fastgrad.core.names import namespace_hooks as _namespace_hooks
from fastgrad.kernels.codegen.gc_pause import importing as _importing

__version__ = "3.15.1"  # of the Keras whose interface and files these are

_NAMESPACES = frozenset(
    [
        "activations",
        "backend",
        "callbacks",
        "config",
        "constraints",
        "datasets",
        "export",
        "initializers",
        "layers",
        "losses",
        "metrics",
        "mixed_precision",
        "models",
        "ops",
        "optimizers",
        "preprocessing",
        "random",
        "regularizers",
        "saving",
        "tree",
        "utils",
    ]
)

_MODULE_OF_NAME = {
    "DTypePolicy": "dtype_policy",
    "Functional": "models",
    "Initializer": "initializers",
    "Input": "layers",
    "InputSpec": "layers",
    "KerasTensor": "layers",
    "Layer": "layers",
    "Loss": "losses",
    "Metric": "metrics",
    "Model": "models",
    "Optimizer": "optimizers",
    "Regularizer": "regularizers",
    "Sequential": "models",
    "Variable": "weight.Weight",
    "name_scope": "naming",
}


def __getattr__(name: str) -> _Any:
    if name in _NAMESPACES:
        with _importing():
            return _importlib.import_module("fastgrad.keras." + name)
    if name in _MODULE_OF_NAME:
        home, _, other_name = _MODULE_OF_NAME[name].partition(".")
        with _importing():
            value = globals()[name] = getattr(_importlib.import_module("fastgrad.keras." + home), other_name or name)
        return value
    return _missing(name)


def __dir__() -> list[str]:
    return sorted({*_present(), *_NAMESPACES, *_MODULE_OF_NAME})


_missing, _present = _namespace_hooks("tf.keras", globals())
