"""Functions of `map` that are compiled after some elements, and those that stay Python."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad.data import compiling

Dataset = tf.data.Dataset
COUNT = 120
X = np.random.default_rng(1).normal(size=(COUNT, 3, 4)).astype(np.float32)


def mapped(function, count=COUNT):
    """Results for all elements, and whether the function is compiled by then."""
    dataset = Dataset.from_tensor_slices(X[:count]).map(function)
    return [result.numpy() for result in dataset], dataset._node._function._compiled is not None


def several_steps(x):
    for _ in range(10):
        x = tf.abs(x) * 0.75 - 0.25
    return x


def test_a_function_of_tensors_is_compiled():
    results, compiled = mapped(several_steps)
    assert compiled
    for x, result in zip(X, results, strict=True):
        np.testing.assert_array_equal(result, several_steps(tf.constant(x)))


def test_few_elements_are_not_worth_a_program(monkeypatch):
    monkeypatch.setattr(compiling, "SLOW", float("inf"))  # as they are while other programs keep the machine busy
    assert not mapped(several_steps, 20)[1]


NUMBERS = np.random.default_rng(2)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: several_steps(x) + np.random.random(),
        lambda x: several_steps(x) + NUMBERS.random(),
        lambda x: tf.constant(several_steps(x).numpy() * 2),
        lambda x: several_steps(x) if x[0, 0].numpy() > 0 else x,
    ],
    ids=["NumPy's random numbers", "a generator's", "arrays", "a choice by NumPy"],
)
def test_what_no_program_repeats_stays_python(function):
    results, compiled = mapped(function)
    assert not compiled
    assert len({result.tobytes() for result in results}) == COUNT


def test_a_function_that_counts_stays_python():
    count = 0

    def numbered(x):
        nonlocal count
        count += 1
        return several_steps(x) * 0 + count

    found = [float(x[0, 0]) for x in Dataset.from_tensor_slices(X).map(numbered)]
    assert found == sorted(set(found))


def test_draws_are_those_of_python():
    def noisy(x):
        return several_steps(x) + tf.random.normal((3, 4))

    tf.random.set_seed(5)
    results, compiled = mapped(noisy)
    after = tf.random.uniform(())
    tf.random.set_seed(5)
    for x, result in zip(X, results, strict=True):
        np.testing.assert_array_equal(result, noisy(tf.constant(x)))
    assert float(after) == float(tf.random.uniform(()))
    assert compiled


def test_elements_of_many_shapes():
    def sizes():
        for size in range(1, 101):
            yield np.full(size % 20 + 1, size, np.float32)

    spec = tf.TensorSpec((None,), tf.float32)
    dataset = Dataset.from_generator(sizes, output_signature=spec).map(several_steps)
    for x, result in zip(sizes(), dataset, strict=True):
        np.testing.assert_array_equal(result, several_steps(tf.constant(x)))


def test_variables_are_read_anew():
    factor = tf.Variable(1.0)
    dataset = Dataset.from_tensor_slices(X).map(lambda x: several_steps(x) * factor)
    first = list(dataset)
    factor.assign(2.0)
    for a, b in zip(first, dataset, strict=True):
        np.testing.assert_array_equal(2 * a, b)


def test_an_error_of_a_late_element():
    def inverse(x):
        return tf.debugging.check_numerics(1.0 / x, "an inverse")

    x = np.ones((COUNT, 2), np.float32)
    x[100] = 0.0
    iterator = iter(Dataset.from_tensor_slices(x).map(inverse))
    for _ in range(100):
        next(iterator)
    with pytest.raises(tf.errors.InvalidArgumentError, match="an inverse"):
        next(iterator)


def test_functions_that_are_compiled_already():
    dataset = Dataset.from_tensor_slices((X, X)).map(tf.function(lambda x, y: {"sum": x + y}))
    for x, result in zip(X, dataset, strict=True):
        np.testing.assert_array_equal(result["sum"], 2 * x)
