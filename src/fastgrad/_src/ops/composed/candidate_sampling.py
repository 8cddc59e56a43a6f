"""Candidate samplers, and the losses that compare labels with sampled classes only.

Sources: Jean et al. 2014 (arXiv:1412.2007) for ``sampled_softmax_loss``, Gutmann and Hyvärinen 2010 for ``nce_loss``.
Distinct classes are drawn by one exponential number for each class (the order of Efraimidis and Spirakis 2006), which has the
distribution of drawing until there are enough distinct classes. The number of such draws is a sum of geometric numbers.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import checked_number
from fastgrad._src.core.damaged_file import open_regular
from fastgrad._src.core.errors import InvalidArgumentError, NotFoundError
from fastgrad._src.core.recording import init_scope
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_to_tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.core.variable_creators import hidden_variable_scope
from fastgrad._src.ops import creation
from fastgrad._src.ops import random_draws as draws
from fastgrad._src.ops.arguments import as_python_int, tensor_of, tensor_of_dtype
from fastgrad._src.ops.assertion import assert_greater_equal, assert_less
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.comparison import equal, logical_and
from fastgrad._src.ops.contraction import matmul
from fastgrad._src.ops.creation import fill, ones, ones_like, zeros_like
from fastgrad._src.ops.custom_gradient import stop_gradient
from fastgrad._src.ops.default_generators import default_philox_words
from fastgrad._src.ops.exponential import expm1, log, log1p
from fastgrad._src.ops.indexing import embedding_lookup, gather, gather_nd
from fastgrad._src.ops.inspection import argmax
from fastgrad._src.ops.joining import concat
from fastgrad._src.ops.loss import sigmoid_cross_entropy_with_logits, softmax_cross_entropy_with_logits
from fastgrad._src.ops.one_hot import one_hot
from fastgrad._src.ops.reduction import reduce_any, reduce_sum
from fastgrad._src.ops.reordering import reverse
from fastgrad._src.ops.rounding import floor
from fastgrad._src.ops.scan import cumsum
from fastgrad._src.ops.segments import unsorted_segment_sum
from fastgrad._src.ops.selection import where
from fastgrad._src.ops.shaping import expand_dims, reshape
from fastgrad._src.ops.sorting import top_k

_LOWEST = float(np.finfo(np.float32).min)


class CandidateSamples(NamedTuple):
    """The result of a candidate sampler."""

    sampled_candidates: Tensor
    true_expected_count: Tensor
    sampled_expected_count: Tensor


class ComputeAccidentalHits(NamedTuple):
    """The result of ``compute_accidental_hits``."""

    indices: Tensor
    ids: Tensor
    weights: Tensor


# ---- samplers ----------------------------------------------------------------------------------------


def uniform_candidate_sampler(
    true_classes: Any,
    num_true: Any,
    num_sampled: Any,
    unique: Any,
    range_max: Any,
    seed: Any = None,
    name: str | None = None,
) -> CandidateSamples:
    """Samples classes that are equally probable.

    Args:
        true_classes: int64, shape (batch, num_true): classes below ``range_max``, whose expected counts are computed.
        num_true: the number of columns of ``true_classes``.
        num_sampled: the number of samples.
        unique: whether the samples are distinct.
        range_max: the number of classes.
        seed: the operation's seed, as of ``tf.random.uniform``.
        name: kept for TensorFlow's signature.

    Returns:
        ``(sampled_candidates, true_expected_count, sampled_expected_count)``: int64, shape (num_sampled,); float32, shape
        (batch, num_true): how often each class occurs among the samples on average; the same for the samples, shape
        (num_sampled,). If ``unique``, the counts depend on how many draws were needed.

    Raises:
        InvalidArgumentError: a shape, a class or a number is out of range, or there are less than ``num_sampled`` classes to
            draw distinct samples from.
    """
    caller = "uniform_candidate_sampler"
    true, count, size = _checked_arguments(caller, true_classes, num_true, num_sampled, unique, range_max)
    return _sample_classes(fill([size], constant_tensor(np.asarray(1.0 / size))), true, count, unique, seed)


def log_uniform_candidate_sampler(
    true_classes: Any,
    num_true: Any,
    num_sampled: Any,
    unique: Any,
    range_max: Any,
    seed: Any = None,
    name: str | None = None,
) -> CandidateSamples:
    """Samples classes with the probabilities ``log((c + 2) / (c + 1)) / log(range_max + 1)``, for classes ordered by frequency.

    Arguments, results and errors as of ``uniform_candidate_sampler``.
    """
    caller = "log_uniform_candidate_sampler"
    true, count, size = _checked_arguments(caller, true_classes, num_true, num_sampled, unique, range_max)
    classes = creation.range(size, dtype=dtypes.float64)
    return _sample_classes(log1p(1.0 / (classes + 1.0)) / np.log1p(size), true, count, unique, seed)


_learned_counts: dict[tuple[Any, ...], Variable] = {}
"""The counts of ``learned_unigram_candidate_sampler``, by its attributes."""


def learned_unigram_candidate_sampler(
    true_classes: Any,
    num_true: Any,
    num_sampled: Any,
    unique: Any,
    range_max: Any,
    seed: Any = None,
    name: str | None = None,
) -> CandidateSamples:
    """Samples classes in proportion to 1 plus how often each was among the true classes of earlier calls.

    As in TensorFlow's eager mode, calls with the same attributes (all arguments but ``true_classes``) share their counts.
    Arguments, results and errors as of ``uniform_candidate_sampler``.
    """
    caller = "learned_unigram_candidate_sampler"
    true, count, size = _checked_arguments(caller, true_classes, num_true, num_sampled, unique, range_max)
    key = int(num_true), count, bool(unique), size, None if seed is None else int(seed)
    if key not in _learned_counts:
        with init_scope(), hidden_variable_scope():
            _learned_counts[key] = Variable(np.ones(size), trainable=False)
    counts = _learned_counts[key]
    weights = counts.read_value()
    samples = _sample_classes(weights / reduce_sum(weights), true, count, unique, seed)
    flat = reshape(true, [-1])
    counts.assign_add(unsorted_segment_sum(ones_like(flat, dtypes.float64), flat, size))
    return samples


def fixed_unigram_candidate_sampler(
    true_classes: Any,
    num_true: Any,
    num_sampled: Any,
    unique: Any,
    range_max: Any,
    vocab_file: str = "",
    distortion: float = 1.0,
    num_reserved_ids: int = 0,
    num_shards: int = 1,
    shard: int = 0,
    unigrams: Sequence[float] = (),
    seed: Any = None,
    name: str | None = None,
) -> CandidateSamples:
    """Samples classes in proportion to given counts.

    Args:
        true_classes, num_true, num_sampled, unique, range_max, seed, name: as of ``uniform_candidate_sampler``.
        vocab_file: a CSV file, whose last fields are the counts of the classes.
        distortion: the power that counts are raised to.
        num_reserved_ids: the number of classes before the counted ones, which are never sampled.
        num_shards, shard: takes every ``num_shards``-th class, from class ``shard`` on.
        unigrams: the counts of the classes, in place of ``vocab_file``.

    Raises:
        InvalidArgumentError: as of ``uniform_candidate_sampler``; neither or both of ``vocab_file`` and ``unigrams``; a negative
            count; ``range_max`` is not the number of classes; less than ``num_sampled`` classes have a probability above 0.
        NotFoundError: there is no such file.
    """
    caller = "fixed_unigram_candidate_sampler"
    true, count, size = _checked_arguments(caller, true_classes, num_true, num_sampled, unique, range_max)
    reserved, shards, first = (
        as_python_int(value, f"{caller}: {what}")
        for what, value in (("num_reserved_ids", num_reserved_ids), ("num_shards", num_shards), ("shard", shard))
    )
    if reserved < 0 or shards < 1 or first < 0:
        raise InvalidArgumentError(
            f"{caller}: num_reserved_ids and shard must be at least 0 and num_shards 1, got {reserved}, {first} and {shards}."
        )
    if bool(vocab_file) == bool(len(unigrams)):
        raise InvalidArgumentError(f"{caller}: needs one of vocab_file and unigrams, got {vocab_file!r}, {unigrams!r}.")
    numbers = _last_fields(caller, vocab_file) if vocab_file else unigrams
    try:
        counts = np.asarray(numbers, np.float64).reshape(-1)
    except (TypeError, ValueError):
        raise InvalidArgumentError(f"{caller}: the counts must be numbers, got {numbers!r}.") from None
    if not (np.isfinite(counts).all() and (counts >= 0).all() and counts.any()):
        raise InvalidArgumentError(
            f"{caller}: the counts must be at least 0, finite and not all 0, got {counts.tolist()}."
        )
    weights = np.concatenate([np.zeros(reserved), counts ** checked_number(caller, "distortion", distortion)])[
        first::shards
    ]
    if len(weights) != size:
        raise InvalidArgumentError(f"{caller}: range_max is {size}, must be the number of classes, {len(weights)}.")
    if unique and np.count_nonzero(weights) < count:
        raise InvalidArgumentError(
            f"{caller}: num_sampled={count} distinct samples from {np.count_nonzero(weights)} classes with a count above 0; "
            f"lower num_sampled."
        )
    return _sample_classes(constant_tensor(weights / weights.sum()), true, count, unique, seed)


def all_candidate_sampler(
    true_classes: Any, num_true: Any, num_sampled: Any, unique: Any, seed: Any = None, name: str | None = None
) -> CandidateSamples:
    """Returns all classes below ``num_sampled`` in order, each with the expected count 1.

    Arguments, results and errors as of ``uniform_candidate_sampler``.
    """
    true, count, _ = _checked_arguments("all_candidate_sampler", true_classes, num_true, num_sampled, True, num_sampled)
    return CandidateSamples(creation.range(count, dtype=dtypes.int64), ones(true.shape), ones([count]))


def _checked_arguments(
    caller: str, true_classes: Any, num_true: Any, num_sampled: Any, unique: Any, range_max: Any
) -> tuple[Tensor, int, int]:
    columns, count, size = (
        as_python_int(value, f"{caller}: {what}")
        for what, value in (("num_true", num_true), ("num_sampled", num_sampled), ("range_max", range_max))
    )
    true = tensor_of_dtype(true_classes, dtypes.int64, caller, "true_classes")
    if min(columns, count, size) < 1:
        raise InvalidArgumentError(f"{caller}: num_true={columns}, num_sampled={count}, range_max={size} must be >= 1.")
    if true._array.ndim != 2 or true._array.shape[1] != columns:
        raise InvalidArgumentError(f"{caller}: true_classes must have num_true={columns} columns, got {true.shape}.")
    if unique and count > size:
        raise InvalidArgumentError(
            f"{caller}: Sampler's range is too small: num_sampled={count} distinct samples from range_max={size} classes."
        )
    message = f"{caller}: true_classes must be in [0, {size})"
    assert_greater_equal(true, 0, message)
    assert_less(true, size, message)
    return true, count, size


def _last_fields(caller: str, path: str) -> list[str]:
    import csv  # most programs need no file of a vocabulary

    try:
        with open_regular(path) as file:
            lines = io.StringIO(file.read().decode("utf-8"), newline="")
        return [row[-1] for row in csv.reader(lines) if row]
    except FileNotFoundError:
        raise NotFoundError(f"{caller}: {path}: No such file; vocab_file must be a CSV file.") from None
    except (OSError, ValueError, csv.Error) as error:
        raise InvalidArgumentError(f"{caller}: {path} is not read: {error}; vocab_file must be a CSV file.") from None


def _sample_classes(probabilities: Tensor, true: Tensor, count: int, unique: Any, seed: Any) -> CandidateSamples:
    """Samples classes by their probabilities, float64."""
    draw_words, float64 = default_philox_words(seed), "float64"
    if unique:
        shape = probabilities._array.shape
        times = -log1p(-draws.uniform(draw_words(shape), shape=shape, dtype=float64)) / probabilities
        samples = cast(top_k(-times, count).indices, dtypes.int64)
        # After i distinct samples, the draws that repeat one of them are geometric: a draw repeats with their probability.
        repeated = cumsum(gather(probabilities, samples))[:-1]
        fractions = 1.0 - draws.uniform(draw_words((count - 1,)), shape=(count - 1,), dtype=float64)
        tries = count + reduce_sum(floor(log(fractions) / log(repeated)))
    else:
        samples = draws.categories(log(probabilities)[None], draw_words((1, count)), count=count, dtype="int64")[0]
        tries = constant_tensor(np.asarray(float(count)))
    expected = where(equal(tries, float(count)), probabilities * count, -expm1(tries * log1p(-probabilities)))
    expected = cast(expected, dtypes.float32)
    return CandidateSamples(samples, gather(expected, true), gather(expected, samples))


# ---- accidental hits and losses ----------------------------------------------------------------------


def compute_accidental_hits(
    true_classes: Any, sampled_candidates: Any, num_true: Any, seed: Any = None, name: str | None = None
) -> ComputeAccidentalHits:
    """Finds the samples that are true classes.

    Args:
        true_classes: int64, shape (batch, num_true).
        sampled_candidates: int64, shape (num_sampled,); of equal samples, only the last one is found.
        num_true: the number of columns of ``true_classes``.
        seed, name: kept for TensorFlow's signature.

    Returns:
        ``(indices, ids, weights)``, vectors with an element for each hit: the row of ``true_classes``, int32; the position of
        the sample, int64; the lowest float32, which added to the sample's logit removes it.

    Raises:
        InvalidArgumentError: a shape or a dtype is wrong.
    """
    caller = "compute_accidental_hits"
    true = tensor_of_dtype(true_classes, dtypes.int64, caller, "true_classes")
    sampled = tensor_of_dtype(sampled_candidates, dtypes.int64, caller, "sampled_candidates")
    hit, last = _hits(caller, true, sampled, num_true)
    positions = where(hit)
    rows = cast(positions[:, 0], dtypes.int32)
    return ComputeAccidentalHits(rows, gather_nd(last, positions), ones_like(rows, dtypes.float32) * _LOWEST)


def _hits(caller: str, true: Tensor, sampled: Tensor, num_true: Any) -> tuple[Tensor, Tensor]:
    """Returns for each true class whether it is among the samples, and the last position where it is."""
    columns = as_python_int(num_true, f"{caller}: num_true")
    if true._array.ndim != 2 or true._array.shape[1] != columns:
        raise InvalidArgumentError(f"{caller}: true classes must have num_true={columns} columns, got {true.shape}.")
    if sampled._array.ndim != 1 or not sampled._array.shape[0]:
        raise InvalidArgumentError(f"{caller}: the samples must be a vector that is not empty, got {sampled.shape}.")
    matches = equal(expand_dims(true, 2), sampled)
    last = sampled._array.shape[0] - 1 - argmax(cast(reverse(matches, [2]), dtypes.int32), 2)
    return reduce_any(matches, 2), last


def sampled_softmax_loss(
    weights: Any,
    biases: Any,
    labels: Any,
    inputs: Any,
    num_sampled: Any,
    num_classes: Any,
    num_true: Any = 1,
    sampled_values: Any = None,
    remove_accidental_hits: Any = True,
    seed: Any = None,
    name: str = "sampled_softmax_loss",
) -> Tensor:
    """The softmax cross-entropy of the labels among themselves and sampled classes, for training with many classes.

    Args:
        weights: shape (num_classes, dim), or a list of tables, which are concatenated.
        biases: shape (num_classes,).
        labels: integers, shape (batch, num_true).
        inputs: floating, shape (batch, dim).
        num_sampled: the number of sampled classes, shared by the rows of the batch.
        num_classes: the number of classes.
        num_true: the number of labels of a row.
        sampled_values: the result of a candidate sampler; default that of ``log_uniform_candidate_sampler`` with ``unique``.
        remove_accidental_hits: whether samples that are labels of a row have no share in its loss.
        seed: the seed of the sampler.
        name: kept for TensorFlow's signature.

    Returns:
        The losses, shape (batch,), of the dtype of ``inputs``.

    Raises:
        InvalidArgumentError: shapes do not fit, or a label or sample is no class.
    """
    logits, truths = _sampled_logits("sampled_softmax_loss", weights, biases, labels, inputs, num_sampled, num_classes,
                                     num_true, sampled_values, remove_accidental_hits, seed)  # fmt: skip
    return softmax_cross_entropy_with_logits(stop_gradient(truths), logits)


def nce_loss(
    weights: Any,
    biases: Any,
    labels: Any,
    inputs: Any,
    num_sampled: Any,
    num_classes: Any,
    num_true: Any = 1,
    sampled_values: Any = None,
    remove_accidental_hits: Any = False,
    name: str = "nce_loss",
) -> Tensor:
    """The noise-contrastive estimation loss: labels against sampled classes, by logistic regression.

    Arguments, results and errors as of ``sampled_softmax_loss``.
    """
    logits, truths = _sampled_logits("nce_loss", weights, biases, labels, inputs, num_sampled, num_classes,
                                     num_true, sampled_values, remove_accidental_hits, None)  # fmt: skip
    return reduce_sum(sigmoid_cross_entropy_with_logits(truths, logits), 1)


def _sampled_logits(
    caller: str,
    weights: Any,
    biases: Any,
    labels: Any,
    inputs: Any,
    num_sampled: Any,
    num_classes: Any,
    num_true: Any,
    sampled_values: Any,
    remove_accidental_hits: Any,
    seed: Any,
) -> tuple[Tensor, Tensor]:
    """Returns logits of the labels and samples, less the logarithms of their expected counts, and the shares of the labels."""
    x, true = tensor_of(inputs), cast(convert_to_tensor(labels), dtypes.int64)
    columns = as_python_int(num_true, f"{caller}: num_true")
    if x._array.ndim != 2 or not x.dtype.is_floating or columns < 1 or true._array.size != x._array.shape[0] * columns:
        raise InvalidArgumentError(
            f"{caller}: inputs must be a floating matrix with num_true={columns} labels for each row, got {x.dtype.name} of "
            f"shape {list(x.shape)} and labels of shape {list(true.shape)}."
        )
    if sampled_values is None:
        sampled_values = log_uniform_candidate_sampler(true, columns, num_sampled, True, num_classes, seed)
    sampled, true_count, sampled_count = (stop_gradient(tensor_of(value)) for value in sampled_values)
    sampled = cast(sampled, dtypes.int64)
    ids = concat([reshape(true, [-1]), sampled], 0)
    rows, offsets = (cast(embedding_lookup(table, ids), x.dtype) for table in (weights, biases))
    if rows._array.ndim != 2 or rows._array.shape[1] != x._array.shape[1] or offsets._array.ndim != 1:
        raise InvalidArgumentError(
            f"{caller}: weights must have {x._array.shape[1]} columns as inputs, and biases be a vector; the rows of the classes "
            f"have shape {list(rows.shape)} and the biases {list(offsets.shape)}."
        )
    size = true._array.size
    true_rows = reshape(rows[:size], [-1, columns, x._array.shape[1]])
    true_logits = reduce_sum(expand_dims(x, 1) * true_rows, 2) + reshape(offsets[:size], [-1, columns])
    sampled_logits = matmul(x, rows[size:], transpose_b=True) + offsets[size:]
    if remove_accidental_hits:
        hit, last = _hits(caller, true, sampled, columns)
        at_hits = one_hot(last, sampled._array.shape[0], on_value=True, off_value=False)
        removed = reduce_any(logical_and(at_hits, expand_dims(hit, 2)), 1)
        sampled_logits = sampled_logits + cast(removed, x.dtype) * x.dtype.as_numpy_dtype(_LOWEST)
    true_logits = true_logits - log(true_count)
    sampled_logits = sampled_logits - log(sampled_count)
    truths = concat([ones_like(true_logits) / columns, zeros_like(sampled_logits)], 1)
    return concat([true_logits, sampled_logits], 1), truths
