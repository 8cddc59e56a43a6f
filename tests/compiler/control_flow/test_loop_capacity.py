"""Loops with a condition, within loops and branches, get the room that they need: nothing is left to Python's guards."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.control_flow import branch_gradient, scan_gradient
from fastgrad._src.compiler.graph.graph import Kind
from fastgrad._src.compiler.recording.record import Recording
from fastgrad._src.core.recording import hide_from_recorders
from tests.gradients import check_gradient

A = np.array([0.3, 0.7])
SIZES = [(2, 1), (2, 1), (4, 1), (3, 30), (3, 30), (20, 2), (20, 2), (30, 3), (2, 1), (0, 0)]
"""Trips of the outer loop, and what those of the inner one are a multiple of."""


@pytest.fixture(autouse=True)
def little_room(monkeypatch):
    """Loops are made for 16 trips at first."""
    monkeypatch.setattr("fastgrad._src.compiler.control_flow.scan_gradient.FIRST_WHILE_LOOP_STACK_BYTES", 0)


@pytest.fixture
def made(monkeypatch):
    """How often the forward form of a loop or of branches was made."""
    count = []
    for module, name in ((scan_gradient, "loop_with_residuals"), (branch_gradient, "branches_with_residuals")):
        make = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *given, make=make: count.append(1) or make(*given))
    return count


def inner(trips, y):
    return tf.while_loop(lambda j, _: j < trips, lambda j, z: (j + 1, tf.sin(z) * 1.1), (0, y))[1]


def plain(n, m, x):
    return tf.while_loop(lambda i, _: i < n, lambda i, y: (i + 1, 0.9 * inner(m * i, y)), (0, x))[1]


def in_branch(n, m, x):
    def trip(i, y):
        return i + 1, 0.9 * tf.cond(y[0] > 5.0, lambda: y, lambda: inner(m * i, y))

    return tf.while_loop(lambda i, _: i < n, trip, (0, x))[1]


def in_branches_of_branches(n, m, x):
    def other(i, y):
        return tf.switch_case(i % 2, [lambda: inner(m * i, y), lambda: inner(i, y * y)])

    def trip(i, y):
        return i + 1, tf.cond(y[0] > 5.0, lambda: y, lambda: other(i, y))

    return tf.while_loop(lambda i, _: i < n, trip, (tf.constant(0), x))[1]


def three_deep(n, m, x):
    def middle(k, y):
        return tf.while_loop(lambda j, _: j < k, lambda j, z: (j + 1, 0.9 * inner(m * j, z)), (0, y))[1]

    return tf.while_loop(lambda i, _: i < n // 2, lambda i, y: (i + 1, middle(i, y)), (0, x))[1]


def in_rows(n, m, x):
    steps = tf.range(12) * m
    return tf.scan(lambda y, k: tf.cond(k < n, lambda: 0.9 * inner(k, y), lambda: y), steps, x)[-1]


def with_array(n, m, x):
    def filled(i, y):
        array = tf.TensorArray(tf.float64, 4, element_shape=[2])
        z, array = tf.while_loop(
            lambda j, *_: j < m * i, lambda j, z, a: (j + 1, tf.sin(z), a.write(j % 4, z)), (0, y, array)
        )[1:]
        return z + tf.reduce_sum(array.stack(), 0)

    return tf.while_loop(lambda i, _: i < n, lambda i, y: (i + 1, 0.1 * filled(i, y)), (0, x))[1]


def with_gradient(function):
    def program(n, m, x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(n, m, x)
        return y, tape.gradient(y, x, unconnected_gradients="zero")

    return program


def gradient_in_trip(n, m, x):
    return tf.while_loop(lambda i, _: i < n, lambda i, y: (i + 1, 0.9 * with_gradient(plain)(2, m * i, y)[1]), (0, x))[
        1
    ]


def recomputed(n, m, x):
    """Its inner loop runs once more, in the gradient."""

    def trip(i, y):
        return i + 1, 0.9 * tf.recompute_grad(lambda y: inner(m * i, y))(y)

    return tf.while_loop(lambda i, _: i < n, trip, (0, x))[1]


PROGRAMS = [plain, in_branch, in_branches_of_branches, three_deep, in_rows, with_array, gradient_in_trip]


@pytest.mark.parametrize("function", [*PROGRAMS, recomputed], ids=lambda f: f.__name__)
def test_any_number_of_trips_at_any_depth(function, made):
    program = with_gradient(function)
    compiled = tf.function(program)
    for n, m in SIZES:
        arguments = tf.constant(n), tf.constant(m), tf.constant(A)
        for found, wanted in zip(compiled(*arguments), program(*arguments), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-12)
    info = compiled.cache_info()
    assert info.programs == 1  # those with too little room are not kept
    assert info.recordings <= 6
    assert len(made) <= 70


@pytest.mark.parametrize("function", PROGRAMS, ids=lambda f: f.__name__)
def test_no_guard_takes_the_place_of_a_loop(function):
    """Also when it is recorded for the first time on values for which inner loops make more trips from trip to trip."""
    tensors = [tf.constant(20), tf.constant(3), tf.constant(A)]
    with hide_from_recorders(), Recording(tensors) as recorder:
        results = with_gradient(function)(*tensors)
    assert not any(node.kind is Kind.GUARD for node in recorder.graph(list(results)).nodes)


@pytest.mark.parametrize("function", [plain, in_branch], ids=lambda f: f.__name__)
@pytest.mark.parametrize("order", [1, 2])
def test_a_tape_outside_needs_no_other_recording(function, order):
    # The room that a loop needs is known in the whole process: without this, the first test of a process records once more.
    check_gradient(lambda x: tf.function(function)(tf.constant(3), tf.constant(12), x), A, order=order, rtol=1e-4)
    compiled = tf.function(function)
    for n, m in [(2, 1), (3, 12), (2, 1)]:
        for _ in range(2):
            check_gradient(lambda x, n=n, m=m: compiled(tf.constant(n), tf.constant(m), x), A, order=order, rtol=1e-4)
    assert compiled.cache_info().recordings == 1


@pytest.mark.parametrize("function", [plain, in_branch], ids=lambda f: f.__name__)
def test_loops_within_loops_for_each_row(function):
    def program(ns, x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.vectorized_map(lambda row: function(row[0], 7, row[1]), (ns, x))
        return y, tape.gradient(y, x)

    compiled = tf.function(program)
    x = np.stack([A, 2 * A, -A])
    for ns in ([2, 1, 0], [2, 1, 0], [4, 12, 3], [4, 12, 3], [1, 2, 1]):
        arguments = tf.constant(ns), tf.constant(x)
        for found, wanted in zip(compiled(*arguments), program(*arguments), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-12)
        rows = [with_gradient(function)(n, 7, tf.constant(row)) for n, row in zip(ns, x, strict=True)]
        for found, wanted in zip(program(*arguments), zip(*rows, strict=True), strict=True):
            np.testing.assert_allclose(found, np.stack(wanted), rtol=1e-12)
