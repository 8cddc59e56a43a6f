"""Derivatives of a case by a module `tf`, as lists of tensors, `IndexedSlices` and None."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .case import Case, weights

Function = Callable[..., Any]


def tensors(tf: Any, case: Case, dtype: str) -> list[Any]:
    """The inputs, those of floats in `dtype`."""
    return [
        tf.cast(tf.constant(x), dtype)
        if np.asarray(x).dtype.kind in "fc" and np.asarray(x).dtype.name != dtype
        else tf.constant(x)
        for x in case.inputs
    ]


def prepared(tf: Any, case: Case, dtype: str) -> tuple[Function, list[Any], list[Any]]:
    """The function of the inputs, the inputs, and variables that are differentiated beside them."""
    inputs = tensors(tf, case, dtype)
    if not case.layer:
        return lambda *xs: case.function(tf, *xs), inputs, []
    made, function = case.function(tf)
    # Keras's variables hold TensorFlow's, which alone can be watched by a ForwardAccumulator.
    return function, inputs, [w if isinstance(w, tf.Variable) else w.value for w in made.trainable_weights]


def of_floats(tf: Any, structure: Any) -> list[Any]:
    """The tensors of a structure that have derivatives."""
    flat = [y for y in tf.nest.flatten(structure) if y is not None]
    flat = [y if isinstance(y, tf.IndexedSlices) else tf.convert_to_tensor(y) for y in flat]
    return [y for y in flat if y.dtype.is_floating or y.dtype.is_complex]


def cotangents(tf: Any, results: list[Any], level: int) -> list[Any]:
    """Weights for the results, in their dtypes."""
    return [
        tf.cast(tf.constant(weights(tuple(y.shape), 31 * level + place)), y.dtype) for place, y in enumerate(results)
    ]


def first(tf: Any, function: Function, inputs: list[Any], variables: list[Any]) -> list[Any]:
    """Gradients of the weighted sum of all results for the inputs and variables."""
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        results = of_floats(tf, function(*inputs))
    return tape.gradient(results, [*inputs, *variables], output_gradients=cotangents(tf, results, 1))


def second(tf: Any, function: Function, inputs: list[Any], variables: list[Any]) -> list[Any]:
    """Gradients of the weighted sum of all first gradients."""
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        slopes = of_floats(tf, first(tf, function, inputs, variables))
        slopes = [tf.convert_to_tensor(slope) for slope in slopes]
        weighted = cotangents(tf, slopes, 2)
    return tape.gradient(slopes, [*inputs, *variables], output_gradients=weighted)


def forward(tf: Any, function: Function, inputs: list[Any], variables: list[Any]) -> list[Any]:
    """Products of the Jacobian and weights of the inputs, one for each result, by forward accumulation."""
    primals = [x for x in [*inputs, *variables] if tf.as_dtype(x.dtype).is_floating or tf.as_dtype(x.dtype).is_complex]
    with tf.autodiff.ForwardAccumulator(primals, cotangents(tf, primals, 3)) as accumulator:
        results = of_floats(tf, function(*inputs))
    products = [accumulator.jvp(y) for y in results]
    return [None if product is None else tf.convert_to_tensor(product) for product in products]


def answer(tf: Any, function: Function, inputs: list[Any], variables: list[Any]) -> list[Any]:
    """The results themselves, of a function that differentiates on its own."""
    assert not variables
    results = tf.nest.flatten(function(*inputs))
    return [tf.constant(x) if isinstance(x, bool | int) else x for x in results]  # as compiled functions return them


MODES: dict[str, Callable[..., list[Any]]] = {"first": first, "second": second, "forward": forward, "answer": answer}


def questions(case: Case, full: bool = False) -> list[tuple[str, str]]:
    """The modes and dtypes in which a case is differentiated; the long form has second derivatives in all dtypes."""
    main, *others = case.dtypes
    if case.order == 0:
        return [("answer", main)]
    modes = ["first", "second"][: case.order] + (["forward"] if case.forward else [])
    again = [("second", dtype) for dtype in others] if full and case.order == 2 else []
    return [(mode, main) for mode in modes] + [("first", dtype) for dtype in others] + again
