"""Step counters, learning rates, slots, and what changes them."""

import copy
import pickle

import numpy as np
import pytest

import fastgrad as tf


def built(kind="Adam", **options):
    variables = [tf.Variable(np.ones((2, 3), np.float32), name="w"), tf.Variable([1.0, 2.0], name="b")]
    optimizer = getattr(tf.optimizers, kind)(**options)
    optimizer.build(variables)
    return optimizer, variables


def test_variables_are_counter_rate_and_slots():
    optimizer, _ = built(use_ema=True, amsgrad=True, gradient_accumulation_steps=2, name="adam")
    assert [v.path for v in optimizer.variables] == [
        "adam/iteration",
        "adam/learning_rate",
        "adam/w_0_average",
        "adam/b_0_average",
        "adam/w_0_gradient_accumulator",
        "adam/b_0_gradient_accumulator",
        "adam/w_0_momentum",
        "adam/w_0_velocity",
        "adam/b_0_momentum",
        "adam/b_0_velocity",
        "adam/w_0_velocity_hat",
        "adam/b_0_velocity_hat",
    ]
    assert optimizer.variables[6].shape == (2, 3)
    assert not any(v.trainable for v in optimizer.variables)


def test_the_step_counter_is_an_int64_variable():
    optimizer, variables = built("SGD", name="sgd")
    assert repr(optimizer.iterations) == "<Variable path=sgd/iteration, shape=(), dtype=int64, value=0>"
    optimizer.apply_gradients([(tf.constant([1.0, 1.0]), variables[1])])
    assert optimizer.iterations == 1
    optimizer.iterations.assign(7)
    optimizer.apply_gradients([(tf.constant([1.0, 1.0]), variables[1])])
    assert int(optimizer.iterations) == 8


def test_the_rate_is_a_live_variable():
    variable = tf.Variable([0.0])
    optimizer = tf.optimizers.SGD(0.5, name="sgd")
    assert repr(optimizer.learning_rate) == "<Variable path=sgd/learning_rate, shape=(), dtype=float32, value=0.5>"

    def step():
        before = float(variable[0])
        optimizer.apply_gradients([(tf.constant([1.0]), variable)])
        return before - float(variable[0])

    assert step() == 0.5
    optimizer.learning_rate = 0.25
    assert step() == 0.25
    optimizer.learning_rate.assign(1)
    assert step() == 1.0
    optimizer.learning_rate = tf.constant(0.125)
    assert step() == 0.125
    assert optimizer.learning_rate * 2 == 0.25


def test_rates_of_functions_and_replaced_rates():
    rates = iter([0.5, 0.25])
    variable = tf.Variable([0.0])
    optimizer = tf.optimizers.SGD(lambda: next(rates))
    for wanted in (-0.5, -0.75):
        optimizer.apply_gradients([(tf.constant([1.0]), variable)])
        assert variable.numpy() == [wanted]
    with pytest.raises(TypeError, match="not settable"):
        optimizer.learning_rate = 0.5
    replaced = tf.optimizers.SGD(0.5)
    replaced.learning_rate = tf.optimizers.schedules.ExponentialDecay(1.0, 1, 0.5)
    assert [v.name for v in replaced.variables] == ["iteration"]
    assert float(replaced.learning_rate) == 1.0


def test_hyperparameters_are_read_at_every_step():
    variable = tf.Variable([0.0], dtype=tf.float64)
    optimizer = tf.optimizers.SGD(0.5, momentum=0.5)
    gradient = tf.constant([1.0], tf.float64)
    optimizer.apply_gradients([(gradient, variable)])
    optimizer.momentum = 0.0
    optimizer.apply_gradients([(gradient, variable)])
    assert variable.numpy() == [-1.0]


def test_set_weights_is_all_or_nothing():
    optimizer, variables = built()
    weights = [v.numpy() for v in optimizer.variables]
    optimizer.apply_gradients([(tf.ones(v.shape), v) for v in variables])
    after = [v.numpy() for v in optimizer.variables]
    with pytest.raises(ValueError, match="must match"):
        optimizer.set_weights([*weights[:-1], np.ones(7)])
    with pytest.raises(ValueError, match="5 weights for 6"):
        optimizer.set_weights(weights[:-1])
    assert all(np.array_equal(v, a) for v, a in zip(optimizer.variables, after, strict=True))
    optimizer.set_weights(weights)
    assert all(np.array_equal(v, w) for v, w in zip(optimizer.variables, weights, strict=True))
    with pytest.raises(ValueError, match="not yet been built"):
        tf.optimizers.Adam().set_weights([])


def test_own_variables_are_stored_and_loaded():
    optimizer, variables = built()
    optimizer.apply_gradients([(tf.ones(v.shape), v) for v in variables])
    store = {}
    optimizer.save_own_variables(store)
    assert sorted(store) == ["0", "1", "2", "3", "4", "5"]
    other, _ = built()
    other.load_own_variables(store)
    assert all(np.array_equal(a, b) for a, b in zip(other.variables, optimizer.variables, strict=True))
    with pytest.warns(UserWarning, match="has 2 variables whereas the saved optimizer has 6"):
        tf.optimizers.Adam().load_own_variables(store)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
def test_copies_go_on_alone(duplicate):
    optimizer, variables = built()
    gradients = [tf.ones(v.shape) for v in variables]
    for _ in range(2):
        optimizer.apply(gradients, variables)
    twin, twins = duplicate((optimizer, variables))
    before = [v.numpy() for v in variables]
    twin.apply(gradients, twins)
    assert all(np.array_equal(v, old) for v, old in zip(variables, before, strict=True))
    optimizer.apply(gradients, variables)
    assert all(np.array_equal(v, w) for v, w in zip(variables, twins, strict=True))
    assert int(twin.iterations) == int(optimizer.iterations) == 3


def test_names_are_made_unique():
    first, second = tf.optimizers.RMSprop(), tf.optimizers.RMSprop()
    assert first.name.startswith("rm_sprop")
    assert first.name != second.name
    assert tf.optimizers.SGD(name="mine").name == "mine"


def test_apply_without_variables_uses_those_it_was_built_with():
    optimizer, variables = built("SGD", learning_rate=1.0)
    optimizer.apply([tf.ones((2, 3)), tf.ones(2)])
    np.testing.assert_array_equal(variables[1], [0.0, 1.0])
    optimizer.apply([])
    assert int(optimizer.iterations) == 1


def test_slots_begin_with_a_cache_line():
    weights = [tf.Variable(np.ones((65, 67), np.float32)) for _ in range(8)]  # one alone may do so by chance
    for optimizer in (tf.optimizers.Adam(), tf.optimizers.Adagrad(), tf.optimizers.Ftrl()):
        optimizer.build(weights)
        for slot in optimizer.variables[2:]:
            assert slot._array.ctypes.data % 64 == 0
            assert slot._array.flags.c_contiguous
    added = [optimizer.add_variable((65, 67), "ones", name="added") for _ in range(8)]
    assert all(one._array.ctypes.data % 64 == 0 and (one.numpy() == 1).all() for one in added)
