"""A program gives what its graph gives run operation by operation, replay after replay, state and effects included."""

import gc
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrad as tf
from fastgrad._src.compiler.graph.graph import Kind
from fastgrad._src.compiler.graph.interpret import GuardError, interpret
from fastgrad._src.compiler.programs.pipeline import optimize_for_host
from fastgrad._src.compiler.programs.program import Program
from fastgrad._src.core.operation import TABLE
from fastgrad.errors import InvalidArgumentError
from tests.compiler.passes.programs import bits, names, state_kept
from tests.compiler.recorded import record, step_and_state, with_gradient
from tests.ops.samples import SAMPLES

X = np.linspace(-1.5, 2.0, 12).reshape(3, 4)


def assert_close(found, wanted):
    assert len(found) == len(wanted)
    for result, expected in zip(found, wanted, strict=True):
        assert (result.shape, result.dtype) == (expected.shape, expected.dtype)
        rtol, atol = (2e-6, 1e-6) if expected.dtype == np.float32 else (1e-12, 1e-13)
        np.testing.assert_allclose(result, expected, rtol=rtol, atol=atol)


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_of_the_table(name):
    arrays = [np.asarray(a, np.float64) for a in SAMPLES[name].arrays]
    graph, there = record(with_gradient(SAMPLES[name].function), *arrays)
    program = Program(graph)
    first = program(arrays)
    assert_close(first, there)
    kept = bits(first)
    again = program(arrays)
    assert bits(again) == kept
    other = [np.asarray(a * (1 + 1e-3)) for a in arrays]
    assert_close(program(other), interpret(graph, other))
    assert bits(first) == kept  # no later replay wrote to it


def test_what_only_a_composite_needed_is_dropped():
    """The gradient of a dense layer takes its result, but not each of the operations that it becomes a part of."""

    def gradients(x, w, b):
        with tf.GradientTape() as tape:
            tape.watch([w, b])
            y = tf.reduce_sum(tf.matmul(x, w) + b)
        return tape.gradient(y, [w, b])

    layer = tf.keras.layers.Dense(1)
    layer.build((None, 2))

    def gradients_of_layer(x):
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(layer(x))
        return tape.gradient(y, layer.weights)

    x = np.ones((3, 2), np.float32)
    for function, arrays in (
        (gradients, [x, np.ones((2, 4), np.float32), np.ones(4, np.float32)]),
        (gradients_of_layer, [x]),
    ):
        nodes = optimize_for_host(record(function, *arrays)[0]).nodes
        assert len([node for node in nodes if node.payload is TABLE["matmul"]]) == 1
        assert [node for node in nodes if node.kind is Kind.FUSED and not node.outputs] == []


UNARY = [
    tf.tanh,
    tf.abs,
    tf.negative,
    tf.square,
    tf.sign,
    tf.sigmoid,
    tf.nn.relu,
    lambda x: tf.exp(-tf.abs(x)),
    tf.nn.gelu,
]
BINARY = [tf.add, tf.subtract, tf.multiply, tf.maximum, tf.minimum, lambda x, y: tf.where(x > y, x * 0.5, y - 1.0)]
SHAPES = [(), (4,), (3, 1), (3, 4), (1, 4), (2, 3, 4), (2, 1, 1), (2, 1, 4)]


@st.composite
def programs(draw):
    """Shapes of arguments, and instructions: a number for the operation and which earlier values it takes."""
    shapes = draw(st.lists(st.sampled_from(SHAPES), min_size=2, max_size=4))
    steps = draw(st.lists(st.tuples(*[st.integers(0, 99)] * 4), min_size=3, max_size=14))
    return shapes, steps, draw(st.sampled_from([np.float32, np.float64])), draw(st.booleans())


@settings(max_examples=40, deadline=None)
@given(programs())
def test_programs_by_chance(case):
    shapes, steps, dtype, gradient = case

    def forward(*inputs):
        values = list(inputs)
        for kind, which, first, second in steps:
            x, y = values[first % len(values)], values[second % len(values)]
            if kind % 10 == 9:
                values.append(
                    tf.reduce_mean(x * y, axis=None if kind % 20 == 9 else -1, keepdims=True) if x.shape.rank else x
                )
            elif kind % 2:
                values.append(UNARY[which % len(UNARY)](x))
            else:
                values.append(BINARY[which % len(BINARY)](x, y))
        return values[-1], values[len(values) // 2]

    def program(*inputs):
        if not gradient:
            return forward(*inputs)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            results = forward(*inputs)
            total = tf.add_n([tf.reduce_sum(tf.tanh(y)) for y in results])
        return [*results, *tape.gradient(total, inputs, unconnected_gradients="zero")]

    rng = np.random.default_rng(0)
    replays = [[rng.normal(size=shape).astype(dtype) for shape in shapes] for _ in range(3)]
    replays.append(
        [rng.choice(np.array([np.nan, np.inf, -np.inf, 0, -0.0, 1, -2], dtype), size=shape) for shape in shapes]
    )
    graph, _ = record(program, *replays[0])
    compiled = Program(graph)
    for arrays in replays:
        for found, wanted in zip(compiled(arrays), interpret(graph, arrays), strict=True):
            assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
            size = max(1.0, float(np.abs(wanted[np.isfinite(wanted)]).max(initial=0)))
            rtol = 1e-5 if dtype is np.float32 else 1e-12
            np.testing.assert_allclose(found, wanted, rtol=rtol, atol=rtol * size)


def test_a_training_step_and_its_state():
    rng = np.random.default_rng(0)
    batches = [(rng.normal(size=(6, 4)).astype(np.float32), rng.integers(0, 3, 6)) for _ in range(8)]
    step, state = step_and_state(1)
    losses = [step(*map(tf.constant, batch)).numpy() for batch in batches]
    expected = state()
    step, state = step_and_state(1)
    step(*map(tf.constant, batches[0]))
    graph, there = record(step, *batches[1])
    program = Program(graph)
    assert ".copy()" not in program.source.split("return")[0]  # weights are read where they are
    replayed = [program(batch)[0] for batch in batches[2:]]
    assert_close([np.array([*there, *replayed])], [np.array(losses[1:])])
    assert_close(state(), expected)


def test_a_training_step_written_by_hand():
    rng = np.random.default_rng(0)
    batches = [
        (rng.normal(size=(6, 4)).astype(np.float32), rng.normal(size=(6, 3)).astype(np.float32)) for _ in range(6)
    ]
    start = [rng.normal(size=size).astype(np.float32) for size in [(4, 5), (5,), (5, 3)]]

    def step_of():
        w, b, v = variables = [tf.Variable(value) for value in start]

        def step(x, y):
            with tf.GradientTape() as tape:
                hidden = tf.nn.relu(tf.tanh(x @ w + b) * 1.5 - 0.1)
                loss = tf.reduce_mean(tf.square(hidden @ v - y) + 0.1 * tf.abs(hidden @ v))
            for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
                variable.assign_sub(0.1 * gradient)
            return loss, hidden

        return step, variables

    step, variables = step_of()
    wanted = [[y.numpy() for y in step(*map(tf.constant, batch))] for batch in batches]
    expected = [v.numpy() for v in variables]
    step, variables = step_of()
    graph, there = record(step, *batches[0])
    program = Program(graph)
    assert names(program.graph).count("FUSED") >= 3
    found = [there, *[program(batch) for batch in batches[1:]]]
    for got, right in zip(found, wanted, strict=True):
        assert_close(got, right)
    assert_close([v.numpy() for v in variables], expected)


def test_reads_see_the_writes_before_them_and_no_others():
    v = tf.Variable([1.0, 2.0])

    def program(x):
        view = tf.reshape(v, (2, 1))
        before = v * x + 1.0
        v.assign_add(x)
        between = v * 2.0 - x
        v.assign(between + x)
        return view, before, between, v.value(), tf.reverse(view, [0])

    x = np.array([10.0, 20.0], np.float32)
    graph, _ = record(program, x)
    compiled = Program(graph)
    v.assign([1.0, 2.0])
    with state_kept([v]):
        wanted = [(bits(interpret(graph, [x * k])), v.numpy().tolist()) for k in (1, 2, 3)]
    assert [(bits(compiled([x * k])), v.numpy().tolist()) for k in (1, 2, 3)] == wanted


def test_an_operation_that_gives_what_it_got_keeps_the_value_of_then():
    v = tf.Variable([1, 2, 3])

    def program(x):
        same = tf.round(v)  # of integers: the array itself
        v.assign_add(x)
        return same + 0 * x, v * 1

    graph, _ = record(program, np.array([10, 10, 10], np.int32))
    compiled = Program(graph)
    v.assign([1, 2, 3])
    for start in ([1, 2, 3], [11, 12, 13]):
        same, now = compiled([np.array([10, 10, 10], np.int32)])
        np.testing.assert_array_equal(same, start)
        np.testing.assert_array_equal(now, np.add(start, 10))


def test_results_are_the_callers_own():
    v = tf.Variable(X)
    graph, _ = record(
        lambda x: (x, v.value(), tf.constant(2.0), tf.transpose(x * v + 1.0), x * v - 1.0, x * v - 1.0), X
    )
    program = Program(graph)
    x = X.copy()
    first = program([x])
    kept = bits(first)
    for result in first:
        result += 1
    second = program([x])
    assert bits(second) == kept
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(v, X)
    for i, result in enumerate(second):
        assert not any(np.shares_memory(result, other) for other in [*second[:i], x, v._array, *first])


def test_a_view_of_a_buffer_keeps_it():
    def program(x):
        a = x * 2.0 + 1.0
        b = tf.transpose(tf.reshape(a, (4, 3)))  # all that looks into the memory of a from here on
        total = tf.reduce_sum(b)
        for _ in range(3):
            total = tf.reduce_sum(x * 5.0 - total)
        return tf.matmul(b, b, transpose_b=True) + total

    graph, there = record(program, X)
    assert_close(Program(graph)([X]), there)


def test_buffers_are_shared_by_values_that_are_not_needed_together():
    def program(x):
        for _ in range(20):
            x = tf.matmul(tf.tanh(x * 2.0 + 1.0), x)
        return x

    x = np.random.default_rng(0).normal(size=(8, 8)) / 8
    graph, there = record(program, x)
    program = Program(graph)
    assert_close(program([x]), there)
    assert program.arena_bytes == 3 * x.nbytes


@pytest.mark.parametrize("shape", [(), (1,), (1, 1), (0,), (0, 3), (1, 5), (5, 1)])
def test_sizes_at_the_edge(shape):
    def program(x, row):
        y = tf.exp(x * 0.5 - 1.0)
        return y, y + row, tf.where(x > 0.0, y, x) * 2.0, [], tf.reduce_sum(y * x)

    arrays = [np.asarray(np.random.default_rng(0).normal(size=shape)), np.full(shape[-1:], 2.0)]
    graph, there = record(program, *arrays)
    compiled = Program(graph)
    assert_close(compiled(arrays), there)
    other = [np.asarray(-a) for a in arrays]
    assert_close(compiled(other), interpret(graph, other))


def test_operations_of_no_and_of_one_result():
    def program(x):
        (whole,) = tf.split(x * 2.0 + 1.0, 1)
        return whole - x, tf.unstack(x, axis=0)

    graph, there = record(program, X)
    assert_close(Program(graph)([X]), there)


def test_arguments_in_any_layout():
    graph, there = record(lambda x, y: tf.exp(x - 1.0) * y, X, X)
    program = Program(graph)
    read_only = X.copy()
    read_only.flags.writeable = False
    for x in (np.asfortranarray(X), np.repeat(X, 2, axis=1)[:, ::2], X[::-1].copy()[::-1], read_only):
        assert_close(program([x, X]), there)
        assert_close(program([x, x]), there)


def test_an_array_of_another_shape_is_refused():
    program = Program(record(lambda x: tf.exp(x - 1.0), X)[0])
    with pytest.raises(
        InvalidArgumentError, match=r"got float64\[4\] for argument 0; it was recorded with float64\[3, 4\]"
    ):
        program([X[0]])
    with pytest.raises(InvalidArgumentError, match="float64"):
        program([X.astype(np.float32)])


def test_guards_leave_before_the_state_changes():
    v = tf.Variable(0.0)

    def program(x):
        if tf.reduce_sum(x) > 1.0:
            v.assign_add(1.0)
            return x * 2.0 - 1.0
        return x

    compiled = Program(record(program, np.array([1.0, 2.0], np.float32))[0])
    np.testing.assert_array_equal(compiled([np.array([5.0, 5.0], np.float32)])[0], [9.0, 9.0])
    with pytest.raises(GuardError, match="bool is True"):
        compiled([np.array([0.0, 0.0], np.float32)])
    assert float(v) == 2.0


def test_draws_go_on_from_where_the_generator_is():
    generator = tf.random.Generator.from_seed(3)
    graph, first = record(lambda x: generator.normal([4]) * x + x, np.float32(2))
    again = tf.random.Generator.from_seed(3)
    program = Program(graph)
    np.testing.assert_allclose(first[0], again.normal([4]) * 2 + 2, rtol=1e-6)
    for _ in range(2):
        np.testing.assert_allclose(program([np.array(2, np.float32)])[0], again.normal([4]) * 2 + 2, rtol=1e-6)


def test_checks_raise_in_a_replay():
    program = Program(record(lambda x: tf.debugging.check_numerics(x * 2.0 - 1.0, "here") * 3.0 + 1.0, X)[0])
    program([X])
    with pytest.raises(InvalidArgumentError, match="here"):
        program([X * np.inf])
    program([X])


@pytest.mark.parametrize("in_a_loop", [False, True])
def test_checks_raise_for_each_place(in_a_loop):
    """A kernel answers the place of what it refuses, which the driver once took for an answer of its own: calls never ended."""

    def check(x):
        tf.debugging.assert_less(x, tf.constant(9.0, tf.float64))
        return x + 1.0

    def checks(x):
        return tf.while_loop(lambda i, x: i < 2, lambda i, x: (i + 1, check(x)), (0, x))[1] if in_a_loop else check(x)

    program = Program(record(checks, np.zeros(40))[0])
    for place in range(40):
        with pytest.raises(InvalidArgumentError, match="assert_less"):
            program([np.where(np.arange(40) == place, 10.0, 0.0)])


def test_a_chain_and_its_gradient_have_few_steps():
    def chain(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.tanh(tf.maximum(x * 2.0 + 1.0, -0.5)) * x
            y = tf.where(y > 0.0, tf.exp(-y), y * y)
            loss = tf.reduce_mean(y)
        return loss, tape.gradient(loss, x)

    graph, there = record(chain, X)
    program = Program(graph)
    assert_close(program([X]), there)
    assert sum(node.kind is Kind.OPERATION for node in graph.nodes) > 20
    assert [name for name in names(program.graph) if name not in {"ARGUMENT", "CONSTANT"}] == ["FUSED"]


def test_threads_do_not_share_buffers():
    graph, _ = record(lambda x: tf.matmul(tf.tanh(x * 2.0 + 1.0), x) - tf.exp(x - 1.0), np.ones((40, 40)))
    program = Program(graph)
    arrays = [np.random.default_rng(i).normal(size=(40, 40)) for i in range(4)]
    wanted = [bits(program([a])) for a in arrays]
    failed = []

    def work(i):
        failed.extend(i for _ in range(200) if bits(program([arrays[i]])) != wanted[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


def test_a_program_ends_with_its_last_reference():
    graph, _ = record(lambda x: tf.exp(x - 1.0) + 2.0, X)
    Program(graph)([X])  # which may import something, and fill caches
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(20):
        Program(graph)([X])
    gc.collect()
    assert len(gc.get_objects()) - before < 100


def test_calls_that_overlapped_leave_bounded_working_memory(monkeypatch):
    monkeypatch.setattr("fastgrad._src.compiler.programs.program.MOST_IDLE_BYTES", 1)
    barrier = threading.Barrier(3)

    def wait(x):
        if threading.current_thread() is not threading.main_thread():
            barrier.wait(60)
        return x

    graph, _ = record(lambda x: tf.py_function(wait, [x * 2.0], tf.float64) + 1.0, X)
    program = Program(graph)
    assert program.arena_bytes > 0
    threads = [threading.Thread(target=program, args=([X],)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(program._idle) == 1
    assert_close(program([X]), [X * 2.0 + 1.0])
