"""What is differentiated: functions of a module `tf`, and where.

The cases run in TensorFlow's process as well as in fastgrad's, so this module needs only Python and NumPy.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import cases

HALVES = ("float16", "bfloat16")
REAL = ("float64", "float32", *HALVES)
COMPLEX = ("complex128", "complex64")


@dataclass(frozen=True)
class Case:
    """A function to differentiate, and where.

    Attributes:
        function: takes `tf` and a tensor for each input, and returns a structure of tensors. Of a layer it takes `tf` alone, and returns
            the layer, whose weights are differentiated after the inputs, and a function of the inputs.
        inputs: arrays. Those of floats are cast to each of `dtypes`.
        dtypes: the first is differentiated up to `order`, the others once; up to `order` in the long form.
        order: 1 or 2; or 0 for a function whose results are derivatives.
        forward: whether it is differentiated by forward accumulation, too.
        smooth: whether central differences in float64 have the same derivatives here.
        layer: whether `function` makes a layer.
        tolerance: relative error allowed where it is larger than that of the dtype.
    """

    function: Callable[..., Any]
    inputs: tuple[Any, ...]
    dtypes: tuple[str, ...] = ("float64",)
    order: int = 2
    forward: bool = True
    smooth: bool = True
    layer: bool = False
    tolerance: float = 0.0


def at(function: Callable[..., Any], *inputs: Any, **options: Any) -> Case:
    """A case away from kinks."""
    return Case(function, inputs, **options)


def edge(function: Callable[..., Any], *inputs: Any, **options: Any) -> Case:
    """A case where a convention decides: ties, borders, infinities, NaN."""
    return Case(function, inputs, smooth=False, **{"forward": False, **options})


def sequence(shape: tuple[int, ...], low: float, high: float, seed: int = 0) -> np.ndarray:
    """Numbers that are spread evenly over a range, far from each other, and the same with every NumPy."""
    count = int(np.prod(shape))
    steps = (np.arange(count) + 17.0 * seed + 1.0) * 0.6180339887498949 % 1.0
    return (low + (high - low) * steps).reshape(shape)


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    """Numbers from -1.6 to 1.6, distinct and not 0."""
    return sequence(shape, -1.6, 1.6, seed)


def positive(*shape: int, seed: int = 0) -> np.ndarray:
    """Numbers from 0.4 to 2.2."""
    return sequence(shape, 0.4, 2.2, seed)


def definite(n: int, *batch: int) -> np.ndarray:
    """Symmetric matrices whose eigenvalues are positive and far apart."""
    a = 0.3 * normal(*batch, n, n)
    return a @ np.swapaxes(a, -1, -2) + np.diag(np.arange(1.0, n + 1))


def weights(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Cotangents from 0.5 to 1.5 that every dtype holds exactly, so that no symmetry hides an error."""
    return np.round(sequence(shape, 0.5, 1.5, seed) * 64) / 64


def all_cases() -> dict[str, dict[str, Case]]:
    """`{module: {name: case}}` of all modules of `cases`."""
    names = sorted(module.name for module in pkgutil.iter_modules(cases.__path__))
    return {name: importlib.import_module(f".{name}", cases.__name__).CASES for name in names}
