"""Strings to lists and back: split, bytes_split, reduce_join, unsorted_segment_join, ngrams."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import check_at_least, require
from fastgrad._src.core.errors import InvalidArgumentError, OutOfRangeError
from fastgrad._src.core.lowering import ResultSize
from fastgrad._src.core.operand_errors import dtype_error
from fastgrad._src.core.result_rules import ArraySpec, reduced_shape
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.kernels.hashing.text_contents import find_words
from fastgrad._src.ops import namespace as ops
from fastgrad._src.structures.ragged.ragged_tensor import RaggedTensor
from fastgrad._src.structures.ragged.reductions import reduced
from fastgrad._src.structures.strings.rows import (
    BYTES,
    INDEX_DTYPES,
    LENGTH_DTYPE,
    STRING_DTYPES,
    array_of_elements,
    bytes_attribute,
    bytes_of,
    call_for_rows,
    integer_attribute,
    ragged_or_strings_of,
    rows_operation,
    string_operation,
    strings_of,
)

# ---- split -------------------------------------------------------------------------------------------------------


def _split_words(text: bytes, separator: bytes, limit: int) -> list[bytes]:
    if separator:
        return text.split(separator, limit)
    return text.split(None, limit) if limit else [text]


def _split_all_words(x: np.ndarray, separator: bytes, limit: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Returns the words between white space, and how many each string has; None for other separators and limits."""
    if separator or limit >= 0:
        return None
    texts, address = ops.bytes_objects(x)
    most = int(ops.sizes_of(texts).sum() + len(x)) // 2
    addresses, sizes, counts = [np.empty(size, np.int64) for size in (most, most, len(x))]
    find_words[()](address, addresses, sizes, counts, 0, len(x))
    total = int(counts.sum())
    return ops.texts_at(addresses[:total], sizes[:total]), counts


_split = rows_operation("string_split", _split_words, parts_of_all=_split_all_words)


def _split_all_bytes(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    text = b"".join(x.tolist())
    return ops.parts_of_text(text, np.arange(len(text)), np.ones(len(text), np.int64)), ops.sizes_of(x)


_bytes_split = rows_operation(
    "bytes_split", lambda text: [text[i : i + 1] for i in range(len(text))], parts_of_all=_split_all_bytes
)


def split(input: Any, sep: Any = None, maxsplit: Any = -1, name: str | None = None) -> Any:
    """Splits each string at a separator.

    Args:
        input: strings, any shape, or a ragged tensor.
        sep: one string. Default: runs of ASCII white space are the separator, and results have no empty strings.
        maxsplit: the largest number of splits; by default there is no limit.
        name: kept for TensorFlow's signature.

    Returns:
        A vector of strings for a scalar, else a ragged tensor with one more dimension than ``input``.

    Raises:
        TypeError: a Python value that is no string; ``maxsplit`` is no integer.
        ValueError: a tensor of another dtype.
        InvalidArgumentError: ``sep`` is no scalar, or a tensor of another dtype.
    """
    separator = b"" if sep is None else bytes_of("split", "sep", sep)
    limit = -1 if maxsplit is None else integer_attribute("split", "maxsplit", maxsplit)
    x = ragged_or_strings_of("split", input, dtype_error=ValueError)
    return call_for_rows(_split, x, separator=separator, limit=limit)


def bytes_split(input: Any, name: str | None = None) -> Any:
    """Splits each string into its bytes.

    Args:
        input: strings, any shape, or a ragged tensor.
        name: kept for TensorFlow's signature.

    Returns:
        A vector of strings for a scalar, else a ragged tensor with one more dimension than ``input``.

    Raises:
        ValueError: values that are no strings.
    """
    x = ragged_or_strings_of("bytes_split", input, any_dtype=True, dtype_error=ValueError)
    return call_for_rows(_bytes_split, x)


# ---- joins -------------------------------------------------------------------------------------------------------


def _run_reduce_join(x: np.ndarray, axes: tuple[int, ...], separator: bytes) -> np.ndarray:
    shape = reduced_shape(x.shape, axes, False)
    rows = np.transpose(x, [axis for axis in range(x.ndim) if axis not in axes] + [*reversed(axes)])
    parts = rows.reshape(int(np.prod(shape)), int(np.prod([x.shape[axis] for axis in axes]))).tolist()
    return array_of_elements([separator.join(row) for row in parts], shape)


_reduce_join = string_operation(
    "reduce_join",
    _run_reduce_join,
    lambda x, axes, separator: ArraySpec(reduced_shape(x.shape, axes, False), BYTES),
    batched=ops.shift_axes_rule("axes"),
)


def reduce_join(
    inputs: Any, axis: Any = None, keepdims: bool = False, separator: Any = "", name: str | None = None
) -> Any:
    """Joins the strings along axes.

    Args:
        inputs: strings, or a ragged tensor.
        axis: an integer, or several; the first of them varies fastest. By default all axes, in row-major order.
        keepdims: whether the axes stay, with size 1.
        separator: the string between joined strings; None for none.
        name: kept for TensorFlow's signature.

    Raises:
        TypeError: ``axis`` is no integer, or ``separator`` no string.
        InvalidArgumentError: an axis twice, or values that are no strings.
        OutOfRangeError: an axis that ``inputs`` does not have.
    """
    between = b"" if separator is None else bytes_attribute("reduce_join", "separator", separator)
    if isinstance(inputs, RaggedTensor):
        return _reduce_join_of_ragged(inputs, axis, keepdims, between)
    x = strings_of("reduce_join", inputs, any_dtype=True)
    rank = x._array.ndim
    if isinstance(axis, (float, str, bytes)):
        raise TypeError(f"reduce_join: axis must be an integer, or several, got {axis!r}.")
    numbers = range(rank - 1, -1, -1) if axis is None else ops.as_python_ints(axis, "reduce_join: axis")
    axes: list[int] = []
    for number in numbers:
        if not -rank <= number < rank:
            raise OutOfRangeError(f"reduce_join: Invalid reduction dimension {number} for {rank} dimension(s).")
        if number % rank in axes:
            raise InvalidArgumentError(f"reduce_join: Duplicate reduction dimension {number}.")
        axes.append(number % rank)
    y: Tensor = _reduce_join(x, axes=tuple(axes), separator=between)
    return ops.reshape(y, reduced_shape(x._array.shape, tuple(axes), True)) if keepdims else y


def _reduce_join_of_ragged(x: RaggedTensor, axis: Any, keepdims: bool, separator: bytes) -> Any:
    def joined(values: Any, axis: Any = None) -> Any:
        return reduce_join(values, axis, separator=separator)

    def joined_segments(values: Tensor, ids: Tensor, count: int) -> Tensor:
        return unsorted_segment_join(values, ids, count, separator)

    return reduced(joined, x, axis, keepdims, joined_segments)


# ---- segments ----------------------------------------------------------------------------------------------------


def _join_of_sorted_segments(x: np.ndarray, ids: np.ndarray, count: int, separator: bytes) -> np.ndarray:
    """Joins the strings of each segment, whose numbers ascend and fit: a segment is a part of all strings, joined."""
    result = np.full(count, b"", BYTES)
    (firsts,) = np.nonzero(np.diff(ids, prepend=ids[0] - 1))
    lasts = np.append(firsts[1:], len(ids)) - 1
    starts, ends = _bounds_of_joined_strings(x, separator)
    begin = starts[firsts]
    result[ids[firsts]] = ops.parts_of_text(separator.join(x.tolist()), begin, ends[lasts] - begin)
    return result


def _bounds_of_joined_strings(x: np.ndarray, separator: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Returns where each string of a vector begins and ends when all are joined."""
    sizes = ops.sizes_of(x)
    starts = np.cumsum(sizes + len(separator)) - sizes - len(separator)
    return starts, starts + sizes


def _run_segment_join(x: np.ndarray, ids: np.ndarray, count: int, separator: bytes) -> np.ndarray:
    inner_shape = x.shape[ids.ndim :]
    flat_ids = ids.reshape(-1)
    if not inner_shape and x.size and flat_ids[0] >= 0 and flat_ids[-1] < count and (np.diff(flat_ids) >= 0).all():
        return _join_of_sorted_segments(x.reshape(-1), flat_ids, count, separator)
    result = np.full((count, *inner_shape), b"", BYTES)  # first: too many segments are an error before any work
    rows: dict[int, list[Any]] = {}
    for segment, row in zip(ids.reshape(-1).tolist(), x.reshape(ids.size, *inner_shape), strict=True):
        if not 0 <= segment < count:
            raise InvalidArgumentError(f"unsorted_segment_join: segment_ids must be in [0, {count}), got {segment}.")
        rows.setdefault(segment, []).append(np.reshape(row, -1).tolist() if inner_shape else [row])
    for segment, row in rows.items():
        joined = [separator.join(parts) for parts in zip(*row, strict=True)]
        result[segment] = array_of_elements(joined, inner_shape) if inner_shape else joined[0]
    return result


_segment_join = string_operation(
    "unsorted_segment_join",
    _run_segment_join,
    lambda x, ids, count, separator: ArraySpec((count, *x.shape[len(ids.shape) :]), BYTES),
    dtypes=STRING_DTYPES | INDEX_DTYPES,
    batched=None,
    checks=True,
)


def unsorted_segment_join(
    inputs: Any, segment_ids: Any, num_segments: Any, separator: Any = "", name: str | None = None
) -> Tensor:
    """Joins the strings of equal segment numbers, in row-major order.

    Args:
        inputs: strings, shape (d1 ... dn, ...).
        segment_ids: int32 or int64, shape (d1 ... dn).
        num_segments: the number of segments.
        separator: the string between joined strings; None for none.
        name: kept for TensorFlow's signature.

    Returns:
        Strings, shape (num_segments, ...); a segment without strings is empty.

    Raises:
        TypeError: ``separator`` or a Python value is no string.
        InvalidArgumentError: a segment number out of range, shapes that do not fit, or another dtype.
        ResourceExhaustedError: more segments than memory holds.
    """
    between = b"" if separator is None else bytes_attribute("unsorted_segment_join", "separator", separator)
    x, ids = strings_of("unsorted_segment_join", inputs), ops.tensor_of(segment_ids)
    count = ops.as_python_int(ops.tensor_of(num_segments), "unsorted_segment_join: num_segments")
    if ids._array.dtype not in INDEX_DTYPES:
        raise dtype_error("unsorted_segment_join", ids._array.dtype, INDEX_DTYPES)
    check_at_least("unsorted_segment_join", 0, InvalidArgumentError, num_segments=count)
    if x._array.shape[: ids._array.ndim] != ids._array.shape:
        raise InvalidArgumentError(
            f"unsorted_segment_join: inputs' shape {x.shape} must begin with segment_ids' {ids.shape}."
        )
    return _segment_join(x, ids, count=count, separator=between)


# ---- n-grams -----------------------------------------------------------------------------------------------------


def _row_ngrams(
    row: list[bytes],
    widths: Sequence[int],
    separator: bytes,
    pads: tuple[bytes, bytes],
    pad_width: int,
    keep_short: bool,
) -> list[bytes]:
    ngrams = []
    for width in widths:
        padding = min(width - 1, pad_width)
        padded = [pads[0]] * padding + row + [pads[1]] * padding
        ngrams += [separator.join(padded[i : i + width]) for i in range(len(padded) - width + 1)]
    if keep_short and row and not ngrams:
        padding = max(pad_width, 0)
        ngrams = [separator.join([pads[0]] * padding + row + [pads[1]] * padding)]
    return ngrams


def _unpadded_ngrams(
    x: np.ndarray, splits: np.ndarray, widths: Sequence[int], separator: bytes
) -> tuple[np.ndarray, np.ndarray]:
    """Returns n-grams without pads: they are parts of all strings, joined."""
    (starts, ends), lengths = _bounds_of_joined_strings(x, separator), np.diff(splits)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    firsts, lasts = [], []
    for width in widths:
        (first,) = np.nonzero(rows[: max(len(rows) - width + 1, 0)] == rows[width - 1 :])
        firsts.append(first)
        lasts.append(first + width - 1)
    first, last = np.concatenate(firsts), np.concatenate(lasts)
    if len(widths) > 1:  # in a row, one width comes after the other
        order = np.argsort(rows[first], kind="stable")
        first, last = first[order], last[order]
    begin = starts[first]
    ngrams = ops.parts_of_text(separator.join(x.tolist()), begin, ends[last] - begin)
    return ngrams, np.bincount(rows[first], minlength=len(lengths)).astype(LENGTH_DTYPE)


def _run_ngrams(x: np.ndarray, splits: np.ndarray, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    if (
        options["pad_width"] == 0
        and not options["keep_short"]
        and options["widths"]
        and splits[-1] - splits[0] == len(x)
    ):
        return _unpadded_ngrams(x, splits, options["widths"], options["separator"])
    limits, values = splits.tolist(), x.tolist()
    rows = [_row_ngrams(values[i:j], **options) for i, j in itertools.pairwise(limits)]
    ngrams = [ngram for row in rows for ngram in row]
    return array_of_elements(ngrams, [len(ngrams)]), np.array([len(row) for row in rows], LENGTH_DTYPE)


_ngrams = string_operation(
    "string_ngrams",
    _run_ngrams,
    lambda x, splits, **options: (ArraySpec((None,), BYTES), ArraySpec((splits.shape[0] - 1,), LENGTH_DTYPE)),
    dtypes=STRING_DTYPES | INDEX_DTYPES,
    batched=None,
    result_size=ResultSize(count=lambda x, splits, **options: len(_run_ngrams(x, splits, **options)[0])),
)


def ngrams(
    data: Any,
    ngram_width: Any,
    separator: Any = " ",
    pad_values: Any = None,
    padding_width: Any = None,
    preserve_short_sequences: bool = False,
    name: str | None = None,
) -> Any:
    """Returns the n-grams of the last dimension: each run of n neighbouring strings, joined.

    Args:
        data: strings, rank 1 or more, or a ragged tensor.
        ngram_width: n; several numbers give the n-grams of each number, one after the other.
        separator: the string between joined strings.
        pad_values: the padding of each row: a string, or a pair of a left and a right string; None for no padding.
        padding_width: the number of padding strings on each side; the default and the maximum are n - 1.
        preserve_short_sequences: whether a row that is too short for an n-gram gives one n-gram of all its strings.
        name: kept for TensorFlow's signature.

    Returns:
        A tensor for a tensor, else a ragged tensor; the last dimension has the n-grams.

    Raises:
        TypeError: a width is no integer; ``pad_values``, ``separator`` or a Python value are no strings.
        ValueError: a width below 1, ``padding_width`` without ``pad_values``, a list of one pad string, a scalar, or a tensor of another dtype.
    """
    pads = pad_values if isinstance(pad_values, (list, tuple)) else (pad_values,) * 2
    if pad_values is not None and not all(isinstance(pad, (str, bytes)) for pad in pads[:2]):
        raise TypeError(f"ngrams: pad_values must be a string, tuple of strings, or None, got {pad_values!r}.")
    if len(pads) < 2:
        raise ValueError(f"ngrams: pad_values must be a string for the left and one for the right, got {pad_values!r}.")
    if padding_width is not None:
        padding_width = integer_attribute("ngrams", "padding_width", padding_width)
    check_at_least("ngrams", 1, padding_width=1 if padding_width is None else padding_width)
    if padding_width is not None and pad_values is None:
        raise ValueError("ngrams: pad_values must be provided if padding_width is set.")
    numbers = ngram_width if isinstance(ngram_width, (list, tuple)) else (ngram_width,)
    widths = tuple([integer_attribute("ngrams", "ngram_width", width) for width in numbers])
    x = ragged_or_strings_of("ngrams", data, dtype_error=ValueError)
    require(x.shape.rank, "ngrams", "Data must have rank > 0", shape=x.shape)
    require(min(widths, default=1) >= 1, "ngrams", "All ngram_widths must be greater than 0", ngram_width=ngram_width)
    options = {
        "widths": widths,
        "separator": bytes_attribute("ngrams", "separator", separator),
        "pads": tuple([b"" if pad is None else bytes_of("ngrams", "pad_values", pad) for pad in pads[:2]]),
        "pad_width": 0 if pad_values is None else max(widths) - 1 if padding_width is None else padding_width,
        "keep_short": bool(preserve_short_sequences),
    }
    if isinstance(x, RaggedTensor):
        return _ngrams_of_ragged(x, options)
    shape = x._array.shape
    rows = RaggedTensor.from_uniform_row_length(ops.reshape(x, [-1]), shape[-1], int(np.prod(shape[:-1])))
    return ops.reshape(_ngrams_of_ragged(rows, options).values, [*shape[:-1], -1 if x._array.size else 0])


def _ngrams_of_ragged(x: RaggedTensor, options: dict[str, Any]) -> RaggedTensor:
    if isinstance(x.values, RaggedTensor):
        return x.with_values(_ngrams_of_ragged(x.values, options))
    values, lengths = _ngrams(x.values, x.row_splits, **options)
    return RaggedTensor.from_row_lengths(values, lengths, validate=False)
