"""In branches and loops: gradients of the user's own, prints, calls of Python, each as often as it should come."""

import numpy as np

import fastgrad as tf
from fastgrad._src.compiler.programs.program import Program
from tests.compiler.control_flow.replays import DOWN, UP, A, W, check_replays, kinds, recorded, with_gradients


@tf.custom_gradient
def tripled(x):
    h = tf.exp(x)
    return h * 2.0, lambda g: g * h * x * 3.0


def test_own_gradients_in_loops_and_branches():
    v = tf.Variable(W)

    @tf.custom_gradient
    def scaled(x):
        return x * v, lambda g, variables: (g * v * 5.0, [g * x * 7.0])

    def program(p, n, x):
        y = tf.while_loop(lambda i, _: i < n, lambda i, y: (i + 1, tf.sin(tripled(y))), (0, x))[1]
        with tf.GradientTape() as tape:
            z = tf.cond(p > 0.0, lambda: scaled(y), lambda: y)
        return z, tape.gradient(z, v)

    def plain(p, n, x):
        return program(p, n, x)[0]

    others = [(p, np.int32(n), A) for p in (UP, DOWN) for n in (1, 3)]
    check_replays(with_gradients(plain), (UP, np.int32(2), A), *others)
    check_replays(program, (UP, np.int32(2), A), (UP, np.int32(1), A), expect=(1, 1, 0))


def test_recomputed_gradients_in_loops():
    w = tf.Variable(W)
    trip = tf.recompute_grad(lambda x: tf.sin(x * w))

    def program(n, x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.while_loop(lambda i, _: i < n, lambda i, y: (i + 1, trip(y)), (0, x))[1]
        return y, *tape.gradient(y, [x, w])

    check_replays(program, (np.int32(2), A), (np.int32(1), A), (np.int32(4), A), expect=(0, 1, 0))


def test_prints_come_once_for_each_trip(capsys):
    def program(p, n, x):
        tf.cond(p > 0.0, lambda: tf.print("up"), lambda: tf.print("down"))

        def trip(i):
            tf.print("trip", i)
            return i + 1

        return tf.while_loop(lambda i: i < n, trip, [0])[0]

    graph = recorded(program, UP, np.int32(2), A)
    assert capsys.readouterr().err.split("\n") == ["up", "trip 0", "trip 1", ""]
    assert kinds(graph) == (1, 1, 0)
    replay = Program(graph)
    replay([DOWN, np.int32(3).reshape(()), A])
    assert capsys.readouterr().err.split("\n") == ["down", "trip 0", "trip 1", "trip 2", ""]


def test_calls_of_python_are_made_in_their_turn():
    calls = []

    def program(p, x):
        return tf.cond(p > 0.0, lambda: x, lambda: tf.numpy_function(lambda y: calls.append(1) or y, [x], tf.float64))

    recorded(program, UP, A)
    assert not calls
    recorded(program, DOWN, A)
    assert len(calls) == 1
