"""A recorded program, replayed on other values, gives what the program itself gives on them."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad.trace.graph import Kind, validate
from fastgrad.trace.interpret import GuardError, exits_first, interpret
from fastgrad.trace.record import Recording, TraceError
from tests.ops.samples import SAMPLES


def record(function, *arrays):
    """The graph of ``function``, and what it returned; it takes tensors and returns a nested structure of tensors."""
    tensors = [tf.constant(array) for array in arrays]
    with Recording(tensors) as recording:
        results = tf.nest.flatten(function(*tensors))
    results = [tf.convert_to_tensor(result) for result in results if result is not None]
    graph = recording.graph(results)
    validate(graph)
    return graph, [result.numpy() for result in results]


def with_gradient(function):
    def program(*tensors):
        with tf.GradientTape() as tape:
            tape.watch([x for x in tensors if x.dtype.is_floating])
            results = [tf.convert_to_tensor(y) for y in tf.nest.flatten(function(*tensors)) if y is not None]
            total = tf.add_n([tf.reduce_sum(y * y) for y in results if y.dtype.is_floating])
        gradients = tape.gradient(total, [x for x in tensors if x.dtype.is_floating])
        return results + [tf.convert_to_tensor(g) for g in gradients if g is not None]

    return program


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_of_the_table_on_other_values(name):
    sample = SAMPLES[name]
    rng = np.random.default_rng(0)
    first = [np.asarray(a, np.float64) for a in sample.arrays]
    # Near enough to stay in the domain and on the same side of each kink.
    other = [a * (1 + 1e-3 * rng.uniform(0.5, 1, a.shape)) for a in first]
    program = with_gradient(sample.function)
    graph, there = record(program, *first)
    for result, expected in zip(interpret(graph, first), there, strict=True):
        np.testing.assert_array_equal(result, expected)
    _, expected = record(program, *other)
    for result, wanted in zip(interpret(graph, other), expected, strict=True):
        np.testing.assert_allclose(result, wanted, rtol=1e-12, atol=1e-14)
