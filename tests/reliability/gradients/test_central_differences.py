"""Derivatives of smooth functions are their central differences in float64 and complex128."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastgrad as tf

from .case import Case, all_cases, weights
from .derivatives import MODES, of_floats

STEP = 1e-5
# Their derivatives are not those of their values, on purpose.
STOPPED = ("stop_gradient", "math.nextafter", "grad_pass_through", "one_hot", "cast")
# Another rule of TensorFlow: both parts that are stitched at one place get its gradient, labels are taken to sum to 1, and complex norms are
# differentiated as if they were real.
OTHER_RULES = (
    "dynamic_stitch",
    "nn.softmax_cross_entropy_with_logits on axis 0",
    "math.reduce_euclidean_norm of complex numbers",
)
NAMES = [
    (module, name)
    for module, cases in all_cases().items()
    for name, case in cases.items()
    if (case.smooth or "of complex numbers" in name) and case.order and not name.startswith((*STOPPED, *OTHER_RULES))
]


def objective(case: Case, mode: str, arrays: list[Any]) -> float:
    """The weighted sum of the results, or of the gradients, whose derivatives tapes are asked for."""
    inputs = [tf.constant(x) for x in arrays]
    if mode == "first":
        results, level = of_floats(tf, case.function(tf, *inputs)), 1
    else:
        slopes = of_floats(tf, MODES["first"](tf, lambda *xs: case.function(tf, *xs), inputs, []))
        results, level = [tf.convert_to_tensor(slope) for slope in slopes], 2
    seeds = [weights(tuple(y.shape), 31 * level + place) for place, y in enumerate(results)]
    # Elements that stand for nothing, -inf or the least number, do not move.
    numbers = [np.where(np.abs(y) < 1e30, y, 0.0) for y in (y.numpy() for y in results)]
    return float(sum(np.sum(seed * y).real for seed, y in zip(seeds, numbers, strict=True)))


def directions(array: np.ndarray, count: int) -> list[np.ndarray]:
    """Directions without a symmetry in which a wrong element could hide."""
    unit = 1.0 + 0.7j if array.dtype.kind == "c" else 1.0
    return [unit * weights(array.shape, 7 + 12 * seed) for seed in range(count)]


@pytest.mark.parametrize(("module", "name"), NAMES, ids=[f"{module}-{name}" for module, name in NAMES])
def test_derivatives_are_central_differences(module: str, name: str, full: bool, figure: Callable[..., None]) -> None:
    case = all_cases()[module][name]
    arrays = [np.asarray(x) for x in case.inputs]
    if arrays[0].dtype.name not in ("float64", "complex128") or case.dtypes[0] not in ("float64", "complex128"):
        return
    for mode in ["first", "second"][: case.order]:
        gradients = MODES[mode](tf, lambda *xs: case.function(tf, *xs), [tf.constant(x) for x in arrays], [])
        for place, array in enumerate(arrays):
            if array.dtype.kind not in "fc":
                continue
            slope = gradients[place]
            slope = np.zeros(array.shape) if slope is None else tf.convert_to_tensor(slope).numpy()
            scale = max(1.0, float(np.abs(slope).max(initial=0.0)))
            for direction in directions(array, 4 if full else 1):
                sides = []
                for sign in (1.0, -1.0):
                    moved = list(arrays)
                    moved[place] = array + sign * STEP * direction
                    sides.append(objective(case, mode, moved))
                expected = (sides[0] - sides[1]) / (2 * STEP)
                got = float(np.sum(np.conj(slope) * direction).real)
                figure("comparisons with central differences", 1)
                assert np.isclose(got, expected, rtol=2e-6, atol=2e-6 * scale * max(1, array.size)), (
                    f"{mode} derivative by input {place}: {got}, by differences {expected}"
                )
