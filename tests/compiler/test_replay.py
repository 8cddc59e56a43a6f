"""A recorded program, replayed on other values, gives what the program itself gives on them."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.graph.graph import Kind
from fastgrad._src.compiler.graph.interpret import GuardError, interpret
from fastgrad._src.compiler.recording.record import TraceError
from tests.compiler.recorded import record, step_and_state, with_gradient
from tests.ops.samples import SAMPLES


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_of_the_table_on_other_values(name):
    sample = SAMPLES[name]
    rng = np.random.default_rng(0)
    first = [np.asarray(a, np.float64) for a in sample.arrays]
    # Near enough to stay in the domain and on the same side of each kink.
    other = [a * (1 + 1e-3 * rng.uniform(0.5, 1, a.shape)) for a in first]
    program = with_gradient(sample.function)
    graph, there = record(program, *first)
    for result, expected in zip(interpret(graph, first), there, strict=True):
        np.testing.assert_array_equal(result, expected)
    _, expected = record(program, *other)
    for result, wanted in zip(interpret(graph, other), expected, strict=True):
        np.testing.assert_allclose(result, wanted, rtol=1e-12, atol=1e-14)


def test_a_training_step_replays_with_its_state():
    rng = np.random.default_rng(0)
    batches = [(rng.normal(size=(6, 4)).astype(np.float32), rng.integers(0, 3, 6)) for _ in range(5)]
    step, state = step_and_state(1)
    losses = [step(*map(tf.constant, batch)).numpy() for batch in batches]
    expected = state()
    step, state = step_and_state(1)
    step(*map(tf.constant, batches[0]))  # makes the slots
    graph, there = record(step, *batches[1])
    replayed = [interpret(graph, batch)[0] for batch in batches[2:]]
    np.testing.assert_array_equal(losses[1:], [*there, *replayed])
    for found, wanted in zip(state(), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_reads_see_the_writes_before_them():
    v = tf.Variable([1.0, 2.0])

    def program(x):
        before = tf.reshape(v, (2, 1))
        v.assign_add(x)
        between = v * 2.0
        v.assign(between + x)
        return before, between, v.value()

    graph, _ = record(program, np.array([10.0, 20.0], np.float32))
    v.assign([1.0, 2.0])
    found = interpret(graph, [np.array([1.0, 1.0], np.float32)])
    np.testing.assert_array_equal(found[0], [[1.0], [2.0]])
    np.testing.assert_array_equal(found[1], [4.0, 6.0])
    np.testing.assert_array_equal(found[2], [5.0, 7.0])
    np.testing.assert_array_equal(v, [5.0, 7.0])
    found[2][:] = 0
    np.testing.assert_array_equal(v, [5.0, 7.0])


def test_draws_go_on_from_where_the_generator_is():
    generator = tf.random.Generator.from_seed(3)
    graph, first = record(lambda x: generator.normal([4]) + x, np.float32(0))
    again = tf.random.Generator.from_seed(3)
    np.testing.assert_array_equal(first[0], again.normal([4]))
    np.testing.assert_array_equal(interpret(graph, [np.float32(0).reshape(())])[0], again.normal([4]))


def test_a_value_that_decides_is_a_guard():
    v = tf.Variable(0.0)

    def program(x):
        if tf.reduce_sum(x) > 1.0:
            v.assign_add(1.0)
            return x * 2.0
        return x

    graph, _ = record(program, np.array([1.0, 2.0], np.float32))
    kinds = [node.kind for node in graph.nodes]
    assert kinds.count(Kind.GUARD) == 1
    assert kinds.index(Kind.GUARD) < kinds.index(Kind.ASSIGN)
    np.testing.assert_array_equal(interpret(graph, [np.array([5.0, 5.0], np.float32)])[0], [10.0, 10.0])
    with pytest.raises(GuardError, match="bool is True"):
        interpret(graph, [np.array([0.0, 0.0], np.float32)])
    assert float(v) == 2.0


def test_an_integer_that_counts_is_a_guard():
    def program(n, x):
        for _ in range(int(n)):
            x = x * 2.0
        return x

    graph, _ = record(program, np.int32(3), np.float32(1))
    assert interpret(graph, [np.array(3, np.int32), np.array(2, np.float32)])[0] == 16.0
    with pytest.raises(GuardError, match="int is 3"):
        interpret(graph, [np.array(4, np.int32), np.array(2, np.float32)])


def test_what_the_recorder_can_not_see_is_an_error():
    v = tf.Variable([1.0, 2.0])
    programs = {
        r"asks a tensor for a Python float.*Keep it a tensor, as tf.cast\(x, tf.float32\) is one;": lambda x: (
            tf.constant(float(tf.reduce_sum(x)))
        ),
        "asks a tensor for a formatted text": lambda x: tf.constant(float(f"{tf.reduce_sum(x):.2f}")),
        "in a way that can't be replayed": lambda x: v._memory_for_write().fill(3.0) or v.value() + x,
        "in a way that tf.function can't record": lambda x: tf.Tensor(x._array * 2) + 1.0,
    }
    for text, program in programs.items():
        with pytest.raises(TraceError, match=text):
            record(program, np.array([1.0, 2.0], np.float32))


def test_a_graph_prints():
    graph, _ = record(lambda x: tf.tanh(x) + 1.0, np.ones(2, np.float32))
    assert str(graph).splitlines()[-1].startswith("return %")
    assert "%1: float32[2] = tanh(%0)" in str(graph)


@pytest.mark.parametrize(
    ("read", "first", "second"),
    [
        (lambda a: tf.range(0.0, a, 0.5), 2.0, 3.0),
        (lambda a: tf.nn.leaky_relu([-1.0], a), 0.25, 0.5),
        (tf.sequence_mask, [1, 3], [1, 2]),
        (lambda a: tf.linalg.lstsq([[1.0], [2.0]], [[3.0], [4.0]], l2_regularizer=a), 0.5, 1.0),
        (lambda a: tf.RaggedTensor.from_row_splits([1, 2, 3], a).to_tensor(), [0, 1, 3], [0, 2, 3]),
        (lambda a: tf.get_static_value(a) * tf.ones([2]), 3.0, 4.0),
    ],
)
def test_what_an_operation_asks_of_an_argument_is_a_guard(read, first, second):
    step = tf.function(read)
    for value in (first, first, second, first, second):
        np.testing.assert_allclose(step(tf.constant(value)), read(tf.constant(value)), rtol=1e-6)
    assert step.experimental_get_tracing_count() <= 2, "a trace for each value"


def test_the_module_that_reads_a_number_makes_no_difference():
    """A user's module with a name like the package's is a user's."""
    scope = {"__name__": "fastgrad.of_a_user", "np": np}
    exec("def number(x): return float(x)\ndef array(x): return np.asarray(x)", scope)
    for read in (scope["number"], scope["array"], float, np.asarray, lambda x: x.numpy()):
        with pytest.raises(TraceError, match="this line asks a tensor for"):
            tf.function(lambda x, read=read: x * read(x))(tf.constant(2.0))
