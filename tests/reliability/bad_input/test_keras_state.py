"""Refused gradients, weights, labels and rates leave optimizers, layers and metrics as they were."""

import numpy as np
import pytest

import fastgrad as tf

keras = tf.keras
layers, losses, optimizers = keras.layers, keras.losses, keras.optimizers

INVALID = tf.errors.InvalidArgumentError
M = tf.reshape(tf.range(6.0), [2, 3])
V = tf.constant([1.0, 2.0, 3.0])
LOGITS_LOSS = losses.SparseCategoricalCrossentropy(from_logits=True)


def built():
    model = keras.Sequential([layers.Dense(4), layers.Dense(2)])
    model(M)
    return model


def training(optimizer):
    """Two variables and an optimizer that has updated them twice."""
    v, w = tf.Variable([1.0, 2.0], name="v"), tf.Variable([[3.0, 4.0]], name="w")
    for _ in range(2):
        optimizer.apply_gradients([(tf.constant([0.1, 0.2]), v), (tf.constant([[0.3, 0.4]]), w)])
    return v, w


def rows(values, indices):
    return tf.IndexedSlices(tf.constant(values), tf.constant(indices), tf.constant([1, 2]))


G = tf.constant([1.0, 1.0])
GRADIENTS = [
    (lambda v, w: [(G, v), (tf.ones([1, 3]), w)], INVALID, r"\[1, 3\].*'w:0'.*\[1, 2\]"),
    (lambda v, w: [(G, v), (tf.ones([2]), w)], INVALID, r"\[2\].*'w:0'.*\[1, 2\]"),
    (lambda v, w: [(G, v), (tf.constant([["a", "b"]]), w)], ValueError, "'w:0'"),
    (lambda v, w: [(G, v), (rows([[1.0, 1.0]], [7]), w)], INVALID, r"indices\[0\] = 7 is not in \[0, 1\)"),
    (lambda v, w: [(G, v), (rows([[1.0, 1.0]], [-1]), w)], INVALID, r"indices\[0\] = -1 is not in \[0, 1\)"),
    (lambda v, w: [(G, v), (rows([[1.0, 1.0, 1.0]], [0]), w)], INVALID, r"'w:0'.*\[1, 2\]"),
    (lambda v, w: [(G, v), (G, tf.Variable([1.0, 2.0], name="other"))], ValueError, "other"),
    (lambda v, w: [(None, v), (None, w)], ValueError, "No gradients provided"),
    (lambda v, w: [], ValueError, "no pair"),
]


@pytest.mark.parametrize(
    "make",
    [
        optimizers.Adam,
        lambda: optimizers.SGD(momentum=0.9),
        lambda: optimizers.Adam(clipnorm=1.0, use_ema=True, weight_decay=0.1),
        lambda: optimizers.RMSprop(gradient_accumulation_steps=2),
        optimizers.Adafactor,
    ],
    ids=["Adam", "SGD", "Adam with options", "accumulating", "Adafactor"],
)
@pytest.mark.parametrize(("pairs", "error", "message"), GRADIENTS)
def test_after_refused_gradients_nothing_has_changed(make, pairs, error, message):
    """Not even the variables before the one whose gradient is refused."""
    optimizer = make()
    v, w = training(optimizer)
    before = [variable.numpy() for variable in (v, w, *optimizer.variables)]
    with pytest.raises(error, match=message):
        optimizer.apply_gradients(pairs(v, w))
    for variable, old in zip((v, w, *optimizer.variables), before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), old)
    optimizer.apply_gradients([(G, v), (tf.ones([1, 2]), w)])  # and it still works


def test_gradients_and_variables_are_counted():
    optimizer = optimizers.Adam()
    v, _ = training(optimizer)
    with pytest.raises(ValueError, match="2 gradients for 1"):
        optimizer.apply([G, G], [v])


def test_a_refused_rate_leaves_the_old_one():
    optimizer = optimizers.Adam(learning_rate=0.25)
    for rate, error in [(float("nan"), ValueError), (-1.0, ValueError), ("fast", (ValueError, TypeError))]:
        with pytest.raises(error):
            optimizer.learning_rate = rate
        assert float(optimizer.learning_rate) == 0.25
    scheduled = optimizers.SGD(optimizers.schedules.ExponentialDecay(0.1, 10, 0.9))
    with pytest.raises(TypeError, match="LearningRateSchedule"):
        scheduled.learning_rate = 0.1


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (lambda old: [], "4 items, got 0"),
        (lambda old: old[:3], "4 items, got 3"),
        (lambda old: [np.zeros_like(old[0]), np.zeros_like(old[1]), np.zeros((9, 9)), old[3]], r"\(4, 2\).*\(9, 9\)"),
    ],
)
def test_weights_are_set_all_or_none(weights, message):
    model = built()
    old = model.get_weights()
    with pytest.raises(ValueError, match=message):
        model.set_weights(weights(old))
    for now, before in zip(model.get_weights(), old, strict=True):
        np.testing.assert_array_equal(now, before)


def test_labels_out_of_range_stop_a_step_before_it_changes_anything():
    model, optimizer = built(), optimizers.Adam()

    def step(labels):
        with tf.GradientTape() as tape:
            loss = LOGITS_LOSS(labels, model(M))
        optimizer.apply_gradients(
            zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
        )

    step([0, 1])
    before = [variable.numpy() for variable in (*model.weights, *optimizer.variables)]
    with pytest.raises(INVALID, match="label value of 2"):
        step([0, 2])
    for variable, old in zip((*model.weights, *optimizer.variables), before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), old)


def test_a_refused_metric_update_leaves_its_state():
    metric = keras.metrics.SparseCategoricalAccuracy()
    metric.update_state([2, 0], M)
    with pytest.raises(INVALID):
        metric.update_state([0, 1, 2], M)
    assert float(metric.result()) == 0.5


def test_a_layer_that_refused_its_first_input_is_built_by_the_next():
    layer = layers.Dense(2)
    with pytest.raises(ValueError, match="ndim"):
        layer(V)
    assert layer.weights == []
    assert layer(M).shape == (2, 2)
