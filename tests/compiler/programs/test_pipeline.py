"""All passes together: the same results, bit by bit, and the same state as without them, for any program."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fastgrad as tf
from fastgrad._src.compiler.programs.pipeline import HOST_PASSES, SIMPLIFY, apply_passes, simplify_graph
from tests.compiler.passes.programs import assert_does_the_same, operations, record
from tests.compiler.programs.drawn_programs import CHOICES, SPECIAL, Program, calls_per_node, gradients_of
from tests.compiler.recorded import step_and_state, with_gradient
from tests.ops.samples import SAMPLES


def checked(graph):
    return simplify_graph(graph, check=True)


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_of_the_table(name):
    sample = SAMPLES[name]
    rng = np.random.default_rng(0)
    first = [np.asarray(a, np.float64) for a in sample.arrays]
    replays = [[a * (1 + 1e-3 * rng.uniform(0.5, 1, a.shape)) for a in first] for _ in range(2)]
    assert_does_the_same(checked, record(with_gradient(sample.function), *first), [first, *replays])


def test_a_training_step():
    step, _ = step_and_state(1)
    rng = np.random.default_rng(0)
    batches = [(rng.normal(size=(6, 4)).astype(np.float32), rng.integers(0, 3, 6)) for _ in range(4)]
    step(*map(tf.constant, batches[0]))  # makes the slots
    graph = record(step, *batches[1])
    better = assert_does_the_same(checked, graph, batches, list(graph.variables()))
    assert len(better.nodes) < len(graph.nodes)


def test_second_order():
    def program(x, w):
        with tf.GradientTape() as outer:
            outer.watch(w)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = tf.reduce_sum(tf.tanh(tf.matmul(x, w)) ** 2)
            penalty = tf.reduce_sum((tf.norm(inner.gradient(y, x), axis=1) - 1.0) ** 2)
        return outer.gradient(penalty, w)

    rng = np.random.default_rng(0)
    arrays = [(rng.normal(size=(5, 3)), rng.normal(size=(3, 2))) for _ in range(3)]
    graph = record(program, *arrays[0])
    better = assert_does_the_same(checked, graph, arrays)
    assert len(operations(better)) < 0.95 * len(operations(graph))


def test_each_pass_of_a_training_step_makes_a_valid_graph_that_can_be_printed():
    step, _ = step_and_state(1)
    rng = np.random.default_rng(0)
    batch = rng.normal(size=(6, 4)).astype(np.float32), rng.integers(0, 3, 6)
    for _ in range(2):
        step(*map(tf.constant, batch))
    shown = []
    graph = record(step, *batch)
    after = apply_passes(graph, HOST_PASSES, check=True, show=lambda name, graph: shown.append((name, str(graph))))
    assert [name for name, _ in shown] == [one.__name__ for one in HOST_PASSES]
    assert shown[-1][1] == str(after)
    assert "fused" in shown[-1][1]


# ---- programs by chance ----------------------------------------------------------------------------


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CHOICES, st.integers(0, 10), st.booleans())
def test_programs_by_chance(choices, seed, with_gradients):
    program = Program(choices, seed)
    rng = np.random.default_rng(seed)
    replays = [[rng.choice(SPECIAL, shape) for shape in ((2, 3), (3, 3), (3,), (2, 3, 4))] for _ in range(4)]
    function = gradients_of(program) if with_gradients else program
    graph = record(function, *replays[0])
    assert_does_the_same(checked, graph, replays, program.variables, [program.generator])


# ---- costs -------------------------------------------------------------------------------------------


def chain(n):
    """About ``n`` nodes, each a candidate for some rule."""

    def program(x):
        two = tf.constant(2.0)
        for i in range(n // 20):
            x = tf.reshape(tf.reshape(tf.negative(tf.negative(x)), [3, 2]), [2, 3]) * 1.0
            x = tf.transpose(tf.transpose(x)) + two * float(i)
            x = tf.reverse(tf.reverse(x, [0]), [1]) + tf.exp(x) * tf.exp(x)
            two = two + 1.0
        return x

    return record(program, np.zeros((2, 3)).astype(np.float32))


@pytest.mark.parametrize("transform", [*SIMPLIFY[:4], simplify_graph], ids=lambda f: f.__name__)
def test_the_time_is_linear_in_the_number_of_nodes(transform):
    short, long = chain(1000), chain(20000)
    assert len(long.nodes) >= 17000
    costs = calls_per_node(transform, short), calls_per_node(transform, long)
    assert costs[1] <= 1.05 * costs[0]
    assert costs[1] <= (150 if transform is simplify_graph else 50)
