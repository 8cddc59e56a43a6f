"""Operations with a seed in recorded functions draw as in TensorFlow: each has a counter of its own."""

import gc
import weakref

import pytest

import fastgrad as tf
from fastgrad._src.ops.default_generators import _default_generators


def draw():
    return tf.random.uniform([2], seed=7)


def function():
    return tf.function(lambda: tf.random.uniform([2], seed=7))


def pattern(draws):
    """A letter for each draw: equal draws have the same one."""
    letters = {}
    return "".join(letters.setdefault(tuple(x.numpy().tolist()), chr(65 + len(letters))) for x in draws)


def after_retrace():
    g = tf.function(lambda k: tf.random.uniform([2], seed=7))
    return [draw(), draw(), g(1), g(1), g(2), g(2), g(1)]


def of_repeated_calls():
    g, h = function(), function()
    return [draw(), draw(), draw(), g(), g(), g(), h(), h(), draw()]


def of_two_operations():
    g = tf.function(lambda: (draw(), draw()))
    return [draw(), draw(), draw(), draw(), *g(), *g()]


def of_two_seeds():
    g = tf.function(lambda: (draw(), tf.random.uniform([2], seed=8)))
    return [draw(), draw(), *g(), *g()]


def of_inner_functions():
    g = function()
    h = tf.function(lambda: (g(), g(), draw()))
    return [draw(), draw(), draw(), *h(), *h(), g()]


def of_a_loop_over_a_tensor():
    def rows():
        return tf.stack([tf.random.uniform([2], seed=7) for _ in tf.range(3)])

    return [draw(), draw(), draw(), *tf.unstack(tf.function(rows)())]


def of_a_python_loop():
    return [draw(), *tf.function(lambda: [draw() for _ in range(3)])()]


def after_set_seed():
    g = function()
    draws = [g(), g()]
    tf.random.set_seed(5)
    return [*draws, g(), draw()]


def of_concrete_functions():
    g, h = function().get_concrete_function(), function().get_concrete_function()
    return [draw(), draw(), g(), g(), h()]


PATTERNS = {  # as TensorFlow 2.21 draws
    after_retrace: "ABABABC",
    of_repeated_calls: "ABCABCABD",
    of_two_operations: "ABCDAABB",
    of_two_seeds: "ABACBD",
    of_inner_functions: "ABCAAABBBA",
    of_a_loop_over_a_tensor: "ABCABC",
    of_a_python_loop: "AAAA",
    after_set_seed: "ABAC",
    of_concrete_functions: "ABABA",
}


@pytest.mark.parametrize("seed", [1, 3])
@pytest.mark.parametrize("draws", PATTERNS, ids=lambda draws: draws.__name__)
def test_draws_repeat_as_in_tensorflow(draws, seed):
    tf.random.set_seed(seed)
    assert pattern(draws()) == PATTERNS[draws]


DRAWS = {
    "normal": lambda: tf.random.normal([3], seed=4),
    "truncated_normal": lambda: tf.random.truncated_normal([3], seed=4),
    "gamma": lambda: tf.random.gamma([3], 2.0, seed=4),
    "poisson": lambda: tf.random.poisson([30], 30.0, seed=4),
    "categorical": lambda: tf.random.categorical([[1.0, 1.0]], 40, seed=4)[0],
    "dropout": lambda: tf.nn.dropout(tf.ones([30]), 0.5, seed=4),
    "shuffle": lambda: tf.random.shuffle(tf.range(30), seed=4),
}


@pytest.mark.parametrize("name", DRAWS)
def test_each_kind_of_draw_repeats_as_in_tensorflow(name):
    tf.random.set_seed(1)
    g, h = tf.function(DRAWS[name]), tf.function(DRAWS[name])
    assert pattern([DRAWS[name](), DRAWS[name](), g(), h(), g()]) == "ABAAB"


def test_traces_of_one_tree_share_their_counters():
    tf.random.set_seed(1)

    @tf.function
    def g(x):
        first = tf.random.uniform([2], seed=7)
        return first if x > 0.0 else first + 1.0

    numbers = [g(tf.constant(x)) - float(x <= 0.0) for x in (1.0, -1.0, 1.0, -1.0, 1.0)]
    assert pattern([draw() for _ in range(5)]) == "ABCDE"
    tf.random.set_seed(1)
    for x, wanted in zip(numbers, [draw() for _ in range(5)], strict=True):
        tf.debugging.assert_near(x, wanted, atol=1e-6)


def test_a_recording_that_fails_draws_nothing():
    tf.random.set_seed(1)
    fails = True

    @tf.function
    def g():
        x = tf.random.uniform([2], seed=7)
        if fails:
            raise KeyError("once")
        return x

    with pytest.raises(KeyError):
        g()
    fails = False
    assert pattern([draw(), g()]) == "AA"


def test_generators_are_freed_with_their_function():
    g = function()
    g()
    g()
    generators = [weakref.ref(generator) for generator in _default_generators.of_functions]
    count = len(generators)
    del g
    gc.collect()
    assert sum(reference() is not None for reference in generators) < count
