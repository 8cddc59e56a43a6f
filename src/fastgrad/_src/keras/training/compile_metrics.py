"""The metrics of a compiled model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from fastgrad._src.core.argument_checks import check_type, named_argument
from fastgrad._src.core.nest import flatten, is_nested, map_structure
from fastgrad._src.keras import metrics as all_metrics
from fastgrad._src.keras.metrics.metric import Metric
from fastgrad._src.keras.metrics.reduction import MeanMetricWrapper
from fastgrad._src.keras.training.compile_loss import is_binary_or_sparse, name_of_function
from fastgrad._src.keras.training.outputs import by_output, is_flat, labels_by_output, output_names_of


def metric_of_identifier(identifier: Any, y_true: Any, y_pred: Any, argument: str = "metrics") -> Metric | None:
    """Returns the metric of an identifier from ``compile``; ``"accuracy"``, ``"crossentropy"`` depend on the shapes."""
    if identifier is None:
        return None
    metric: Any
    short = identifier.lower() if isinstance(identifier, str) else ""
    if short in ("accuracy", "acc", "crossentropy", "ce"):
        binary, sparse = is_binary_or_sparse(y_true, y_pred)
        class_prefix = "Binary" if binary else "SparseCategorical" if sparse else "Categorical"
        metric = getattr(all_metrics, class_prefix + ("Accuracy" if short.startswith("acc") else "Crossentropy"))()
    else:
        with named_argument("compile", argument, "names, functions and objects of keras.metrics, in a list"):
            metric = all_metrics.get(identifier)
    name = identifier if isinstance(identifier, str) else name_of_function(metric)
    if not isinstance(metric, Metric):
        return MeanMetricWrapper(metric, name=name)
    metric.name = name
    return metric


def _items_by_output(y_pred: Any, metrics: Any, argument: str) -> list[Any]:
    """Returns the item of ``metrics`` for each output; ``metrics`` has the structure of the outputs.

    Raises:
        ValueError: ``metrics`` has another structure.
    """
    if not is_nested(y_pred):
        return [metrics]
    if metrics is None:
        return [None] * len(flatten(y_pred))
    if isinstance(y_pred, dict):
        matches = isinstance(metrics, dict) and set(metrics) <= set(y_pred)
        pairs = [(y_pred[key], metrics.get(key)) for key in sorted(y_pred)] if matches else []
    else:
        matches = isinstance(metrics, (list, tuple)) and len(metrics) == len(y_pred)
        pairs = list(zip(y_pred, metrics, strict=True)) if matches else []
    if not matches:
        structure = map_structure(lambda _: "X", y_pred)
        raise ValueError(
            f"Invalid `{argument}`: it does not match the output structure {structure}. Received: {argument}={metrics}"
        )
    return [item for output, item_structure in pairs for item in _items_by_output(output, item_structure, argument)]


@contextmanager
def _need_of_labels(label: Any, output_name: str) -> Iterator[None]:
    """Lets errors of metrics within the scope say that the output has no labels; some metrics do without."""
    try:
        yield
    except (AttributeError, TypeError, ValueError) as error:
        if label is not None:
            raise
        raise ValueError(
            f"Output {output_name!r} has metrics but no labels in `y`. Give its labels, or no metrics in `compile`. ({error})"
        ) from error


class CompileMetrics:
    """All metrics of all outputs as one metric, which a user's ``train_step`` can update before the metrics are made.

    Args:
        metrics: a list of metrics, functions and names; for several outputs a list or dict of lists.
        weighted_metrics: metrics in the same form, which get the sample weights.
        output_names: the names of the model's outputs, or None.
        loss: the losses of ``compile``; labels may omit the outputs without a loss.
    """

    name = "compile_metrics"

    def __init__(
        self, metrics: Any, weighted_metrics: Any, output_names: Sequence[str] | None, loss: Any = None
    ) -> None:
        for argument, argument_name in ((metrics, "metrics"), (weighted_metrics, "weighted_metrics")):
            wanted = f"a list, tuple, or dict, such as {argument_name}=['mae'], or None"
            check_type("compile", wanted, (list, tuple, dict, type(None)), ValueError, **{argument_name: argument})
        self._given = metrics, weighted_metrics
        self._output_names = output_names
        self._loss = loss
        self._metrics: tuple[list[list[Metric]], list[list[Metric]]] | None = None
        self._names: list[str] = []

    @property
    def built(self) -> bool:
        """Whether the metrics have been made."""
        return self._metrics is not None

    @property
    def metrics(self) -> list[Metric]:
        """The metrics, once they are made: output by output, weighted metrics last."""
        return [metric for lists in self._metrics or () for output_metrics in lists for metric in output_metrics]

    @property
    def variables(self) -> list[Any]:
        """The variables of the metrics."""
        return [variable for metric in self.metrics for variable in metric.variables]

    def reset_state(self) -> None:
        """Resets all metrics."""
        for metric in self.metrics:
            metric.reset_state()

    def build(self, y_true: Any, y_pred: Any) -> None:
        """Makes the metrics for outputs like ``y_pred``.

        Raises:
            ValueError: the metrics do not match the outputs.
        """
        self._names = output_names_of(y_pred, self._output_names)
        labels = labels_by_output(y_true, y_pred, self._names, self._loss)
        outputs = flatten(y_pred)
        metric_lists = []
        for argument, argument_name in zip(self._given, ("metrics", "weighted_metrics"), strict=True):
            lists = self._metric_lists(argument, y_pred, argument_name)
            output_metrics = []
            for items, name, label, output in zip(lists, self._names, labels, outputs, strict=True):
                with _need_of_labels(label, name):
                    made = [metric_of_identifier(identifier, label, output, argument_name) for identifier in items]
                output_metrics.append([metric for metric in made if metric is not None])
            metric_lists.append(output_metrics)
        self._metrics = metric_lists[0], metric_lists[1]

    def _metric_lists(self, metrics: Any, y_pred: Any, argument: str) -> list[list[Any]]:
        """Returns a list of metrics for each output."""
        if not metrics:
            return [[] for _ in self._names]
        if not is_flat(y_pred):
            lists = _items_by_output(y_pred, metrics, argument)
        elif isinstance(metrics, dict) or len(self._names) > 1:
            lists = by_output(metrics, y_pred, self._names, argument)
        else:
            lists = [list(metrics[0]) if len(metrics) == 1 and isinstance(metrics[0], (list, tuple)) else list(metrics)]
        return [list(item) if isinstance(item, (list, tuple)) else [] if item is None else [item] for item in lists]

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Updates all metrics with a batch."""
        if self._metrics is None:
            self.build(y_true, y_pred)
        assert self._metrics is not None
        labels = labels_by_output(y_true, y_pred, self._names, self._loss)
        outputs = flatten(y_pred)
        weights = by_output(sample_weight, y_pred, self._names, "sample_weight")
        unweighted, weighted = self._metrics
        for number, (label, output) in enumerate(zip(labels, outputs, strict=True)):
            with _need_of_labels(label, self._names[number]):
                for metric in unweighted[number]:
                    metric.update_state(label, output)
                for metric in weighted[number]:
                    metric.update_state(label, output, sample_weight=weights[number])

    def result(self) -> dict[str, Any]:
        """Returns the results so far by name; with several outputs the output's name comes first.

        A metric whose name is already used is called ``weighted_...`` if it gets sample weights; else its name gets a number.
        """
        results: dict[str, Any] = {}
        for weighted, lists in enumerate(self._metrics or ()):
            for name, output_metrics in zip(self._names, lists, strict=True):
                for metric in output_metrics:
                    prefix = f"{name}_" if len(self._names) > 1 else ""
                    key = prefix + metric.name
                    if weighted and key in results:
                        key = f"{prefix}weighted_{metric.name}"
                    number, base_key = 1, key
                    while key in results:
                        key, number = f"{base_key}_{number}", number + 1
                    results[key] = metric.result()
        return results
