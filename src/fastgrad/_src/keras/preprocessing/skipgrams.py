"""Pairs of words for embeddings: ``make_sampling_table`` and ``skipgrams``. Draws are those of Python's ``random``, as in Keras."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np

EULERS_CONSTANT = 0.577
"""As Keras rounds it."""


def make_sampling_table(size: int, sampling_factor: float = 1e-5) -> np.ndarray:
    """Returns the probability to keep a word by its rank, if frequencies follow Zipf's law: frequent words are kept more seldom.

    Args:
        size: the number of words.
        sampling_factor: the factor of word2vec's formula.

    Returns:
        An array (size,). TensorFlow: tf.keras.preprocessing.sequence.make_sampling_table.
    """
    rank = np.arange(size)
    rank[:1] = 1
    inverse_frequency = rank * (np.log(rank) + EULERS_CONSTANT) + 0.5 - 1.0 / (12.0 * rank)
    ratio = sampling_factor * inverse_frequency
    return np.minimum(1.0, ratio / np.sqrt(ratio))


def skipgrams(
    sequence: Sequence[int],
    vocabulary_size: int,
    window_size: int = 4,
    negative_samples: float = 1.0,
    shuffle: bool = True,
    categorical: bool = False,
    sampling_table: Any = None,
    seed: int | None = None,
) -> tuple[list[list[int]], list[Any]]:
    """Returns pairs of words with labels: 1 for two words of a window, 0 for a word and a random one. Word 0 is left out.

    Args:
        sequence: a sentence as the numbers of its words.
        vocabulary_size: the highest number of a word, plus 1.
        window_size: the most places between the words of a pair.
        negative_samples: the number of random pairs for each true one.
        shuffle: whether to shuffle the pairs.
        categorical: whether labels are ``[0, 1]`` and ``[1, 0]``.
        sampling_table: for each word the probability to take its pairs; see ``make_sampling_table``.
        seed: of the shuffle.

    Returns:
        The pairs, and the labels. TensorFlow: tf.keras.preprocessing.sequence.skipgrams.
    """
    true_label, false_label = ([0, 1], [1, 0]) if categorical else (1, 0)
    pairs: list[list[int]] = []
    for place, word in enumerate(sequence):
        if not word or (sampling_table is not None and sampling_table[word] < random.random()):  # noqa: S311  # as in Keras
            continue
        neighbors = range(max(0, place - window_size), min(len(sequence), place + window_size + 1))
        pairs += [[word, sequence[other]] for other in neighbors if other != place and sequence[other]]
    labels: list[Any] = [true_label] * len(pairs)
    if negative_samples > 0:
        count = int(len(labels) * negative_samples)
        words = [word for word, _ in pairs]
        random.shuffle(words)
        pairs += [[words[number % len(words)], random.randint(1, vocabulary_size - 1)] for number in range(count)]  # noqa: S311
        labels += [false_label] * count
    if shuffle:
        seed = random.randint(0, 10_000_000) if seed is None else seed  # noqa: S311
        for items in (pairs, labels):
            random.seed(seed)
            random.shuffle(items)
    return pairs, labels
