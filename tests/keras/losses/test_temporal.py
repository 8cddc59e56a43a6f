"""Connectionist temporal classification: what tests/conformance/programs/losses.py does not ask of Keras."""

import itertools

import numpy as np
import pytest

import fastgrad as tf

LOGITS = np.sin(np.arange(2 * 4 * 3) * 1.3).reshape(2, 4, 3)


def said(way):
    """What is left of a way without repetitions and blanks."""
    return [number for number, _ in itertools.groupby(way) if number]


def test_all_ways_add_up():
    labels = np.array([[1, 2], [2, 0]])
    found = tf.keras.losses.ctc(labels, LOGITS)
    probabilities = tf.nn.softmax(LOGITS).numpy()
    for loss, row, steps in zip(found.numpy(), labels, probabilities, strict=True):
        ways = [way for way in itertools.product(range(3), repeat=4) if said(way) == [x for x in row if x]]
        total = sum(np.prod([step[number] for step, number in zip(steps, way, strict=True)]) for way in ways)
        np.testing.assert_allclose(loss, -np.log(total), rtol=1e-12)


def test_too_few_steps_cost_infinitely_much_and_pull_nowhere():
    logits = tf.Variable(LOGITS[:, :2], dtype=tf.float32)
    with tf.GradientTape() as tape:
        loss = tf.keras.losses.ctc([[1, 1], [1, 2]], logits)
    assert loss.numpy()[0] == np.inf
    assert np.isfinite(loss.numpy()[1])
    gradient = tape.gradient(loss, logits).numpy()
    np.testing.assert_array_equal(gradient[0], 0)
    assert np.abs(gradient[1]).max() > 0


def test_labels_outside_of_the_classes():
    with pytest.raises(tf.errors.InvalidArgumentError, match="3"):
        tf.keras.losses.ctc([[1, 3]], LOGITS[:1])


def test_it_trains_compiled_as_eagerly():
    x = np.sin(np.arange(8 * 6 * 2)).reshape(8, 6, 2).astype(np.float32)
    labels = np.array([[1, 2]] * 4 + [[2, 0]] * 4)
    losses = []
    for eagerly in (False, True):
        tf.keras.utils.set_random_seed(3)
        model = tf.keras.Sequential([tf.keras.layers.LSTM(6, return_sequences=True), tf.keras.layers.Dense(3)])
        model.compile(tf.keras.optimizers.Adam(0.05), tf.keras.losses.CTC(), run_eagerly=eagerly)
        losses.append(model.fit(x, labels, batch_size=4, epochs=4, verbose=0).history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-4)
    assert losses[0][-1] < losses[0][0]
