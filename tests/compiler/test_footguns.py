"""What others' compilers of steps got wrong, each right here, or an error: one fact a test."""

import gc
import weakref

import numpy as np
import pytest

import fastgrad as tf


def test_the_output_of_one_call_is_kept_while_the_next_runs():
    @tf.function
    def double(x):
        return x * 2.0, x + 1.0

    kept = [double(tf.constant([float(i), 1.0])) for i in range(6)]
    for i, (doubled, more) in enumerate(kept):
        np.testing.assert_array_equal(doubled, [2.0 * i, 2.0])
        np.testing.assert_array_equal(more, [i + 1.0, 2.0])


number = 2.0


def test_a_global_number_rebound_between_calls_is_noticed(monkeypatch):
    @tf.function
    def scaled(x):
        return x * number

    x = tf.constant(3.0)
    assert [float(scaled(x)) for _ in range(3)] == [6.0] * 3
    monkeypatch.setitem(globals(), "number", 5.0)
    assert [float(scaled(x)) for _ in range(3)] == [15.0] * 3
    monkeypatch.setitem(globals(), "number", 2.0)
    assert float(scaled(x)) == 6.0
    assert scaled.experimental_get_tracing_count() == 2, "what was recorded before is still there"


def test_a_variable_in_a_closure_rebound_between_calls_is_noticed():
    v = tf.Variable(1.0)

    @tf.function
    def read():
        return v + 0.0

    assert [float(read()) for _ in range(3)] == [1.0] * 3
    v = tf.Variable(7.0)
    assert [float(read()) for _ in range(3)] == [7.0] * 3


def test_a_layer_rebound_between_calls_is_noticed():
    layer = tf.keras.layers.Dense(1, kernel_initializer="ones")

    @tf.function
    def apply(x):
        return layer(x)

    x = tf.ones((1, 4))
    assert [float(tf.squeeze(apply(x))) for _ in range(4)] == [4.0] * 4
    layer = tf.keras.layers.Dense(1, kernel_initializer="zeros")
    assert [float(tf.squeeze(apply(x))) for _ in range(4)] == [0.0] * 4


def test_a_function_rebound_between_calls_is_noticed():
    def add(x):
        return x + 1.0

    def subtract(x):
        return x - 1.0

    helper = add

    @tf.function
    def apply(x):
        return helper(x)

    assert [float(apply(tf.constant(1.0))) for _ in range(3)] == [2.0] * 3
    helper = subtract
    assert [float(apply(tf.constant(1.0))) for _ in range(3)] == [0.0] * 3


def test_the_inside_of_containers_is_frozen_as_recorded():
    numbers, table, array = [1.0], {"a": 1.0}, np.array([1.0])

    @tf.function
    def total(x):
        return x + numbers[0] + table["a"] + array[0]

    assert [float(total(tf.constant(0.0))) for _ in range(3)] == [3.0] * 3
    numbers[0], table["a"], array[0] = 10.0, 10.0, 10.0
    assert [float(total(tf.constant(0.0))) for _ in range(3)] == [3.0] * 3


def test_the_same_tensor_passed_twice():
    @tf.function
    def gradients(a, b):
        with tf.GradientTape() as tape:
            tape.watch([a, b])
            y = a * b
        return tape.gradient(y, [a, b])

    x, y = tf.constant(3.0), tf.constant(5.0)
    for _ in range(3):
        assert [float(g) for g in gradients(x, y)] == [5.0, 3.0]
        assert [float(g) for g in gradients(x, x)] == [6.0, 6.0]


def test_the_same_array_passed_twice():
    @tf.function
    def both(a, b):
        return a + 2.0 * b

    x, y = np.array([1.0]), np.array([2.0])
    for _ in range(3):
        np.testing.assert_array_equal(both(x, x), [3.0])
        np.testing.assert_array_equal(both(x, y), [5.0])


def test_a_variable_passed_as_argument_and_captured():
    v = tf.Variable(1.0)

    @tf.function
    def change(w):
        w.assign_add(1.0)
        return v * 10.0

    assert [float(change(v)) for _ in range(4)] == [20.0, 30.0, 40.0, 50.0]
    other = tf.Variable(0.0)
    assert [float(change(other)) for _ in range(3)] == [50.0] * 3
    assert float(other) == 3.0


def odd_arrays():
    base = np.arange(24.0).reshape(4, 6)
    locked = base.copy()
    locked.flags.writeable = False
    return {
        "strided": base[::2, 1::2],
        "transposed": base.T,
        "negative strides": base[::-1, ::-1],
        "read-only": locked,
        "another byte order": base.astype(">f8"),
        "zero-size": base[:0],
        "scalar": np.float64(3.0),
        "shape ()": np.array(3.0),
        "broadcast": np.broadcast_to(base[0], (4, 6)),
    }


@pytest.mark.parametrize("kind", odd_arrays())
def test_arrays_of_any_layout_are_arguments(kind):
    array = odd_arrays()[kind]
    step = tf.function(lambda x: (tf.reduce_sum(x), x * 2.0))
    for _ in range(4):
        total, doubled = step(array)
        assert float(total) == np.sum(array)
        np.testing.assert_array_equal(doubled, np.multiply(array, 2.0))
        assert doubled.dtype == tf.float64


def test_views_of_tensors_and_variables_are_arguments():
    v = tf.Variable(np.arange(12.0).reshape(3, 4))

    @tf.function
    def add_and_sum(x):
        v.assign_add(tf.ones((3, 4), tf.float64))
        return tf.reduce_sum(x)

    for i in range(4):
        x = tf.transpose(v)[1:, ::2]
        expected = np.sum(np.arange(12.0).reshape(3, 4).T[1:, ::2] + i)
        assert float(add_and_sum(x)) == expected


def test_an_argument_that_is_a_variables_value_keeps_it():
    v = tf.Variable([1.0, 2.0])

    @tf.function
    def change(x):
        v.assign(x * 0.0)
        return x + 1.0

    for _ in range(4):
        v.assign([1.0, 2.0])
        np.testing.assert_array_equal(change(v.value()), [2.0, 3.0])
        np.testing.assert_array_equal(v, [0.0, 0.0])


def test_an_exception_half_way_changes_nothing():
    v, generator = tf.Variable(1.0), tf.random.Generator.from_seed(1)
    fails = True

    @tf.function
    def step(x):
        v.assign_add(x)
        generator.normal([2])
        if fails:
            raise RuntimeError("half-way")
        return v * 1.0

    before = generator.state.numpy()
    with pytest.raises(RuntimeError, match="half-way"):
        step(tf.constant(1.0))
    assert float(v) == 1.0
    np.testing.assert_array_equal(generator.state, before)
    fails = False
    assert [float(step(tf.constant(1.0))) for _ in range(4)] == [2.0, 3.0, 4.0, 5.0]


def test_an_error_of_an_operation_in_a_replay_changes_nothing():
    v, table = tf.Variable(0.0), tf.constant([1.0, 2.0, 3.0])

    @tf.function
    def step(i):
        v.assign_add(1.0)
        return tf.gather(table, i)

    assert [float(step(tf.constant(i))) for i in (0, 1, 2)] == [1.0, 2.0, 3.0]
    with pytest.raises(tf.errors.InvalidArgumentError, match="gather"):
        step(tf.constant(3))
    assert float(v) == 3.0
    assert float(step(tf.constant(0))) == 1.0


def test_recursion():
    @tf.function
    def factorial(n):
        if n <= 1:
            return tf.constant(1)
        return n * factorial(n - 1)

    assert [int(factorial(tf.constant(n))) for n in (5, 3, 5, 6, 5)] == [120, 6, 120, 720, 120]


class Scaler:
    def __init__(self, scale):
        self.scale = tf.Variable(scale)
        self.calls = 0

    @tf.function
    def apply(self, x):
        self.calls += 1
        return x * self.scale


def test_two_instances_of_one_class():
    a, b = Scaler(2.0), Scaler(3.0)
    for _ in range(3):
        assert float(a.apply(tf.constant(1.0))) == 2.0
        assert float(b.apply(tf.constant(1.0))) == 3.0
    assert (a.calls, b.calls) == (1, 1)


def test_methods_keep_no_instance_alive():
    a = Scaler(2.0)
    for _ in range(3):
        a.apply(tf.constant(1.0))
    gone = weakref.ref(a)
    variable = weakref.ref(a.scale)
    del a
    gc.collect()
    assert gone() is None
    assert variable() is None


def test_a_variable_deleted_and_another_made():
    state = Scaler(2.0)

    def value():
        return state.scale * 1.0

    step = tf.function(value)
    assert [float(step()) for _ in range(3)] == [2.0] * 3
    del state.scale
    state.scale = tf.Variable(4.0)
    assert [float(step()) for _ in range(3)] == [4.0] * 3


def test_dropout_differs_between_calls_and_follows_set_seed():
    @tf.function
    def step(x):
        return tf.nn.dropout(x, 0.5)

    x = tf.ones((64,))
    step(x), step(x)
    tf.random.set_seed(3)
    first = [step(x).numpy() for _ in range(3)]
    assert not (first[0] == first[1]).all()
    tf.random.set_seed(3)
    second = [step(x).numpy() for _ in range(3)]
    np.testing.assert_array_equal(first, second)
    tf.random.set_seed(3)
    eager = [tf.nn.dropout(x, 0.5).numpy() for _ in range(3)]
    np.testing.assert_array_equal(first, eager)


def test_shuffles_differ_between_calls_and_follow_set_seed():
    step = tf.function(tf.random.shuffle)
    x = tf.range(50)
    step(x), step(x)
    tf.random.set_seed(5)
    first = [step(x).numpy() for _ in range(3)]
    assert not (first[0] == first[1]).all()
    tf.random.set_seed(5)
    np.testing.assert_array_equal(first, [tf.random.shuffle(x).numpy() for _ in range(3)])


def test_training_true_and_false_alternate():
    layer = tf.keras.layers.Dropout(0.5)

    @tf.function
    def apply(x, training):
        return layer(x, training=training)

    x = tf.ones((100,))
    for _ in range(4):
        assert float(tf.reduce_min(apply(x, True))) == 0.0
        np.testing.assert_array_equal(apply(x, training=False), x)
    assert apply.experimental_get_tracing_count() == 2


def test_shapes_alternate_a_thousand_times():
    step = tf.function(lambda x: tf.reduce_sum(x * 2.0))
    a, b = tf.ones((3,)), tf.ones((2, 2))
    for _ in range(1000):
        assert float(step(a)) == 6.0
        assert float(step(b)) == 8.0
    assert step.experimental_get_tracing_count() == 2


def test_a_last_smaller_batch():
    v = tf.Variable(0.0)

    @tf.function
    def step(x):
        v.assign_add(tf.reduce_sum(x))

    for _ in range(3):
        for batch in np.split(np.ones(20, np.float32), [8, 16]):
            step(batch)
    assert float(v) == 60.0
    assert step.experimental_get_tracing_count() == 2


def test_what_is_returned():
    v = tf.Variable(1.0)

    @tf.function
    def step(x, array):
        v.assign_add(1.0)
        return {"variable": v, "constant": 7, "argument": x, "array": array, "nothing": None, "sum": (x + v,)}

    x, array = tf.constant(1.0), np.array([1.0, 2.0])
    kept = [step(x, array) for _ in range(4)]
    for i, found in enumerate(kept):
        assert list(found) == ["variable", "constant", "argument", "array", "nothing", "sum"]
        assert float(found["variable"]) == i + 2.0
        assert int(found["constant"]) == 7
        assert found["argument"] is x
        np.testing.assert_array_equal(found["array"], array)
        assert not np.shares_memory(np.from_dlpack(found["array"]), array)
        assert found["nothing"] is None
        assert float(found["sum"][0]) == i + 3.0
    assert tf.function(lambda: None)() is None


def test_assign_then_read_then_assign():
    v = tf.Variable(1.0)

    @tf.function
    def step(x):
        v.assign(x)
        first = v + 1.0
        v.assign_add(first)
        second = v * 1.0
        v.assign(0.0)
        return first, second, v.value()

    for i in range(5):
        assert [float(y) for y in step(tf.constant(float(i)))] == [i + 1.0, 2.0 * i + 1.0, 0.0]
        assert float(v) == 0.0


def test_two_functions_share_variables_and_optimizer():
    v = tf.Variable([1.0, 2.0])
    optimizer = tf.keras.optimizers.Adam(0.1)

    def step(factor):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(v * v) * factor
        optimizer.apply_gradients([(tape.gradient(loss, v), v)])
        return loss

    one, two = tf.function(lambda: step(1.0)), tf.function(lambda: step(3.0))
    found = []
    for _ in range(4):
        found += [float(one()), float(two())]
    after = v.numpy()
    v.assign([1.0, 2.0])
    optimizer = tf.keras.optimizers.Adam(0.1)
    expected = [float(step(factor)) for _ in range(4) for factor in (1.0, 3.0)]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_allclose(after, v, rtol=1e-6)


def test_a_gradient_that_is_none_stays_none():
    v, unused = tf.Variable(2.0), tf.Variable(3.0)

    @tf.function
    def gradients():
        with tf.GradientTape() as tape:
            y = v * v
        return tape.gradient(y, [v, unused])

    for _ in range(3):
        found = gradients()
        assert float(found[0]) == 4.0
        assert found[1] is None


def test_a_branch_never_taken_before_at_a_late_step():
    v = tf.Variable(0.0)

    @tf.function
    def step(x):
        v.assign_add(1.0)
        if x > 100.0:
            v.assign(-1.0)
            return x
        return x * 2.0

    for i in range(1000):
        assert float(step(tf.constant(float(i % 100)))) == 2.0 * (i % 100)
    assert float(v) == 1000.0
    assert float(step(tf.constant(101.0))) == 101.0
    assert float(v) == -1.0
    assert [float(step(tf.constant(x))) for x in (1.0, 200.0, 2.0, 300.0)] == [2.0, 200.0, 4.0, 300.0]
    assert step.experimental_get_tracing_count() == 2


def test_a_guard_after_an_assign():
    v, generator = tf.Variable(0.0), tf.random.Generator.from_seed(4)

    @tf.function
    def step(x):
        v.assign_add(x)
        noise = generator.normal([])
        if v > 3.0:
            v.assign(0.0)
            return noise - 100.0
        return noise

    twin, values, state = tf.random.Generator.from_seed(4), [], 0.0
    for i in range(12):
        noise = float(twin.normal([]))
        state += 1.0
        values.append(noise - 100.0 if state > 3.0 else noise)
        state = 0.0 if state > 3.0 else state
        assert float(step(tf.constant(1.0))) == pytest.approx(values[i])
        assert float(v) == state
    assert step.experimental_get_tracing_count() == 2
