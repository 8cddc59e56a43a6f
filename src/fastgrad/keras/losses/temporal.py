"""A loss of label sequences without alignment: connectionist temporal classification."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import fastgrad as tf
from fastgrad.core.tensor import Tensor
from fastgrad.keras.losses.loss import NamedLoss, as_tensor
from fastgrad.ops.higher_order import loop_over_rows

_LOG_OF_ZERO = -1e30  # the logarithm of probability 0; an infinite value has no gradient


def ctc(y_true: Any, y_pred: Any) -> Tensor:
    """The negative logarithm of the total probability of all paths that give the labels (Graves et al., 2006).

    A path is a class per step. Its labels are the classes without repetitions, and then without class 0, the blank.

    Args:
        y_true: class numbers from 1 on, shape (batch, labels); shorter rows are padded with 0. The number of labels is the
            number of elements that are not 0; the labels are counted from the left.
        y_pred: logits, shape (batch, steps, classes).

    Returns:
        One loss per sample, infinite if there are too few steps for the labels.

    Raises:
        ValueError: other ranks.
        InvalidArgumentError: a label is outside the classes.
    """
    labels, logits = as_tensor(y_true, tf.int32), as_tensor(y_pred, None)
    if labels.ndim != 2:
        raise ValueError(
            "Targets `y_true` are expected to be a tensor of shape `(batch_size, max_length)` in integer format. Received: "
            f"y_true.shape={tuple(labels.shape)}"
        )
    if logits.ndim != 3:
        raise ValueError(
            "Logits `y_pred` are expected to be a tensor of shape `(batch_size, max_length, num_classes)`. Received: "
            f"y_pred.shape={tuple(logits.shape)}"
        )
    logits = tf.cast(logits, tf.float32) if logits.dtype.size < 4 else logits
    batch, count = labels.shape
    # A blank before, between and after all labels.
    blank = tf.zeros((batch, 1), tf.int32)
    path_labels = tf.concat([blank, tf.reshape(tf.stack([labels, tf.zeros_like(labels)], -1), (batch, 2 * count))], 1)
    positions = np.arange(2 * count + 1)
    label_log_probs = tf.gather(tf.nn.log_softmax(logits), path_labels, axis=2, batch_dims=1)
    steps = tf.transpose(label_log_probs, (1, 0, 2))
    impossible = tf.fill((batch, 2), tf.constant(_LOG_OF_ZERO, logits.dtype))
    # The blank between two labels may be skipped, unless they are equal. (A 0 before the last label is a label.)
    two_before = tf.concat([tf.zeros((batch, 2), tf.int32), path_labels], 1)[:, :-2]
    skip_scores = tf.where(
        tf.logical_and(positions % 2 == 1, path_labels != two_before),
        tf.zeros_like(label_log_probs[:, 0]),
        _LOG_OF_ZERO,
    )

    def step(carried: list[Tensor], rows: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        shifted = tf.concat([impossible, carried[0]], 1)
        predecessors = tf.stack([carried[0], shifted[:, 1:-1], shifted[:, :-2] + skip_scores])
        return [tf.maximum(tf.reduce_logsumexp(predecessors, 0) + rows[0], _LOG_OF_ZERO)], []

    path_log_probs = tf.where(positions < 2, steps[0], _LOG_OF_ZERO)
    if steps.shape[0] > 1:
        (path_log_probs,), _ = loop_over_rows(step, [path_log_probs], [steps[1:]])
    length = tf.expand_dims(tf.math.count_nonzero(labels, -1, dtype=tf.int32), -1)
    is_path_end = tf.logical_or(positions == 2 * length, positions == 2 * length - 1)
    loss = -tf.reduce_logsumexp(tf.where(is_path_end, path_log_probs, _LOG_OF_ZERO), -1)
    return tf.where(loss > -_LOG_OF_ZERO / 2, math.inf, loss)


class CTC(NamedLoss, function=ctc):
    """``ctc``, reduced; arguments as in ``Loss``."""

    _keeps_integer_labels = True
