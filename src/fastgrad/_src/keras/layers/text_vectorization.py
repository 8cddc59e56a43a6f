"""``TextVectorization``: texts as numbers of words, or as rows of counts."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import check_choice, require
from fastgrad._src.core.names import declare_missing
from fastgrad._src.core.recording import is_recorded_for_file, is_state_recorded
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras.layers.category_encoding import CategoricalLayer, checked_output_mode
from fastgrad._src.keras.layers.index_lookup import MISSING, StringLookup, as_list, batches_of
from fastgrad._src.keras.saving.objects import deserialize_keras_object, serialize_keras_object
from fastgrad._src.ops.padding import pad
from fastgrad._src.ops.python_function import call_of_strings
from fastgrad._src.ops.shaping import squeeze
from fastgrad._src.structures.ragged.ragged_tensor import RaggedTensor
from fastgrad._src.structures.strings import splitting
from fastgrad._src.structures.strings.elements import lower
from fastgrad._src.structures.strings.regular_expressions import regex_replace
from fastgrad._src.structures.strings.unicode import unicode_split

_PUNCTUATION = r'[!"#$%&()\*\+,-\./:;<=>?@\[\\\]^_`{|}~\']'


@declare_missing(*MISSING)
class TextVectorization(CategoricalLayer):
    """Maps texts to numbers of words, or to rows of counts. Texts are standardised, split, joined to n-grams, and looked up.

    Inputs are strings, (batch,) or (batch, 1). Number 0 is padding; number 1 stands for words out of the vocabulary.

    Args:
        max_tokens: the greatest size of the vocabulary, with padding and unknown words.
        standardize: ``"lower_and_strip_punctuation"``, ``"lower"``, ``"strip_punctuation"``, None, or a function of strings.
        split: ``"whitespace"``, ``"character"``, None, or a function from strings to a ragged tensor.
        ngrams: n for the n-grams of 1 to n words, or a tuple of lengths.
        output_mode: ``"int"``, ``"multi_hot"``, ``"count"`` or ``"tf_idf"``, as in ``StringLookup``.
        output_sequence_length: in mode ``"int"``: the number of words to which results are padded or truncated.
        pad_to_max_tokens: whether rows have ``max_tokens`` columns, also for smaller vocabularies.
        vocabulary: the words, or the path of a text file with a word in each line; instead of ``adapt``.
        idf_weights: with ``vocabulary``, the inverse document frequency of each word, in mode ``"tf_idf"``.
        sparse: whether rows are a ``SparseTensor``.
        ragged: whether numbers are a ``RaggedTensor`` instead of padded; in mode ``"int"``.
        encoding: of the words.
        name: the name of the layer.
        **kwargs: as in ``Layer``.

    Raises:
        ValueError: an argument has another value, or arguments do not go together; at a call, the last dimension is not 1.
    """

    _shows_parts = False
    _key_dtype = "string"

    def __init__(
        self,
        max_tokens: int | None = None,
        standardize: Any = "lower_and_strip_punctuation",
        split: Any = "whitespace",
        ngrams: Any = None,
        output_mode: str = "int",
        output_sequence_length: int | None = None,
        pad_to_max_tokens: bool = False,
        vocabulary: Any = None,
        idf_weights: Any = None,
        sparse: bool = False,
        ragged: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        modes = ("int", "one_hot", "multi_hot", "count", "tf_idf")
        mode = checked_output_mode("TextVectorization", output_mode, modes, sparse)
        if not callable(standardize):
            choices = (None, "lower_and_strip_punctuation", "lower", "strip_punctuation")
            check_choice(self, choices, standardize=standardize)
        if not callable(split):
            check_choice(self, (None, "whitespace", "character"), split=split)
        is_lengths = isinstance(ngrams, tuple) and all(isinstance(item, int) for item in ngrams)
        if not (ngrams is None or isinstance(ngrams, int) or is_lengths):
            raise ValueError(f"`ngrams` must be None, an integer, or a tuple of integers. Received: ngrams={ngrams}")
        length: Any = output_sequence_length
        if length is not None and (mode != "int" or not isinstance(length, int)):
            wanted = "`output_sequence_length` must be an integer when `output_mode` is 'int', or None"
            raise ValueError(f"{wanted}. Received: {output_sequence_length=}, {output_mode=}")
        require(not ragged or mode == "int", self, "`ragged` needs output_mode='int'", output_mode=output_mode)
        options = {key: kwargs.pop(key) for key in ("has_input_vocabulary", "vocabulary_size") if key in kwargs}
        super().__init__(name=name, **kwargs)
        self.autocast = False
        self._standardize, self._split, self._ngrams, self._ragged = standardize, split, ngrams, ragged
        self._output_mode, self._output_sequence_length = mode, output_sequence_length
        self._lookup_layer = StringLookup(
            max_tokens=max_tokens,
            mask_token="",
            vocabulary=vocabulary,
            idf_weights=idf_weights,
            output_mode=mode,
            pad_to_max_tokens=pad_to_max_tokens,
            sparse=sparse,
            encoding=encoding,
            **options,
        )
        self._build_at_init()

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Makes the vocabulary of the words in ``data``, the most frequent first.

        Args:
            data: an array, tensor or list; a Dataset or another iterable of batches.
            batch_size: kept for Keras's signature.
            steps: the number of batches of a Dataset to read; None for all.

        Raises:
            ValueError: the layer was made with a ``vocabulary``, or the last dimension of the data is not 1.
        """
        self._lookup_layer._adapt_to_batches(map(self._words, batches_of(data, steps, "string")))

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[str]:
        """Returns the words in the order of their numbers.

        Args:
            include_special_tokens: whether the list starts with the padding and the unknown word.
        """
        return self._lookup_layer.get_vocabulary(include_special_tokens)

    def vocabulary_size(self) -> int:
        """Returns the number of words, with the padding and the unknown word."""
        return self._lookup_layer.vocabulary_size()

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Replaces the vocabulary; arguments and errors as in ``StringLookup.set_vocabulary``."""
        self._lookup_layer.set_vocabulary(vocabulary, idf_weights)

    def _words(self, x: Any) -> Any:
        """Returns the words of texts, or their n-grams: ragged, if texts are split."""
        if callable(self._standardize):
            x = self._standardize(x)
        elif self._standardize is not None:
            if self._standardize != "strip_punctuation":
                x = lower(x)
            if self._standardize != "lower":
                x = regex_replace(x, _PUNCTUATION, "")
        if self._split is not None:
            if len(x.shape) > 1:
                require(x.shape[-1] == 1, self, "strings must have rank 1, or a last dimension of 1", shape=x.shape)
                x = squeeze(x, -1)
            if callable(self._split):
                x = self._split(x)
            elif self._split == "whitespace":
                x = splitting.split(x)
            else:
                x = unicode_split(x, "UTF-8")
        if self._ngrams is None:
            return x
        widths = tuple(range(1, self._ngrams + 1)) if isinstance(self._ngrams, int) else self._ngrams
        return splitting.ngrams(x, widths)

    def call(self, inputs: Any) -> Any:
        """Returns the numbers of words, (batch, words) with zeros behind, or the encoded rows."""
        is_dense = self._output_mode == "int" and self._split is not None and not self._ragged
        is_dense = is_dense and isinstance(inputs, Tensor) and inputs.ndim in (1, 2)
        if not is_dense or not is_state_recorded() or is_recorded_for_file():
            return self._encode(inputs)

        # One call of Python: the shapes of operations on words differ in each batch, for which a program would be recorded again.
        def run(texts: np.ndarray) -> tuple[np.ndarray, ...]:
            return (self._encode(Tensor(texts))._array,)

        def sample(size: int) -> tuple[np.ndarray, ...]:
            return (np.zeros((inputs.shape[0], self._output_sequence_length or size), np.int64),)

        return call_of_strings("text_vectorization", run, (inputs,), sample, lambda: self._lookup_layer.lookup_table)[0]

    def _encode(self, inputs: Any) -> Any:
        numbers = self._lookup_layer.call(self._words(inputs))
        if self._output_mode != "int":
            return numbers
        length = self._output_sequence_length
        if isinstance(numbers, RaggedTensor):
            if self._ragged:
                return numbers if length is None else numbers[:, :length]
            shape = None if length is None else [*[None] * (len(numbers.shape) - 1), length]
            return numbers.to_tensor(0, shape=shape)
        if length is None:
            return numbers
        numbers = numbers[..., :length]
        if self._ragged:
            return numbers
        return pad(numbers, [*[(0, 0)] * (numbers.ndim - 1), (0, length - numbers.shape[-1])])

    def compute_output_shape(self, input_shape: Any) -> Any:
        shape = tuple(input_shape)
        if self._output_mode == "int":
            return (shape[0], self._output_sequence_length)
        if self._split is not None:
            shape = (*shape, None) if len(shape) <= 1 else (*shape[:-1], None)
        return self._lookup_layer.compute_output_shape(shape if len(shape) > 1 else (*shape, 1))

    def compute_output_spec(self, inputs: Any) -> Any:
        return self._spec(inputs, "float32" if self._output_mode == "tf_idf" else "int64")

    @property
    def compute_dtype(self) -> str:
        """The dtype of inputs."""
        return "string"

    @property
    def variable_dtype(self) -> str:
        """The dtype of inputs."""
        return "string"

    def get_config(self) -> dict[str, Any]:
        """The constructor arguments by name; a vocabulary from a file or from ``adapt`` is in the files of models instead."""
        lookup = self._lookup_layer
        return {
            **super().get_config(),
            "max_tokens": lookup.max_tokens,
            "standardize": _function_config(self._standardize),
            "split": _function_config(self._split),
            "ngrams": self._ngrams,
            "output_mode": self._output_mode,
            "output_sequence_length": self._output_sequence_length,
            "pad_to_max_tokens": lookup.pad_to_max_tokens,
            "sparse": lookup.sparse,
            "ragged": self._ragged,
            "vocabulary": as_list(lookup.input_vocabulary),
            "idf_weights": as_list(lookup.input_idf_weights),
            "encoding": lookup.encoding,
            "vocabulary_size": self.vocabulary_size(),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        config = dict(config)
        for name in ("standardize", "split"):
            if isinstance(config.get(name), dict):
                config[name] = deserialize_keras_object(config[name])
        if isinstance(config.get("ngrams"), list):
            config["ngrams"] = tuple(config["ngrams"])
        return super().from_config(config)

    def save_own_variables(self, store: Any) -> None:
        """Writes the inverse document frequencies, if there are any."""
        self._lookup_layer.save_own_variables(store)

    def load_own_variables(self, store: Any) -> None:
        self._lookup_layer.load_own_variables(store)

    def _saved_texts(self) -> dict[str, str]:
        return self._lookup_layer._saved_texts()

    def _load_texts(self, texts: dict[str, str]) -> None:
        self._lookup_layer._load_texts(texts)


def _function_config(value: Any) -> Any:
    return serialize_keras_object(value) if callable(value) else value
