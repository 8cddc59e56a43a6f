"""Branches and loops inside a recorded program are operations: replayed on other values they go another way."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad.recording import unheard
from fastgrad.trace.control.branches import Branches
from fastgrad.trace.control.graph_operation import StatefulCall
from fastgrad.trace.control.loops import Loop
from fastgrad.trace.graphs.graph import Kind, validate
from fastgrad.trace.graphs.interpret import interpret
from fastgrad.trace.programs.program import Program
from fastgrad.trace.recording.record import Recording, TraceError
from tests.gradients import check_gradient

A, W = np.array([0.3, 0.4]), np.array([1.2, -0.7])
X = np.array([[0.3, -0.4], [0.5, 0.8], [-0.9, 0.2]])
UP, DOWN = np.float64(1), np.float64(-1)


def recorded(function, *arrays):
    """The graph of ``function``, recorded on these arrays."""
    tensors = [tf.constant(array) for array in arrays]
    with unheard(), Recording(tensors) as recorder:
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


# ---- branches ------------------------------------------------------------------------------------------------


def two_ways(p, x, w):
    y = x * 2.0
    return tf.cond(p > 0.0, lambda: tf.sin(y * w), lambda: x * x * x)


def test_a_branch_goes_both_ways():
    check_replays(two_ways, (UP, A, W), (DOWN, 2 * A, W), expect=(1, 0, 0))
    check_replays(two_ways, (DOWN, A, W), (UP, 2 * A, W), expect=(1, 0, 0))


def test_gradients_of_branches():
    check_replays(with_gradients(two_ways), (UP, A, W), (DOWN, 2 * A, W), (UP, 2 * A, W))


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("sign", [UP, DOWN])
def test_gradients_of_branches_from_outside(order, sign):
    call = StatefulCall(recorded(two_ways, UP, A, W), 3)
    check_gradient(lambda x, w: call(tf.constant(sign), x, w), A, W, order=order)


def test_cases():
    def program(i, x):
        one = tf.case([(i < 0, lambda: x), (i < 2, lambda: x * x)], default=lambda: tf.sin(x))
        return one, tf.switch_case(i, [lambda: x + 1.0, lambda: x + 2.0], default=lambda: x + 3.0)

    check_replays(with_gradients(program), *[(np.int32(i), A) for i in (0, -1, 1, 2, 7)])
    assert kinds(recorded(program, np.int32(0), A)) == (2, 0, 0)


def test_a_predicate_that_is_always_the_same_is_no_branch():
    graph = recorded(
        lambda x: tf.cond(True, lambda: x, lambda: -x) + tf.cond(tf.constant(False), lambda: x, lambda: -x), A
    )
    assert kinds(graph) == (0, 0, 0)


def test_structures_of_branches():
    def program(p, x):
        found = tf.cond(p > 0.0, lambda: {"a": (x, 1), "b": None}, lambda: {"a": (-x, 2), "b": None})
        assert found["b"] is None
        return found["a"]

    check_replays(program, (UP, A), (DOWN, A), expect=(1, 0, 0))


def test_state_of_branches():
    v, n = tf.Variable(A), tf.Variable(0)

    def program(p, x):
        def up():
            v.assign_add(x)
            n.assign_add(1)
            return v * x

        def down():
            return v * v

        y = tf.cond(p > 0.0, up, down)
        return y, v * 1.0

    check_replays(program, (UP, A), (DOWN, 2 * A), (UP, 3 * A), expect=(1, 0, 0), state=(v, n))
    check_replays(program, (DOWN, A), (UP, 3 * A), expect=(1, 0, 0), state=(v, n))


def test_gradients_reach_variables_through_branches():
    v = tf.Variable(A)

    def program(p):
        def up():
            y = v * v
            v.assign(y * 3.0)
            return y + tf.sin(v)

        with tf.GradientTape() as tape:
            y = tf.cond(p > 0.0, up, lambda: v * 4.0)
        return y, tape.gradient(y, v)

    check_replays(program, (UP,), (DOWN,), expect=(1, 0, 0), state=(v,))


def test_a_branch_not_taken_leaves_no_trace():
    v = tf.Variable(1.0)
    generator = tf.random.Generator.from_seed(1)
    before = generator.state.numpy()

    def program(p):
        def down():
            v.assign(100.0)
            return generator.normal([])

        return tf.cond(p > 0.0, lambda: v * 2.0, down)

    recorded(program, UP)
    assert float(v) == 1.0
    np.testing.assert_array_equal(generator.state, before)


def test_draws_of_branches():
    generator = tf.random.Generator.from_seed(1)

    def program(p, x):
        y = tf.cond(p > 0.0, lambda: x * generator.normal([2], dtype=tf.float64), lambda: x)
        return y + generator.normal([2], dtype=tf.float64)

    check_replays(program, (UP, A), (DOWN, A), (UP, A), expect=(1, 0, 0), state=(generator.state,))


def test_what_cannot_be_a_branch_is_a_guard():
    calls = []

    def other_shapes(p, x):
        return tf.cond(p > 0.0, lambda: x, lambda: tf.concat([x, x], 0))

    def other_types(p, x):
        return tf.cond(p > 0.0, lambda: x, lambda: tf.cast(x, tf.float32))

    def fails(p, x):
        return tf.cond(p > 0.0, lambda: x, lambda: tf.matmul(x, x))

    def looks(p, x):
        return tf.cond(p > 0.0, lambda: x * 2.0 if tf.reduce_sum(x) > 0.0 else x, lambda: x)

    def makes(p, x):
        def layer():
            if not calls:
                calls.append(tf.Variable(2.0, dtype=tf.float64))
            return x * calls[0]

        return tf.cond(p > 0.0, layer, lambda: x)

    for program in (other_shapes, other_types, fails, makes):
        assert kinds(recorded(program, UP, A)) == (0, 0, 1), program.__name__
    assert kinds(recorded(makes, UP, A)) == (1, 0, 0)
    assert kinds(recorded(looks, UP, A)) == (1, 0, 1)


def test_errors_of_the_branch_taken_are_raised():
    with pytest.raises(tf.errors.InvalidArgumentError, match="matmul"):
        recorded(lambda p, x: tf.cond(p > 0.0, lambda: tf.matmul(x, tf.zeros([5, 5], x.dtype)), lambda: x), UP, X)


def test_a_check_in_a_branch_raises_and_nothing_is_changed():
    v = tf.Variable(1.0, dtype=tf.float64)

    def program(p, x):
        v.assign_add(1.0)
        tf.cond(p > 0.0, lambda: tf.debugging.check_numerics(tf.math.log(x), "here"), lambda: x)
        return v * x

    program = Program(recorded(program, UP, A))
    v.assign(5.0)
    with pytest.raises(tf.errors.InvalidArgumentError, match="here"):
        program([UP, -A])
    assert float(v) == 5.0
    program([DOWN, -A])
    assert float(v) == 6.0


def test_a_tensor_that_only_a_tape_knows():
    x = tf.constant(A)

    def program(p):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.cond(p > 0.0, lambda: x * x, lambda: x * 3.0)
        return tape.gradient(y, x)

    check_replays(program, (UP,), (DOWN,), expect=(1, 0, 0))


def test_values_of_a_branch_do_not_leave_it():
    kept = []

    def program(p, x):
        y = tf.cond(p > 0.0, lambda: kept.append(x * 2.0) or kept[0], lambda: x)
        return y + kept[0]

    with pytest.raises(TraceError):
        recorded(program, UP, A)


# ---- loops -----------------------------------------------------------------------------------------------------


def powers(n, x, w):
    return tf.while_loop(lambda i, _: i < n, lambda i, x: (i + 1, tf.sin(x * w) + x), (0, x))


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


# ---- gradients of the user's own, prints, calls of Python ------------------------------------------------------


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


# ---- inside tf.function --------------------------------------------------------------------------------------


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
    monkeypatch.setattr("fastgrad.trace.control.scan_gradient.ROOM", 0)
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
    monkeypatch.setattr("fastgrad.trace.control.scan_gradient.ROOM", 0)
    compiled = tf.function(lambda n, x, w: powers(n, x, w)[1])
    for trips in (1, 30, 2):
        for _ in range(2):
            check_gradient(lambda x, n=trips: compiled(tf.constant(n), x, tf.constant(0.1 * W)), A, order=order)


def test_more_trips_of_loops_within_loops_and_branches(monkeypatch):
    monkeypatch.setattr("fastgrad.trace.control.scan_gradient.ROOM", 0)

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
    monkeypatch.setattr("fastgrad.trace.control.branch_gradient.keeping", lambda *given: None)
    monkeypatch.setattr("fastgrad.trace.control.scan_gradient.keeping", lambda *given: None)
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
    assert "2 recorded ways, 1 programs" in compiled.report()


def test_loops_of_other_constants_are_others():
    def program(factor):
        return lambda x: tf.map_fn(lambda r: r * factor, x)

    loops = [next(n.payload for n in recorded(program(f), A).nodes if type(n.payload) is Loop) for f in (2.0, 3.0, 2.0)]
    assert loops[0] is loops[2]
    assert loops[0] is not loops[1]
