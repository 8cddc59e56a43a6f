"""Programs by chance of nested branches and loops do the same eagerly and compiled: values, gradients and state."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrad as tf

MAPS = {
    "sin": tf.sin,
    "tanh": tf.tanh,
    "half": lambda x: 0.5 * x,
    "turned": lambda x: tf.reverse(x, [0]) - x,
    "mean": lambda x: x + tf.reduce_mean(x),
}


def inner(children):
    return st.one_of(
        st.tuples(st.just("map"), st.sampled_from(sorted(MAPS)), children),
        st.tuples(st.just("cond"), st.floats(-0.5, 0.5), children, children),
        st.tuples(st.just("while"), children, children),
        st.tuples(st.just("scan"), st.booleans(), children, children),
        st.tuples(st.sampled_from(["read", "assign", "draw"]), children),
    )


TREES = st.recursive(st.just(("x",)), inner, max_leaves=6)


def value(tree, x, n, v, generator):
    """What a tree computes from ``x``."""
    kind, *rest = tree
    if kind == "x":
        return x
    *options, child = rest if kind in {"map", "read", "assign", "draw"} else [*rest[:-1], rest[-1]]
    y = value(child, x, n, v, generator)
    if kind == "map":
        return MAPS[options[0]](y)
    if kind == "cond":
        threshold, other = options
        return tf.cond(tf.reduce_sum(y) > threshold, lambda: value(other, y, n, v, generator), lambda: y * 0.7)
    if kind == "while":
        return tf.while_loop(
            lambda i, _: i < n, lambda i, z: (i + 1, tf.sin(value(options[0], z, n, v, generator))), (0, y)
        )[1]
    if kind == "scan":
        reverse, other = options
        rows = tf.stack([y, 0.5 * y, x])
        return tf.scan(lambda s, r: 0.5 * s + value(other, r, n, v, generator), rows, reverse=reverse)[1]
    if kind == "read":
        return y * v
    if kind == "assign":
        v.assign(0.5 * v + 0.1 * y)
        return y + v
    return y * generator.uniform([3], dtype=tf.float64)


CALLS = ((2, [0.3, 0.4, -0.1]), (0, [-0.5, 0.1, 0.2]), (3, [0.2, -0.9, 0.4]), (1, [0.1, 0.1, 0.3]))


def run(tree, wrap, inside):
    """Results, gradients and state of several calls; the tape is inside the function, or around it."""
    v, generator = tf.Variable([0.3, -0.2, 0.9], dtype=tf.float64), tf.random.Generator.from_seed(7)

    def differentiated(function, x, n):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x, n)
        return (y, *tape.gradient(y, [x, v], unconnected_gradients="zero"))

    def computed(x, n):
        return value(tree, x, n, v, generator)

    called = wrap(lambda x, n: differentiated(computed, x, n)) if inside else wrap(computed)
    found = []
    for n, numbers in CALLS:
        x, n = tf.constant(numbers, tf.float64), tf.constant(n)
        results = called(x, n) if inside else differentiated(called, x, n)
        found += [*[tf.convert_to_tensor(y).numpy() for y in results], v.numpy(), generator.state.numpy()]
    return found


def check(tree, inside):
    for found, wanted in zip(run(tree, tf.function, inside), run(tree, lambda step: step, inside), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-13)


@settings(max_examples=25)
@given(TREES)
def test_with_a_tape_inside(tree):
    check(tree, True)


@settings(max_examples=15)
@given(TREES)
def test_with_a_tape_around(tree):
    check(tree, False)
