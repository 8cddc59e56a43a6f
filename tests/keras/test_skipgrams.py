"""``skipgrams`` and ``make_sampling_table``: what Keras 3.15 gives, with the draws of Python's ``random``."""

import random

import numpy as np
import pytest

from fastgrad.keras.preprocessing.sequence import make_sampling_table, skipgrams

WORDS = [1, 2, 0, 3, 8]


def test_the_sampling_table_is_keras():
    wanted = [0.00315224, 0.00315224, 0.00547597, 0.00741556, 0.00912816, 0.01068434, 0.01212380]
    np.testing.assert_allclose(make_sampling_table(7), wanted, rtol=1e-5)
    assert make_sampling_table(0).shape == (0,)


def test_neighbors_are_pairs_and_word_0_is_none():
    pairs, labels = skipgrams(WORDS, 9, window_size=1, negative_samples=0, shuffle=False)
    assert pairs == [[1, 2], [2, 1], [3, 8], [8, 3]]
    assert labels == [1, 1, 1, 1]


def test_pairs_and_labels_are_shuffled_together():
    random.seed(5)
    pairs, labels = skipgrams(WORDS, 9)
    assert pairs[:8] == [
        [1, 3],
        [3, 8],
        [2, 3],
        [2, 5],
        [1, 2],
        [8, 2],
        [8, 1],
        [2, 8],
    ]  # Keras 3.15 after random.seed(5)
    true = [pair for pair, label in zip(pairs, labels, strict=True) if label]
    assert sorted(true) == sorted([a, b] for a in (1, 2, 3, 8) for b in (1, 2, 3, 8) if a != b)
    assert sum(labels) * 2 == len(labels)


@pytest.mark.parametrize("count", [0.0, 0.5, 2.0])
def test_negative_samples_are_a_share_of_the_true_ones(count):
    pairs, labels = skipgrams(WORDS, 9, negative_samples=count, categorical=True, seed=3)
    assert [labels.count([0, 1]), labels.count([1, 0])] == [12, int(12 * count)]
    assert all(0 < word < 9 for pair in pairs for word in pair)


def test_words_of_probability_0_have_no_pairs():
    table = np.ones(9)
    table[3] = 0
    pairs, _ = skipgrams(WORDS, 9, negative_samples=0, sampling_table=table)
    assert 3 not in [first for first, _ in pairs]
