"""Metrics over all thresholds: the area under a curve, and the best ratio under a constraint on another."""

from __future__ import annotations

from inspect import signature
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import check_choice, check_interval, checked_integer, checked_number, require
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras import settings
from fastgrad._src.keras.constructor import make_constructor
from fastgrad._src.keras.losses.loss import as_tensor
from fastgrad._src.keras.masks import attach_mask, mask_of
from fastgrad._src.keras.metrics.confusion import (
    ALL_COUNT_NAMES,
    PRECISION_COUNT_NAMES,
    RECALL_COUNT_NAMES,
    SPECIFICITY_COUNT_NAMES,
    ConfusionMetric,
    are_evenly_spaced,
    evenly_spaced_thresholds,
)
from fastgrad._src.ops import namespace as ops

_CURVES = {"ROC", "PR", "PRGAIN"}
_SUMMATION_METHODS = {"interpolation", "majoring", "minoring"}


class _AllFourCounts(ConfusionMetric):
    """The base of metrics that keep the numbers of true and false positives and negatives, at each threshold."""

    _counted = ALL_COUNT_NAMES
    true_positives: Any
    true_negatives: Any
    false_positives: Any
    false_negatives: Any


class AUC(_AllFourCounts):
    """The area under a curve: true against false positive rate, or precision against recall (Davis and Goadrich 2006).

    Args:
        num_thresholds: the number of points of the curve, at least 2.
        curve: ``"ROC"``, ``"PR"`` or ``"PRGAIN"`` (Flach and Kull 2015).
        summation_method: the value between two points: ``"interpolation"``, or the lower (``"minoring"``) or upper (``"majoring"``) one.
        name, dtype: as in ``Metric``.
        thresholds: a list of thresholds, instead of ``num_thresholds`` evenly spaced ones; 0 and 1 are added.
        multi_label: whether each column has its own area; the result is the mean.
        num_labels: the number of columns; default that of the first predictions.
        label_weights: a weight for each column.
        from_logits: whether predictions are logits, to which a sigmoid is applied.

    Raises:
        ValueError: an argument has another value.
    """

    _direction = "up"

    def __init__(
        self,
        num_thresholds: int | None = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Any = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ) -> None:
        for argument, value, known_values in (
            ("curve", str(curve).upper(), _CURVES),
            ("summation_method", str(summation_method).lower(), _SUMMATION_METHODS),
        ):
            check_choice(self, sorted(known_values), **{argument: value})
        if thresholds is None:
            count = checked_integer("AUC", "num_thresholds", num_thresholds)
            require(count > 1, self, "`num_thresholds` must be an integer > 1", num_thresholds=num_thresholds)
            inner = evenly_spaced_thresholds(count)[1:-1]
        else:
            inner = sorted(thresholds)
        require(not num_labels or multi_label, self, "`num_labels` is needed only when `multi_label` is True")
        margin = settings.epsilon()
        super().__init__(
            [-margin, *inner, 1.0 + margin],
            name,
            dtype,
            even=thresholds is None or are_evenly_spaced([0.0, *inner, 1.0]),
            label_weights=None if multi_label else label_weights,
        )
        self.num_thresholds = len(self.thresholds)
        self.curve, self.summation_method = str(curve).upper(), str(summation_method).lower()
        self.multi_label, self.num_labels, self.label_weights = multi_label, num_labels, label_weights
        self._from_logits, self._given = from_logits, thresholds is not None
        if not multi_label or num_labels:
            self._make_count_variables(num_labels)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        predictions = as_tensor(y_pred, self._dtype)
        if self.multi_label:
            if predictions.ndim != 2:
                raise ValueError(f"AUC: `y_pred` must have rank 2 for multi_label=True, got {predictions.shape}")
            if not self._own_variables:
                self._make_count_variables(predictions.shape[-1])
        predictions = ops.sigmoid(predictions) if self._from_logits else predictions
        attach_mask(predictions, mask_of(y_pred), to_layers=False)
        super().update_state(y_true, predictions, sample_weight)

    def result(self) -> Tensor:
        """Returns the area under the curve, 0 before the first batch."""
        if not self._own_variables:
            return ops.zeros((), self._dtype)
        areas = (
            self._interpolated_areas()
            if (self.curve, self.summation_method) == ("PR", "interpolation")
            else self._areas_between_thresholds()
        )
        total = ops.reduce_sum(areas, 0)
        if not self.multi_label:
            return total
        if self.label_weights is None:
            return ops.reduce_mean(total)
        weights = as_tensor(self.label_weights, self._dtype)
        return ops.divide_no_nan(ops.reduce_sum(total * weights), ops.reduce_sum(weights))

    def _areas_between_thresholds(self) -> Tensor:
        """Returns the curve's area between each two neighbouring thresholds: width times height."""
        if self.curve == "ROC":
            negatives = self.false_positives.read_value() + self.true_negatives.read_value()
            x, y = ops.divide_no_nan(self.false_positives.read_value(), negatives), self._ratio(*RECALL_COUNT_NAMES)
        elif self.curve == "PR":
            x, y = self._ratio(*RECALL_COUNT_NAMES), self._ratio(*PRECISION_COUNT_NAMES)
        else:
            x, y = self._recall_and_precision_gains()
        if self.summation_method == "interpolation":
            heights = (y[:-1] + y[1:]) / 2.0
        else:
            heights = (ops.minimum if self.summation_method == "minoring" else ops.maximum)(y[:-1], y[1:])
        return (x[:-1] - x[1:]) * heights

    def _recall_and_precision_gains(self) -> tuple[Tensor, Tensor]:
        """Returns recall and precision on a scale where a constant positive prediction has the value 0."""
        hits = self.true_positives.read_value()
        positives = hits + self.false_negatives.read_value()
        odds = ops.divide_no_nan(positives, self.true_negatives.read_value() + self.false_positives.read_value())
        recall = 1.0 - odds * ops.divide_no_nan(self.false_negatives.read_value(), hits)
        precision = 1.0 - odds * ops.divide_no_nan(self.false_positives.read_value(), hits)
        no_true_positives = ops.equal(hits, 0.0)
        return ops.relu(ops.where(no_true_positives, 0.0, recall)), ops.where(no_true_positives, 1.0, precision)

    def _interpolated_areas(self) -> Tensor:
        """Returns areas of a precision-recall curve with interpolated true positives (Davis, Goadrich)."""
        hits = self.true_positives.read_value()
        predictions_above = hits + self.false_positives.read_value()
        step, predicted_step = (hits[:-1] - hits[1:], predictions_above[:-1] - predictions_above[1:])
        slope = ops.divide_no_nan(step, ops.maximum(predicted_step, 0.0))
        intercept = hits[1:] - slope * predictions_above[1:]
        both_positive = ops.logical_and(predictions_above[:-1] > 0.0, predictions_above[1:] > 0.0)
        ratio = ops.where(
            both_positive, ops.divide_no_nan(predictions_above[:-1], ops.maximum(predictions_above[1:], 0.0)), 1.0
        )
        positives = ops.maximum(hits[1:] + self.false_negatives.read_value()[1:], 0.0)
        return ops.divide_no_nan(slope * (step + intercept * ops.log(ratio)), positives)

    def get_config(self) -> dict[str, Any]:
        names = ("num_thresholds", "curve", "summation_method", "multi_label", "num_labels")
        weights = None if self.label_weights is None else np.asarray(self.label_weights).tolist()
        own_config = {
            **{name: getattr(self, name) for name in names},
            "label_weights": weights,
            "from_logits": self._from_logits,
        }
        return {**super().get_config(), **own_config, **({"thresholds": self.thresholds[1:-1]} if self._given else {})}


class _BestUnderConstraint(_AllFourCounts):
    """The best value of one ratio over the thresholds where another ratio is at least a given number.

    The class keyword ``argument`` is the name of that number, the first argument of the constructor.
    """

    _direction = "up"
    _argument: str
    _ratios: tuple[tuple[str, str], ...]  # the best one is the result, the other is constrained
    __init__: Any

    def __init_subclass__(cls, argument: str = "", **options: Any) -> None:
        super().__init_subclass__(**options)
        if not argument:
            return
        cls._argument = argument
        _, value, *others = signature(cls._set_up).parameters.values()

        def body(self: Any, **arguments: Any) -> None:
            self._set_up(arguments.pop(argument), **arguments)

        cls.__init__ = make_constructor(cls.__module__, cls.__qualname__, [value.replace(name=argument), *others], body)  # type: ignore[misc]

    def _set_up(
        self,
        value: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        checked_number(type(self).__name__, self._argument, value)
        check_interval(self, "[0, 1]", **{self._argument: value})
        checked_integer(type(self).__name__, "num_thresholds", num_thresholds)
        if num_thresholds <= 0:
            raise ValueError(f"Argument `num_thresholds` must be an integer > 0. Received: {num_thresholds=}")
        thresholds = [0.5] if num_thresholds == 1 else evenly_spaced_thresholds(num_thresholds)
        ConfusionMetric.__init__(self, thresholds, name, dtype, class_id=class_id, even=num_thresholds > 1)
        self.value, self.num_thresholds = value, num_thresholds
        setattr(self, self._argument, value)
        self._make_count_variables()

    def result(self) -> Tensor:
        """Returns the best value, 0 if the other ratio is too small everywhere."""
        best, constrained = [self._ratio(*counts) for counts in self._ratios]
        return ops.reduce_max(ops.where(constrained >= self.value, best, 0.0))

    def get_config(self) -> dict[str, Any]:
        own_config = {"class_id": self.class_id, "num_thresholds": self.num_thresholds, self._argument: self.value}
        return {**super().get_config(), **own_config}


class SpecificityAtSensitivity(_BestUnderConstraint, argument="sensitivity"):
    """The greatest fraction of recognised negatives over thresholds where recall is at least ``sensitivity``.

    Args:
        sensitivity: in [0, 1].
        num_thresholds: the number of thresholds.
        class_id: the column that counts; default all.
        name, dtype: as in ``Metric``.

    Raises:
        ValueError: a number is out of range.
    """

    _ratios = SPECIFICITY_COUNT_NAMES, RECALL_COUNT_NAMES


class PrecisionAtRecall(_BestUnderConstraint, argument="recall"):
    """The greatest precision where recall is at least ``recall``; arguments as ``SpecificityAtSensitivity``."""

    _ratios = PRECISION_COUNT_NAMES, RECALL_COUNT_NAMES


class RecallAtPrecision(_BestUnderConstraint, argument="precision"):
    """The greatest recall where precision is at least ``precision``; arguments as ``SpecificityAtSensitivity``."""

    _ratios = RECALL_COUNT_NAMES, PRECISION_COUNT_NAMES
