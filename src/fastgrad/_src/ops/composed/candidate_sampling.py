"""Candidate samplers, and the loss that compares labels with sampled classes only.

Source of ``nce_loss``: Gutmann and Hyvärinen 2010.
Distinct classes are drawn by one exponential number for each class (the order of Efraimidis and Spirakis 2006), which has the
distribution of drawing until there are enough distinct classes. The number of such draws is a sum of geometric numbers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_shapes, refuse
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_to_tensor
from fastgrad._src.ops import creation
from fastgrad._src.ops import random_draws as draws
from fastgrad._src.ops.arguments import as_python_int, tensor_of, tensor_of_dtype
from fastgrad._src.ops.assertion import assert_greater_equal, assert_less
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.comparison import equal, logical_and
from fastgrad._src.ops.contraction import matmul
from fastgrad._src.ops.creation import fill, ones_like, zeros_like
from fastgrad._src.ops.custom_gradient import stop_gradient
from fastgrad._src.ops.default_generators import default_philox_words
from fastgrad._src.ops.exponential import expm1, log, log1p
from fastgrad._src.ops.indexing import embedding_lookup, gather
from fastgrad._src.ops.inspection import argmax
from fastgrad._src.ops.joining import concat
from fastgrad._src.ops.loss import sigmoid_cross_entropy_with_logits
from fastgrad._src.ops.one_hot import one_hot
from fastgrad._src.ops.reduction import reduce_any, reduce_sum
from fastgrad._src.ops.reordering import reverse
from fastgrad._src.ops.rounding import floor
from fastgrad._src.ops.scan import cumsum
from fastgrad._src.ops.selection import where
from fastgrad._src.ops.shaping import expand_dims, reshape
from fastgrad._src.ops.sorting import top_k

_LOWEST = float(np.finfo(np.float32).min)


class CandidateSamples(NamedTuple):
    """The result of a candidate sampler."""

    sampled_candidates: Tensor
    true_expected_count: Tensor
    sampled_expected_count: Tensor


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
    check_shapes(caller, f"true_classes (batch, {columns})", InvalidArgumentError, true)
    if unique and count > size:
        requirement = "Sampler's range is too small: distinct samples need num_sampled <= range_max"
        refuse(caller, requirement, InvalidArgumentError, num_sampled=count, range_max=size)
    message = f"{caller}: true_classes must be in [0, {size})"
    assert_greater_equal(true, 0, message)
    assert_less(true, size, message)
    return true, count, size


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


# ---- the loss --------------------------------------------------------------------------------------


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
        name: kept for TensorFlow's signature.

    Returns:
        The losses, shape (batch,), of the dtype of ``inputs``.

    Raises:
        InvalidArgumentError: shapes do not fit, or a label or sample is no class.
    """
    x, true = tensor_of(inputs), cast(convert_to_tensor(labels), dtypes.int64)
    columns = as_python_int(num_true, "nce_loss: num_true")
    if x._array.ndim != 2 or not x.dtype.is_floating or columns < 1 or true._array.size != x._array.shape[0] * columns:
        raise InvalidArgumentError(
            f"nce_loss: inputs must be a floating matrix with num_true={columns} labels for each row, got {x.dtype.name} of "
            f"shape {list(x.shape)} and labels of shape {list(true.shape)}."
        )
    if sampled_values is None:
        sampled_values = log_uniform_candidate_sampler(true, columns, num_sampled, True, num_classes)
    sampled, true_count, sampled_count = (stop_gradient(tensor_of(value)) for value in sampled_values)
    sampled = cast(sampled, dtypes.int64)
    ids = concat([reshape(true, [-1]), sampled], 0)
    rows, offsets = (cast(embedding_lookup(table, ids), x.dtype) for table in (weights, biases))
    check_shapes("nce_loss", f"weights (n, {x.shape[1]}), biases (m)", InvalidArgumentError, rows, offsets)
    size = true._array.size
    true_rows = reshape(rows[:size], [-1, columns, x._array.shape[1]])
    true_logits = reduce_sum(expand_dims(x, 1) * true_rows, 2) + reshape(offsets[:size], [-1, columns])
    sampled_logits = matmul(x, rows[size:], transpose_b=True) + offsets[size:]
    if remove_accidental_hits:
        removed = _accidental_hits(true, sampled, columns)
        sampled_logits = sampled_logits + cast(removed, x.dtype) * x.dtype.as_numpy_dtype(_LOWEST)
    true_logits = true_logits - log(true_count)
    sampled_logits = sampled_logits - log(sampled_count)
    truths = concat([ones_like(true_logits) / columns, zeros_like(sampled_logits)], 1)
    logits = concat([true_logits, sampled_logits], 1)
    return reduce_sum(sigmoid_cross_entropy_with_logits(truths, logits), 1)


def _accidental_hits(true: Tensor, sampled: Tensor, columns: int) -> Tensor:
    """Returns for each row and sample whether it is a label of the row; of equal samples, only the last one is found."""
    check_shapes("nce_loss", f"true_classes (batch, {columns})", InvalidArgumentError, true)
    if sampled._array.ndim != 1 or not sampled._array.shape[0]:
        raise InvalidArgumentError(f"nce_loss: the samples must be a vector that is not empty, got {sampled.shape}.")
    matches = equal(expand_dims(true, 2), sampled)
    count = sampled._array.shape[0]
    last = count - 1 - argmax(cast(reverse(matches, [2]), dtypes.int32), 2)
    at_hits = one_hot(last, count, on_value=True, off_value=False)
    return reduce_any(logical_and(at_hits, expand_dims(reduce_any(matches, 2), 2)), 1)
