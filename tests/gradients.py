"""Gradients against central differences in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import fastgrad as tf


def value_and_gradient(function: Callable[..., Any], *values: Any, cotangents: Any = None) -> tuple[Any, Any]:
    """Returns ``function`` of tensors or variables, and its gradient, or a list of gradients of several values."""
    with tf.GradientTape() as tape:
        tape.watch(values)
        y = function(*values)
    gradients = tape.gradient(y, list(values), output_gradients=cotangents)
    return y, gradients if len(values) > 1 else gradients[0]


def gradient_of(function: Callable[..., Any], *values: Any, cotangents: Any = None) -> Any:
    """Returns the gradient of ``function`` at tensors or variables, as ``value_and_gradient``."""
    return value_and_gradient(function, *values, cotangents=cotangents)[1]


def gradients(function: Callable[..., Any], *values: Any, dtype: Any = tf.float32) -> list[Any]:
    """Returns the gradients of ``function`` at numbers of ``dtype``, as nested lists."""
    found = gradient_of(function, *[tf.constant(value, dtype) for value in values])
    return [gradient.numpy().tolist() for gradient in (found if len(values) > 1 else [found])]


def check_gradient(
    function: Callable[..., Any],
    *arrays: Any,
    order: int = 1,
    rtol: float = 1e-6,
    atol: float = 1e-7,
    step: float = 1e-5,
) -> None:
    """Asserts that tapes differentiate ``function`` rightly.

    Args:
        function: takes one float64 tensor for each array; returns a tensor or a nested structure of tensors.
        *arrays: where to differentiate, away from kinks.
        order: 1 checks the gradient; 2 checks the gradient of the gradient.
        rtol, atol: tolerances of the comparison.
        step: of the central differences.

    The objective is the sum of all results with random weights, so that no symmetry hides an error; at order 2 it is
    the sum of all gradients with random weights.
    """
    arrays = tuple(np.array(a, np.float64) for a in arrays)
    rng = np.random.default_rng(1234)
    weights: dict[tuple[int, int], np.ndarray] = {}

    def weighted(results: Any, level: int) -> tf.Tensor:
        total = tf.constant(0.0, tf.float64)
        for place, result in enumerate(tf.nest.flatten(results)):
            if result is None or not tf.convert_to_tensor(result).dtype.is_floating:
                continue
            result = tf.convert_to_tensor(result)
            if (level, place) not in weights:
                weights[level, place] = rng.uniform(0.5, 1.5, result.shape)
            total = total + tf.reduce_sum(result * tf.constant(weights[level, place]))
        return total

    def objective(tensors: list[Any]) -> tf.Tensor:
        if order == 1:
            return weighted(function(*tensors), 1)
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            y = weighted(function(*tensors), 1)
        return weighted(tape.gradient(y, tensors), 2)

    tensors = [tf.constant(a) for a in arrays]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        y = objective(tensors)
    gradients = tape.gradient(y, tensors, unconnected_gradients="zero")
    for place, (array, gradient) in enumerate(zip(arrays, gradients, strict=True)):
        expected = np.zeros_like(array)
        for index in np.ndindex(array.shape):
            sides = []
            for sign in (1, -1):
                moved = [a.copy() for a in arrays]
                moved[place][index] += sign * step
                sides.append(float(objective([tf.constant(a) for a in moved])))
            expected[index] = (sides[0] - sides[1]) / (2 * step)
        scale = max(1.0, float(np.abs(expected).max(initial=0)))
        np.testing.assert_allclose(
            tf.convert_to_tensor(gradient).numpy(),
            expected,
            rtol=rtol,
            atol=atol * scale,
            err_msg=f"gradient of argument {place}",
        )
