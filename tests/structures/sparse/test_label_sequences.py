"""Label sequences; `conformance/programs/label_sequences.py` compares them with TensorFlow."""

import itertools
import math

import numpy as np
import pytest

import fastgrad as tf
from tests.gradients import gradient_of


def probability_of_labels(labels, probabilities, blank):
    """The sum over all paths, one by one."""
    steps, classes = probabilities.shape
    total = 0.0
    for path in itertools.product(range(classes), repeat=steps):
        merged = [c for c, before in zip(path, (None, *path), strict=False) if c not in (before, blank)]
        if merged == list(labels):
            total += math.prod(probabilities[step, c] for step, c in enumerate(path))
    return total


@pytest.mark.parametrize("blank", [0, 1, 2])
@pytest.mark.parametrize("count", [0, 1, 2])
def test_the_loss_is_the_sum_over_all_paths(blank, count):
    logits = np.random.default_rng(5).normal(size=(4, 1, 3))
    label = (blank + 1) % 3
    labels = [label] * count
    probabilities = tf.nn.softmax(logits).numpy()[:, 0]
    loss = tf.nn.ctc_loss([labels + [-1] * (3 - count)], tf.constant(logits), [count], [4], blank_index=blank)
    assert loss.dtype is tf.float64
    np.testing.assert_allclose(loss, [-math.log(probability_of_labels(labels, probabilities, blank))], rtol=1e-9)


def test_steps_after_the_end_have_no_gradient():
    logits = tf.Variable(tf.random.stateless_normal([6, 2, 4], [1, 2]))
    gradient = gradient_of(lambda logits: tf.nn.ctc_loss([[1, 2], [3, 3]], logits, [2, 2], [6, 4]), logits).numpy()
    assert not gradient[4:, 1].any()
    assert gradient[4:, 0].any()


def test_too_few_steps_give_infinity_without_a_gradient():
    logits = tf.Variable(tf.ones([2, 2, 4]))
    with tf.GradientTape() as tape:
        loss = tf.nn.ctc_loss([[1, 1], [1, 2]], logits, [2, 2], [2, 2])
    assert np.isposinf(loss.numpy()[0])
    assert np.isfinite(loss.numpy()[1])
    gradient = tape.gradient(loss, logits).numpy()
    assert np.isfinite(gradient).all()
    assert not gradient[:, 0].any()


def test_sparse_labels_work_in_a_compiled_function():
    logits = tf.random.stateless_normal([5, 2, 4], [1, 2])
    sparse = tf.SparseTensor([[0, 0], [0, 1], [1, 0]], [1, 2, 0], [2, 2])

    loss = tf.function(lambda x: tf.nn.ctc_loss(sparse, x, None, [5, 4], blank_index=-1))
    wanted = tf.nn.ctc_loss([[1, 2], [0, 0]], logits, [2, 1], [5, 4], blank_index=3)
    np.testing.assert_allclose(loss(logits), wanted, rtol=1e-6)
    np.testing.assert_allclose(loss(2.0 * logits), tf.nn.ctc_loss(sparse, 2.0 * logits, None, [5, 4], blank_index=-1))


def test_a_compiled_decoder_follows_its_input():
    decode = tf.function(lambda x: tf.sparse.to_dense(tf.nn.ctc_greedy_decoder(x, [4, 3])[0][0]))
    for seed in range(4):
        logits = tf.random.stateless_normal([4, 2, 5], [seed, 0])
        np.testing.assert_array_equal(
            decode(logits), tf.sparse.to_dense(tf.nn.ctc_greedy_decoder(logits, [4, 3])[0][0])
        )


def test_the_edit_distance_of_a_sequence_and_itself_is_zero():
    letters = tf.SparseTensor([[0, 0], [0, 1], [2, 0]], ["a", "b", "c"], [3, 2])
    assert tf.edit_distance(letters, letters).numpy().tolist() == [0.0, 0.0, 0.0]


def test_training_with_the_loss_finds_the_labels():
    logits = tf.Variable(tf.zeros([8, 1, 4]))

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.nn.ctc_loss([[3, 1, 2]], logits, [3], [8]))
        logits.assign_sub(tape.gradient(loss, logits))
        return loss

    first = float(step())
    for _ in range(60):
        last = float(step())
    assert last < first / 10
    (decoded,), _ = tf.nn.ctc_greedy_decoder(logits, [8], blank_index=0)
    assert decoded.values.numpy().tolist() == [3, 1, 2]
