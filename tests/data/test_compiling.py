"""Functions of elements: their Python runs once, replays give the bits of eager operations, and some are compiled."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.data import compiling

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
    monkeypatch.setattr(
        compiling, "SLOW_CALL_SECONDS", float("inf")
    )  # as they are while other programs keep the machine busy
    assert not mapped(several_steps, 20)[1]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: tf.constant(several_steps(x).numpy() * 2),
        lambda x: several_steps(x) if x[0, 0].numpy() > 0 else x,
    ],
    ids=["arrays", "a choice by NumPy"],
)
def test_what_cannot_be_recorded_stays_python(function):
    results, compiled = mapped(function)
    assert not compiled
    assert len({result.tobytes() for result in results}) == COUNT


class Counter:
    """Counts the runs of a function's Python."""

    def __init__(self):
        self.runs = 0

    def __call__(self, x):
        self.runs += 1
        return x * 2


NUMBERS = Dataset.range(COUNT)
ZERO = tf.constant(0, tf.int64)


@pytest.mark.parametrize(
    "make",
    [
        NUMBERS.map,
        lambda f: NUMBERS.map(f, num_parallel_calls=2),
        lambda f: NUMBERS.map(f, num_parallel_calls=tf.data.AUTOTUNE).prefetch(2).batch(7),
        lambda f: NUMBERS.map(lambda x: {"a": (x, f(x))}),
        lambda f: Dataset.zip(NUMBERS, NUMBERS).map(lambda x, y: f(x) + y),
        lambda f: NUMBERS.filter(lambda x: f(x) > 4),
        lambda f: NUMBERS.take_while(lambda x: f(x) < 500),
        lambda f: NUMBERS.scan(ZERO, lambda state, x: (state + f(x), state)),
        lambda f: NUMBERS.group_by_window(lambda x: f(x) % 4, lambda key, group: group.batch(3), 3),
        lambda f: Dataset.from_tensors(NUMBERS.reduce(ZERO, lambda state, x: state + f(x))),
    ],
    ids=["map", "by threads", "ahead", "dicts", "tuples", "filter", "take_while", "scan", "group_by_window", "reduce"],
)
def test_python_runs_once(make):
    counter, plain = Counter(), make(lambda x: x * 2)
    dataset = make(counter)
    for _ in range(2):
        for element, expected in zip(dataset, plain, strict=True):
            tf.nest.map_structure(np.testing.assert_array_equal, element, expected)
    assert counter.runs == 1


def test_python_runs_once_for_each_way_that_values_make_it_go():
    counter = Counter()
    dataset = NUMBERS.map(lambda x: counter(x) if x % 3 == 0 else -counter(x))
    assert [int(x) for x in dataset] == [2 * x if x % 3 == 0 else -2 * x for x in range(COUNT)]
    assert counter.runs == 2


def test_what_python_drew_and_counted_is_frozen():
    counter, generator = Counter(), np.random.default_rng(1)

    def numbered(x):
        counter(x)
        return several_steps(x) * 0 + counter.runs, np.random.random(), generator.random()

    results = [[float(leaf) for leaf in (x[0, 0], a, b)] for x, a, b in Dataset.from_tensor_slices(X).map(numbered)]
    assert results == [results[0]] * COUNT


def test_state_changes_once_for_each_element():
    total, calls = tf.Variable(0, dtype=tf.int64), []
    dataset = NUMBERS.map(total.assign_add)
    assert [int(x) for x in dataset] == np.cumsum(np.arange(COUNT)).tolist()
    dataset = NUMBERS.map(lambda x: tf.py_function(lambda n: calls.append(int(n)) or n, [x], tf.int64))
    assert [int(x) for x in dataset] == calls == list(range(COUNT))


def test_an_operation_that_fails_fails_for_its_element_alone():
    counter = Counter()
    dataset = Dataset.range(4).map(lambda x: tf.gather(tf.constant([1, 2, 3, 4, 5, 6]), counter(x)) * 1)
    assert [int(x) for x in dataset.ignore_errors()] == [1, 3, 5]
    assert counter.runs == 1


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
