"""Branches and loops of compiled functions: recorded once, native steps, as eager."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.control_flow.loops import Loop
from fastgrad._src.compiler.graph.graph import Kind
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


def test_a_compiled_step_records_once_whatever_the_trips():
    w = tf.Variable([[1.2, -0.7], [0.3, 0.4]])
    records = []

    def loss_of(x, n):
        y = tf.while_loop(lambda i, _: i < n, lambda i, x: (i + 1, tf.tanh(x @ w) + x), (0, x))[1]
        loss = tf.reduce_mean(y * y)
        return tf.cond(loss > 2.0, lambda: tf.sqrt(loss), lambda: loss * loss)

    def step(x, n):
        records.append(1)
        with tf.GradientTape() as tape:
            loss = loss_of(x, n)
        gradient = tape.gradient(loss, w, unconnected_gradients="zero")
        w.assign_sub(0.01 * gradient)
        return loss

    compiled = tf.function(step)
    x = tf.constant(X.astype(np.float32))
    start = w.numpy()
    trips = [0, 3, 1, 7, 0, 20]
    found = [float(compiled(x, tf.constant(n))) for n in trips]
    assert len(records) == 1
    after = w.numpy()
    w.assign(start)
    np.testing.assert_allclose(found, [float(step(x, tf.constant(n))) for n in trips], rtol=1e-5)
    np.testing.assert_allclose(after, w.numpy(), rtol=1e-5)


def test_a_compiled_loop_under_a_tape_outside():
    compiled = tf.function(powers)
    for _ in range(3):
        for trips in (0, 1, 4):
            check_gradient(lambda x, w, n=trips: compiled(tf.constant(n), x, w)[1], A, W, order=2)


def test_functions_inside_loops():
    inner = tf.function(lambda x: tf.sin(x) * 2.0)
    check_replays(
        lambda n, x: tf.while_loop(lambda i, _: i < n, lambda i, x: (i + 1, inner(x)), (0, x))[1],
        (np.int32(2), A),
        (np.int32(3), A),
        expect=(0, 1, 0),
    )


def compiled_as_eager(make, *calls, rtol):
    """What ``make`` makes, a function and its state, does the same compiled as eagerly; the number of recordings."""
    step, state = make()
    wanted = [step(*map(tf.constant, arrays)) for arrays in calls]
    after = state()
    step, state = make()
    compiled = tf.function(step)
    found = [compiled(*map(tf.constant, arrays)) for arrays in calls]
    np.testing.assert_allclose(found, wanted, rtol=rtol)
    for v, want in zip(state(), after, strict=True):
        np.testing.assert_allclose(v, want, rtol=100 * rtol, atol=1e-6)
    return compiled.cache_info().recordings


def test_layers_inside_loops():
    def make():
        tf.random.set_seed(0)
        dense, dropout = tf.keras.layers.Dense(2, activation="tanh"), tf.keras.layers.Dropout(0.5)
        mean, optimizer = tf.Variable(tf.zeros([2]), trainable=False), tf.keras.optimizers.Adam(0.01)

        def row(x):
            y = dropout(dense(x[None])[0], training=True)
            mean.assign(0.9 * mean + 0.1 * y)
            return y - mean

        def step(xs):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.map_fn(row, xs) ** 2)
            weights = dense.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
            return loss

        return step, lambda: [v.numpy() for v in (*dense.weights, mean, *optimizer.variables)]

    calls = [(i * X.astype(np.float32),) for i in range(1, 6)]
    assert compiled_as_eager(make, *calls, rtol=1e-4) <= 2


def test_training_inside_a_loop():
    def make():
        w, optimizer = tf.Variable(A), tf.keras.optimizers.Adam(0.1)

        def train(n, target):
            def body(i):
                with tf.GradientTape() as tape:
                    loss = tf.reduce_sum((w - target) ** 2)
                optimizer.apply_gradients([(tape.gradient(loss, w), w)])
                return i + 1

            tf.while_loop(lambda i: i < n, body, [0])
            return w * 1.0

        return train, lambda: [v.numpy() for v in (w, *optimizer.variables)]

    assert compiled_as_eager(make, *[(np.int32(n), 5 * A) for n in (2, 3, 0, 10, 1)], rtol=1e-6) <= 2


def test_tangents_and_jacobians_through_loops():
    def turned(n, x):
        return tf.while_loop(lambda i, _: i < n, lambda i, x: (i + 1, tf.sin(x) * tf.reduce_sum(x)), (0, x))[1]

    def program(n, x):
        with tf.autodiff.ForwardAccumulator(x, tf.ones_like(x)) as accumulator:
            y = turned(n, x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            z = turned(n, x)
        return accumulator.jvp(y), tape.jacobian(z, x)

    check_replays(program, (np.int32(2), A), (np.int32(1), A), (np.int32(4), 2 * A), expect=(0, 2, 0))


def test_going_by_a_value_that_the_loop_does_not_change_is_a_guard_before_it():
    flag = tf.Variable(1)

    def program(n, m, x):
        def body(i, x):
            x = x * 2.0 if flag > 0 and int(m) > 1 else x
            return i + 1, x

        return tf.while_loop(lambda i, _: i < n, body, (0, x))[1]

    check_replays(program, *[(np.int32(n), np.int32(2), A) for n in (2, 0, 5)], expect=(0, 1, 2))

    def changes(n, x):
        def body(i, x):
            x = x * 2.0 if flag > 0 else x
            flag.assign_sub(1)
            return i + 1, x

        return tf.while_loop(lambda i, _: i < n, body, (0, x))[1]

    assert kinds(recorded(changes, np.int32(2), A))[1] == 0


def test_the_gradient_of_a_loop_over_rows_is_a_loop_over_rows():
    def program(x, w):
        with tf.GradientTape() as tape:
            tape.watch([x, w])
            y = tf.scan(lambda s, r: tf.tanh(s * w + r), x, w)
        return tape.gradient(y, [x, w])

    graph = recorded(program, X, W)
    loops = [node.payload for node in graph.nodes if node.kind is Kind.OPERATION and isinstance(node.payload, Loop)]
    assert [(loop.trips, loop.reverse, loop.condition) for loop in loops] == [(3, False, None), (3, True, None)]
    assert not any(value.dtype.kind == "O" for node in graph.nodes for value in node.outputs)


def test_loops_over_rows_are_native_steps():
    def program(x, w):
        with tf.GradientTape() as tape:
            tape.watch([x, w])
            loss = tf.reduce_sum(tf.scan(lambda s, r: tf.tanh(s * w + r), x, w, reverse=True) ** 2)
            loss += tf.reduce_sum(tf.foldl(lambda s, r: s * tf.exp(r), x, w) * tf.map_fn(lambda r: r * w, x)[0])
        return loss, tape.gradient(loss, [x, w])

    assert Program(recorded(program, X, W)).plan.native


def test_loops_with_a_condition_are_native_steps():
    graph = recorded(with_gradients(powers), np.int32(2), A, W)
    assert Program(graph).plan.native
    assert not any(value.dtype.kind == "O" for node in graph.nodes for value in node.outputs)


def test_more_trips_than_a_loop_is_made_for(monkeypatch):
    monkeypatch.setattr("fastgrad._src.compiler.control_flow.scan_gradient.FIRST_WHILE_LOOP_STACK_BYTES", 0)
    v = tf.Variable(0.0, dtype=tf.float64)

    def program(n, x, w):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = powers(n, x, w)[1]
        v.assign_add(1.0)
        return y, powers(n, x, w)[1], *tape.gradient(y, [x], unconnected_gradients="zero")

    compiled = tf.function(program)
    trips = [2, 3, 4, 5, 20, 2, 40, 70, 3, 70]
    for count, n in enumerate(trips, 1):
        arguments = tf.constant(n), tf.constant(A), tf.constant(W)
        found = compiled(*arguments)
        assert float(v) == count
        wanted = program(*arguments)
        v.assign(count)
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12)
    assert compiled.cache_info().recordings <= 5


@pytest.mark.parametrize("order", [1, 2])
def test_more_trips_than_a_loop_is_made_for_under_a_tape_outside(monkeypatch, order):
    monkeypatch.setattr("fastgrad._src.compiler.control_flow.scan_gradient.FIRST_WHILE_LOOP_STACK_BYTES", 0)
    compiled = tf.function(lambda n, x, w: powers(n, x, w)[1])
    for trips in (1, 30, 2):
        for _ in range(2):
            check_gradient(lambda x, n=trips: compiled(tf.constant(n), x, tf.constant(0.1 * W)), A, order=order)


def test_more_trips_of_loops_within_loops_and_branches(monkeypatch):
    monkeypatch.setattr("fastgrad._src.compiler.control_flow.scan_gradient.FIRST_WHILE_LOOP_STACK_BYTES", 0)

    def program(n, m, x, w):
        def trip(i, y):
            y = tf.cond(y[0] > 5.0, lambda: y, lambda: powers(m * i, y, 0.1 * w)[1])
            return i + 1, 0.9 * y

        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.while_loop(lambda i, _: i < n, trip, (0, x))[1]
        return y, tape.gradient(y, x, unconnected_gradients="zero")

    compiled = tf.function(program)
    for n, m in [(2, 1), (2, 1), (4, 1), (3, 30), (3, 30), (3, 30), (30, 2), (30, 2), (2, 1), (0, 0)]:
        arguments = tf.constant(n), tf.constant(m), tf.constant(0.1 * A), tf.constant(W)
        for found, wanted in zip(compiled(*arguments), program(*arguments), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_branches_are_native_steps():
    def program(p, x, w):
        y, *gradients = with_gradients(two_ways)(p, x, w)
        z = tf.switch_case(
            tf.cast(p, tf.int32), [lambda: x, lambda: (x, x)[0] * w, lambda: tf.scan(lambda s, r: s * r, x)]
        )
        return y, z, *gradients

    check_replays(program, (UP, A, W), (DOWN, 2 * A, W), (3 * UP, A, W), expect=None)
    graph = recorded(program, UP, A, W)
    assert Program(graph).plan.native
    assert not any(value.dtype.kind == "O" for node in graph.nodes for value in node.outputs)


def test_gradients_that_are_found_anew_each_time(monkeypatch):
    monkeypatch.setattr(
        "fastgrad._src.compiler.control_flow.branch_gradient.branches_with_residuals", lambda *given: None
    )
    monkeypatch.setattr("fastgrad._src.compiler.control_flow.scan_gradient.loop_with_residuals", lambda *given: None)
    check_replays(with_gradients(two_ways), (UP, A, W), (DOWN, 2 * A, W))
    check_replays(with_gradients(lambda x, w: tf.scan(lambda s, r: tf.tanh(s * w + r), x, w)), (X, W), (2 * X, W))
    check_replays(with_gradients(powers), (np.int32(2), A, W), (np.int32(0), A, W), (np.int32(5), A, W))


def test_an_error_in_a_native_trip():
    x, v = tf.constant(X), tf.Variable(0.0)

    def program(ids):
        v.assign_add(1.0)
        return tf.map_fn(lambda i: tf.gather(x, i), ids, fn_output_signature=tf.float64)

    program = Program(recorded(program, np.array([0, 1, 2])))
    v.assign(0.0)
    with pytest.raises(tf.errors.InvalidArgumentError, match="7"):
        program([np.array([0, 7, 2])])
    assert float(v) == 0.0
    np.testing.assert_array_equal(program([np.array([2, 0, 0])])[0], X[[2, 0, 0]])
    assert float(v) == 1.0


def test_threads_run_a_native_loop_at_once():
    from concurrent.futures import ThreadPoolExecutor

    program = Program(recorded(lambda x, w: tf.scan(lambda s, r: tf.tanh(s * w + r), x, w), np.zeros((500, 2)), W))
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=(500, 2)) for _ in range(8)]
    wanted = [program([x, W])[0] for x in inputs]
    with ThreadPoolExecutor(4) as pool:
        for found, want in zip(pool.map(lambda x: program([x, W])[0], inputs * 5), wanted * 5, strict=True):
            np.testing.assert_array_equal(found, want)


def test_recordings_of_the_same_loop_are_ways_of_one_program():
    def program(p, n, x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.while_loop(lambda i, _: i < n, lambda i, x: (i + 1, tf.sin(x) * 0.1), (0, x))[1]
            y += tf.scan(lambda s, r: tf.tanh(s + r), x)
            y = tf.cond(p > 2.0, lambda: y * 2.0, lambda: y)
        gradient = tape.gradient(y, x)
        return gradient * 2.0 if p > 0.0 else gradient + 1.0

    compiled = tf.function(program)
    for _ in range(3):
        for p in (UP, DOWN):
            found = compiled(tf.constant(p), tf.constant(3), tf.constant(A))
            np.testing.assert_allclose(found, program(tf.constant(p), tf.constant(3), tf.constant(A)), rtol=1e-12)
    assert "2 traces, 1 program:" in compiled.report()


def test_loops_of_other_constants_are_others():
    def program(factor):
        return lambda x: tf.map_fn(lambda r: r * factor, x)

    loops = [next(n.payload for n in recorded(program(f), A).nodes if type(n.payload) is Loop) for f in (2.0, 3.0, 2.0)]
    assert loops[0] is loops[2]
    assert loops[0] is not loops[1]
