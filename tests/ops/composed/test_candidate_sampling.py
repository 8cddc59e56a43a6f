"""Candidate samplers: the distribution of samples and of the number of draws, seeds and compiled functions."""

from collections import Counter

import numpy as np

import fastgrad as tf

TRUE = tf.constant([[0]], tf.int64)


def draws_of(function, count):
    """``count`` results of a compiled call, as lists of NumPy arrays."""
    call = tf.function(function)
    return [[part.numpy() for part in call()] for _ in range(count)]


def test_the_order_of_distinct_samples_is_that_of_drawing_until_there_are_enough():
    tf.random.set_seed(3)
    runs = draws_of(lambda: tf.random.log_uniform_candidate_sampler(TRUE, 1, 2, True, 4), 4000)
    p = np.log((np.arange(4) + 2) / (np.arange(4) + 1)) / np.log(5)
    counts = Counter(tuple(samples.tolist()) for samples, _, _ in runs)
    for a in range(4):
        for b in range(4):
            share = 0.0 if a == b else p[a] * p[b] / (1 - p[a])
            assert abs(counts[a, b] / 4000 - share) < 4 * np.sqrt(share / 4000) + 1e-9


def test_expected_counts_tell_how_many_draws_distinct_samples_took():
    """Of two equally probable classes, the second is there after 2 draws with probability 1/2, after 3 with 1/4 ..."""
    tf.random.set_seed(4)
    runs = draws_of(lambda: tf.random.uniform_candidate_sampler(TRUE, 1, 2, True, 2), 4000)
    # Without repeated draws the count is the number of samples times the probability, else the probability to occur.
    tries = [2 if count == 1.0 else round(-np.log2(1 - float(count))) for _, ((count,),), _ in runs]
    for number in (2, 3, 4):
        share = 0.5 ** (number - 1)
        assert abs(tries.count(number) / 4000 - share) < 4 * np.sqrt(share / 4000)


def test_seeds_repeat_samples():
    def samples():
        tf.random.set_seed(6)
        return [
            tf.random.log_uniform_candidate_sampler(TRUE, 1, 5, True, 1000, seed=1)[0].numpy().tolist()
            for _ in range(2)
        ]

    first = samples()
    assert first == samples()
    assert first[0] != first[1]


def test_word_vectors_learn_by_nce():
    """The steps of the word2vec tutorial: words that occur together get high scores."""
    tf.random.set_seed(8)
    vectors, outputs, biases = (
        tf.Variable(tf.random.uniform([8, 4], -1, 1)),
        tf.Variable(tf.zeros([8, 4])),
        tf.Variable(tf.zeros([8])),
    )
    words, contexts = tf.constant([0, 1, 2, 3]), tf.constant([[4], [5], [6], [7]], tf.int64)
    optimizer = tf.keras.optimizers.SGD(1.0)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(
                tf.nn.nce_loss(outputs, biases, contexts, tf.nn.embedding_lookup(vectors, words), 3, 8)
            )
        optimizer.apply_gradients(
            zip(tape.gradient(loss, [vectors, outputs, biases]), [vectors, outputs, biases], strict=True)
        )
        return loss

    for _ in range(200):
        step()
    scores = tf.matmul(vectors[:4], outputs, transpose_b=True) + biases
    assert tf.argmax(scores, 1).numpy().tolist() == [4, 5, 6, 7]
