"""``StringLookup`` and ``IntegerLookup``: the numbers of terms in a vocabulary, and the terms of numbers."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_choice, check_shapes, refuse, require
from fastgrad._src.core.composite import Composite
from fastgrad._src.core.errors import FailedPreconditionError
from fastgrad._src.core.names import declare_missing
from fastgrad._src.core.tensor import Tensor, as_tensor_or_none
from fastgrad._src.keras import settings
from fastgrad._src.keras.layers.category_encoding import (
    CategoricalLayer,
    as_categories,
    checked_output_mode,
    encode_categories,
    encoded_shape,
)
from fastgrad._src.keras.saving.registration import in_safe_mode
from fastgrad._src.ops import namespace as ops
from fastgrad._src.structures.lookup.initializers import KeyValueTensorInitializer, TextFileIndex, TextFileInitializer
from fastgrad._src.structures.lookup.tables import StaticHashTable
from fastgrad._src.structures.ragged.elementwise import map_flat_values
from fastgrad._src.structures.ragged.ragged_tensor import RaggedTensor
from fastgrad._src.structures.sparse.conversion import from_dense
from fastgrad._src.structures.sparse.sparse_tensor import SparseTensor
from fastgrad._src.structures.strings.formatting import as_string
from fastgrad._src.structures.strings.hashing import to_hash_bucket_fast, to_hash_bucket_strong

_MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")
VOCABULARY_FILE = "vocabulary.txt"


def batches_of(data: Any, steps: int | None, dtype: Any) -> Iterator[Any]:
    """Yields the batches of ``adapt``'s data: an array is one batch; a vector has a sample in each item.

    Args:
        data: a tensor, array or list; else a Dataset or an iterable of batches.
        steps: the number of batches; None for all.
        dtype: the dtype of the batches.
    """
    is_array = isinstance(data, (list, tuple, np.ndarray, str, Composite)) or as_tensor_or_none(data) is not None
    if is_array or not isinstance(data, Iterable):
        x = as_categories(data, dtype)
        yield ops.expand_dims(x, -1) if len(x.shape) == 1 else x
        return
    for number, batch in enumerate(data):
        if steps is not None and number >= steps:
            return
        yield as_categories(batch, dtype)


class TermCounts:
    """How often terms occur, and in how many samples.

    Args:
        batches: tensors of (samples, ...); a vector is one sample.
        by_sample: whether ``samples_with_term`` is wanted.
    """

    def __init__(self, batches: Iterable[Any], by_sample: bool) -> None:
        self.terms: Counter[Any] = Counter()
        self.samples_with_term: Counter[Any] = Counter()
        self.samples = 0
        for batch in batches:
            terms, ends = _terms_and_sample_ends(batch)
            first_positions, numbers, counts = ops.distinct_elements(terms, np.int64)
            distinct = terms[first_positions].tolist()
            _add_counts(self.terms, distinct, counts)
            self.samples += len(ends)
            if by_sample:
                samples = np.searchsorted(ends, np.arange(len(terms)), "right")
                first_in_sample, _, _ = ops.distinct_elements(samples * len(distinct) + numbers, np.int64)
                counts = np.bincount(numbers[first_in_sample], minlength=len(distinct))
                _add_counts(self.samples_with_term, distinct, counts)


def _add_counts(counter: Counter[Any], terms: list[Any], counts: np.ndarray) -> None:
    for term, count in zip(terms, counts.tolist(), strict=True):
        counter[term] += count


def _terms_and_sample_ends(batch: Any) -> tuple[np.ndarray, np.ndarray]:
    """Returns all terms of a batch, and where the terms of each sample end."""
    if isinstance(batch, SparseTensor):
        batch = RaggedTensor.from_value_rowids(batch.values, batch.indices[:, 0], nrows=batch.shape[0])
    if isinstance(batch, RaggedTensor):
        splits: Any = batch.row_splits.numpy()
        for inner in batch.nested_row_splits[1:]:
            splits = inner.numpy()[splits]
        terms = batch.flat_values.numpy().reshape(-1)
        return terms[: splits[-1]], splits[1:]
    array = np.atleast_2d(batch.numpy())
    size = math.prod(array.shape[1:])
    return array.reshape(-1), np.arange(1, len(array) + 1) * size


MISSING = ("finalize_state", "load_assets", "reset_state", "save_assets", "update_state")
"""Methods that Keras's layers with a vocabulary have for its own use."""


@declare_missing(*MISSING)
class IndexLookup(CategoricalLayer):
    """The base of the layers that number the terms of a vocabulary; arguments and errors as in ``StringLookup``."""

    _leaf = True
    vocabulary_dtype: str

    def __init__(
        self,
        max_tokens: int | None,
        num_oov_indices: int,
        mask_token: Any,
        oov_token: Any,
        vocabulary: Any,
        idf_weights: Any,
        invert: bool,
        output_mode: str,
        pad_to_max_tokens: bool,
        sparse: bool,
        oov_method: str,
        salt: Any,
        **kwargs: Any,
    ) -> None:
        name = type(self).__name__
        require(max_tokens is None or max_tokens > 1, self, "`max_tokens` must exceed 1", max_tokens=max_tokens)
        if pad_to_max_tokens and max_tokens is None:
            raise ValueError(f"If pad_to_max_tokens is True, must set `max_tokens`. Received: max_tokens={max_tokens}")
        require(not num_oov_indices < 0, self, "`num_oov_indices` must be at least 0", num_oov_indices=num_oov_indices)
        check_choice(name, ("floormod", "farmhash"), oov_method=oov_method)
        if salt is not None and self.vocabulary_dtype != "string" and oov_method != "farmhash":
            raise ValueError(f"`salt` can only be used when `oov_method='farmhash'`. Received: oov_method={oov_method}")
        mode = checked_output_mode(name, output_mode, _MODES, sparse)
        require(not (invert and mode != "int"), self, "`invert` needs output_mode='int'", output_mode=output_mode)
        require(idf_weights is None or mode == "tf_idf", self, "`idf_weights` need 'tf_idf'", output_mode=mode)
        size = kwargs.pop("vocabulary_size", None)
        has_vocabulary = kwargs.pop("has_input_vocabulary", vocabulary is not None)
        if mode == "tf_idf" and has_vocabulary and idf_weights is None:
            raise ValueError(f"{type(self).__name__}: output_mode='tf_idf' with a `vocabulary` needs `idf_weights`.")
        super().__init__(**kwargs)
        self.autocast = False
        self.invert, self.max_tokens, self.num_oov_indices = invert, max_tokens, num_oov_indices
        self.mask_token, self.oov_token = mask_token, oov_token
        self.output_mode, self.sparse, self.pad_to_max_tokens = mode, sparse, pad_to_max_tokens
        self.oov_method, self.salt = oov_method, checked_salt(name, salt)
        self.input_vocabulary = None if isinstance(vocabulary, str) else vocabulary
        self.input_idf_weights = idf_weights
        self._has_input_vocabulary = has_vocabulary
        self._key_dtype = "int64" if invert else self.vocabulary_dtype
        self._row_size: int | None = size
        self._idf_weights: np.ndarray | None = (
            None if idf_weights is None else np.asarray(idf_weights, settings.floatx())
        )
        self._terms: tuple[Any, ...] = ()
        self._table: StaticHashTable | None = None  # until there is a vocabulary
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)
        self._build_at_init()

    @property
    def compute_dtype(self) -> str:
        """The dtype of terms."""
        return self.vocabulary_dtype

    @property
    def variable_dtype(self) -> str:
        """The dtype of terms."""
        return self.vocabulary_dtype

    # ---- the vocabulary --------------------------------------------------------------------------

    @property
    def _first_oov_number(self) -> int:
        return int(self.mask_token is not None and self.output_mode == "int")

    @property
    def _first_term_number(self) -> int:
        return self._first_oov_number + self.num_oov_indices

    def _special_terms(self) -> list[Any]:
        return [self.mask_token] * self._first_oov_number + [self.oov_token] * self.num_oov_indices

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """Returns the terms in the order of their numbers.

        Args:
            include_special_tokens: whether the mask and the terms out of the vocabulary, which come first, are there.
        """
        return [*(self._special_terms() if include_special_tokens else ()), *self._terms]

    def vocabulary_size(self) -> int:
        """Returns the number of terms, with the mask and the terms out of the vocabulary."""
        return self._first_term_number + len(self._terms)

    def _as_terms(self, vocabulary: Any) -> list[Any]:
        """Converts a vocabulary to a list of terms."""
        tensor = as_tensor_or_none(vocabulary)
        items = np.asarray(vocabulary if tensor is None else tensor.numpy())
        require(items.ndim == 1, self, "a vocabulary must be a list of terms", shape=items.shape)
        return [self._as_term(item) for item in items.tolist()]

    def _as_term(self, item: Any) -> Any:
        return int(item)

    @property
    def lookup_table(self) -> StaticHashTable | None:
        """The table of the vocabulary, another one for each vocabulary; None without one."""
        return self._table

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Replaces the vocabulary.

        Args:
            vocabulary: the terms, with or without the mask and the terms out of the vocabulary at the start; or a path of a text file.
            idf_weights: the inverse document frequency of each item of ``vocabulary``, in mode ``"tf_idf"`` alone.

        Raises:
            ValueError: there is no term, a term comes twice, a special term is in the midst, there are more terms than
                ``max_tokens``, or the weights do not fit. A path in the configuration of a model in a file, in safe mode.
            RuntimeError: results have the vocabulary's size, and it changes.
        """
        if self.output_mode == "tf_idf" and idf_weights is None:
            raise ValueError("`idf_weights` must be set if output_mode is 'tf_idf'.")
        if self.output_mode != "tf_idf" and idf_weights is not None:
            raise ValueError(f"`idf_weights` need output_mode='tf_idf', got {self.output_mode!r} and {idf_weights=}")
        if isinstance(vocabulary, str):
            self._set_terms(self._terms_of_file(vocabulary), None)
            return
        items = self._as_terms(vocabulary)
        require(items, self, "`vocabulary` must not be empty", vocabulary=vocabulary)
        special = self._special_terms()
        has_special = bool(special) and items[: len(special)] == special
        terms = items[len(special) :] if has_special else items
        self._check_terms(terms)
        weights = None
        if idf_weights is not None:
            weights = np.asarray(idf_weights)
            check_shapes(self, f"idf_weights ({len(items)})", ValueError, weights)
            weights = self._padded_weights(weights, 0 if has_special else self._first_term_number)
        self._set_terms(terms, weights)

    def _check_terms(self, terms: list[Any]) -> None:
        """Raises ValueError if a term comes twice or is special, or if there are too many."""
        repeated = [term for term, count in Counter(terms).items() if count > 1]
        require(not repeated, self, "`vocabulary` must not have repeated terms", repeated=repeated)
        for kind, token in (("mask", self.mask_token), ("OOV", self.oov_token if self.invert else None)):
            if token is not None and token in terms:
                order, position = self._special_terms(), terms.index(token)
                raise ValueError(f"The {kind} token {token!r} is term {position} of `vocabulary`. Begin with {order}.")
        size = self._first_term_number + len(terms)
        most, text = self.max_tokens, "the vocabulary must have at most `max_tokens` terms"
        require(most is None or size <= most, self, text, size=size, max_tokens=most)

    def _terms_of_file(self, path: str) -> list[Any]:
        if in_safe_mode():
            refuse(self, f"{path} lies outside of the model archive. If you trust the model, pass `safe_mode=False`")
        require(os.path.exists(path), self, f"Vocabulary file {path} does not exist")
        if self.output_mode == "tf_idf":
            raise ValueError("output_mode `'tf_idf'` does not support loading a vocabulary from file.")
        columns = TextFileIndex.WHOLE_LINE, "int64", TextFileIndex.LINE_NUMBER
        keys, _ = TextFileInitializer(path, self.vocabulary_dtype, *columns).pairs()
        return [self._as_term(item) for item in keys.tolist()]

    def _padded_weights(self, weights: np.ndarray, front: int) -> np.ndarray:
        """Puts the mean of the weights before them, for terms out of the vocabulary, and zeros behind, up to ``max_tokens``."""
        mean = weights.mean() if weights.size else np.nan
        back = 0
        if self.pad_to_max_tokens and self.max_tokens is not None:
            back = self.max_tokens - front - len(weights)
        return np.pad(weights, (front, back), constant_values=(mean, 0)).astype(settings.floatx())

    def _table_of(self, terms: Sequence[Any]) -> StaticHashTable:
        numbers = np.arange(self._first_term_number, self._first_term_number + len(terms))
        strings = np.array([term.encode() if isinstance(term, str) else term for term in terms], object)
        keys = strings if self.vocabulary_dtype == "string" else strings.astype(np.int64)
        if self.invert:
            default = self.oov_token if self.oov_token is not None else ("" if self.vocabulary_dtype == "string" else 0)
            return StaticHashTable(KeyValueTensorInitializer(numbers, keys, "int64", self.vocabulary_dtype), default)
        default = self._first_oov_number if self.num_oov_indices == 1 else -1
        return StaticHashTable(KeyValueTensorInitializer(keys, numbers, self.vocabulary_dtype, "int64"), default)

    def _set_terms(self, terms: Sequence[Any], weights: np.ndarray | None) -> None:
        """Makes ``terms`` the vocabulary; with an error nothing changes."""
        size = self._first_term_number + len(terms)
        is_size_fixed = self.output_mode != "int" and not self.pad_to_max_tokens
        if is_size_fixed and self._row_size not in (None, size):
            raise RuntimeError(
                f"When using `output_mode={self.output_mode}` and `pad_to_max_tokens=False`, the vocabulary size cannot be changed "
                f"after the layer is called. Old vocab size is {self._row_size}, new vocab size is {size}"
            )
        table = self._table_of(terms)
        self._table, self._terms, self._row_size = table, tuple(terms), size
        if weights is not None:
            self._idf_weights = weights

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Makes the vocabulary of the terms in ``data``, the most frequent first; equally frequent ones in descending order.

        Args:
            data: an array, tensor or list; a Dataset or another iterable of batches.
            steps: the number of batches of a Dataset to read; None for all.

        Raises:
            ValueError: the layer was made with a ``vocabulary``.
            RuntimeError: results have the vocabulary's size, and it changes.
        """
        self._adapt_to_batches(batches_of(data, steps, self.vocabulary_dtype))

    def _adapt_to_batches(self, batches: Iterable[Any]) -> None:
        require(not self._has_input_vocabulary, self, "adapt() cannot replace a vocabulary given to it")
        counts = TermCounts(batches, self.output_mode == "tf_idf")
        if not counts.terms:
            self._row_size = self.vocabulary_size()
            return
        for token in (self.mask_token, self.oov_token):
            counts.terms.pop(token.encode() if isinstance(token, str) else token, None)
        ordered = sorted(counts.terms, key=lambda term: (counts.terms[term], term), reverse=True)
        if self.max_tokens is not None:
            ordered = ordered[: self.max_tokens - self._first_term_number]
        weights = None
        if self.output_mode == "tf_idf":
            occurrences = np.array([counts.samples_with_term[term] for term in ordered], np.int64)
            # The formula of Keras; in its dtypes, so that the last bits agree.
            weights = np.log(1 + counts.samples / (1 + occurrences)).astype(settings.floatx())
            weights = self._padded_weights(weights, self._first_term_number)
        self._set_terms([self._as_term(term) for term in ordered], weights)

    # ---- calls -----------------------------------------------------------------------------------

    def _depth(self) -> int | None:
        return self.max_tokens if self.pad_to_max_tokens else self._row_size

    def call(self, inputs: Any) -> Any:
        depth = self._depth()
        if self.output_mode == "int":
            return self._look_up_all(inputs)
        if depth is None:
            raise RuntimeError(
                f"When using `output_mode={self.output_mode}` and `pad_to_max_tokens=False`, you must set the layer's vocabulary before "
                "calling it. Either pass a `vocabulary` argument to the layer, or call `adapt` with some sample data."
            )
        numbers = self._look_up_all(inputs)
        if self.output_mode != "tf_idf":
            return encode_categories(numbers, self.output_mode, depth, dtypes.int64, self.sparse)
        if self._idf_weights is None:
            raise ValueError("When `output_mode` is `'tf_idf'`, `idf_weights` must be provided.")
        rows = encode_categories(numbers, "count", depth, self._idf_weights.dtype) * ops.constant(self._idf_weights)
        return from_dense(rows) if self.sparse else rows

    def _look_up_all(self, inputs: Any) -> Any:
        if isinstance(inputs, SparseTensor):
            return SparseTensor(inputs.indices, self._look_up(inputs.values), inputs.dense_shape)
        if isinstance(inputs, RaggedTensor):
            return map_flat_values(self._look_up, inputs)
        return self._look_up(inputs)

    def _look_up(self, keys: Tensor) -> Tensor:
        if self._table is None:
            raise FailedPreconditionError(
                f"Layer '{self.name}': Table not initialized. There is no vocabulary; pass `vocabulary`, or call `adapt` or "
                "`set_vocabulary` first."
            )
        results: Tensor = self._table.lookup(keys)
        is_mask = None
        if self.mask_token is not None:
            is_mask = ops.equal(keys, ops.constant(0 if self.invert else self.mask_token, self._key_dtype))
            masked = self.mask_token if self.invert else 0 if self.output_mode == "int" else dtypes.int64.max
            results = ops.where(is_mask, ops.constant(masked, results.dtype), results)
        if self.invert or self.num_oov_indices == 1:
            return results
        is_missing = ops.equal(results, ops.constant(-1, dtypes.int64))
        if self.num_oov_indices:
            return ops.where(is_missing, self._buckets(keys) + self._first_oov_number, results)
        message = "When `num_oov_indices=0` all inputs should be in vocabulary, consider setting `num_oov_indices=1`. Received:"
        ops.Assert(ops.logical_not(ops.reduce_any(is_missing)), [message, keys])
        return results

    def _buckets(self, keys: Tensor) -> Tensor:
        if self.vocabulary_dtype != "string":
            if self.oov_method == "floormod":
                return ops.floormod(keys, ops.constant(self.num_oov_indices, dtypes.int64))
            keys = as_string(keys)
        return hash_buckets(keys, self.num_oov_indices, self.salt)

    def compute_output_shape(self, input_shape: Any) -> Any:
        if self.output_mode in ("int", "one_hot"):
            return encoded_shape(input_shape, self.output_mode, self._depth())
        return (*tuple(input_shape)[:-1], self._depth())

    def compute_output_spec(self, inputs: Any) -> Any:
        integer = self.vocabulary_dtype if self.invert else "int64"
        return self._spec(inputs, settings.floatx() if self.output_mode == "tf_idf" else integer)

    # ---- configurations and files ----------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The constructor arguments by name; a vocabulary from a file or from ``adapt`` is in the files of models instead."""
        names = ("invert", "max_tokens", "num_oov_indices", "oov_token", "mask_token", "output_mode", "sparse")
        return {
            **super().get_config(),
            **self._config_of((*names, "pad_to_max_tokens", "vocabulary_dtype")),
            "idf_weights": as_list(self.input_idf_weights),
            "vocabulary": as_list(self.input_vocabulary),
            "vocabulary_size": self._row_size,
            **self._config_of(("oov_method", "salt")),
        }

    def save_own_variables(self, store: Any) -> None:
        """Writes the inverse document frequencies, if there are any."""
        if self.output_mode == "tf_idf" and self._idf_weights is not None:
            store["idf_weights"] = self._idf_weights

    def load_own_variables(self, store: Any) -> None:
        if self.output_mode == "tf_idf" and "idf_weights" in store:
            self._idf_weights = np.asarray(store["idf_weights"], settings.floatx())

    def _saved_texts(self) -> dict[str, str]:
        """The files beside the weights: the vocabulary, unless the configuration has it.

        Raises:
            ValueError: a term has a line break, which would end its line.
        """
        if self.input_vocabulary is not None:
            return {}
        lines = [str(term) for term in self.get_vocabulary()]
        broken = [line for line in lines if "\n" in line or "\r" in line]
        if broken:
            raise ValueError(
                f"Layer '{self.name}': a term of the vocabulary has a line break, so that no text file can hold it: {broken[0]!r:.100}. "
                "Leave out line breaks by `standardize` or before `adapt`."
            )
        return {VOCABULARY_FILE: "\n".join(lines)}

    def _load_texts(self, texts: dict[str, str]) -> None:
        """Sets the vocabulary that ``_saved_texts`` gave; ValueError if it is no vocabulary of this layer."""
        if self.input_vocabulary is not None or VOCABULARY_FILE not in texts:
            return
        lines = texts[VOCABULARY_FILE].split("\n")
        while lines and not lines[-1]:  # as Keras
            lines.pop()
        terms = [self._as_term(line) for line in lines[self._first_term_number :]]
        self._check_terms(terms)
        self._set_terms(terms, None)


def hash_buckets(strings: Tensor, buckets: int, salt: list[int] | None) -> Tensor:
    """Returns the number of the bucket of each string, by TensorFlow's hash, or by its strong hash with a ``salt``."""
    if salt is None:
        return to_hash_bucket_fast(strings, buckets)
    return to_hash_bucket_strong(strings, buckets, salt)


def checked_salt(layer: str, salt: Any) -> list[int] | None:
    """Returns two integers, or None; ValueError unless ``salt`` is an integer, two, or None."""
    if salt is None:
        return None
    if isinstance(salt, (tuple, list)) and len(salt) == 2:
        return list(salt)
    if isinstance(salt, int):
        return [salt, salt]
    raise ValueError(
        f"The `salt` argument for `{layer}` can only be a tuple of 2 integers, or a single integer. Received: salt={salt}."
    )


def as_list(value: Any) -> Any:
    """Converts a tensor or array to a list, for configurations; other values stay."""
    tensor = as_tensor_or_none(value) if not isinstance(value, (list, tuple)) else None
    if tensor is not None:
        value = tensor.numpy()
        return [item.decode() if isinstance(item, bytes) else item for item in value.tolist()]
    return value.tolist() if isinstance(value, np.ndarray) else value


class StringLookup(IndexLookup):
    """Maps strings to the numbers of the terms of a vocabulary.

    The order of numbers: 0 for the mask (with ``mask_token``, in mode ``"int"``), then numbers for terms out of the vocabulary, then its terms.

    Args:
        max_tokens: the greatest size of the vocabulary, including the mask and the numbers for terms out of the vocabulary.
        num_oov_indices: the number of numbers for terms out of the vocabulary; with several, a hash chooses. With 0 such terms are errors.
        mask_token: the term of masked inputs: number 0 in mode ``"int"``, left out in other modes.
        oov_token: what ``invert`` returns for numbers without a term.
        vocabulary: the terms, or the path of a text file with a term in each line; instead of ``adapt``.
        idf_weights: with ``vocabulary``, the inverse document frequency of each term, in mode ``"tf_idf"``.
        invert: whether to map numbers to terms instead.
        output_mode: ``"int"``, ``"one_hot"``, ``"multi_hot"``, ``"count"``, or ``"tf_idf"``: counts times inverse document frequencies.
        pad_to_max_tokens: whether rows have ``max_tokens`` columns, also for smaller vocabularies.
        sparse: whether rows are a ``SparseTensor``.
        salt: one or two integers that select another hash.
        encoding: the encoding of the terms.
        name, **kwargs: as in ``Layer``.

    Raises:
        ValueError: an argument is out of range, arguments do not go together, or the vocabulary repeats a term. (At ``adapt``: there is a
            ``vocabulary``.)
        RuntimeError: the vocabulary is not known at a call whose results have its size, or its size changes.
        FailedPreconditionError: (at a call) there is no vocabulary.
        InvalidArgumentError: (at a call) ``num_oov_indices`` is 0, and a term is out of the vocabulary.
    """

    vocabulary_dtype = "string"

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str | None = "[UNK]",  # noqa: S107
        vocabulary: Any = None,
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        sparse: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        salt: Any = None,
        **kwargs: Any,
    ) -> None:
        self.encoding = encoding
        kwargs.setdefault("oov_method", "floormod")
        arguments = (max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, idf_weights, invert, output_mode)
        super().__init__(*arguments, pad_to_max_tokens, sparse, salt=salt, name=name, **kwargs)

    def _as_term(self, item: Any) -> str:
        return item.decode(self.encoding) if isinstance(item, bytes) else str(item)

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "encoding": self.encoding}
        del config["vocabulary_dtype"]
        return config


class IntegerLookup(IndexLookup):
    """Maps integers to the numbers of the terms of a vocabulary.

    Args:
        vocabulary_dtype: ``"int64"``.
        oov_method: the choice among several numbers for terms out of the vocabulary: ``"floormod"``, the remainder, or
            ``"farmhash"``, a hash.
        salt: with ``"farmhash"``: one or two integers that select another hash.
        max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, idf_weights, invert, output_mode, sparse, pad_to_max_tokens,
            name, **kwargs: as in ``StringLookup``.

    Raises:
        ValueError, RuntimeError, FailedPreconditionError, InvalidArgumentError: as in ``StringLookup``.
    """

    vocabulary_dtype = "int64"

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: int | None = None,
        oov_token: int | None = -1,
        vocabulary: Any = None,
        vocabulary_dtype: str = "int64",
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        salt: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        check_choice(self, ("int64",), vocabulary_dtype=vocabulary_dtype)
        arguments = (max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, idf_weights, invert, output_mode)
        super().__init__(*arguments, pad_to_max_tokens, sparse, oov_method, salt, name=name, **kwargs)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for name in ("oov_token", "mask_token"):
            config[name] = None if config[name] is None else int(config[name])
        if config["vocabulary"] is not None:
            config["vocabulary"] = [int(item) for item in config["vocabulary"]]
        return config
