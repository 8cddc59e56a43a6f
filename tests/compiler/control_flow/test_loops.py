"""Loops inside a recorded program are operations: replayed on other values they make other numbers of trips."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.control_flow.branches import Branches
from fastgrad._src.compiler.control_flow.graph_operation import StatefulCall
from fastgrad._src.compiler.control_flow.loops import Loop
from fastgrad._src.compiler.graph.graph import Kind, validate
from fastgrad._src.compiler.graph.interpret import interpret
from fastgrad._src.compiler.programs.program import Program
from tests.compiler.control_flow.replays import (
    DOWN,
    UP,
    A,
    W,
    X,
    check_replays,
    kinds,
    powers,
    recorded,
    two_ways,
    with_gradients,
)
from tests.gradients import check_gradient


@pytest.mark.parametrize("first", [0, 1, 3])
def test_any_number_of_trips(first):
    others = [(np.int32(n), A * n, W) for n in (0, 1, 2, 30)]
    check_replays(with_gradients(powers), (np.int32(first), A, W), *others)
    assert kinds(recorded(powers, np.int32(first), A, W)) == (0, 1, 0)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("trips", [0, 1, 3])
def test_gradients_of_loops_from_outside(order, trips):
    call = StatefulCall(recorded(powers, np.int32(2), A, W), 3)
    check_gradient(lambda x, w: call(tf.constant(trips), x, w)[1], A, W, order=order)


def test_a_loop_ends_by_its_values():
    def program(x, w):
        return tf.while_loop(lambda h: tf.reduce_max(tf.abs(h)) > 0.1, lambda h: 0.5 * h + 0.01 * tf.tanh(h * w), [x])

    check_replays(with_gradients(program), (A, W), (20 * A, W), (0.1 * A, W))


def test_maximum_iterations_of_a_recorded_loop():
    def program(n, x):
        constant = tf.while_loop(lambda x: True, lambda x: x * 2.0, [x], maximum_iterations=3)
        return constant, tf.while_loop(lambda x: x[0] < 5.0, lambda x: x * 2.0, [x], maximum_iterations=n)

    check_replays(program, (np.int64(2), A), (np.int64(0), A), (np.int64(30), A), expect=(0, 2, 0))


def test_state_of_loops():
    v, n, scale = tf.Variable(A), tf.Variable(0), tf.Variable(W, trainable=False)

    def program(count, x):
        def body(i, y):
            v.assign(v * scale + y)
            n.assign_add(2)
            return i + 1, y + v

        y = tf.while_loop(lambda i, _: i < count, body, (0, x))[1]
        return y, v * 1.0

    trips = [(np.int32(t), A) for t in (0, 1, 5)]
    check_replays(program, (np.int32(2), A), *trips, expect=(0, 1, 0), state=(v, n))


def test_gradients_reach_variables_through_loops():
    v, w = tf.Variable(A), tf.Variable(W)

    def program(count, x):
        def body(i, y):
            y = y + v * w
            v.assign(v + y)
            return i + 1, y

        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.while_loop(lambda i, _: i < count, body, (0, x))[1] * v
        return y, tape.gradient(y, [v, w, x], unconnected_gradients="zero")

    trips = [(np.int32(t), A) for t in (1, 5)]
    check_replays(program, (np.int32(2), A), *trips, expect=(0, 1, 0), state=(v,))


def test_draws_of_loops():
    generator = tf.random.Generator.from_seed(1)

    def program(count, x):
        def body(i, y):
            return i + 1, y * 0.5 + generator.normal([2], dtype=tf.float64) * x

        return tf.while_loop(lambda i, _: i < count, body, (0, x))[1] + generator.uniform([2], dtype=tf.float64)

    trips = [(np.int32(t), A) for t in (0, 1, 5)]
    check_replays(program, (np.int32(2), A), *trips, expect=(0, 1, 0), state=(generator.state,))


def test_loops_in_loops_and_branches_in_loops():
    def program(n, m, x, w):
        def inner(j, y):
            return j + 1, tf.cond(y[0] > 0.35, lambda: tf.sin(y * w), lambda: y + x)

        def outer(i, y):
            return i + 1, tf.while_loop(lambda j, _: j < m + i, inner, (0, y))[1] * 1.1

        return tf.while_loop(lambda i, _: i < n, outer, (0, x))[1]

    others = [(np.int32(n), np.int32(m), A, W) for n, m in ((0, 2), (1, 0), (3, 2))]
    check_replays(with_gradients(program), (np.int32(2), np.int32(1), A, W), *others)
    assert kinds(recorded(program, np.int32(2), np.int32(1), A, W)) == (0, 1, 0)


def test_loops_in_branches():
    def program(p, x, w):
        return tf.cond(p > 0.0, lambda: tf.scan(lambda s, r: tf.tanh(s * w + r), x, W)[-1], lambda: tf.reduce_sum(x, 0))

    check_replays(with_gradients(program), (UP, X, W), (DOWN, X, W), (UP, 2 * X, W))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.int32, "bfloat16", "float16"])
def test_dtypes_of_loops(dtype):
    dtype = tf.as_dtype(dtype).numpy

    def counted(n, x):
        def trip(i, y, flag):
            return i + 1, y + y * x, tf.logical_not(flag)

        return tf.while_loop(lambda i, *_: i < n, trip, (0, x, True))

    check_replays(counted, (np.int32(2), A.astype(dtype)), (np.int32(5), W.astype(dtype)), expect=(0, 1, 0))


def test_structures_of_loops():
    def program(n, x):
        i, pair = tf.while_loop(
            lambda i, p: i < n, lambda i, p: (i + 1, {"a": p["a"] * 2.0, "b": [p["a"]]}), (0, {"a": x, "b": [x]})
        )
        return i, pair["a"], pair["b"][0]

    check_replays(with_gradients(program), (np.int32(2), A), (np.int32(0), A), (np.int32(4), A))


def test_rows():
    def program(x, w):
        mapped, total = tf.map_fn(lambda r: (tf.sin(r) * w, tf.reduce_sum(r)), x, (tf.float64, tf.float64))
        return [
            mapped,
            total,
            tf.scan(lambda s, r: tf.tanh(s * w + r), x, w),
            tf.scan(lambda s, r: tf.tanh(s * w + r), x, reverse=True),
            tf.foldl(lambda s, r: s * w + r, x),
            tf.foldr(lambda s, r: s * w + r, x, w),
            tf.vectorized_map(lambda r: r[0] * r[1], (x, w[None])),
        ]

    check_replays(with_gradients(program), (X, W), (2 * X, -W))
    assert kinds(recorded(program, X, W)) == (0, 5, 0)  # vectorized_map has no trips


@pytest.mark.parametrize("order", [1, 2])
def test_gradients_of_rows_from_outside(order):
    call = StatefulCall(recorded(lambda x, w: tf.scan(lambda s, r: tf.tanh(s * w + r), x, w, reverse=True), X, W), 2)
    check_gradient(call, X, W, order=order)


def test_gradients_inside_a_trip():
    def row(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(x**3)
        return tape.gradient(y, x)

    check_replays(with_gradients(lambda x: tf.vectorized_map(row, x)), (X,), (2 * X,))


def test_gradients_that_are_none_stay_none():
    def program(n, x, w):
        with tf.GradientTape() as tape:
            tape.watch([x, w])
            y = tf.while_loop(lambda i, _: i < n, lambda i, y: (i + 1, y * 2.0 + tf.floor(w)), (0, x))[1]
        gradients = tape.gradient(y, [x, w])
        assert gradients[1] is None
        return gradients[0]

    check_replays(program, (np.int32(2), A, W), (np.int32(3), A, W), expect=(0, 1, 0))


def test_what_cannot_be_a_loop_goes_by_guards():
    def grows(n, x):
        return tf.while_loop(lambda i, _: i < n, lambda i, x: (i + 1, tf.concat([x, x], 0)), (0, x))[1]

    def looks(n, x):
        return tf.while_loop(lambda i, _: i < n, lambda i, x: (i + 1, x * 2.0 if x[0] > 0.5 else x), (0, x))[1]

    def array(n, x):
        def body(i, a):
            return i + 1, a.write(i, x)

        return tf.while_loop(lambda i, _: i < n, body, (0, tf.TensorArray(tf.float64, 0, True)))[1].stack()

    for program in (grows, looks, array):
        graph = recorded(program, np.int32(2), A)
        assert kinds(graph)[1] == 0
        assert kinds(graph)[2] > 0
        np.testing.assert_array_equal(
            interpret(graph, [np.int32(2).reshape(()), A])[0], program(tf.constant(2), tf.constant(A))
        )


def test_an_error_in_a_trip_changes_nothing():
    v = tf.Variable(0.0, dtype=tf.float64)

    def program(n, x):
        def body(i, x):
            v.assign_add(1.0)
            return i + 1, tf.debugging.check_numerics(tf.math.log(x), "here")

        return tf.while_loop(lambda i, _: i < n, body, (0, x))

    program = Program(recorded(program, np.int32(1), 10 * np.ones(2)))
    v.assign(5.0)
    with pytest.raises(tf.errors.InvalidArgumentError, match="here"):
        program([np.int32(6).reshape(()), 10 * np.ones(2)])
    assert float(v) == 5.0
    program([np.int32(2).reshape(()), 10 * np.ones(2)])
    assert float(v) == 7.0


def test_one_graph_for_each_function_whatever_the_number_of_trips():
    calls = []

    def program(n, x):
        return tf.while_loop(lambda i, _: i < n, lambda i, x: (calls.append(1) or i + 1, x * 2.0), (0, x))

    graph = recorded(program, np.int32(50), A)
    assert len(calls) == 1
    (node,) = [node for node in graph.nodes if node.kind is Kind.OPERATION]
    assert type(node.payload) is Loop
    assert len(node.payload.body.graph.nodes) < 10


def test_what_a_planner_finds():
    graph = recorded(two_ways, UP, A, W)
    (branches,) = [n.payload for n in graph.nodes if n.kind is Kind.OPERATION and type(n.payload) is Branches]
    for branch in branches.branches:
        validate(branch.graph)
    graph = recorded(lambda x, w: tf.scan(lambda s, r: tf.tanh(s * w + r), x, W), X, W)
    (loop,) = [n.payload for n in graph.nodes if n.kind is Kind.OPERATION and type(n.payload) is Loop]
    assert (loop.carried, loop.rows, loop.trips, loop.condition) == (1, 1, 3, None)
    validate(loop.body.graph)


class TestGradientsOfNestedLoops:
    """A gradient is None where no path within the loops leads to the result: as eagerly."""

    @staticmethod
    def unused_sum(n, m, x, w):
        x, total = x * 1.0, tf.constant(0.0)
        for _ in tf.range(n):
            for _ in tf.range(m):
                total = total + w
                x = x * 1.5
        return x

    @staticmethod
    def unused_product(n, m, x, w):
        x, product = x * 1.0, w * 2.0
        i = tf.constant(0)
        while i < n:
            j = tf.constant(0)
            while j < m:
                product = product * w
                x = x * 1.5
                j += 1
            i += 1
        return x

    @staticmethod
    def unused_in_a_branch(n, m, x, w):
        x, product = x * 1.0, w * 2.0
        for i in tf.range(n):
            if i % 2 == 0:
                for _ in tf.range(m):
                    product = product * w
                    x = x * 1.5
            else:
                product = product + 1.0
        return x

    @staticmethod
    def used(n, m, x, w):
        x = x * 1.0
        for _ in tf.range(n):
            for _ in tf.range(m):
                x = x * w
        return x

    @pytest.mark.parametrize("name", ["unused_sum", "unused_product", "unused_in_a_branch", "used"])
    def test_gradients_are_those_of_the_eager_loops(self, name):
        loops = getattr(self, name)
        compiled = tf.function(loops)
        x, w = tf.Variable(2.0), tf.Variable(1.25)
        for n, m in ((3, 4), (2, 5), (4, 2), (3, 3)):
            gradients = []
            for function in (loops, compiled):
                with tf.GradientTape() as tape:
                    y = function(tf.constant(n), tf.constant(m), x, w)
                gradients.append(tape.gradient(y, [x, w]))
            (x_eager, w_eager), (x_compiled, w_compiled) = gradients
            np.testing.assert_allclose(x_compiled, x_eager, rtol=1e-6)
            if name == "used":
                np.testing.assert_allclose(w_compiled, w_eager, rtol=1e-6)
            else:
                assert w_eager is w_compiled is None
        assert compiled.experimental_get_tracing_count() == 1
