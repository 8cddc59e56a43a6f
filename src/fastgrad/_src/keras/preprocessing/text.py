"""``keras.preprocessing.text``: words as integers, as in Keras 2; ``TextVectorization`` is the layer that followed it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import check_choice, check_type, require

_PUNCTUATION = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'


def text_to_word_sequence(
    input_text: str, filters: str = _PUNCTUATION, lower: bool = True, split: str = " "
) -> list[str]:
    """Returns the words of a text.

    Args:
        input_text: the text.
        filters: characters that separate words.
        lower: whether to convert words to lower case.
        split: the separator of words.

    Raises:
        TypeError: ``input_text`` is no string.
    """
    check_type("text_to_word_sequence", "a string", str, input_text=input_text)
    table: dict[int, str] = {ord(character): split for character in filters}
    text = (input_text.lower() if lower else input_text).translate(table)
    return [word for word in text.split(split) if word]


def hashing_trick(
    text: str,
    n: int,
    hash_function: Any = None,
    filters: str = _PUNCTUATION,
    lower: bool = True,
    split: str = " ",
    analyzer: Callable[[str], Iterable[str]] | None = None,
) -> list[int]:
    """Returns a number from 1 to ``n - 1`` for each word of a text.

    Args:
        text: the text.
        n: the number of integers, with 0, which no word has.
        hash_function: a function of a word; ``"md5"``; default: Python's ``hash``, which differs from process to process.
        filters, lower, split: as in ``text_to_word_sequence``.
        analyzer: a function from the text to its words, in place of ``text_to_word_sequence``.

    Raises:
        ValueError: ``n`` is less than 2.
        TypeError: ``text`` is no string.
    """
    require(n >= 2, "hashing_trick", "n must be at least 2, so that there is a number for a word", n=n)
    words = text_to_word_sequence(text, filters, lower, split) if analyzer is None else analyzer(text)
    number = _md5 if hash_function == "md5" else hash if hash_function is None else hash_function
    return [number(word) % (n - 1) + 1 for word in words]


def _md5(word: str) -> int:
    return int(hashlib.md5(word.encode(), usedforsecurity=False).hexdigest(), 16)


def one_hot(
    input_text: str,
    n: int,
    filters: str = _PUNCTUATION,
    lower: bool = True,
    split: str = " ",
    analyzer: Callable[[str], Iterable[str]] | None = None,
) -> list[int]:
    """Returns the numbers of ``hashing_trick`` with Python's ``hash``; the arguments and errors are the same."""
    return hashing_trick(input_text, n, hash, filters, lower, split, analyzer)


class Tokenizer:
    """Numbers the words of texts, the most frequent word first, from 1 on.

    Args:
        num_words: only words with a number below ``num_words`` are converted; None for all words.
        filters, lower, split: as in ``text_to_word_sequence``.
        char_level: whether each character is a word.
        oov_token: a word for those that have no number; it has the number 1.
        analyzer: a function from a text to its words.
        document_count: the number of texts so far.

    Attributes:
        word_counts: how often each word occurs; word_docs: in how many texts.
        word_index, index_word: the number of each word, and the word of each number.
        index_docs: in how many texts the word of each number occurs.
        document_count: the number of texts.
    """

    def __init__(
        self,
        num_words: int | None = None,
        filters: str = _PUNCTUATION,
        lower: bool = True,
        split: str = " ",
        char_level: bool = False,
        oov_token: str | None = None,
        analyzer: Callable[[str], Iterable[str]] | None = None,
        document_count: int = 0,
    ) -> None:
        self.num_words, self.filters, self.lower, self.split = num_words, filters, lower, split
        self.char_level, self.oov_token = char_level, oov_token
        self.analyzer, self.document_count = analyzer, document_count
        self.word_counts: Counter[str] = Counter()
        self.word_docs: Counter[str] = Counter()
        self.index_docs: Counter[int] = Counter()
        self.word_index: dict[str, int] = {}
        self.index_word: dict[int, str] = {}

    def _words(self, text: str | Sequence[str]) -> list[str]:
        if isinstance(text, list):
            return [word.lower() for word in text] if self.lower else text
        if not isinstance(text, str):
            raise TypeError(f"Tokenizer: a text must be a string or a list of words, got {text!r}.")
        if self.char_level:
            return list(text.lower() if self.lower else text)
        if self.analyzer is not None:
            return list(self.analyzer(text))
        return text_to_word_sequence(text, self.filters, self.lower, self.split)

    def fit_on_texts(self, texts: Iterable[str | Sequence[str]]) -> None:
        """Counts the words of more texts, and numbers all words again.

        Args:
            texts: strings, or lists of words.

        Raises:
            TypeError: a text is neither; nothing is counted.
        """
        documents = [self._words(text) for text in texts]
        for words in documents:
            self.word_counts.update(words)
            self.word_docs.update(set(words))
        self.document_count += len(documents)
        vocabulary = sorted(self.word_counts, key=self.word_counts.__getitem__, reverse=True)
        if self.oov_token is not None:
            vocabulary.insert(0, self.oov_token)
        self.word_index = {word: number for number, word in enumerate(vocabulary, 1)}
        self.index_word = {number: word for word, number in self.word_index.items()}
        self.index_docs.update({self.word_index[word]: 0 for word in self.word_docs})
        for word, count in self.word_docs.items():
            self.index_docs[self.word_index[word]] = count

    def fit_on_sequences(self, sequences: Sequence[Iterable[int]]) -> None:
        """Counts in how many sequences each number occurs, for ``sequences_to_matrix``."""
        numbers = [set(sequence) for sequence in sequences]
        self.document_count += len(numbers)
        for distinct in numbers:
            self.index_docs.update(distinct)

    def _is_numbered(self, number: int) -> bool:
        return not self.num_words or number < self.num_words

    def texts_to_sequences(self, texts: Iterable[str | Sequence[str]]) -> list[list[int]]:
        """Returns the numbers of the words of each text; words without a number are left out, or are those of ``oov_token``."""
        return list(self.texts_to_sequences_generator(texts))

    def texts_to_sequences_generator(self, texts: Iterable[str | Sequence[str]]) -> Iterator[list[int]]:
        """Yields what ``texts_to_sequences`` returns."""
        unknown = None if self.oov_token is None else self.word_index.get(self.oov_token)
        for text in texts:
            numbers = [self.word_index.get(word) for word in self._words(text)]
            known = [number if number is not None and self._is_numbered(number) else unknown for number in numbers]
            yield [number for number in known if number is not None]

    def sequences_to_texts(self, sequences: Iterable[Iterable[int]]) -> list[str]:
        """Returns the words of each sequence of numbers, with blanks between them."""
        return list(self.sequences_to_texts_generator(sequences))

    def sequences_to_texts_generator(self, sequences: Iterable[Iterable[int]]) -> Iterator[str]:
        """Yields what ``sequences_to_texts`` returns."""
        for sequence in sequences:
            words = [
                self.index_word[number] if number in self.index_word and self._is_numbered(number) else self.oov_token
                for number in sequence
            ]
            yield " ".join(word for word in words if word is not None)

    def texts_to_matrix(self, texts: Iterable[str | Sequence[str]], mode: str = "binary") -> np.ndarray:
        """Returns ``sequences_to_matrix`` of the numbers of texts."""
        return self.sequences_to_matrix(self.texts_to_sequences(texts), mode)

    def sequences_to_matrix(self, sequences: Sequence[Sequence[int]], mode: str = "binary") -> np.ndarray:
        """Returns a row for each sequence and a column for each number, float64.

        Args:
            sequences: lists of numbers.
            mode: the elements of the matrix: ``"binary"``: 1 for each number that occurs; ``"count"``: the number of occurrences;
                ``"freq"``: the count divided by the sequence's length; ``"tfidf"``: (1 + log count) log(1 + texts / (1 + texts with it)).

        Raises:
            ValueError: the mode is unknown; there are no texts yet.
        """
        check_choice(self, ("binary", "count", "freq", "tfidf"), mode=mode)
        if not self.num_words and not self.word_index:
            raise ValueError("Tokenizer: give num_words, or call fit_on_texts first; there are no words yet.")
        if mode == "tfidf" and not self.document_count:
            raise ValueError("Tokenizer: call fit_on_texts before the mode tfidf; there are no texts yet.")
        size = self.num_words or len(self.word_index) + 1
        matrix = np.zeros((len(sequences), size))
        for row, sequence in zip(matrix, sequences, strict=True):
            for number, count in Counter(number for number in sequence if number < size).items():
                if mode == "tfidf":
                    frequency = self.document_count / (1 + self.index_docs.get(number, 0))
                    row[number] = (1 + np.log(count)) * np.log(1 + frequency)
                else:
                    row[number] = {"binary": 1, "count": count, "freq": count / len(sequence)}[mode]
        return matrix

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, and the counts as texts in JSON; without the analyzer, as in Keras."""
        arguments = ("num_words", "filters", "lower", "split", "char_level", "oov_token", "document_count")
        tables = ("word_counts", "word_docs", "index_docs", "index_word", "word_index")
        return {name: getattr(self, name) for name in arguments} | {
            name: json.dumps(getattr(self, name)) for name in tables
        }

    def to_json(self, **kwargs: Any) -> str:
        """Returns the class and ``get_config`` as JSON; arguments are those of ``json.dumps``."""
        return json.dumps({"class_name": type(self).__name__, "config": self.get_config()}, **kwargs)
