"""Counts of true and false positives and negatives at one or many thresholds; precision and recall."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import checked_number
from fastgrad._src.core.errors import InvalidArgumentError, OutOfMemoryError
from fastgrad._src.core.recording import hide_from_tapes
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras import settings
from fastgrad._src.keras.losses.loss import align_ranks, as_tensor
from fastgrad._src.keras.metrics.metric import Metric
from fastgrad._src.keras.metrics.reduction import weights_of_elements
from fastgrad._src.ops import namespace as ops

_BELOW_ALL_PREDICTIONS = -1e10  # below every prediction; the value of predictions outside the top k
ALL_COUNT_NAMES = ("true_positives", "false_positives", "true_negatives", "false_negatives")

# Ratios are named by their counts: the first divided by the sum of both.
RECALL_COUNT_NAMES = ("true_positives", "false_negatives")
PRECISION_COUNT_NAMES = ("true_positives", "false_positives")
SPECIFICITY_COUNT_NAMES = ("true_negatives", "false_positives")


def checked_thresholds(thresholds: Any, default: float) -> list[float]:
    """Returns the thresholds as a list, ``default`` for None; ValueError outside [0, 1], TypeError for other types."""
    if thresholds is None:
        return [default]
    threshold_list = list(thresholds) if isinstance(thresholds, (list, tuple)) else [thresholds]
    for threshold in threshold_list:
        if threshold is not None:
            checked_number("thresholds", "thresholds", threshold)
    invalid = [threshold for threshold in threshold_list if threshold is None or not 0 <= threshold <= 1]
    if invalid:
        raise ValueError(f"Threshold values must be in [0, 1]. Received: {invalid}")
    return threshold_list


_MAX_THRESHOLD_COUNT = 1 << 28


def evenly_spaced_thresholds(count: int) -> list[float]:
    """Returns ``count`` thresholds from 0 to 1; ResourceExhaustedError for more than 2**28."""
    if count > _MAX_THRESHOLD_COUNT:
        raise OutOfMemoryError(f"num_thresholds={count} is too many to fit into memory ({_MAX_THRESHOLD_COUNT}).")
    return [position / (count - 1) for position in range(count)]


def are_evenly_spaced(thresholds: Sequence[float]) -> bool:
    """True if ``thresholds`` equals ``evenly_spaced_thresholds`` of its length."""
    count = len(thresholds)
    return count > 2 and bool(np.allclose(thresholds, evenly_spaced_thresholds(count), atol=settings.epsilon()))


class ConfusionMetric(Metric):
    """The base of metrics that count at thresholds: subclasses name the counts and define ``result``.

    Args:
        thresholds: a prediction above the threshold is positive.
        name, dtype: as in ``Metric``.
        class_id: the column that counts; None for all.
        top_k: only so many of the greatest predictions of a sample can be positive; None for no limit.
        even: whether the thresholds are evenly spaced in [0, 1]; then predictions are clipped to that and sorted into buckets.
        label_weights: the weight of each column, beside the weight of the sample.
    """

    _counted: tuple[str, ...] = ()

    def __init__(
        self,
        thresholds: list[float],
        name: str | None,
        dtype: Any,
        *,
        class_id: int | None = None,
        top_k: int | None = None,
        even: bool = False,
        label_weights: Any = None,
    ) -> None:
        super().__init__(dtype, name)
        self.thresholds = thresholds
        self.class_id, self.top_k = class_id, top_k
        self._even, self._own_weights = even, label_weights

    def _make_count_variables(self, labels: int | None = None) -> None:
        shape = (len(self.thresholds),) if labels is None else (len(self.thresholds), labels)
        for name in self._counted:
            setattr(self, name, self.add_variable(shape, "zeros", self._dtype, name=name))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds the true and false positives and negatives of a batch to the counts.

        Args:
            y_true: labels: 0 is negative, other values are positive.
            y_pred: predictions, of the same shape, (batch,) or (batch, labels).
            sample_weight: a number, the weight of each sample, or the weight of each label.

        Raises:
            InvalidArgumentError: the shapes differ, or the weights do not fit; then nothing is counted.
        """
        with hide_from_tapes():
            batch_counts = self._batch_counts(y_true, y_pred, sample_weight)
        for name in self._counted:
            getattr(self, name).assign_add(batch_counts[name])

    def _ratio(self, numerator_name: str, other_name: str) -> Tensor:
        """Returns one count divided by the sum of this and another count, at each threshold; 0 if both are 0."""
        count = getattr(self, numerator_name).read_value()
        return ops.divide_no_nan(count, count + getattr(self, other_name).read_value())

    def _batch_counts(self, y_true: Any, y_pred: Any, sample_weight: Any) -> dict[str, Tensor]:
        predictions, labels = align_ranks(as_tensor(y_pred, self._dtype), as_tensor(y_true, self._dtype))
        if predictions.shape != labels.shape:
            sizes = f"{list(labels.shape)} vs. {list(predictions.shape)}"
            raise InvalidArgumentError(f"Metric '{self.name}': shapes of labels and predictions differ: {sizes}.")
        weight = weights_of_elements(self, sample_weight, labels.shape, y_pred)
        if self.top_k is not None:
            top_k_classes = ops.top_k(predictions, self.top_k).indices
            is_top_k = ops.reduce_sum(ops.one_hot(top_k_classes, predictions.shape[-1], dtype=self._dtype), -2)
            predictions = predictions * is_top_k + _BELOW_ALL_PREDICTIONS * (1 - is_top_k)
        if self.class_id is not None:
            if predictions.ndim == 1:
                raise ValueError(f"With class_id, y_pred must have shape (samples, classes), got {predictions.shape}")
            labels, predictions, weight = [array[..., self.class_id, None] for array in (labels, predictions, weight)]
        positive = ops.cast(ops.not_equal(labels, 0.0), self._dtype)
        if self._own_weights is not None:
            weight = weight * as_tensor(self._own_weights, self._dtype)
        counts = tuple(getattr(self, self._counted[0]).shape)
        columns = counts[1] if len(counts) == 2 else 1
        rows = [
            ops.reshape(array, [-1, columns]) for array in (predictions, positive * weight, (1 - positive) * weight)
        ]
        # The weights below a threshold are added up, not taken from the total: a difference of rounded sums is not 0 where
        # no weight is, and a constraint such as "recall is at least 1" would hold or not by chance.
        (true_positives, false_negatives), (false_positives, true_negatives) = (
            self._sums_by_buckets(*rows) if self._even else self._sums_by_comparison(*rows)
        )
        batch_counts = {
            "true_positives": true_positives,
            "false_positives": false_positives,
            "true_negatives": true_negatives,
            "false_negatives": false_negatives,
        }
        return {name: ops.reshape(batch_counts[name], counts) for name in self._counted}

    def _sums_by_comparison(
        self, predictions: Tensor, positive: Tensor, negative: Tensor
    ) -> list[tuple[Tensor, Tensor]]:
        """Returns the sums of the positive and of the negative weights, each above and not above each threshold."""
        limits = ops.constant(self.thresholds, self._dtype)[:, None, None]
        is_above = ops.cast(predictions > limits, self._dtype)

        def sums(weights: Tensor) -> tuple[Tensor, Tensor]:
            return ops.einsum("tnl,nl->tl", is_above, weights), ops.einsum("tnl,nl->tl", 1 - is_above, weights)

        return [sums(positive), sums(negative)]

    def _sums_by_buckets(self, predictions: Tensor, positive: Tensor, negative: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Returns what ``_sums_by_comparison`` does, for evenly spaced thresholds: bucket i is below threshold i."""
        count, columns = len(self.thresholds) + 1, predictions.shape[-1]
        lowest = 1 if self.thresholds[0] < 0.0 else 0  # AUC's first threshold is below every prediction
        bucket = ops.cast(ops.ceil(ops.clip_by_value(predictions, 0.0, 1.0) * (count - 2)), dtypes.int32)
        segments = ops.reshape(ops.maximum(bucket, lowest) * columns + ops.range(columns), [-1])

        def sums(weights: Tensor) -> tuple[Tensor, Tensor]:
            flat = ops.unsorted_segment_sum(ops.reshape(weights, [-1]), segments, count * columns)
            buckets = ops.reshape(flat, [count, columns])
            return ops.cumsum(buckets[1:], axis=0, reverse=True), ops.cumsum(buckets[:-1], axis=0)

        return [sums(positive), sums(negative)]


class _SingleCount(ConfusionMetric):
    """The base of metrics that count one of the four kinds of predictions."""

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None) -> None:
        threshold_list = checked_thresholds(thresholds, 0.5)
        super().__init__(threshold_list, name, dtype, even=are_evenly_spaced(threshold_list))
        self.init_thresholds = thresholds
        self.accumulator = self.add_variable((len(threshold_list),), "zeros", self._dtype, name="accumulator")
        setattr(self, self._counted[0], self.accumulator)

    def result(self) -> Tensor:
        """Returns the count at each threshold, a scalar for one threshold."""
        counts = self.accumulator.read_value()
        return counts[0] if len(self.thresholds) == 1 else counts

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "thresholds": self.init_thresholds}


class TruePositives(_SingleCount):
    """The number of positives that are predicted to be positive.

    Args:
        thresholds: a number or a list in [0, 1]; a prediction above the threshold is positive. Default 0.5.
        name, dtype: as in ``Metric``.

    Raises:
        ValueError: a threshold is outside [0, 1].
    """

    _counted = ("true_positives",)


class TrueNegatives(_SingleCount):
    """The number of negatives that are predicted to be negative; arguments as in ``TruePositives``."""

    _counted = ("true_negatives",)


class FalsePositives(_SingleCount):
    """The number of negatives that are predicted to be positive; arguments as in ``TruePositives``."""

    _counted = ("false_positives",)


class FalseNegatives(_SingleCount):
    """The number of positives that are predicted to be negative; arguments as in ``TruePositives``."""

    _counted = ("false_negatives",)


class _CountRatio(ConfusionMetric):
    """The ratio of true positives to true positives plus another count."""

    _direction = "up"

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        threshold_list = checked_thresholds(thresholds, 0.5 if top_k is None else _BELOW_ALL_PREDICTIONS)
        super().__init__(
            threshold_list, name, dtype, class_id=class_id, top_k=top_k, even=are_evenly_spaced(threshold_list)
        )
        self.init_thresholds = thresholds
        self._make_count_variables()

    def result(self) -> Tensor:
        """Returns the ratio at each threshold, a scalar for one threshold; 0 if both counts are 0."""
        ratio = self._ratio(*self._counted)
        return ratio[0] if len(self.thresholds) == 1 else ratio

    def get_config(self) -> dict[str, Any]:
        own_config = {"thresholds": self.init_thresholds, "top_k": self.top_k, "class_id": self.class_id}
        return {**super().get_config(), **own_config}


class Precision(_CountRatio):
    """The fraction of positive predictions that are correct.

    Args:
        thresholds: a number or a list in [0, 1]; a prediction above the threshold is positive. Default 0.5, or none with ``top_k``.
        top_k: only the ``top_k`` greatest predictions of a sample can be positive.
        class_id: the column of labels and predictions that counts; default all.
        name, dtype: as in ``Metric``.

    Raises:
        ValueError: a threshold is outside [0, 1].
    """

    _counted = PRECISION_COUNT_NAMES


class Recall(_CountRatio):
    """The fraction of the positives that are predicted to be positive; arguments as in ``Precision``."""

    _counted = RECALL_COUNT_NAMES
