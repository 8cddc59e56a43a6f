"""What is recorded of a function with branches and loops, and whether replays do what the function does."""

import numpy as np

import fastgrad as tf
from fastgrad._src.compiler.graph.graph import Kind, validate
from fastgrad._src.compiler.graph.interpret import interpret
from fastgrad._src.compiler.programs.program import Program
from fastgrad._src.compiler.recording.record import Recording
from fastgrad._src.core.recording import hide_from_recorders

A, W = np.array([0.3, 0.4]), np.array([1.2, -0.7])
X = np.array([[0.3, -0.4], [0.5, 0.8], [-0.9, 0.2]])
UP, DOWN = np.float64(1), np.float64(-1)


def recorded(function, *arrays):
    """The graph of ``function``, recorded on these arrays."""
    tensors = [tf.constant(array) for array in arrays]
    with hide_from_recorders(), Recording(tensors) as recorder:
        results = [tf.convert_to_tensor(y) for y in tf.nest.flatten(function(*tensors)) if y is not None]
    graph = recorder.graph(results)
    validate(graph)
    return graph


def kinds(graph):
    """How many branches, loops and guards there are."""
    nodes = [node for node in graph.nodes if node.kind is Kind.OPERATION]
    named = [node.payload.name for node in nodes]
    guards = sum(node.kind is Kind.GUARD for node in graph.nodes)
    return named.count("cond"), named.count("while_loop") + named.count("scan"), guards


def check_replays(function, first, *others, expect=None, state=(), rtol=1e-12):
    """Replays of what was recorded on ``first`` do what the function does on the others, to state as well."""
    start = [v.numpy() for v in state]

    def reset():
        for v, value in zip(state, start, strict=True):
            v.assign(value)

    graph = recorded(function, *first)
    if expect is not None:
        assert kinds(graph) == expect
    program = Program(graph)
    for arrays in (first, *others):
        arrays = [np.array(a) for a in arrays]
        reset()
        wanted = [tf.convert_to_tensor(y).numpy() for y in tf.nest.flatten(function(*map(tf.constant, arrays)))]
        after = [v.numpy() for v in state]
        for run in (lambda a: interpret(graph, a), program):
            reset()
            for found, want in zip(run(arrays), wanted, strict=True):
                assert (found.dtype, found.shape) == (want.dtype, np.shape(want))
                np.testing.assert_allclose(found, want, rtol=rtol, atol=1e-14)
            for v, want in zip(state, after, strict=True):
                np.testing.assert_allclose(v.numpy(), want, rtol=rtol)
    reset()


def with_gradients(function, order=2):
    """The results of ``function``, and their gradients and second derivatives with respect to floating arguments."""

    def program(*tensors):
        sources = [x for x in tensors if x.dtype.is_floating]
        with tf.GradientTape() as outer:
            outer.watch(sources)
            with tf.GradientTape() as tape:
                tape.watch(sources)
                results = tf.nest.flatten(function(*tensors))
                total = tf.add_n([tf.reduce_sum(y * y) for y in results if y.dtype.is_floating])
            first = tape.gradient(total, sources, unconnected_gradients="zero")
            norm = tf.add_n([tf.reduce_sum(tf.sin(g)) for g in first])
        second = outer.gradient(norm, sources, unconnected_gradients="zero") if order == 2 else []
        return [*results, *first, *second]

    return program


def two_ways(p, x, w):
    """A branch with one tensor from outside in one of its ways."""
    y = x * 2.0
    return tf.cond(p > 0.0, lambda: tf.sin(y * w), lambda: x * x * x)


def powers(n, x, w):
    """A loop of so many trips with one tensor from outside."""
    return tf.while_loop(lambda i, _: i < n, lambda i, x: (i + 1, tf.sin(x * w) + x), (0, x))
