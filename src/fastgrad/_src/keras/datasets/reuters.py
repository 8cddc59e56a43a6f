"""Reuters: news on 46 topics."""

from __future__ import annotations

from fastgrad._src.keras.datasets import word_numbers
from fastgrad._src.keras.datasets.reading import TrainAndTestArrays, load_npz_arrays, shuffled_rows


def load_data(
    path: str = "reuters.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    test_split: float = 0.2,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
) -> TrainAndTestArrays:
    """Returns ``(x_train, y_train), (x_test, y_test)``: 11,228 texts, lists of word numbers, and their topics, 0 to 45.

    Args:
        test_split: the fraction of the texts for tests.
        path, num_words, skip_top, maxlen, seed, start_char, oov_char, index_from: as in ``imdb``.
    """
    arrays = load_npz_arrays(path, "reuters.npz", "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916")
    x, labels = shuffled_rows(seed, arrays["x"], arrays["y"])
    numbers = word_numbers.shift_word_numbers(x, start_char, index_from)
    texts, labels = word_numbers.drop_long_texts(maxlen, numbers, labels)
    texts = word_numbers.limit_vocabulary(texts, num_words, skip_top, oov_char)
    train_count = int(len(texts) * (1 - test_split))
    train_texts, test_texts = map(word_numbers.object_array, (texts[:train_count], texts[train_count:]))
    return (train_texts, labels[:train_count]), (test_texts, labels[train_count:])


def get_word_index(path: str = "reuters_word_index.json") -> dict[str, int]:
    """Returns the words with their numbers, without ``index_from``."""
    return word_numbers.word_index(path, "reuters_word_index.json", "4d44cc38712099c9e383dc6e5f11a921")
