"""Derivatives of smooth functions are their central differences in float64 and complex128."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastgrad as tf
from tests.selection import once_in

from .case import all_cases, weights
from .derivatives import MODES, Function, of_floats, prepared

CASES = all_cases()
STEP = 1e-5
# Their derivatives are not those of their values, on purpose.
STOPPED = ("stop_gradient", "math.nextafter", "grad_pass_through", "one_hot", "cast")
# Another rule of TensorFlow: the constant of a padding has no gradient, both parts that are stitched at one place get its gradient, labels are
# taken to sum to 1, and complex norms are differentiated as if they were real.
OTHER_RULES = (
    "pad with a tensor",
    "dynamic_stitch",
    "nn.softmax_cross_entropy_with_logits on axis 0",
    "math.reduce_euclidean_norm of complex numbers",
)
# Products are polynomials, whatever their factors.
PRODUCTS = re.compile(r"math\.cumprod.* of zeros|(reduce|segment|unsorted_segment)_prod of ties and zeros")
NAMES = [
    (module, name)
    for module, cases in CASES.items()
    for name, case in cases.items()
    if case.order and not name.startswith((*STOPPED, *OTHER_RULES))
    if case.smooth or "of complex numbers" in name or PRODUCTS.fullmatch(name)
    if case.dtypes[0] in ("float64", "complex128")
    if np.asarray(case.inputs[0]).dtype.name in ("float64", "complex128")
]
# Their inputs lie on kinks: zeros and ties.
KINKS = ("LeakyReLU", "PReLU", "PReLU shared", "ELU", "Maximum", "Minimum", "Dense of zeros")
LAYERS = [
    (module, name)
    for module, cases in CASES.items()
    for name, case in cases.items()
    if case.layer and name not in (*KINKS, "Resizing")  # which computes in float32, whatever its input is
]


def objective(function: Function, variables: list[Any], mode: str, arrays: list[Any]) -> float:
    """The weighted sum of the results, or of the gradients, whose derivatives tapes are asked for; the last arrays are the variables'."""
    inputs = [tf.constant(x) for x in arrays[: len(arrays) - len(variables)]]
    for variable, array in zip(variables, arrays[len(inputs) :], strict=True):
        variable.assign(array)
    if mode == "first":
        results, level = of_floats(tf, function(*inputs)), 1
    else:
        slopes = of_floats(tf, MODES["first"](tf, function, inputs, variables))
        results, level = [tf.convert_to_tensor(slope) for slope in slopes], 2
    seeds = [weights(tuple(y.shape), 31 * level + place) for place, y in enumerate(results)]
    # Elements that stand for nothing, -inf or the least number, do not move.
    numbers = [np.where(np.abs(y) < 1e30, y, 0.0) for y in (y.numpy() for y in results)]
    return float(sum(np.sum(seed * y).real for seed, y in zip(seeds, numbers, strict=True)))


def directions(array: np.ndarray, count: int) -> list[np.ndarray]:
    """Directions without a symmetry in which a wrong element could hide."""
    unit = 1.0 + 0.7j if array.dtype.kind == "c" else 1.0
    return [unit * weights(array.shape, 7 + 12 * seed) for seed in range(count)]


def compare(function: Function, arrays: list[Any], variables: list[Any], order: int, count: int) -> int:
    """Compares derivatives with central differences in some directions, and returns the number of comparisons."""
    compared = 0
    arrays = [*arrays, *[variable.numpy() for variable in variables]]
    for mode in ["first", "second"][:order]:
        inputs = [tf.constant(x) for x in arrays[: len(arrays) - len(variables)]]
        gradients = MODES[mode](tf, function, inputs, variables)
        for place, array in enumerate(arrays):
            if array.dtype.kind not in "fc":
                continue
            slope = gradients[place]
            slope = np.zeros(array.shape) if slope is None else tf.convert_to_tensor(slope).numpy()
            scale = max(1.0, float(np.abs(slope).max(initial=0.0)))
            for direction in directions(array, count):
                sides = []
                for sign in (1.0, -1.0):
                    moved = list(arrays)
                    moved[place] = array + sign * STEP * direction
                    sides.append(objective(function, variables, mode, moved))
                expected = (sides[0] - sides[1]) / (2 * STEP)
                got = float(np.sum(np.conj(slope) * direction).real)
                compared += 1
                assert np.isclose(got, expected, rtol=2e-6, atol=2e-6 * scale * max(1, array.size)), (
                    f"{mode} derivative by input {place}: {got}, by differences {expected}"
                )
        for variable, array in zip(variables, arrays[len(inputs) :], strict=True):
            variable.assign(array)
    return compared


@pytest.mark.parametrize(("module", "name"), NAMES, ids=[f"{module}-{name}" for module, name in NAMES])
def test_derivatives_are_central_differences(module: str, name: str, full: bool, figure: Callable[..., None]) -> None:
    case = CASES[module][name]
    arrays = [np.asarray(x) for x in case.inputs]
    compared = compare(lambda *xs: case.function(tf, *xs), arrays, [], case.order, 4 if full else 1)
    figure("comparisons with central differences", compared)


@pytest.mark.parametrize(("module", "name"), LAYERS, ids=[f"{module}-{name}" for module, name in LAYERS])
def test_derivatives_of_layers_are_central_differences(
    module: str, name: str, full: bool, figure: Callable[..., None]
) -> None:
    if not full and not once_in(16, f"{module}: {name}"):
        pytest.skip("the short form has a part of the layers")
    case = CASES[module][name]
    tf.keras.backend.set_floatx("float64")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            function, inputs, variables = prepared(tf, case, "float64")
            compared = compare(function, [x.numpy() for x in inputs], variables, case.order, 2)
    finally:
        tf.keras.backend.set_floatx("float32")
    figure("comparisons of layers with central differences", compared)
