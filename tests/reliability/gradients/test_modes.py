"""What a tape gives in other ways than `gradient` agrees with it: Jacobians, forward accumulation, persistent tapes, zeros for None."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastgrad as tf
from tests.selection import once_in

from .case import all_cases, weights
from .derivatives import MODES, cotangents, of_floats, prepared

# A random choice of a row's own would be another one in each call.
CASES = all_cases()
NAMES = [
    (m, n) for m, cases in CASES.items() for n, case in cases.items() if case.order and (case.smooth or case.layer)
]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The short form has a sixteenth of the cases."""
    if "module" in metafunc.fixturenames:
        full = metafunc.config.getoption("--full")
        chosen = [(module, name) for module, name in NAMES if full or once_in(16, f"{module}: {name}")]
        metafunc.parametrize(("module", "name"), chosen, ids=[f"{module}-{name}" for module, name in chosen])


def arrays_of(gradients: list[Any], sources: list[Any]) -> list[np.ndarray]:
    """Gradients as arrays of float64 or complex128, zeros for None."""
    found = []
    for gradient, source in zip(gradients, sources, strict=True):
        array = np.zeros(source.shape) if gradient is None else tf.convert_to_tensor(gradient).numpy()
        found.append(array.astype(np.complex128 if array.dtype.kind == "c" else np.float64))
    return found


def test_jacobians_and_products_agree_with_gradients(module: str, name: str, figure: Callable[..., None]) -> None:
    case = CASES[module][name]
    function, inputs, variables = prepared(tf, case, case.dtypes[0])
    sources = [x for x in [*inputs, *variables] if not tf.as_dtype(x.dtype).is_integer]
    if any(tf.as_dtype(x.dtype).is_complex for x in sources):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(inputs)
            results = of_floats(tf, function(*inputs))
        if any(y.dtype.is_complex for y in results):
            return
        seeds = cotangents(tf, results, 1)
        gradients = arrays_of(tape.gradient(results, sources, output_gradients=seeds), sources)
        rtol = 1e-4 if case.dtypes[0] == "float32" else 1e-9
        again = tape.gradient(results, sources, output_gradients=seeds, unconnected_gradients="zero")
        assert all(gradient is not None for gradient in again)
        for left, right in zip(gradients, arrays_of(again, sources), strict=True):
            np.testing.assert_array_equal(left, right)
        figure("persistent tapes asked again", 1)
        totals = [np.zeros(source.shape) for source in sources]
        for y, seed in zip(results, seeds, strict=True):
            for place, jacobian in enumerate(tape.jacobian(y, sources)):
                if jacobian is not None:
                    flat = jacobian.numpy().astype(np.float64).reshape((seed.numpy().size, *sources[place].shape))
                    totals[place] = totals[place] + np.tensordot(seed.numpy().astype(np.float64).ravel(), flat, 1)
        for left, right in zip(gradients, totals, strict=True):
            np.testing.assert_allclose(right, left, rtol=rtol, atol=rtol * np.abs(left).max(initial=1.0))
        figure("Jacobians", len(results))
        products = MODES["forward"](tf, function, inputs, variables)
    tangents = [weights(tuple(x.shape), 93 + place) for place, x in enumerate(sources)]
    forward = sum(
        float(np.sum(seed.numpy().astype(np.float64) * product.numpy().astype(np.float64)))
        for seed, product in zip(seeds, products, strict=True)
        if product is not None
    )
    backward = sum(float(np.sum(g * t)) for g, t in zip(gradients, tangents, strict=True))
    assert np.isclose(forward, backward, rtol=rtol, atol=rtol * max([1.0, *[np.abs(g).sum() for g in gradients]]))
    figure("forward products", 1)
