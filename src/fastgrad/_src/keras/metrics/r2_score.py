"""The coefficient of determination."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.argument_checks import check_choice, check_rank, require
from fastgrad._src.core.recording import hide_from_tapes
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras.losses.loss import align_ranks, as_tensor
from fastgrad._src.keras.metrics.metric import Metric
from fastgrad._src.keras.metrics.reduction import weights_of_elements
from fastgrad._src.ops import namespace as ops


class R2Score(Metric):
    """``1 - sum((y - p)^2) / sum((y - mean(y))^2)``, the fraction of the variance that predictions explain.

    Args:
        class_aggregation: ``"uniform_average"``, the mean of the columns' scores; ``"variance_weighted_average"``; None for one
            score per column.
        num_regressors: the number of inputs of the prediction, for the adjusted score; 0 for the plain score.
        name, dtype: as in ``Metric``.

    Labels and predictions have shape (batch, columns).

    Raises:
        ValueError: an argument has another value.
    """

    _direction = "up"
    _config_names = ("class_aggregation", "num_regressors")
    sum: Any
    squared_sum: Any
    total_mse: Any
    count: Any

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype, name)
        aggregations = (None, "uniform_average", "variance_weighted_average")
        check_choice(self, aggregations, class_aggregation=class_aggregation)
        require(not num_regressors < 0, self, "`num_regressors` must be >= 0", num_regressors=num_regressors)
        self.class_aggregation, self.num_regressors = class_aggregation, num_regressors
        self.num_samples = self.add_variable((), "zeros", self._dtype, name="num_samples")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        with hide_from_tapes():
            y, p = align_ranks(as_tensor(y_true, self._dtype), as_tensor(y_pred, self._dtype))
            check_rank(self, 2, y_pred=p, y_true=y)
            weight = weights_of_elements(self, sample_weight, y.shape, y_pred)
            terms = {"squared_sum": y * y, "sum": y, "residual": ops.squared_difference(y, p), "count": 1.0}
            sums = {name: ops.reduce_sum(term * weight, 0) for name, term in terms.items()}
        for name, total in sums.items():
            attribute = "total_mse" if name == "residual" else name
            if attribute not in self.__dict__:
                setattr(self, attribute, self.add_variable(total.shape, "zeros", self._dtype, name=name))
            getattr(self, attribute).assign_add(total)
        self.num_samples.assign_add(ops.cast(ops.size(y), self._dtype))

    def result(self) -> Tensor:
        """Returns the R2 score so far, 0 before the first batch."""
        if "count" not in self.__dict__:
            return ops.zeros((), self._dtype)
        mean = self.sum.read_value() / self.count.read_value()
        variance = self.squared_sum.read_value() - self.sum.read_value() * mean
        scores = 1 - self.total_mse.read_value() / variance
        scores = ops.where(ops.is_inf(scores), 0.0, scores)
        if self.class_aggregation == "uniform_average":
            scores = ops.reduce_mean(scores)
        elif self.class_aggregation is not None:
            scores = ops.reduce_sum(variance * scores) / ops.reduce_sum(variance)
        if not self.num_regressors:
            return scores
        degrees_of_freedom = self.num_samples.read_value() - 1.0 - self.num_regressors
        adjusted_scores = 1.0 - (1.0 - scores) * (self.num_samples.read_value() - 1.0) / degrees_of_freedom
        return ops.where(degrees_of_freedom > 0.0, adjusted_scores, scores)
