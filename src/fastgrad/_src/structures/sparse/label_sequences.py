"""Sequences of labels: connectionist temporal classification (Graves et al., 2006) and edit distances."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_interval, check_shapes, check_type, require
from fastgrad._src.core.errors import FailedPreconditionError, InvalidArgumentError
from fastgrad._src.core.operation import Form, Operation, operation
from fastgrad._src.core.result_rules import ArraySpec
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.ops import namespace as ops
from fastgrad._src.structures.sparse.conversion import to_dense
from fastgrad._src.structures.sparse.sparse_tensor import SparseTensor

_LOG_OF_ZERO = -1e30  # the logarithm of probability 0; an infinite value has no gradient


def ctc_path_loss(
    labels: Tensor, logits: Tensor, label_length: Tensor, logit_length: Tensor | None, blank: int
) -> Tensor:
    """The negative logarithm of the total probability of all paths that give the labels.

    A path is a class per step. Its labels are the classes without repetitions, and then without the blanks.

    Args:
        labels: class numbers, int32, shape (batch, labels).
        logits: float32 or float64, shape (steps, batch, classes).
        label_length: the number of labels of each row, shape (batch,).
        logit_length: the number of steps of each row, shape (batch,); None for all steps.
        blank: the class of the blank.

    Returns:
        One loss per row, infinite if there are too few steps for the labels.
    """
    batch, count = labels.shape
    # A blank before, between and after all labels.
    blanks = ops.fill((batch, count), ops.constant(blank, dtypes.int32))
    first = ops.fill((batch, 1), ops.constant(blank, dtypes.int32))
    path_labels = ops.concat([first, ops.reshape(ops.stack([labels, blanks], -1), (batch, 2 * count))], 1)
    positions = np.arange(2 * count + 1)
    log_probs = ops.transpose(ops.log_softmax(logits), (1, 0, 2))
    label_log_probs = ops.gather(log_probs, path_labels, axis=2, batch_dims=1)
    steps = ops.transpose(label_log_probs, (1, 0, 2))
    impossible = ops.fill((batch, 2), ops.constant(_LOG_OF_ZERO, logits.dtype))
    # The blank between two labels may be skipped, unless they are equal.
    two_before = ops.concat([ops.zeros((batch, 2), dtypes.int32), path_labels], 1)[:, :-2]
    skip_scores = ops.where(
        ops.logical_and(positions % 2 == 1, path_labels != two_before),
        ops.zeros_like(label_log_probs[:, 0]),
        _LOG_OF_ZERO,
    )

    def step(carried: list[Tensor], rows: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        shifted = ops.concat([impossible, carried[0]], 1)
        predecessors = ops.stack([carried[0], shifted[:, 1:-1], shifted[:, :-2] + skip_scores])
        new = ops.maximum(ops.reduce_logsumexp(predecessors, 0) + rows[0], _LOG_OF_ZERO)
        return [ops.where(rows[1], new, carried[0]) if len(rows) > 1 else new], []

    path_log_probs = ops.where(positions < 2, steps[0], _LOG_OF_ZERO)
    if steps.shape[0] > 1:
        rows = [steps[1:]]
        if logit_length is not None:
            is_running = np.arange(1, steps.shape[0])[:, None] < ops.cast(logit_length, dtypes.int64)[None]
            rows.append(ops.expand_dims(is_running, 2))
        (path_log_probs,), _ = ops.loop_over_rows(step, [path_log_probs], rows)
    length = ops.expand_dims(ops.cast(label_length, dtypes.int32), -1)
    is_path_end = ops.logical_or(positions == 2 * length, positions == 2 * length - 1)
    loss = -ops.reduce_logsumexp(ops.where(is_path_end, path_log_probs, _LOG_OF_ZERO), -1)
    return ops.where(loss > -_LOG_OF_ZERO / 2, math.inf, loss)


def ctc_loss(
    labels: Any,
    logits: Any,
    label_length: Any,
    logit_length: Any,
    logits_time_major: bool = True,
    unique: Any = None,
    blank_index: int | None = None,
    name: str | None = None,
) -> Tensor:
    """The CTC loss: the negative log-probability of all paths that give the labels (Graves et al. 2006).

    Args:
        labels: class numbers, shape (batch, labels), padded with any class; or a ``SparseTensor``.
        logits: floats, shape (steps, batch, classes), or (batch, steps, classes) if ``logits_time_major`` is False.
        label_length: the number of labels of each row, shape (batch,); unused for a ``SparseTensor``.
        logit_length: the number of steps of each row, shape (batch,).
        logits_time_major: the order of the dimensions of ``logits``.
        unique: kept for TensorFlow's signature; it does not change the loss.
        blank_index: the class of the blank, default 0; negative numbers count from the end.

    Returns:
        One loss per row, the dtype of ``logits``; infinite if there are too few steps for the labels.

    Raises:
        ValueError: ``labels`` is sparse and ``blank_index`` is None.
        InvalidArgumentError: shapes do not fit, or a row of sparse labels needs more steps than it has.
    """
    x = convert_to_tensor(logits)
    if x.ndim != 3 or not x.dtype.is_floating:
        raise InvalidArgumentError(f"ctc_loss: logits must be floats (steps, batch, classes), got {x.dtype} {x.shape}.")
    if isinstance(labels, SparseTensor):
        require(blank_index is not None, "ctc_loss", "`blank_index` must be provided when `labels` is a `SparseTensor`")
        label_length = ops.bincount(
            ops.cast(labels.indices[:, 0], dtypes.int32), minlength=labels.shape[0], maxlength=labels.shape[0]
        )
        dense = to_dense(labels)
    else:
        dense = convert_to_tensor(labels)
    length = convert_to_tensor(label_length)
    steps = x if logits_time_major else ops.transpose(x, (1, 0, 2))
    batch, classes = steps.shape[1:]
    running = convert_to_tensor(logit_length)
    if dense.ndim != 2 or any(list(shape) != [batch] for shape in (dense.shape[:1], length.shape, running.shape)):
        raise InvalidArgumentError(
            f"ctc_loss: {batch} rows of logits need labels of shape ({batch}, n), label_length and logit_length of shape "
            f"({batch},), got {list(dense.shape)}, {list(length.shape)} and {list(running.shape)}."
        )
    blank = ops.as_python_int(blank_index or 0, "ctc_loss: blank_index")
    blank += classes if blank < 0 else 0
    dense = ops.where(
        ops.sequence_mask(length, dense.shape[1]), ops.cast(dense, dtypes.int32), blank
    )  # the rest is padding
    precise = ops.cast(steps, dtypes.float32) if x.dtype.size < 4 else steps
    loss = ctc_path_loss(dense, precise, length, running, blank)
    if isinstance(labels, SparseTensor) and bool(ops.reduce_any(ops.is_inf(loss))):
        raise InvalidArgumentError("ctc_loss: Not enough time for target transition sequence: shorten labels.")
    return ops.cast(loss, x.dtype)


def ctc_greedy_decoder(
    inputs: Any, sequence_length: Any, merge_repeated: bool = True, blank_index: int | None = None
) -> tuple[list[SparseTensor], Tensor]:
    """Decodes each step to its most probable class.

    Args:
        inputs: logits, shape (steps, batch, classes).
        sequence_length: the number of steps of each row, int32, shape (batch,).
        merge_repeated: whether equal classes of consecutive steps are one label.
        blank_index: the class that is no label; default: the last. Negative numbers count from the end.

    Returns:
        A list of one ``SparseTensor`` of int64, shape (batch, most labels); and the negative sum of the largest logits of the
        steps, shape (batch, 1).

    Raises:
        FailedPreconditionError: shapes do not fit, or a row has more steps than ``inputs``.
    """
    x, lengths = _decoder_inputs("ctc_greedy_decoder", inputs, sequence_length)
    steps, batch, classes = x.shape
    blank = classes - 1 if blank_index is None else blank_index + (classes if blank_index < 0 else 0)
    is_running = ops.sequence_mask(lengths, steps)
    best = ops.transpose(ops.argmax(x, 2))
    is_label = ops.logical_and(is_running, best != blank)
    if merge_repeated:
        is_new = ops.concat([ops.ones((batch, 1), dtypes.bool), best[:, 1:] != best[:, :-1]], 1)
        is_label = ops.logical_and(is_label, is_new)
    positions = ops.cumsum(ops.cast(is_label, dtypes.int64), 1, exclusive=True)
    rows = ops.where(is_label)
    indices = ops.stack([rows[:, 0], ops.boolean_mask(positions, is_label)], 1)
    longest = int(ops.reduce_max(ops.count_nonzero(is_label, 1)))
    decoded = SparseTensor._of(indices, ops.boolean_mask(best, is_label), (batch, longest))
    largest = ops.where(is_running, ops.transpose(ops.reduce_max(x, 2)), ops.zeros((), x.dtype))
    return [decoded], -ops.reduce_sum(largest, 1, keepdims=True)


def _decoder_inputs(name: str, inputs: Any, sequence_length: Any) -> tuple[Tensor, Tensor]:
    """Returns the logits and lengths of a decoder as tensors; FailedPreconditionError if they do not fit."""
    x = convert_to_tensor(inputs)
    lengths = convert_to_tensor(sequence_length)
    check_shapes(name, "inputs (steps, batch, classes), sequence_length (batch)", FailedPreconditionError, x, lengths)
    if int(ops.reduce_max(lengths)) > x.shape[0]:
        raise FailedPreconditionError(f"{name}: sequence_length must be at most {x.shape[0]}, got {lengths!r}.")
    return x, lengths


def ctc_beam_search_decoder(
    inputs: Any, sequence_length: Any, beam_width: int = 100, top_paths: int = 1
) -> tuple[list[SparseTensor], Tensor]:
    """Decodes rows of logits to their most probable sequences of labels, by a beam search over prefixes.

    Args:
        inputs: logits, float32 or float64, shape (steps, batch, classes); the last class is no label.
        sequence_length: the number of steps of each row, int32, shape (batch,).
        beam_width: how many prefixes are kept at each step.
        top_paths: how many sequences are returned, at most ``beam_width``.

    Returns:
        A list of ``top_paths`` ``SparseTensor``s of int64, shape (batch, most labels), the most probable first; and the logarithms
        of the probabilities, shape (batch, top_paths).

    Raises:
        FailedPreconditionError: shapes do not fit, or a row has more steps than ``inputs``.
        InvalidArgumentError: ``top_paths`` is greater than ``beam_width`` or than the number of prefixes of a row.
    """
    x, lengths = _decoder_inputs("ctc_beam_search_decoder", inputs, sequence_length)
    width = ops.as_python_int(beam_width, "ctc_beam_search_decoder: beam_width")
    count = ops.as_python_int(top_paths, "ctc_beam_search_decoder: top_paths")
    check_interval("ctc_beam_search_decoder", f"[1, {width}]", InvalidArgumentError, top_paths=count)

    def search(logits: Any, lengths: Any) -> tuple[Any, Any]:
        paths = np.full((count, logits.shape[1], logits.shape[0]), -1, np.int64)
        scores = np.empty((logits.shape[1], count), logits.dtype)
        for row, length in enumerate(lengths.tolist()):
            prefixes, totals = _best_prefixes(logits[:length, row].astype(np.float64), width)
            if len(prefixes) < count:
                raise InvalidArgumentError(
                    f"ctc_beam_search_decoder: row {row} has {len(prefixes)} sequences, fewer than top_paths={count}."
                )
            scores[row] = totals[:count]
            for number, prefix in enumerate(prefixes[:count]):
                paths[number, row, : len(prefix)] = prefix
        return paths, scores

    paths, scores = ops.numpy_function(search, [x, lengths], [dtypes.int64, x.dtype])
    decoded = []
    for path in ops.unstack(paths):
        is_label = path >= 0
        longest = int(ops.reduce_max(ops.count_nonzero(is_label, 1)))
        decoded.append(
            SparseTensor._of(ops.where(is_label), ops.boolean_mask(path, is_label), (path.shape[0], longest))
        )
    return decoded, scores


def _best_prefixes(logits: Any, width: int) -> tuple[list[tuple[int, ...]], Any]:
    """Returns the ``width`` most probable label sequences of one row, (steps, classes), and logarithms of their probabilities.

    A prefix has two probabilities: of the paths that end with the blank, and of those that end with its last label.
    """
    shifted = logits - logits.max(1, keepdims=True, initial=-np.inf)
    logs = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    prefixes: list[tuple[int, ...]] = [()]
    by_blank, by_label = np.zeros(1), np.full(1, -np.inf)
    for log in logs:
        number = {prefix: place for place, prefix in enumerate(prefixes)}
        totals = np.logaddexp(by_blank, by_label)
        grown = totals[:, None] + log[:-1]
        kept_by_blank, kept_by_label = totals + log[-1], by_label.copy()
        for place, prefix in enumerate(prefixes):
            if prefix:  # a label follows itself only after a blank
                grown[place, prefix[-1]] = by_blank[place] + log[prefix[-1]]
                kept_by_label[place] += log[prefix[-1]]
        for place, prefix in enumerate(prefixes):
            parent = number.get(prefix[:-1]) if prefix else None
            if parent is not None:
                kept_by_label[place] = np.logaddexp(kept_by_label[place], grown[parent, prefix[-1]])
                grown[parent, prefix[-1]] = -np.inf
        size = len(prefixes)
        candidates = np.concatenate([np.logaddexp(kept_by_blank, kept_by_label), grown.ravel()])
        best = np.argsort(-candidates, kind="stable")[:width]
        best = best[candidates[best] > -np.inf]
        parents, labels = np.divmod(best - size, grown.shape[1])
        prefixes = [
            prefixes[place] if place < size else (*prefixes[parent], label)
            for place, parent, label in zip(best.tolist(), parents.tolist(), labels.tolist(), strict=True)
        ]
        is_kept = best < size
        by_blank = np.where(is_kept, kept_by_blank[np.minimum(best, size - 1)], -np.inf)
        by_label = np.where(is_kept, kept_by_label[np.minimum(best, size - 1)], candidates[best])
    totals = np.logaddexp(by_blank, by_label)
    order = np.argsort(-totals, kind="stable")
    return [prefixes[place] for place in order], totals[order]


def collapse_repeated(labels: Any, seq_length: Any, name: str | None = None) -> tuple[Tensor, Tensor]:
    """Merges equal labels that follow each other.

    Args:
        labels: shape (batch, labels).
        seq_length: the number of labels of each row, integers of shape (batch,).

    Returns:
        The labels that are left, padded with 0, shape (batch, most labels); and their number in each row.

    Raises:
        InvalidArgumentError: ``labels`` is no matrix.
        ValueError: ``seq_length`` has another number of rows.
    """
    x, lengths = convert_to_tensor(labels), convert_to_tensor(seq_length)
    check_shapes("collapse_repeated", "labels (batch, n)", InvalidArgumentError, x)
    check_shapes("collapse_repeated", f"seq_length ({x.shape[0]})", ValueError, lengths)
    batch, count = x.shape
    is_new = ops.concat([ops.ones((batch, min(count, 1)), dtypes.bool), x[:, 1:] != x[:, :-1]], 1)
    is_kept = ops.logical_and(is_new, ops.sequence_mask(lengths, count))
    kept = ops.reduce_sum(ops.cast(is_kept, dtypes.int32), 1)
    longest = int(ops.reduce_max(kept))
    positions = ops.cumsum(ops.cast(is_kept, dtypes.int64), 1, exclusive=True)
    places = ops.stack([ops.where(is_kept)[:, 0], ops.boolean_mask(positions, is_kept)], 1)
    return ops.scatter_nd(places, ops.boolean_mask(x, is_kept), [batch, longest]), ops.cast(kept, lengths.dtype)


def _levenshtein(first: list[Any], second: list[Any]) -> int:
    distances = list(range(len(second) + 1))
    for row, a in enumerate(first):
        diagonal, distances[0] = distances[0], row + 1
        for column, b in enumerate(second):
            diagonal, distances[column + 1] = (
                distances[column + 1],
                min(distances[column] + 1, distances[column + 1] + 1, diagonal + (a != b)),
            )
    return distances[-1]


def _run_edit_distance(
    first_rows: np.ndarray,
    first: np.ndarray,
    second_rows: np.ndarray,
    second: np.ndarray,
    shape: tuple[int, ...],
    normalize: bool,
) -> np.ndarray:
    distances = np.empty(math.prod(shape), np.float32)
    for row in range(len(distances)):
        sequences = [x[rows == row].tolist() for rows, x in ((first_rows, first), (second_rows, second))]
        distance = float(_levenshtein(*sequences))
        if normalize:
            length = len(sequences[1])
            distance = distance / length if length else (math.inf if distance else 0.0)
        distances[row] = distance
    return distances.reshape(shape)


_edit_distance: Operation = operation(
    "edit_distance",
    Form.EXTERN,
    run=_run_edit_distance,
    in_python="the lengths of sequences vary",
    result=lambda first_rows, first, second_rows, second, shape, normalize: ArraySpec(shape, np.dtype(np.float32)),
)


def edit_distance(hypothesis: Any, truth: Any, normalize: bool = True, name: str = "edit_distance") -> Tensor:
    """The Levenshtein distance of the sequences along the last dimension.

    Args:
        hypothesis, truth: sparse tensors of one dtype and of one rank, at least 2.
        normalize: whether distances are divided by the lengths of ``truth``.

    Returns:
        float32, the shape without the last dimension; infinite for a sequence beside an empty one, if ``normalize``.

    Raises:
        TypeError: an argument is no ``SparseTensor``.
        InvalidArgumentError: dtypes or ranks differ.
    """
    for what, value in (("Hypothesis", hypothesis), ("Truth", truth)):
        check_type("edit_distance", "a SparseTensor", SparseTensor, **{what: value})
    if hypothesis.dtype != truth.dtype or len(hypothesis._shape) != len(truth._shape) or len(truth._shape) < 2:
        raise InvalidArgumentError(
            f"edit_distance: both need one dtype and one rank >= 2, got {hypothesis.dtype} {hypothesis.shape} and {truth.dtype} {truth.shape}."
        )
    shape = tuple(max(sizes) for sizes in zip(hypothesis._shape[:-1], truth._shape[:-1], strict=True))
    strides = ops.constant([math.prod(shape[axis + 1 :]) for axis in range(len(shape))], dtypes.int64)
    first, second = [ops.reduce_sum(x.indices[:, :-1] * strides, 1) for x in (hypothesis, truth)]
    distances: Tensor = _edit_distance(
        first, hypothesis.values, second, truth.values, shape=shape, normalize=bool(normalize)
    )
    return distances
