"""Margin losses for labels -1 and 1 (0 and 1 are converted), and a loss of similarities."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras.losses.loss import NamedLoss, as_tensor, labels_and_predictions
from fastgrad._src.keras.masks import attach_mask
from fastgrad._src.ops.arithmetic import maximum
from fastgrad._src.ops.comparison import equal, logical_and, logical_or
from fastgrad._src.ops.contraction import matmul
from fastgrad._src.ops.creation import constant, eye
from fastgrad._src.ops.exponential import softplus
from fastgrad._src.ops.power import square
from fastgrad._src.ops.reduction import reduce_all, reduce_logsumexp, reduce_max, reduce_mean, reduce_sum
from fastgrad._src.ops.selection import where
from fastgrad._src.ops.shaping import reshape, transpose


def _hinge_margins(y_true: Any, y_pred: Any) -> Tensor:
    """``max(1 - y_true * y_pred, 0)``."""
    labels, predictions = labels_and_predictions(y_true, y_pred)
    binary = reduce_all(logical_or(equal(labels, 0.0), equal(labels, 1.0)))
    labels = where(binary, 2.0 * labels - 1.0, labels)
    return maximum(1.0 - labels * predictions, 0.0)


def hinge(y_true: Any, y_pred: Any) -> Tensor:
    """``mean(max(1 - y_true * y_pred, 0))`` over the last axis."""
    return reduce_mean(_hinge_margins(y_true, y_pred), -1)


def squared_hinge(y_true: Any, y_pred: Any) -> Tensor:
    """``mean(max(1 - y_true * y_pred, 0)**2)`` over the last axis."""
    return reduce_mean(square(_hinge_margins(y_true, y_pred)), -1)


def categorical_hinge(y_true: Any, y_pred: Any) -> Tensor:
    """``max(max((1 - y_true) * y_pred) - sum(y_true * y_pred) + 1, 0)`` over the last axis; labels are one-hot."""
    labels, predictions = labels_and_predictions(y_true, y_pred)
    positive_score = reduce_sum(labels * predictions, -1)
    negative_score = reduce_max((1.0 - labels) * predictions, -1)
    return maximum(negative_score - positive_score + 1.0, 0.0)


def circle(
    y_true: Any,
    y_pred: Any,
    ref_labels: Any = None,
    ref_embeddings: Any = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> Tensor:
    """``softplus(logsumexp(negative pairs) + logsumexp(positive pairs))`` of similarities (Sun et al. 2020).

    Args:
        y_true: class numbers, shape (batch,).
        y_pred: vectors of length 1, shape (batch, features).
        ref_labels, ref_embeddings: the second members of the pairs; default the batch itself.
        remove_diagonal: whether to exclude pairs of a sample with itself.
        gamma: the scale.
        margin: the allowed distance of similarities from 0 and 1.

    Returns:
        One loss per sample; its mask excludes samples without a pair.

    Raises:
        InvalidArgumentError: the numbers of labels and vectors differ.
    """
    vectors, labels = as_tensor(y_pred, None), reshape(as_tensor(y_true, dtypes.int32), [-1, 1])
    references = vectors if ref_embeddings is None else as_tensor(ref_embeddings, vectors.dtype)
    reference_labels = labels if ref_labels is None else reshape(as_tensor(ref_labels, dtypes.int32), [-1, 1])
    for name, numbers, rows in (("y_true", labels, vectors), ("ref_labels", reference_labels, references)):
        if rows.ndim != 2 or numbers._array.shape[0] != rows._array.shape[0]:
            text = f"circle: {name} must hold one label for each of the vectors of shape {rows.shape}"
            raise InvalidArgumentError(f"{text}, got {numbers._array.size}.")
    distances = maximum(1.0 - matmul(vectors, references, transpose_b=True), 0.0)
    same_class = equal(labels, transpose(reference_labels))
    positive = (
        logical_and(same_class, ~eye(same_class.shape[0], same_class.shape[1], dtype="bool"))
        if remove_diagonal
        else same_class
    )
    positive_logits = gamma * maximum(margin + distances, 0.0) * (distances - margin)
    negative_logits = gamma * maximum(1.0 + margin - distances, 0.0) * (1.0 - margin - distances)
    minus_infinity = constant(float("-inf"), vectors.dtype)
    terms = [
        reduce_logsumexp(where(mask, logits, minus_infinity), 1)
        for mask, logits in ((positive, positive_logits), (~same_class, negative_logits))
    ]
    losses = softplus(terms[0] + terms[1])
    attach_mask(losses, losses > 0.0, to_layers=False)
    return losses


class Circle(
    NamedLoss, function=circle, order=("gamma", "margin", "remove_diagonal", "reduction", "name", "dtype"), gamma=80.0
):
    """The loss ``circle``, reduced over the samples that have a pair; arguments are those of the function and of ``Loss``."""

    _keeps_integer_labels = True


class Hinge(NamedLoss, function=hinge):
    """The loss ``hinge``, reduced; arguments are those of the function and of ``Loss``."""


class SquaredHinge(NamedLoss, function=squared_hinge):
    """The loss ``squared_hinge``, reduced; arguments are those of the function and of ``Loss``."""


class CategoricalHinge(NamedLoss, function=categorical_hinge):
    """The loss ``categorical_hinge``, reduced; arguments are those of the function and of ``Loss``."""
