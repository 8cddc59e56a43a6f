"""The overlap of predicted and true regions: intersection over union."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_type, refuse
from fastgrad._src.core.recording import hide_from_tapes
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.jit.user_lines import warn
from fastgrad._src.keras.losses.loss import as_tensor
from fastgrad._src.keras.metrics.metric import Metric
from fastgrad._src.keras.metrics.reduction import weights_of_elements
from fastgrad._src.keras.settings import epsilon
from fastgrad._src.ops import namespace as ops


class IoU(Metric):
    """``true positives / (true positives + false positives + false negatives)``, the mean over some classes.

    Args:
        num_classes: the number of classes.
        target_class_ids: the classes in the mean.
        name: as in ``Metric``.
        dtype: the dtype of the counts; default int64.
        ignore_class: a class number; labels of this class do not count.
        sparse_y_true, sparse_y_pred: whether labels and predictions are class numbers; else the greatest element counts.
        axis: the axis of the classes in that case.

    Classes that never occur do not count.

    Raises:
        ValueError: a target is not a class.
    """

    _direction = "up"
    _arguments: tuple[str, ...] = (
        *("num_classes", "target_class_ids", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis"),
    )

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(dtype or "int64", name)
        check_type(self, "a list of class ids", Iterable, target_class_ids=target_class_ids)
        check_type(self, "an integer", (int, np.integer), num_classes=num_classes)
        if num_classes < 1 or not list(target_class_ids):
            refuse(self, "there must be one class at least", num_classes=num_classes, target_class_ids=target_class_ids)
        if max(target_class_ids) >= num_classes:
            raise ValueError(f"Target class id {max(target_class_ids)} is out of range, which is [{0}, {num_classes}).")
        self.num_classes, self.target_class_ids = num_classes, list(target_class_ids)
        self.ignore_class, self.axis = ignore_class, axis
        self.sparse_y_true, self.sparse_y_pred = sparse_y_true, sparse_y_pred
        self.total_cm = self.add_variable(
            (num_classes, num_classes), "zeros", self._dtype, name="total_confusion_matrix"
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._config_of(self._arguments)}

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds a batch to the confusion matrix.

        Args:
            y_true, y_pred: labels and predictions.
            sample_weight: a number, a weight for each sample, or a weight for each element.

        Raises:
            InvalidArgumentError: a label or prediction is not a class, or the weights do not fit the labels.
        """
        weights = as_tensor(1 if sample_weight is None else sample_weight, None)
        if weights.dtype.is_floating and self._dtype.is_integer:
            warn(
                "You are passing weight as `float`, but dtype is `int`. This may result in an incorrect weight due to type casting. "
                "Consider using integer weights, or a metric with dtype='float32'.",
            )
        with hide_from_tapes():
            values_with_form = ((y_true, self.sparse_y_true), (y_pred, self.sparse_y_pred))
            labels, predictions = [
                as_tensor(value if is_sparse else ops.argmax(value, self.axis), dtypes.int64)
                for value, is_sparse in values_with_form
            ]
            # Weights may also have the shape of the predictions, or be as flat as the labels are below.
            given_shape = tuple(weights.shape)
            other_shapes = (tuple(predictions.shape), (math.prod(labels.shape),))
            shape = given_shape if given_shape in other_shapes else labels.shape
            weights = weights_of_elements(self, weights, shape, y_pred)
            labels, predictions, weights = [ops.reshape(part, [-1]) for part in (labels, predictions, weights)]
            if self.ignore_class is not None:
                is_counted = ops.not_equal(labels, self.ignore_class)
                labels, predictions, weights = [
                    ops.where(is_counted, part, ops.zeros_like(part)) for part in (labels, predictions, weights)
                ]
            counts = ops.confusion_matrix(labels, predictions, self.num_classes, weights, self._dtype)
        self.total_cm.assign_add(counts)

    def result(self) -> Tensor:
        """Returns the mean intersection over union of the target classes, 0 if no class has occurred."""
        counts = self.total_cm.read_value()
        intersection = ops.diag_part(counts)
        union = ops.reduce_sum(counts, 0) + ops.reduce_sum(counts, 1) - intersection
        intersection, union = [
            ops.cast(ops.gather(class_counts, self.target_class_ids), dtypes.float32)
            for class_counts in (intersection, union)
        ]
        is_present = union > 1e-9
        ratios = ops.where(is_present, intersection / (union + epsilon()), 0.0)
        return ops.reduce_sum(ratios) / (ops.reduce_sum(ops.cast(is_present, dtypes.float32)) + epsilon())


class MeanIoU(IoU):
    """``IoU`` of all classes; arguments as in ``IoU``."""

    _arguments: tuple[str, ...] = ("num_classes", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis")

    def __init__(
        self,
        num_classes: Any,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        targets = range(num_classes) if isinstance(num_classes, int) else (0,)
        super().__init__(num_classes, targets, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)
