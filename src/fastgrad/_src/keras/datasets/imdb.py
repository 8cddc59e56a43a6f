"""IMDB: film reviews, labelled positive or negative (Maas et al. 2011)."""

from __future__ import annotations

import numpy as np

from fastgrad._src.core.argument_checks import require
from fastgrad._src.keras.datasets import word_numbers
from fastgrad._src.keras.datasets.reading import TrainAndTestArrays, load_npz_arrays


def load_data(
    path: str = "imdb.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
) -> TrainAndTestArrays:
    """Returns ``(x_train, y_train), (x_test, y_test)``: 25,000 reviews each, lists of word numbers; 1 for good ones.

    Args:
        path: the file's name in ``~/.keras/datasets``.
        num_words: words with numbers from ``num_words`` on are replaced by ``oov_char``; more frequent words have smaller numbers.
        skip_top: words with numbers below ``skip_top``, the most frequent ones, are replaced too.
        maxlen: longer texts are left out.
        seed: the seed of the order.
        start_char: the first number of each text.
        oov_char: the number of replaced words; None leaves them out.
        index_from: the offset that is added to the numbers of words.

    Raises:
        ValueError: ``maxlen`` leaves no text.
    """
    arrays = load_npz_arrays(path, "imdb.npz", "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f")
    generator = np.random.RandomState(seed)  # Keras's order: one generator for both parts
    texts, labels = [], []
    for split in ("train", "test"):
        order = np.arange(len(arrays[f"x_{split}"]))
        generator.shuffle(order)
        numbers = word_numbers.shift_word_numbers(arrays[f"x_{split}"][order], start_char, index_from)
        kept_texts, kept_labels = word_numbers.drop_long_texts(maxlen, numbers, arrays[f"y_{split}"][order])
        require(kept_texts, "imdb", f"there is no text of fewer than maxlen={maxlen} words. Increase maxlen")
        texts.append(kept_texts)
        labels.append(kept_labels)
    train_count = len(texts[0])
    all_texts = word_numbers.limit_vocabulary(texts[0] + texts[1], num_words, skip_top, oov_char)
    train_texts, test_texts = map(word_numbers.object_array, (all_texts[:train_count], all_texts[train_count:]))
    return (train_texts, labels[0]), (test_texts, labels[1])


def get_word_index(path: str = "imdb_word_index.json") -> dict[str, int]:
    """Returns the words with their numbers, without ``index_from``."""
    return word_numbers.word_index(path, "imdb_word_index.json", "bfafd718b763782e994055a2d397834f")
