"""Texts as lists of word indices, the format of IMDB's reviews and Reuters' news."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.core.damaged_file import open_regular, parser_errors_as_one
from fastgrad._src.files.formats.json_text import parse_json
from fastgrad._src.keras.datasets.reading import DATASETS_URL
from fastgrad._src.keras.utils.files import get_file


def shift_word_numbers(texts: Any, start_char: int | None, index_from: int) -> list[list[int]]:
    """Returns texts with ``index_from`` added to each word number, and ``start_char`` in front."""
    first = [] if start_char is None else [start_char]
    return [first + [word_number + (index_from or 0) for word_number in text] for text in texts]


def drop_long_texts(maxlen: int | None, texts: list[list[int]], labels: Any) -> tuple[list[list[int]], np.ndarray]:
    """Returns the texts with fewer than ``maxlen`` words, and their labels."""
    if not maxlen:
        return texts, np.asarray(labels)
    positions = [position for position, text in enumerate(texts) if len(text) < maxlen]
    return [texts[position] for position in positions], np.asarray(labels)[positions]


def limit_vocabulary(
    texts: list[list[int]], num_words: int | None, skip_top: int, oov_char: int | None
) -> list[list[int]]:
    """Replaces words outside ``[skip_top, num_words)`` by ``oov_char``, or removes them if ``oov_char`` is None."""
    upper_bound = num_words or max(max(text) for text in texts)
    if oov_char is not None:
        return [
            [word_number if skip_top <= word_number < upper_bound else oov_char for word_number in text]
            for text in texts
        ]
    return [[word_number for word_number in text if skip_top <= word_number < upper_bound] for text in texts]


def object_array(texts: list[list[int]]) -> np.ndarray:
    """Returns an array of lists."""
    array = np.empty(len(texts), object)
    array[:] = texts
    return array


def word_index(path: str, name: str, file_hash: str) -> dict[str, int]:
    """Returns the words of Keras's file ``name`` with their numbers; the cache stores the file as ``path``."""
    cached_path = get_file(path, DATASETS_URL + name, file_hash=file_hash)
    with open_regular(cached_path) as file, parser_errors_as_one(cached_path, "file of words"):
        words: dict[str, int] = parse_json(file.read())
    return words
