"""A recorded graph, called as one operation, has the values and the gradients of the program that was recorded."""

import gc
import weakref

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.control_flow.graph_operation import GraphOperation, StatefulCall
from fastgrad._src.compiler.control_flow.subgraph_operation import MOST_VARIANTS_PER_OPERATION
from fastgrad._src.compiler.graph.graph import validate
from fastgrad._src.compiler.graph.interpret import GuardError
from fastgrad._src.compiler.recording.record import Recording, TraceError
from fastgrad._src.core.recording import hide_from_recorders
from tests.gradients import check_gradient
from tests.ops.samples import SAMPLES

RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(3, 4)), RNG.normal(size=(4, 2))


def call_of(function, *arrays):
    """``function`` recorded on these arrays, as one operation."""
    tensors = [tf.constant(array) for array in arrays]
    with hide_from_recorders(), Recording(tensors) as recorder:
        results = [tf.convert_to_tensor(y) for y in tf.nest.flatten(function(*tensors)) if y is not None]
    call = StatefulCall(recorder.graph(results), len(tensors), "call")
    validate(call.operation.graph)
    return call


def several(x, y):
    h = tf.tanh(x @ y)
    return tf.nn.softmax(h * tf.exp(h))[:, 0], tf.reduce_sum(tf.transpose(h) @ tf.sin(x))


def test_values_on_other_arrays():
    call = call_of(several, A, B)
    for found, wanted in zip(call(tf.constant(2 * A), tf.constant(B)), several(tf.constant(2 * A), B), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-13)


@pytest.mark.parametrize("order", [1, 2])
def test_gradients(order):
    check_gradient(call_of(several, A, B), A, B, order=order, rtol=1e-5)


def test_third_derivative():
    call = call_of(lambda x: tf.sin(x) * x, np.float64(0.7))
    x = tf.constant(1.3, tf.float64)
    with tf.GradientTape() as first:
        first.watch(x)
        with tf.GradientTape() as second:
            second.watch(x)
            with tf.GradientTape() as third:
                third.watch(x)
                (y,) = call(x)
            y1 = third.gradient(y, x)
        y2 = second.gradient(y1, x)
    np.testing.assert_allclose(first.gradient(y2, x), -3 * np.sin(1.3) - 1.3 * np.cos(1.3), rtol=1e-12)


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_of_the_table(name):
    sample = SAMPLES[name]
    arrays = [np.asarray(a, np.float64) for a in sample.arrays]
    call = call_of(sample.function, *arrays)

    def gradients(function):
        tensors = [tf.constant(a) for a in arrays]
        with tf.GradientTape() as outer:
            outer.watch(tensors)
            with tf.GradientTape() as tape:
                tape.watch(tensors)
                results = [tf.convert_to_tensor(y) for y in tf.nest.flatten(function(*tensors)) if y is not None]
                total = tf.add_n([tf.reduce_sum(tf.sin(y)) for y in results if y.dtype.is_floating])
            first = tape.gradient(total, tensors)
            norm = tf.add_n([tf.reduce_sum(g * g) for g in map(tf.convert_to_tensor, first)])
        return results, first, outer.gradient(norm, tensors)

    for found, wanted in zip(gradients(call), gradients(sample.function), strict=True):
        for one, other in zip(found, wanted, strict=True):
            assert (one is None) == (other is None)
            if one is not None:
                one, other = tf.convert_to_tensor(one), tf.convert_to_tensor(other)
                assert one.dtype == other.dtype
                np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_two_calls_under_one_tape_keep_their_own_residuals():
    call = call_of(lambda x: tf.exp(tf.sin(x)), A)
    x, y = tf.constant(A), tf.constant(A + 1)
    with tf.GradientTape() as tape:
        tape.watch([x, y])
        z = call(x)[0] + call(y)[0]
    for gradient, array in zip(tape.gradient(z, [x, y]), (A, A + 1), strict=True):
        np.testing.assert_allclose(gradient, np.cos(array) * np.exp(np.sin(array)), rtol=1e-12)


def test_a_call_is_one_entry():
    call = call_of(several, A, B)
    x = tf.constant(A)
    with tf.GradientTape() as tape:
        tape.watch(x)
        call(x, tf.constant(B))
    assert len(tape._entries) == 1


def test_the_same_tensor_twice():
    call = call_of(lambda x, y: x * tf.exp(y), A, A)
    x = tf.constant(A)
    with tf.GradientTape() as tape:
        tape.watch(x)
        (z,) = call(x, x)
    np.testing.assert_allclose(tape.gradient(z, x), np.exp(A) * (1 + A), rtol=1e-12)


def test_results_that_are_arguments_constants_or_equal():
    c = tf.constant([1.0, 2.0], tf.float64)

    def program(x, y):
        z = x * y
        return x, z, z, c

    call = call_of(program, np.ones(2), np.ones(2))
    x, y = tf.constant([3.0, 4.0], tf.float64), tf.constant([5.0, 6.0], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch([x, y])
        results = call(x, y)
        total = tf.add_n(results)
    for found, wanted in zip(results, ([3, 4], [15, 24], [15, 24], [1, 2]), strict=True):
        np.testing.assert_array_equal(found, wanted)
    gradients = tape.gradient(total, [x, y])
    np.testing.assert_array_equal(gradients[0], [11, 13])
    np.testing.assert_array_equal(gradients[1], [6, 8])


def test_integers_and_what_has_no_gradient():
    call = call_of(lambda x, n: (tf.cast(x, tf.int32) + n, tf.floor(x), x * tf.cast(n, x.dtype)), A, np.int32(2))
    x, n = tf.constant(A), tf.constant(3)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        whole, floor, product = call(x, n)
    assert tape.gradient(whole, x) is None
    assert tape.gradient(floor, x) is None
    assert tape.gradient(product, n) is None
    np.testing.assert_array_equal(tape.gradient(product, x), np.full_like(A, 3))


def test_gradients_reach_variables_that_are_read():
    v, frozen = tf.Variable(A), tf.Variable(A, trainable=False)
    call = call_of(lambda x: tf.reduce_sum(v * frozen * tf.exp(x)), A)
    v.assign(2 * A)
    x = tf.constant(B.sum() * A)
    with tf.GradientTape() as tape:
        tape.watch(x)
        (y,) = call(x)
    assert [w is v for w in tape.watched_variables()] == [True]
    gradients = tape.gradient(y, [v, frozen, x])
    np.testing.assert_allclose(gradients[0], A * np.exp(x), rtol=1e-12)
    assert gradients[1] is None
    np.testing.assert_allclose(gradients[2], 2 * A * A * np.exp(x), rtol=1e-12)


def test_assignments_happen_once_and_gradients_do_not_flow_through_them():
    v = tf.Variable([1.0, 2.0], dtype=tf.float64)

    def program(x):
        before = v * x
        v.assign(v * x)
        v.assign_add(x)
        return before, v * x

    call = call_of(program, np.ones(2))
    v.assign([1.0, 2.0])

    def gradients(function):
        v.assign([1.0, 2.0])
        x = tf.constant([3.0, 4.0], tf.float64)
        with tf.GradientTape() as tape:
            tape.watch(x)
            before, after = function(x)
        return [before, after, *tape.gradient([before, after], [x, v]), v.numpy()]

    for found, wanted in zip(gradients(call), gradients(program), strict=True):
        np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(v, [6.0, 12.0])


def test_rows_stay_rows():
    table = tf.Variable(A)
    call = call_of(lambda ids: tf.gather(table, ids), np.array([0, 2]))
    with tf.GradientTape() as tape:
        (rows,) = call(tf.constant([1, 1], tf.int64))
    gradient = tape.gradient(rows, table)
    assert isinstance(gradient, tf.IndexedSlices)
    np.testing.assert_array_equal(tf.convert_to_tensor(gradient), [[0] * 4, [2] * 4, [0] * 4])


def test_draws_go_on_and_gradients_see_the_same_draw():
    generator = tf.random.Generator.from_seed(3)
    call = call_of(lambda x: tf.exp(x) * generator.normal([4], dtype=tf.float64), np.zeros(4))
    again = tf.random.Generator.from_seed(3)
    again.normal([4], dtype=tf.float64)
    x = tf.constant(np.arange(4.0))
    for _ in range(2):
        with tf.GradientTape() as tape:
            tape.watch(x)
            (y,) = call(x)
        wanted = np.exp(np.arange(4.0)) * again.normal([4], dtype=tf.float64).numpy()
        np.testing.assert_allclose(y, wanted, rtol=1e-14)
        np.testing.assert_allclose(tape.gradient(y, x), wanted, rtol=1e-14)


def test_dropout_has_one_mask():
    tf.random.set_seed(1)
    call = call_of(lambda x: tf.nn.dropout(tf.exp(x), 0.5), np.zeros(100))
    x = tf.constant(np.zeros(100))
    with tf.GradientTape() as tape:
        tape.watch(x)
        (y,) = call(x)
    np.testing.assert_array_equal(tape.gradient(y, x), y)
    assert 20 < np.count_nonzero(y) < 80
    assert np.any(call(x)[0].numpy() != y.numpy())


def test_a_guard_that_fails_changes_nothing():
    v = tf.Variable(0.0)

    def program(x):
        v.assign_add(1.0)
        return x * 2.0 if tf.reduce_sum(x) > 0.0 else x

    call = call_of(program, np.ones(2, np.float32))
    v.assign(5.0)
    x = tf.constant([-1.0, -1.0])
    with pytest.raises(GuardError):
        call(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        with pytest.raises(GuardError):
            call(x)
    assert float(v) == 5.0
    np.testing.assert_array_equal(call(-x)[0], [2.0, 2.0])
    assert float(v) == 6.0


def test_checks_raise_though_nobody_reads_them():
    def program(x):
        tf.debugging.check_numerics(x, "here")
        return x * 2.0

    call = call_of(program, np.ones(2))
    outer = call_of(lambda x: call(x)[0] + 1.0, np.ones(2))
    for one in (call, outer):
        with pytest.raises(tf.errors.InvalidArgumentError, match="here"):
            one(tf.constant([np.nan, 1.0], tf.float64))


def test_operations_of_graphs_within_graphs():
    inner = call_of(lambda x: tf.exp(tf.sin(x)), A)
    outer = call_of(lambda x: inner(x)[0] * inner(x * 2.0)[0], A)
    assert sum(type(node.payload) is GraphOperation for node in outer.operation.graph.nodes) == 2
    for order in (1, 2):
        check_gradient(outer, A, order=order, rtol=1e-5)


def test_inside_a_recording_with_a_tape_of_its_own():
    inner = call_of(lambda x: tf.exp(tf.sin(x)), A)

    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = inner(x)[0]
        return tape.gradient(y, x)

    (found,) = call_of(step, A)(tf.constant(2 * A))
    np.testing.assert_allclose(found, np.cos(2 * A) * np.exp(np.sin(2 * A)), rtol=1e-12)


def test_forward_mode():
    call = call_of(lambda x: tf.exp(tf.sin(x)), A)
    x = tf.constant(A)
    with tf.autodiff.ForwardAccumulator(x, tf.ones_like(x)) as accumulator:
        (y,) = call(x)
    np.testing.assert_allclose(accumulator.jvp(y), np.cos(A) * np.exp(np.sin(A)), rtol=1e-12)


def test_results_on_the_way_are_kept_only_for_who_watches():
    call = call_of(lambda x: tf.sin(tf.exp(tf.sin(x))), A)
    with tf.GradientTape():
        call(tf.constant(A))
    assert not call.operation._forwards
    x = tf.constant(A)
    with tf.GradientTape() as tape:
        tape.watch(x)
        (y,) = call(x)
    ((_, _, outputs, _),) = tape._entries
    assert outputs[0] is y
    residuals = [weakref.ref(r) for r in outputs[1:]]
    assert residuals
    del outputs
    tape.gradient(y, x)
    gc.collect()
    assert not any(r() is not None for r in residuals)


@pytest.mark.parametrize(
    ("function", "kept"), [(tf.square, 0), (tf.floor, 0), (tf.negative, 0), (tf.exp, 1), (lambda x: 1.0 / x, 1)]
)
def test_values_of_cheap_rows_are_computed_again(function, kept):
    call = call_of(lambda x: tf.sin(function(x)) + tf.cos(x), A)
    x = tf.constant(A)
    with tf.GradientTape() as tape:
        tape.watch(x)
        call(x)
    ((_, _, outputs, _),) = tape._entries
    assert len(outputs) == 1 + kept


def test_variants_are_bounded():
    count = MOST_VARIANTS_PER_OPERATION + 4
    call = call_of(lambda *xs: tf.exp(tf.add_n([x * x for x in xs])), *[np.float64(1)] * count)
    xs = [tf.constant(0.1 * i, tf.float64) for i in range(count)]
    for x in xs:
        with tf.GradientTape() as tape:
            tape.watch(x)
            (y,) = call(*xs)
        np.testing.assert_allclose(tape.gradient(y, x), 2 * x.numpy() * y.numpy(), rtol=1e-12)
    assert len(call.operation._forwards) <= MOST_VARIANTS_PER_OPERATION


def test_what_is_no_function_of_values_is_refused():
    v = tf.Variable(A)
    with hide_from_recorders(), Recording([]) as recorder:
        v.assign_add(A)
    with pytest.raises(TraceError, match="effect"):
        GraphOperation(recorder.graph([]))
