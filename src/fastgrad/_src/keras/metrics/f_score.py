"""F scores: the harmonic mean of precision and recall, class by class."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.argument_checks import check_choice, check_rank, require
from fastgrad._src.core.recording import hide_from_tapes
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras.losses.loss import as_tensor
from fastgrad._src.keras.metrics.metric import Metric
from fastgrad._src.keras.metrics.reduction import weights_of_elements
from fastgrad._src.keras.settings import epsilon
from fastgrad._src.ops import namespace as ops


class FBetaScore(Metric):
    """The F-beta score of each class: ``(1 + beta^2) * precision * recall / (beta^2 * precision + recall)``.

    Args:
        average: None for one score per class; ``"micro"``, all classes counted together; ``"macro"``, the mean of the
            classes' scores; ``"weighted"``, the mean weighted by the frequency of the classes.
        beta: the importance of recall relative to precision.
        threshold: in (0, 1]; a prediction above it counts. None: the greatest prediction of a sample counts.
        name, dtype: as in ``Metric``.

    Labels and predictions have shape (batch, classes).

    Raises:
        ValueError: an argument has another value.
    """

    _direction = "up"
    _config_names = ("average", "beta", "threshold")
    true_positives: Any
    false_positives: Any
    false_negatives: Any
    intermediate_weights: Any

    def __init__(
        self,
        average: str | None = None,
        beta: Any = 1.0,
        threshold: Any = None,
        name: str | None = "fbeta_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype, name)
        check_choice(self, (None, "micro", "macro", "weighted"), average=average)
        require(isinstance(beta, float) and beta > 0.0, self, "`beta` must be a Python float > 0", beta=beta)
        is_proper = threshold is None or (isinstance(threshold, float) and 0.0 < threshold <= 1.0)
        require(is_proper, self, "`threshold` must be a float with 0 < threshold <= 1", threshold=threshold)
        self.average, self.beta, self.threshold = average, beta, threshold

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds the positives of a batch to the counts of each class.

        Args:
            y_true, y_pred: labels and predictions.
            sample_weight: a number, a weight for each sample, or a weight for each class of each sample.

        Raises:
            ValueError: the shapes are others.
            InvalidArgumentError: the weights do not fit the labels.
        """
        with hide_from_tapes():
            labels, predictions = as_tensor(y_true, self._dtype), as_tensor(y_pred, self._dtype)
            check_rank(self, 2, y_pred=predictions, y_true=labels)
            if self.threshold is None:
                is_greatest = predictions >= ops.reduce_max(predictions, -1, keepdims=True)
                is_predicted = ops.logical_and(is_greatest, ops.abs(predictions) > 1e-9)
            else:
                is_predicted = predictions > self.threshold
            predicted = ops.cast(is_predicted, self._dtype)
            weight = weights_of_elements(self, sample_weight, labels.shape, y_pred)
            axis = None if self.average == "micro" else 0
            terms = {
                "true_positives": predicted * labels,
                "false_positives": predicted * (1 - labels),
                "false_negatives": (1 - predicted) * labels,
                "intermediate_weights": labels,
            }
            sums = {name: ops.reduce_sum(term * weight, axis) for name, term in terms.items()}
        for name, total in sums.items():
            if name not in self.__dict__:
                setattr(self, name, self.add_variable(total.shape, "zeros", self._dtype, name=name))
            getattr(self, name).assign_add(total)

    def result(self) -> Tensor:
        """Returns the score, or one score per class; 0 before the first batch."""
        if not self._own_variables:
            return ops.zeros((), self._dtype)
        hits, small = self.true_positives.read_value(), epsilon()
        precision = hits / (hits + self.false_positives.read_value() + small)
        recall = hits / (hits + self.false_negatives.read_value() + small)
        score = precision * recall / (self.beta**2 * precision + recall + small) * (1 + self.beta**2)
        if self.average == "weighted":
            weights = self.intermediate_weights.read_value()
            return ops.reduce_sum(score * (weights / (ops.reduce_sum(weights) + small)))
        return score if self.average is None else ops.reduce_mean(score)


class F1Score(FBetaScore):
    """``2 * precision * recall / (precision + recall)``; arguments as in ``FBetaScore``, with ``beta`` 1."""

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)

    def get_config(self) -> dict[str, Any]:
        return {name: value for name, value in super().get_config().items() if name != "beta"}
